/**
 * What one client connection holds of the process's memory budget. Whatever it still holds when it ends is
 * given back in one step: nothing can be forgotten, and nothing is charged to it afterwards.
 */
import {
  type MemoryBudget,
  type MemoryShare,
  type MemoryWaiter,
  SMALL_BYTES,
} from './memory-budget-core.ts';

/** Room for the answer that is being made. */
export interface AnswerMemory {
  /**
   * Charges what is to be read for the answer: as much of `wanted` as may be had now, at least `least`. What
   * was granted before and not given back counts. 0: there is no room.
   */
  grant(wanted: number, least: number): number;
  /** Of what was granted so much is used; the rest is given back. */
  trim(usedBytes: number): void;
  /** What is larger than this must be read nevertheless, one at a time. */
  readonly grantBytesMax: number;
  /**
   * Calls `run` once when `bytes` were granted (`grantBytesMax` where that is less), which need not be asked
   * for again; never where the connection ends before.
   */
  whenGranted(bytes: number, run: (granted: number) => void): void;
}

export class ConnectionMemory implements AnswerMemory {
  readonly budget: MemoryBudget;
  /** By class. */
  private readonly held: number[];
  private ended = false;
  private granted = 0;
  private grantedOf: MemoryShare;
  private grantWaiter: GrantWaiter | null = null;

  constructor(budget: MemoryBudget) {
    this.budget = budget;
    this.held = budget.shares.map(() => 0);
    this.grantedOf = budget.answers;
  }

  heldOf(share: MemoryShare): number {
    return this.held[share.index] as number;
  }

  /** False: there is no room. */
  take(share: MemoryShare, byteCount: number): boolean {
    if (this.ended || !share.take(byteCount, this.heldOf(share))) return false;
    (this.held[share.index] as number) += byteCount;
    return true;
  }

  /** Small things have room of their own, as long as there is some. Null: there is none. */
  takeOf(share: MemoryShare, byteCount: number): MemoryShare | null {
    const { small } = this.budget;
    if (byteCount <= SMALL_BYTES && this.take(small, byteCount)) return small;
    return this.take(share, byteCount) ? share : null;
  }

  overdraw(share: MemoryShare, byteCount: number): void {
    if (this.ended) return;
    share.overdraw(byteCount);
    (this.held[share.index] as number) += byteCount;
  }

  release(share: MemoryShare, byteCount: number): void {
    if (this.ended) return;
    (this.held[share.index] as number) -= byteCount;
    share.release(byteCount);
  }

  get grantBytesMax(): number {
    return this.budget.large.bytesMax;
  }

  get grantedBytes(): number {
    return this.granted;
  }

  grant(wanted: number, least: number): number {
    if (this.ended) return 0;
    if (this.granted > 0) return this.granted;
    const { answers } = this.budget;
    const room = answers.roomFor(this.heldOf(answers));
    const byteCount = Math.min(wanted, room);
    if (byteCount < least || byteCount === 0) return 0;
    return this.hold(answers, byteCount);
  }

  /** Reads may go on beyond the end of the connection: grants end with their requests. */
  private hold(share: MemoryShare, byteCount: number): number {
    share.overdraw(byteCount);
    this.grantedOf = share;
    this.granted = byteCount;
    return byteCount;
  }

  trim(usedBytes: number): void {
    const spare = this.granted - Math.max(usedBytes, 0);
    if (spare <= 0) return;
    this.granted -= spare;
    this.grantedOf.release(spare);
  }

  whenGranted(bytes: number, run: (granted: number) => void): void {
    if (this.ended) return;
    this.trim(0);
    const needed = Math.min(bytes, this.grantBytesMax);
    this.grantWaiter = new GrantWaiter(this, needed, (share) => {
      this.grantWaiter = null;
      run(this.hold(share, needed));
    });
    this.budget.wait(this.grantWaiter);
  }

  /** The answer is made, of so many bytes: what was granted for it becomes what waits to be sent. */
  answer(byteCount: number): MemoryShare {
    const share = this.granted > 0 ? this.grantedOf : this.budget.answers;
    this.trim(0);
    this.overdraw(share, byteCount);
    return share;
  }

  /** Gives all back but what is granted to a read that goes on; that ends with its request. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    if (this.grantWaiter !== null) this.budget.giveUp(this.grantWaiter);
    this.grantWaiter = null;
    for (const share of this.budget.shares) share.release(this.heldOf(share));
    this.held.fill(0);
  }
}

class GrantWaiter implements MemoryWaiter {
  readonly share: MemoryShare;
  private readonly memory: ConnectionMemory;
  private readonly bytes: number;
  readonly onRoom: (share: MemoryShare) => void;

  constructor(memory: ConnectionMemory, bytes: number, onRoom: (share: MemoryShare) => void) {
    this.memory = memory;
    this.share = memory.budget.answers;
    this.bytes = bytes;
    this.onRoom = onRoom;
  }

  neededBytes(): number {
    return this.bytes;
  }
  heldBytes(): number {
    return this.memory.heldOf(this.share);
  }
}
