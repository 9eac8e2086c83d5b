/** The newest batches of one log, in memory: what consumers and followers at its end read. */
import type { LogRead, ReadRequest } from './log-reads.ts';
import type { Slab, TailMemory, TailOwner } from './tail-memory.ts';

export interface TailEntry {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly bytes: Buffer;
  readonly slab: Slab;
}

/** Columns of a batch: the last offset in it, where it begins in its slab, its size in bytes. */
const COLUMNS = 3;
const LAST_OFFSET = 0;
const AT = 1;
const BYTES = 2;
const NONE = new Float64Array(0);
/** How many batches there is room for at first. */
const FIRST_ROOM = 4;

/**
 * Batches are rows of numbers and not objects: a tail of small batches has 100,000 of them, which the
 * garbage collector would copy twice and then look at again and again.
 */
export class LogTail implements TailOwner {
  private readonly memory: TailMemory;
  private rows = NONE;
  private slabs: (Slab | null)[] = [];
  private head = 0;
  private end = 0;
  /** Everything of the log from here on is in memory. */
  private startOffset = 0;

  constructor(memory: TailMemory) {
    this.memory = memory;
  }

  private column(row: number, column: number): number {
    return this.rows[row * COLUMNS + column] as number;
  }

  /** Takes a batch whose memory came from `TailMemory.keep`. */
  add({ baseOffset, lastOffset, bytes, slab }: TailEntry): void {
    if (this.head === this.end) this.startOffset = baseOffset;
    if (this.end * COLUMNS === this.rows.length) this.makeRoom();
    const { rows, end } = this;
    rows[end * COLUMNS + LAST_OFFSET] = lastOffset;
    rows[end * COLUMNS + AT] = bytes.byteOffset - slab.buffer.byteOffset;
    rows[end * COLUMNS + BYTES] = bytes.length;
    this.slabs[end] = slab;
    this.end++;
    this.memory.charge(this, bytes.length);
  }

  /** Moves the rows to the front where half of them are free, and to twice the room where not. */
  private makeRoom(): void {
    const { head, end, rows } = this;
    const left = rows.subarray(head * COLUMNS, end * COLUMNS);
    if (head * 2 < end || end === 0) {
      this.rows = new Float64Array(Math.max(2 * (end - head), FIRST_ROOM) * COLUMNS);
      this.rows.set(left);
    } else rows.copyWithin(0, head * COLUMNS, end * COLUMNS);
    this.slabs = this.slabs.slice(head, end);
    this.end -= head;
    this.head = 0;
  }

  /** Batches from the one that holds the offset on; null where that one is not in memory. */
  read({ offset, bytesMax, endOffset, atLeastOne }: ReadRequest): LogRead | null {
    const { head, end } = this;
    if (head === end || this.startOffset > offset) return null;
    let low = head;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.column(middle, LAST_OFFSET) < offset) low = middle + 1;
      else high = middle;
    }
    let byteCount = 0;
    let to = low;
    for (; to < end && this.column(to, LAST_OFFSET) < endOffset; to++) {
      const bytes = this.column(to, BYTES);
      const fits = byteCount + bytes <= bytesMax;
      if (!fits && !(atLeastOne && byteCount === 0)) break;
      byteCount += bytes;
      if (fits) continue;
      to++;
      break;
    }
    return { byteCount, ...this.views(low, to) };
  }

  /** What lies side by side is one buffer. */
  private views(from: number, to: number): Pick<LogRead, 'buffers' | 'slabs'> {
    const buffers: Buffer[] = [];
    const slabs: Slab[] = [];
    for (let row = from; row < to; ) {
      const slab = this.slabs[row] as Slab;
      const at = this.column(row, AT);
      let upTo = at + this.column(row, BYTES);
      for (row++; row < to && this.slabs[row] === slab && this.column(row, AT) === upTo; row++)
        upTo += this.column(row, BYTES);
      buffers.push(slab.buffer.subarray(at, upTo));
      if (slab !== slabs[slabs.length - 1]) slabs.push(slab);
    }
    return { buffers, slabs };
  }

  dropOldest(): number {
    const { head } = this;
    if (head === this.end) return 0;
    this.memory.drop(this.slabs[head] as Slab);
    this.slabs[head] = null;
    this.startOffset = this.column(head, LAST_OFFSET) + 1;
    this.head++;
    return this.column(head, BYTES);
  }

  /** Lets go of whole batches below the offset. Their places in the eviction queue stay, as in `clear`. */
  dropBefore(offset: number): void {
    let byteCount = 0;
    while (this.head < this.end && this.column(this.head, LAST_OFFSET) < offset)
      byteCount += this.dropOldest();
    this.memory.uncharge(byteCount);
  }

  /** Lets go of all. Their places in the eviction queue stay: later batches then leave a little early. */
  clear(): void {
    let byteCount = 0;
    for (let row = this.head; row < this.end; row++) {
      byteCount += this.column(row, BYTES);
      this.memory.drop(this.slabs[row] as Slab);
    }
    this.memory.uncharge(byteCount);
    this.rows = NONE;
    this.slabs = [];
    this.head = 0;
    this.end = 0;
  }
}
