/** XXH32, the checksum inside LZ4 frames; bytes may come in pieces. */
const P1 = 0x9e3779b1 | 0;
const P2 = 0x85ebca77 | 0;
const P3 = 0xc2b2ae3d | 0;
const P4 = 0x27d4eb2f | 0;
const P5 = 0x165667b1 | 0;
const STRIPE_BYTES = 16;

const rotate = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits));
const round = (lane: number, input: number) =>
  Math.imul(rotate((lane + Math.imul(input, P2)) | 0, 13), P1);

export class Xxhash32 {
  private a = (P1 + P2) | 0;
  private b = P2;
  private c = 0;
  private d = -P1 | 0;
  private byteCount = 0;
  /** Bytes of a stripe that is not whole yet. */
  private readonly rest = Buffer.alloc(STRIPE_BYTES);
  private restBytes = 0;

  update(bytes: Buffer, start = 0, end = bytes.length): this {
    this.byteCount += end - start;
    let at = start;
    if (this.restBytes > 0) {
      const take = Math.min(STRIPE_BYTES - this.restBytes, end - at);
      bytes.copy(this.rest, this.restBytes, at, at + take);
      this.restBytes += take;
      at += take;
      if (this.restBytes < STRIPE_BYTES) return this;
      this.stripes(this.rest, 0, STRIPE_BYTES);
      this.restBytes = 0;
    }
    const whole = end - ((end - at) % STRIPE_BYTES);
    this.stripes(bytes, at, whole);
    this.restBytes = bytes.copy(this.rest, 0, whole, end);
    return this;
  }

  private stripes(bytes: Buffer, start: number, end: number): void {
    let { a, b, c, d } = this;
    for (let at = start; at < end; at += STRIPE_BYTES) {
      a = round(a, bytes.readInt32LE(at));
      b = round(b, bytes.readInt32LE(at + 4));
      c = round(c, bytes.readInt32LE(at + 8));
      d = round(d, bytes.readInt32LE(at + 12));
    }
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
  }

  /** Of all bytes so far, as an unsigned number. */
  digest(): number {
    const { a, b, c, d, rest, restBytes } = this;
    let hash =
      this.byteCount >= STRIPE_BYTES
        ? (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0
        : P5;
    hash = (hash + this.byteCount) | 0;
    let at = 0;
    for (; at + 4 <= restBytes; at += 4)
      hash = Math.imul(rotate((hash + Math.imul(rest.readInt32LE(at), P3)) | 0, 17), P4);
    for (; at < restBytes; at++)
      hash = Math.imul(rotate((hash + Math.imul(rest[at] as number, P5)) | 0, 11), P1);
    hash = Math.imul(hash ^ (hash >>> 15), P2);
    hash = Math.imul(hash ^ (hash >>> 13), P3);
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}

export function xxhash32(bytes: Buffer, start = 0, end = bytes.length): number {
  return new Xxhash32().update(bytes, start, end).digest();
}
