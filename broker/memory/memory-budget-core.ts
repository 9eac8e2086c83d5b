/**
 * The memory that work for clients and peers may take, as one budget for the process. Pure.
 *
 * It is charged before the work is done and given back when an answer is sent or its client is gone; whoever
 * gets no room is not read from until there is some. Each class of memory has a part that nobody else can
 * take, so that no kind of work can starve another one; what is left over is for whoever comes first.
 *
 * Within a class of many holders nobody takes all. A quarter of it goes to whoever asks; of the rest each may
 * have a small part, enough for requests and answers of the ordinary size, so that dozens may hold on to theirs
 * for as long as they like and the next one still finds room at once; and of what is left in the end, each
 * has no more than a part of what is *free*. What is too large for that waits for the one place for large
 * things, which is given to one after the other.
 */
import { assert } from '../../stdx/assert.ts';

/** Of every holder's memory the first bits are counted apart: a heartbeat gets through whatever large requests do. */
export const SMALL_BYTES = 4096;

/** Parts of the whole; `shared`: by many who do not know of each other. */
const CLASSES = {
  /** Small frames, and small requests that wait for their answer. */
  small: { reserved: 1 / 16, most: 1 / 8, shared: true },
  /** Frames that have not arrived as a whole. */
  frames: { reserved: 1 / 8, most: 1 / 3, shared: true },
  /** Requests that are worked at. */
  requests: { reserved: 1 / 16, most: 1 / 4, shared: true },
  /** What is read for answers, and answers until they are sent. */
  answers: { reserved: 1 / 6, most: 1 / 2, shared: true },
  /** Records on their way between brokers. */
  replication: { reserved: 1 / 12, most: 1 / 3, shared: false },
  /** What compressed batches become while they are looked at. */
  decompression: { reserved: 1 / 16, most: 1 / 4, shared: false },
} as const;
/** Of a class that is shared: for whoever asks first, for each holder, and of what is free for each. */
const FIRST_PART = 1 / 4;
const HOLDER_PART = 1 / 96;
const FREE_PARTS = 4;
/** Of the whole, at most, for what is large. */
const LARGE_PART = 3 / 10;

export type MemoryClass = keyof typeof CLASSES | 'large';

interface ShareSize {
  readonly reservedBytes: number;
  readonly bytesMax: number;
  readonly shared: boolean;
}

/** What is nobody's own. */
class Common {
  freeBytes: number;
  constructor(freeBytes: number) {
    this.freeBytes = freeBytes;
  }
}

/** One class of memory. Integers only: charging costs nothing but additions. */
export class MemoryShare {
  readonly name: MemoryClass;
  readonly index: number;
  readonly reservedBytes: number;
  readonly bytesMax: number;
  private readonly shared: boolean;
  /** What each holder may have, and what is left for that. */
  private readonly holderBytes: number;
  private readonly keptBytes: number;
  private readonly common: Common;
  private readonly onRelease: () => void;
  private used = 0;
  /** How often somebody had to wait for room. */
  paused = 0;

  constructor(
    name: MemoryClass,
    size: ShareSize,
    within: { index: number; common: Common; onRelease: () => void },
  ) {
    this.name = name;
    this.index = within.index;
    this.reservedBytes = size.reservedBytes;
    this.bytesMax = size.bytesMax;
    this.shared = size.shared;
    this.holderBytes = Math.floor(size.bytesMax * HOLDER_PART);
    this.keptBytes = Math.floor(size.bytesMax * (1 - FIRST_PART));
    this.common = within.common;
    this.onRelease = within.onRelease;
  }

  get usedBytes(): number {
    return this.used;
  }

  get freeBytes(): number {
    const own = Math.max(this.reservedBytes - this.used, 0);
    const common = Math.max(this.common.freeBytes, 0);
    return Math.max(Math.min(this.bytesMax - this.used, own + common), 0);
  }

  /** How much more a holder may have that has so much of this class already. */
  roomFor(heldBytes: number): number {
    const free = this.freeBytes;
    if (!this.shared) return free;
    // Whole numbers throughout: fractions would be objects of the heap.
    const part = (free - (free % FREE_PARTS)) / FREE_PARTS;
    const own = Math.min(this.holderBytes, part) - heldBytes;
    const first = Math.min(part - heldBytes, free - this.keptBytes);
    return Math.max(own, first, 0);
  }

  /** Charges the bytes, or none of them: false. */
  take(byteCount: number, heldBytes: number): boolean {
    if (byteCount > this.roomFor(heldBytes)) return false;
    this.add(byteCount);
    return true;
  }

  /**
   * Charges what is there already, whether there is room or not. For answers, whose size nobody knows before
   * they are made: where the class is overdrawn no other is begun.
   */
  overdraw(byteCount: number): void {
    this.add(byteCount);
  }

  private add(byteCount: number): void {
    const before = Math.max(this.used - this.reservedBytes, 0);
    this.used += byteCount;
    this.common.freeBytes -= Math.max(this.used - this.reservedBytes, 0) - before;
  }

  release(byteCount: number): void {
    if (byteCount === 0) return;
    assert(byteCount <= this.used, 'no more is released than was charged');
    this.add(-byteCount);
    this.onRelease();
  }
}

/** Somebody who goes on when there is room. Waits once at a time. */
export interface MemoryWaiter {
  /** Where it is charged in the ordinary case. */
  readonly share: MemoryShare;
  neededBytes(): number;
  heldBytes(): number;
  /**
   * There is room in `share`, the waiter's own or the one for large things: it is to be charged in this very
   * call. Who needs more later waits again.
   */
  onRoom(share: MemoryShare): void;
}

/** So many who wait are looked at in one go. */
const LOOKED_AT_MAX = 1024;

export class MemoryBudget {
  readonly totalBytes: number;
  readonly small: MemoryShare;
  readonly frames: MemoryShare;
  readonly requests: MemoryShare;
  readonly answers: MemoryShare;
  readonly replication: MemoryShare;
  readonly decompression: MemoryShare;
  /** For one at a time. */
  readonly large: MemoryShare;
  readonly shares: readonly MemoryShare[];
  /** How many were cut off because they were slow with what others waited for. */
  stalled = 0;
  private readonly waiters = new Set<MemoryWaiter>();
  private readonly later: (run: () => void) => void;
  private isArmed = false;

  /** `later` runs something soon, not within the call. */
  constructor(
    of: { readonly totalBytes: number; readonly largeBytesMax: number },
    later: (run: () => void) => void,
  ) {
    const { totalBytes } = of;
    this.totalBytes = totalBytes;
    this.later = later;
    const largeBytes = Math.floor(Math.min(of.largeBytesMax, totalBytes * LARGE_PART));
    const classes = Object.values(CLASSES).map(({ reserved, most, shared }) => ({
      reservedBytes: Math.floor(totalBytes * reserved),
      most,
      shared,
    }));
    const commonBytes = classes.reduce(
      (left, { reservedBytes }) => left - reservedBytes,
      totalBytes - largeBytes,
    );
    assert(commonBytes >= 0, 'parts are no more than the whole');
    // No class has more than its own and all that is nobody's.
    const sizes = classes.map(({ reservedBytes, most, shared }) => ({
      reservedBytes,
      bytesMax: Math.min(Math.floor(totalBytes * most), reservedBytes + commonBytes),
      shared,
    }));
    const common = new Common(commonBytes);
    const onRelease = () => this.arm();
    const names = Object.keys(CLASSES) as (keyof typeof CLASSES)[];
    const shares = names.map(
      (name, index) =>
        new MemoryShare(name, sizes[index] as ShareSize, { index, common, onRelease }),
    );
    const large = { reservedBytes: largeBytes, bytesMax: largeBytes, shared: false };
    this.large = new MemoryShare('large', large, { index: shares.length, common, onRelease });
    this.shares = [...shares, this.large];
    [this.small, this.frames, this.requests, this.answers, this.replication, this.decompression] =
      shares as [MemoryShare, MemoryShare, MemoryShare, MemoryShare, MemoryShare, MemoryShare];
  }

  get usedBytes(): number {
    let sum = 0;
    for (const { usedBytes } of this.shares) sum += usedBytes;
    return sum;
  }

  /** How many wait for room. */
  get waiting(): number {
    return this.waiters.size;
  }

  /** Its `onRoom` is called once, unless it gives up before. Nobody who waits is passed over for ever. */
  wait(waiter: MemoryWaiter): void {
    if (this.waiters.has(waiter)) return;
    this.waiters.add(waiter);
    waiter.share.paused++;
    this.arm();
  }

  giveUp(waiter: MemoryWaiter): void {
    if (this.waiters.delete(waiter)) this.arm();
  }

  isWaiting(waiter: MemoryWaiter): boolean {
    return this.waiters.has(waiter);
  }

  private arm(): void {
    if (this.isArmed || this.waiters.size === 0) return;
    this.isArmed = true;
    this.later(() => {
      this.isArmed = false;
      this.serve();
    });
  }

  /** In the order in which they came; the first of them has the place for large things where it is free. */
  private serve(): void {
    let isFirst = true;
    let served = 0;
    let left = Math.min(this.waiters.size, LOOKED_AT_MAX);
    for (const waiter of this.waiters) {
      if (left-- <= 0) break;
      const needed = waiter.neededBytes();
      let share: MemoryShare | null = null;
      if (needed <= waiter.share.roomFor(waiter.heldBytes())) share = waiter.share;
      else if (isFirst && this.large.usedBytes === 0) share = this.large;
      if (share === null) {
        isFirst = false;
        continue;
      }
      this.waiters.delete(waiter);
      served++;
      waiter.onRoom(share);
    }
    if (served > 0) this.arm();
  }
}
