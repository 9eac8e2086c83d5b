/** The newest batches of one log, in memory: what consumers and followers at its end read. */
import type { LogRead, ReadRequest } from './log-reads.ts';
import type { Slab, TailMemory, TailOwner } from './tail-memory.ts';

export interface TailEntry {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly bytes: Buffer;
  readonly slab: Slab | null;
}

export class LogTail implements TailOwner {
  private readonly memory: TailMemory;
  private batches: TailEntry[] = [];
  private head = 0;

  constructor(memory: TailMemory) {
    this.memory = memory;
  }

  /** Takes a batch whose memory came from `TailMemory.keep`. */
  add(batch: TailEntry): void {
    this.batches.push(batch);
    this.memory.charge(this, batch.bytes.length);
  }

  /** Batches from the one that holds the offset on; null where that one is not in memory. */
  read({ offset, bytesMax, endOffset, atLeastOne }: ReadRequest): LogRead | null {
    const { batches, head } = this;
    const first = batches[head];
    if (first === undefined || first.baseOffset > offset) return null;
    let low = head;
    let high = batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((batches[middle] as TailEntry).lastOffset < offset) low = middle + 1;
      else high = middle;
    }
    const buffers: Buffer[] = [];
    const slabs: Slab[] = [];
    let byteCount = 0;
    for (let i = low; i < batches.length; i++) {
      const { lastOffset, bytes, slab } = batches[i] as TailEntry;
      if (lastOffset >= endOffset) break;
      const fits = byteCount + bytes.length <= bytesMax;
      if (!fits && !(atLeastOne && byteCount === 0)) break;
      buffers.push(bytes);
      if (slab !== null && slab !== slabs[slabs.length - 1]) slabs.push(slab);
      byteCount += bytes.length;
      if (!fits) break;
    }
    return { buffers, byteCount, slabs };
  }

  dropOldest(): number {
    const oldest = this.batches[this.head];
    if (oldest === undefined) return 0;
    this.head++;
    this.memory.drop(oldest.slab);
    if (this.head > 64 && this.head * 2 > this.batches.length) {
      this.batches = this.batches.slice(this.head);
      this.head = 0;
    }
    return oldest.bytes.length;
  }

  /** Lets go of all. Their places in the eviction queue stay: later batches then leave a little early. */
  clear(): void {
    let byteCount = 0;
    for (let i = this.head; i < this.batches.length; i++) {
      const { bytes, slab } = this.batches[i] as TailEntry;
      byteCount += bytes.length;
      this.memory.drop(slab);
    }
    this.memory.uncharge(byteCount);
    this.batches = [];
    this.head = 0;
  }
}
