/** One file of a simulated disk: what the page cache holds, and what is on the platter. */
import type { Random } from './random.ts';

export class SimFile {
  private bytes: Buffer;
  private length: number;
  /** What is on the platter; null while not even the file itself is. */
  private safe: Buffer | null;
  /** Flushes that go on; a cut of the file goes before what they hold. */
  private readonly flushes = new Set<{ content: Buffer }>();

  constructor(content: Buffer | null = null) {
    this.bytes = content === null ? Buffer.alloc(0) : Buffer.from(content);
    this.length = this.bytes.length;
    this.safe = content === null ? null : Buffer.from(content);
  }

  get byteCount(): number {
    return this.length;
  }
  /** Nothing was added since it was flushed: the system still owes it no room. */
  get hasItsRoom(): boolean {
    return this.safe !== null && this.length <= this.safe.length;
  }
  /** A view: it changes with the file. */
  get content(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  write(position: number, added: Buffer): void {
    const end = position + added.length;
    if (end > this.bytes.length) {
      const grown = Buffer.alloc(Math.max(end, this.bytes.length * 2, 512));
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    if (position > this.length) this.bytes.fill(0, this.length, position);
    added.copy(this.bytes, position);
    this.length = Math.max(this.length, end);
  }

  read(position: number, target: Buffer): number {
    return this.content.copy(target, 0, position);
  }

  truncate(byteCount: number): void {
    if (byteCount > this.length) this.write(this.length, Buffer.alloc(byteCount - this.length));
    this.length = byteCount;
    if (this.safe !== null) this.safe = this.safe.subarray(0, byteCount);
    for (const flush of this.flushes) flush.content = flush.content.subarray(0, byteCount);
  }

  /** What is there now is safe once the call that is returned was made. */
  beginFlush(): () => void {
    const flush = { content: Buffer.from(this.content) };
    this.flushes.add(flush);
    return () => {
      this.flushes.delete(flush);
      this.safe = flush.content;
    };
  }
  flush(): void {
    this.beginFlush()();
  }

  /** @returns whether the file itself is there still. */
  losePower(random: Random): boolean {
    this.flushes.clear();
    const { content: bytes, safe } = this;
    // The system had written it back by itself.
    if (random.chance(0.3)) {
      this.safe = Buffer.from(bytes);
      return true;
    }
    if (safe === null) {
      // The file itself may not have made it.
      if (random.chance(0.5)) return false;
      this.length = random.below(bytes.length + 1);
    } else {
      const common = Math.min(safe.length, bytes.length);
      const kept = common + random.below(bytes.length - common + 1);
      safe.copy(bytes, 0, 0, common);
      // A torn sector: the length is there, the content is not.
      if (kept > common && random.chance(0.3))
        bytes.fill(0, common + random.below(kept - common), kept);
      this.length = kept;
    }
    this.safe = Buffer.from(this.content);
    return true;
  }

  /** What a power loss could leave of it now; null: nothing. */
  copy(random: Random): Buffer | null {
    const copy = new SimFile();
    copy.bytes = Buffer.from(this.content);
    copy.length = copy.bytes.length;
    copy.safe = this.safe === null ? null : Buffer.from(this.safe);
    return copy.losePower(random) ? copy.content : null;
  }

  flipBit(bit: number): void {
    const at = bit >> 3;
    if (at >= this.length) return;
    const flip = (bytes: Buffer) => bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (bit & 7)), at);
    flip(this.bytes);
    if (this.safe !== null && at < this.safe.length) flip(this.safe);
  }
}
