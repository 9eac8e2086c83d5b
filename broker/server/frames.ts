/**
 * Cuts a byte stream into Kafka frames (int32 size, then the request).
 *
 * All connections read into one shared buffer; a frame that is complete in it is handed out as a
 * view that is only valid during the call. A frame that is not gets a buffer of its own, which
 * grows with what has arrived and never with what was announced, and is charged before it is made.
 * What the sink does not take yet is kept the same way and offered again.
 */
import type { ConnectionMemory } from '../memory/connection-memory.ts';
import { type MemoryShare, SMALL_BYTES } from '../memory/memory-budget-core.ts';
import { frameBuffer, frameBufferSize, releaseFrameBuffer } from './frame-buffers.ts';

const SHARED_BYTES = 1024 * 1024;
/** Who begins is read this much of at a time: more than one request may lie behind one that takes its time. */
const FIRST_WINDOW_BYTES = 64 * 1024;
/** A buffer for a frame of up to so many bytes is made at once, for larger ones it grows. */
const FIRST_ALLOCATION_BYTES = 64 * 1024;
const SPARE_BYTES_MAX = 256 * 1024;

export class FrameTooLarge extends Error {}
export class NoRoomForFrame extends Error {}

const shared = Buffer.allocUnsafeSlow(SHARED_BYTES);
const WINDOWS: readonly Buffer[] = [1, 2, 4, 8, 16].map((times) =>
  shared.subarray(0, times * FIRST_WINDOW_BYTES),
);

export interface FrameSink {
  /**
   * False: not now; it is offered again by `again`.
   * `ownedIn`: where the frame is charged, which whoever takes it releases; its bytes stay valid after the
   * call. Null: they are reused, and not the taker's to release.
   */
  onFrame(frame: Buffer, ownedIn: MemoryShare | null): boolean;
}

export interface FrameReaderDeps {
  readonly frameBytesMax: number;
  readonly memory: ConnectionMemory;
  readonly nowMs: () => number;
}

export class FrameReader {
  private readonly sink: FrameSink;
  private readonly deps: FrameReaderDeps;
  /** Bytes that have no place in the shared buffer any more; those before `from` are done with. */
  private held: Buffer | null = null;
  private from = 0;
  private have = 0;
  private chargedTo: MemoryShare | null = null;
  private charged = 0;
  /** Frames that lie in `held` are in use elsewhere: it is not used again. */
  private isLent = false;
  private given: Buffer = shared;
  private window = 0;
  private isRefused = false;
  private isFull = false;
  private isClosed = false;
  /** What came in a buffer of somebody else's and has found no room. */
  private rest: Buffer | null = null;
  /** Since when it waits for the rest of a frame. */
  sinceMs = 0;

  constructor(sink: FrameSink, deps: FrameReaderDeps) {
    this.sink = sink;
    this.deps = deps;
  }

  /** Nothing more can be taken: the sink refused a frame, or there is no room for one. */
  get isStopped(): boolean {
    return this.isRefused || this.isFull;
  }
  /** There is no room for the rest of a frame. */
  get lacksRoom(): boolean {
    return this.isFull && !this.isRefused;
  }
  /** Bytes that have arrived of a frame whose rest is waited for. */
  get unfinishedBytes(): number {
    return this.isRefused || this.held === null ? 0 : this.have - this.from;
  }

  /** Where the next bytes of the socket may go. */
  next(): Buffer {
    const { held, have } = this;
    this.given =
      held === null || this.isStopped || have === held.length
        ? (WINDOWS[this.isStopped ? 0 : this.window] as Buffer)
        : held.subarray(have, Math.min(held.length, this.from + this.need()));
    return this.given;
  }

  /** Size of the unfinished frame with its size field; at least the size field itself. */
  private need(): number {
    if (this.held === null || this.have - this.from < 4) return 4;
    return this.held.readInt32BE(this.from) + 4;
  }

  /** `byteCount` bytes have arrived in the buffer that `next` gave. */
  onRead(byteCount: number): void {
    const { given, held } = this;
    if (given.buffer !== shared.buffer) {
      const isNext = held?.buffer === given.buffer && given.byteOffset === this.have;
      if (isNext && !this.isStopped) {
        this.have += byteCount;
        this.cutHeld();
        return;
      }
    } else if (held === null && !this.isStopped) {
      this.cut(given, 0, byteCount);
      if (this.isRefused) this.window = 0;
      else if (byteCount === given.length && this.window < WINDOWS.length - 1) this.window++;
      return;
    }
    // Reading was stopped between the two: what was given is not where the next bytes belong.
    this.onBytes(Buffer.from(given.subarray(0, byteCount)));
  }

  /** Bytes that arrived in a buffer of somebody else's (TLS, tests). */
  onBytes(bytes: Buffer): void {
    if (this.rest !== null || this.isStopped) {
      this.rest = this.rest === null ? bytes : Buffer.concat([this.rest, bytes]);
      return;
    }
    let at = 0;
    while (at < bytes.length && !this.isClosed) {
      if (this.isStopped) {
        this.rest = bytes.subarray(at);
        return;
      }
      if (this.held === null) {
        this.cut(bytes, at, bytes.length);
        return;
      }
      const end = Math.min(this.held.length, this.from + this.need());
      const count = bytes.copy(this.held, this.have, at, at + end - this.have);
      at += count;
      this.have += count;
      this.cutHeld();
    }
  }

  /** Offers again what the sink refused, or looks again for room. */
  again(): void {
    if (this.isRefused) {
      this.isRefused = false;
      this.cutHeld();
    } else if (this.isFull) {
      this.isFull = false;
      this.makeRoom(null);
    }
    this.takeRest();
  }

  /** What has to be charged for the next step of an unfinished frame. */
  get growthBytes(): number {
    const size = frameBufferSize(sizeOf(this.need(), this.have - this.from));
    const isThere = this.chargedTo === this.deps.memory.budget.frames;
    return isThere ? Math.max(size - this.charged, 0) : size;
  }

  /** All of the frame is charged to a share where it finds its place. */
  finishIn(share: MemoryShare): void {
    if (!this.lacksRoom) return;
    this.isFull = false;
    this.makeRoom(share);
    this.takeRest();
  }

  private takeRest(): void {
    const { rest } = this;
    if (rest === null || this.isStopped || this.isClosed) return;
    this.rest = null;
    this.onBytes(rest);
  }

  private checkSize(size: number): void {
    const { frameBytesMax } = this.deps;
    if (size < 0 || size > frameBytesMax) {
      throw new FrameTooLarge(
        `a request must not exceed socket.request.max.bytes (${frameBytesMax}), it announces ${size}`,
      );
    }
  }

  private cut(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (end - at >= 4) {
      const size = bytes.readInt32BE(at);
      this.checkSize(size);
      if (end - at - 4 < size) break;
      if (!this.sink.onFrame(bytes.subarray(at + 4, at + 4 + size), null)) {
        this.isRefused = true;
        break;
      }
      if (this.isClosed) return;
      at += 4 + size;
    }
    if (at < end) this.keep(bytes, at, end);
  }

  /** Puts bytes where they may stay. */
  private keep(bytes: Buffer, at: number, end: number): void {
    const left = end - at;
    const need = left >= 4 ? bytes.readInt32BE(at) + 4 : SMALL_BYTES;
    const { memory } = this.deps;
    let size = frameBufferSize(this.isRefused ? left : sizeOf(need, left));
    let share = memory.takeOf(memory.budget.frames, size);
    if (share === null) {
      size = frameBufferSize(left);
      share = memory.takeOf(memory.budget.frames, size) ?? this.fromSmall(size);
    }
    this.held = frameBuffer(size);
    this.chargedTo = share;
    this.charged = size;
    this.isLent = false;
    bytes.copy(this.held, 0, at, end);
    this.from = 0;
    this.have = left;
    this.sinceMs = this.deps.nowMs();
    if (!this.isRefused) this.makeRoom(null);
  }

  /** What has been read from the socket must lie somewhere, even where only small things have room. */
  private fromSmall(size: number): MemoryShare {
    const { memory } = this.deps;
    const { small } = memory.budget;
    if (memory.take(small, size)) return small;
    throw new NoRoomForFrame('there is no memory for what was sent (queued.max.request.bytes)');
  }

  private cutHeld(): void {
    const { held } = this;
    if (held === null) return;
    const before = this.from;
    while (this.have - this.from >= 4) {
      const { from } = this;
      const size = held.readInt32BE(from);
      this.checkSize(size);
      if (this.have - from - 4 < size) break;
      const ownedIn = held.length > SPARE_BYTES_MAX ? this.chargedTo : null;
      if (ownedIn !== null) this.isLent = true;
      if (!this.sink.onFrame(held.subarray(from + 4, from + 4 + size), ownedIn)) {
        this.isRefused = true;
        return;
      }
      if (this.isClosed) return;
      if (ownedIn !== null) this.charged -= size;
      this.from = from + 4 + size;
    }
    if (this.from === this.have) this.letGo();
    else {
      if (this.from > before) this.sinceMs = this.deps.nowMs();
      this.makeRoom(null);
    }
  }

  /** Where the buffer is full, makes it larger, or notes that it cannot be for now. */
  private makeRoom(large: MemoryShare | null): void {
    const { held, from, have } = this;
    if (held === null || (have < held.length && large === null)) return;
    const need = this.need();
    this.checkSize(need - 4);
    const left = have - from;
    if (from > 0 && !this.isLent && large === null && Math.min(need, 2 * left) <= held.length) {
      held.copyWithin(0, from, have);
      this.from = 0;
      this.have = left;
      return;
    }
    const size = frameBufferSize(large === null ? sizeOf(need, left) : need);
    const share = this.charge(size, large);
    if (share === null) {
      this.isFull = true;
      return;
    }
    const grown = frameBuffer(size);
    held.copy(grown, 0, from, have);
    if (!this.isLent) releaseFrameBuffer(held);
    this.held = grown;
    this.chargedTo = share;
    this.isLent = false;
    this.from = 0;
    this.have = left;
    // The time that it waited for room was not its own.
    if (large !== null) this.sinceMs = this.deps.nowMs();
  }

  private charge(after: number, large: MemoryShare | null): MemoryShare | null {
    const { charged: before } = this;
    const { memory } = this.deps;
    const from = this.chargedTo as MemoryShare;
    const share = large ?? (after <= SMALL_BYTES ? from : memory.budget.frames);
    if (share !== from) {
      if (!memory.take(share, after)) return null;
      memory.release(from, before);
    } else if (after < before) memory.release(share, before - after);
    else if (!memory.take(share, after - before)) return null;
    this.charged = after;
    return share;
  }

  private letGo(): void {
    const { held } = this;
    if (held === null) return;
    this.deps.memory.release(this.chargedTo as MemoryShare, this.charged);
    if (!this.isLent) releaseFrameBuffer(held);
    this.held = null;
    this.chargedTo = null;
    this.from = 0;
    this.have = 0;
  }

  /** The socket is gone: so is what was read from it. */
  close(): void {
    this.isClosed = true;
    this.rest = null;
    this.letGo();
  }
}

/** How large a buffer is to be for a frame of which so much has arrived. */
function sizeOf(need: number, left: number): number {
  if (need <= FIRST_ALLOCATION_BYTES) return Math.max(need, left);
  return Math.max(left, Math.min(need, Math.max(2 * left, FIRST_ALLOCATION_BYTES)));
}
