/**
 * The hot tail: the newest batches of every partition stay in memory under one byte budget for
 * the whole process, so that consumers and followers at the end of a log never touch the disk.
 * The oldest batch of the process leaves first, whichever partition it belongs to.
 *
 * Memory comes in slabs that are used again: fresh ones would make the garbage collector run all
 * the time. A slab is used again only when no tail and no answer on its way refers to it.
 */

const SLAB_BYTES = 1024 * 1024;
/** What a consumer asks of one partition by default, and a little more to cut batches from. */
const READ_SLAB_BYTES = SLAB_BYTES + 64 * 1024;
/**
 * Slabs kept for later; more than that goes back to the system. As many as followers keep at a time: to
 * make and drop slabs all the time is what collections are run for.
 */
const SPARE_SLABS_MAX = 32;
const SPARE_READ_SLABS_MAX = 8;

export class Slab {
  readonly buffer: Buffer;
  used = 0;
  /** Batches of tails that lie here. */
  batches = 0;
  /** Answers on their way that refer to batches here. */
  holds = 0;
  /** No tail refers to it any more, only answers on their way. */
  isOutlived = false;
  readonly isForReading: boolean;

  constructor(byteCount = SLAB_BYTES, isForReading = false) {
    this.isForReading = isForReading;
    this.buffer = Buffer.allocUnsafeSlow(byteCount);
  }
}

/** How much memory a read of so many bytes takes. */
export function memoryForReading(byteCount: number): number {
  return byteCount > READ_SLAB_BYTES || byteCount < READ_SLAB_BYTES / 8
    ? byteCount
    : READ_SLAB_BYTES;
}

export interface KeptBytes {
  readonly bytes: Buffer;
  readonly slab: Slab;
}

export interface TailOwner {
  /** Lets go of its oldest batch; returns how many bytes that freed. */
  dropOldest(): number;
}

export class TailMemory {
  private readonly budgetBytes: number;
  private usedBytes = 0;
  private outlivedBytes = 0;
  private queue: TailOwner[] = [];
  private head = 0;
  private current: Slab | null = null;
  private readonly spare: Slab[] = [];
  private readonly spareForReads: Slab[] = [];

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  get bytes(): number {
    return this.usedBytes;
  }

  /** Copies the bytes to where they may stay; the one copy on the way from socket to file. */
  keep(source: Buffer): KeptBytes {
    const byteCount = source.length;
    if (byteCount > SLAB_BYTES / 2) {
      const own = new Slab(byteCount);
      own.batches++;
      source.copy(own.buffer);
      return { bytes: own.buffer, slab: own };
    }
    let slab = this.current;
    if (slab === null || slab.used + byteCount > SLAB_BYTES) {
      this.current = null;
      if (slab !== null) this.recycle(slab);
      slab = this.spare.pop() ?? new Slab();
      slab.used = 0;
      this.current = slab;
    }
    const at = slab.used;
    slab.used = at + byteCount;
    slab.batches++;
    source.copy(slab.buffer, at);
    return { bytes: slab.buffer.subarray(at, at + byteCount), slab };
  }

  private recycle(slab: Slab): void {
    if (slab.batches > 0 || slab === this.current) return;
    const { length } = slab.buffer;
    if (slab.holds > 0) {
      if (slab.isForReading || slab.isOutlived) return;
      slab.isOutlived = true;
      this.outlivedBytes += length;
      return;
    }
    if (slab.isOutlived) {
      slab.isOutlived = false;
      this.outlivedBytes -= length;
    }
    const { spare, spareForReads } = this;
    if (length === SLAB_BYTES && spare.length < SPARE_SLABS_MAX) spare.push(slab);
    else if (length === READ_SLAB_BYTES && spareForReads.length < SPARE_READ_SLABS_MAX)
      spareForReads.push(slab);
  }

  /**
   * Memory for bytes from a file, used again once an answer that held it is sent; who never holds it
   * has it for itself. Null: so many bytes need memory of their own.
   */
  forReading(byteCount: number): Slab | null {
    if (memoryForReading(byteCount) !== READ_SLAB_BYTES) return null;
    return this.spareForReads.pop() ?? new Slab(READ_SLAB_BYTES, true);
  }

  /** A batch that `keep` gave a place is in no tail any more. */
  drop(slab: Slab): void {
    slab.batches--;
    this.recycle(slab);
  }

  /**
   * Whether answers to slow readers keep as much memory from being used again as the tails have: a few bytes
   * keep a whole slab. From then on answers are given a copy.
   */
  get isCrowded(): boolean {
    return this.outlivedBytes > this.budgetBytes;
  }

  /** Keeps what an answer refers to until `release`. */
  hold(slabs: readonly Slab[]): void {
    for (const slab of slabs) slab.holds++;
  }

  release(slabs: readonly Slab[]): void {
    for (const slab of slabs) {
      slab.holds--;
      this.recycle(slab);
    }
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
  uncharge(byteCount: number): void {
    this.usedBytes -= byteCount;
  }
}
