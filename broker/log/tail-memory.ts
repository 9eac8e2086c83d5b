/**
 * The hot tail: the newest batches of every partition stay in memory under one byte budget for
 * the whole process, so that consumers and followers at the end of a log never touch the disk.
 * The oldest batch of the process leaves first, whichever partition it belongs to.
 */

const SLAB_BYTES = 1024 * 1024;

export interface TailOwner {
  /** Lets go of its oldest batch; returns how many bytes that freed. */
  dropOldest(): number;
}

export class TailMemory {
  private readonly budgetBytes: number;
  private usedBytes = 0;
  private queue: TailOwner[] = [];
  private head = 0;
  private slab = Buffer.alloc(0);
  private slabUsed = 0;

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  get bytes(): number {
    return this.usedBytes;
  }

  /** Copies the bytes to where they may stay; the one copy on the way from socket to file. */
  keep(source: Buffer): Buffer {
    const byteCount = source.length;
    if (byteCount > SLAB_BYTES / 4) {
      const own = Buffer.allocUnsafeSlow(byteCount);
      source.copy(own);
      return own;
    }
    if (this.slabUsed + byteCount > this.slab.length) {
      this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.slabUsed = 0;
    }
    const at = this.slabUsed;
    this.slabUsed = at + byteCount;
    source.copy(this.slab, at);
    return this.slab.subarray(at, at + byteCount);
  }

  /** Charges a batch that `owner` added to its tail, evicting the process's oldest as needed. */
  charge(owner: TailOwner, byteCount: number): void {
    this.queue.push(owner);
    this.usedBytes += byteCount;
    while (this.usedBytes > this.budgetBytes && this.head < this.queue.length) {
      const oldest = this.queue[this.head++] as TailOwner;
      this.usedBytes -= oldest.dropOldest();
    }
    if (this.head > 4096 && this.head * 2 > this.queue.length) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
  }

  /** Gives back what an owner dropped by itself (truncation, deletion). */
  release(byteCount: number): void {
    this.usedBytes -= byteCount;
  }
}
