/**
 * Reading and writing Kafka's primitive types at a position in a Buffer.
 *
 * Invariant: a reader never trusts a length from the wire; every count is checked against what is
 * left in the buffer before anything is allocated (CVE-2022-34917 is the counterexample).
 */

/** The bytes are not a well-formed message: the peer is broken or hostile. */
export class MalformedMessage extends Error {
  readonly code = 'MALFORMED_MESSAGE';
}

/** A value that the protocol has no form for: whoever made it is wrong, and nobody can be sent it. */
export class Unencodable extends Error {
  readonly code = 'UNENCODABLE';
}

const TWO_32 = 0x1_0000_0000;
const SAFE_HIGH = 0x1f_ffff;
/** Kafka 4.4 refuses longer arrays than this, whatever the frame's size. */
export const ARRAY_LENGTH_MAX = 1_000_000;
export const TAGGED_FIELDS_MAX = 10_000;
/** As good as no bound. */
const ANY_COUNT = 0x3fff_ffff;

/** There are more elements than are to be read or written at once: the work must be cut up. */
export class TooManyAtOnce extends Error {}
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA';

function int32Of(a: number, b: number, c: number, d: number): number {
  return (a << 24) | (b << 16) | (c << 8) | d;
}

/**
 * Reads an int64. Beyond 2^53 it is the largest or smallest safe integer: no log has such offsets and no
 * clock such times, so that the order of things stays, and every number can be reckoned with.
 */
export function readInt64At(buffer: Buffer, at: number): number {
  const last = buffer[at + 7];
  if (last === undefined) throw new RangeError('an int64 must lie within its buffer');
  // Byte by byte: what Buffer has for it makes several numbers that are objects to the engine.
  const high = int32Of(buffer[at]!, buffer[at + 1]!, buffer[at + 2]!, buffer[at + 3]!);
  const low = int32Of(buffer[at + 4]!, buffer[at + 5]!, buffer[at + 6]!, last) >>> 0;
  if (high === 0) return low;
  if (high > SAFE_HIGH) return Number.MAX_SAFE_INTEGER;
  if (high < -SAFE_HIGH - 1) return Number.MIN_SAFE_INTEGER;
  return high * TWO_32 + low;
}

/** Writes an int64 given as a number or, from an exact reader, as a bigint. */
export function writeInt64At(buffer: Buffer, value: number, at: number): void {
  if (typeof value === 'bigint') {
    buffer.writeBigInt64BE(value, at);
    return;
  }
  const high = Math.floor(value / TWO_32);
  buffer.writeInt32BE(high, at);
  buffer.writeUInt32BE(value - high * TWO_32, at + 4);
}

export class Reader {
  readonly buffer: Buffer;
  at: number;
  readonly end: number;
  /**
   * Integers beyond 2^53 come as bigints (typed as numbers), for who passes them on and does not reckon with
   * them: what is read can then be written again to the byte.
   */
  readonly isExact: boolean;
  /** How many elements of lists, and tagged fields that nobody knows, may still be read. */
  elementsLeft = ANY_COUNT;

  constructor(buffer: Buffer, at = 0, end = buffer.length, isExact = false) {
    this.buffer = buffer;
    this.at = at;
    this.end = end;
    this.isExact = isExact;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.end - this.at;
  }

  /** Moves over `byteCount` bytes and returns where they began. */
  take(byteCount: number): number {
    const at = this.at;
    if (byteCount < 0 || at + byteCount > this.end) {
      throw new MalformedMessage(
        `the message ends ${at + byteCount - this.end} bytes before its last field does`,
      );
    }
    this.at = at + byteCount;
    return at;
  }

  int8(): number {
    return this.buffer.readInt8(this.take(1));
  }
  int16(): number {
    return this.buffer.readInt16BE(this.take(2));
  }
  uint16(): number {
    return this.buffer.readUInt16BE(this.take(2));
  }
  int32(): number {
    return this.buffer.readInt32BE(this.take(4));
  }
  uint32(): number {
    return this.buffer.readUInt32BE(this.take(4));
  }
  int64(): number {
    const at = this.take(8);
    const value = readInt64At(this.buffer, at);
    if (!this.isExact) return value;
    const exact = this.buffer.readBigInt64BE(at);
    return BigInt(value) === exact ? value : (exact as unknown as number);
  }
  float64(): number {
    return this.buffer.readDoubleBE(this.take(8));
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.buffer[this.take(1)] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new MalformedMessage('a variable-length integer must end within 5 bytes');
  }

  /** Zigzag-encoded 32-bit integer, as inside records; bits beyond them do not count, as in Kafka. */
  varint(): number {
    const value = this.uvarint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** Zigzag-encoded 64-bit integer, as inside records. */
  varlong(): number {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.buffer[this.take(1)] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number((value >> 1n) ^ -(value & 1n));
    }
    throw new MalformedMessage('a variable-length long must end within 10 bytes');
  }

  text(byteCount: number): string {
    const at = this.take(byteCount);
    return this.buffer.toString('utf8', at, at + byteCount);
  }

  /** A view, not a copy: it lives as long as the buffer it was read from stays untouched. */
  view(byteCount: number): Buffer {
    const at = this.take(byteCount);
    return this.buffer.subarray(at, at + byteCount);
  }

  uuid(): string {
    const at = this.take(16);
    return this.buffer.toString('base64url', at, at + 16);
  }

  /** Checks an array length before anything is allocated for it. */
  arrayLength(count: number): number {
    if (count > this.remaining || count > ARRAY_LENGTH_MAX) {
      throw new MalformedMessage(
        `an array of ${count} elements must fit into the ${this.remaining} bytes left and must not exceed ${ARRAY_LENGTH_MAX}`,
      );
    }
    this.count(count);
    return count;
  }

  /** @throws TooManyAtOnce */
  count(elements: number): void {
    this.elementsLeft -= elements;
    if (this.elementsLeft < 0) throw new TooManyAtOnce();
  }
}

/** Grows as needed; large byte fields are kept as separate chunks and never copied. */
export class Writer {
  private buffer: Buffer;
  private start = 0;
  private at = 0;
  private readonly chunks: Buffer[] = [];
  private chunksByteCount = 0;
  /** How many elements of lists may still be written. */
  elementsLeft = ANY_COUNT;

  constructor(capacity = 512) {
    this.buffer = Buffer.allocUnsafe(capacity);
  }

  /** Bytes written so far. */
  get byteCount(): number {
    return this.chunksByteCount + this.at - this.start;
  }

  /** @throws TooManyAtOnce */
  count(elements: number): void {
    this.elementsLeft -= elements;
    if (this.elementsLeft < 0) throw new TooManyAtOnce();
  }

  private room(byteCount: number): number {
    const at = this.at;
    if (at + byteCount > this.buffer.length) {
      const used = this.buffer.subarray(this.start, at);
      const grown = Buffer.allocUnsafe(Math.max(2 * this.buffer.length, used.length + byteCount));
      used.copy(grown);
      this.buffer = grown;
      this.start = 0;
      this.at = used.length + byteCount;
      return used.length;
    }
    this.at = at + byteCount;
    return at;
  }

  int8(value: number): void {
    const at = this.room(1);
    this.buffer[at] = value & 0xff;
  }
  int16(value: number): void {
    const at = this.room(2);
    this.buffer.writeInt16BE(value, at);
  }
  uint16(value: number): void {
    const at = this.room(2);
    this.buffer.writeUInt16BE(value, at);
  }
  int32(value: number): void {
    const at = this.room(4);
    this.buffer.writeInt32BE(value, at);
  }
  uint32(value: number): void {
    const at = this.room(4);
    this.buffer.writeUInt32BE(value, at);
  }
  int64(value: number): void {
    const at = this.room(8);
    writeInt64At(this.buffer, value, at);
  }
  float64(value: number): void {
    const at = this.room(8);
    this.buffer.writeDoubleBE(value, at);
  }

  uvarint(value: number): void {
    let left = value;
    while (left >= 0x80) {
      this.int8((left % 128) | 0x80);
      left = Math.floor(left / 128);
    }
    this.int8(left);
  }

  varint(value: number): void {
    this.uvarint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  varlong(value: number): void {
    let left = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
    while (left >= 0x80n) {
      this.int8(Number(left & 0x7fn) | 0x80);
      left >>= 7n;
    }
    this.int8(Number(left));
  }

  text(value: string, byteCount: number): void {
    const at = this.room(byteCount);
    this.buffer.write(value, at, byteCount, 'utf8');
  }

  bytes(value: Uint8Array): void {
    const at = this.room(value.length);
    this.buffer.set(value, at);
  }

  /** Hands a large buffer over without copying it; it must stay untouched until it is sent. */
  chunk(value: Buffer): void {
    if (value.length < 1024) {
      this.bytes(value);
      return;
    }
    this.cut();
    this.chunks.push(value);
    this.chunksByteCount += value.length;
  }

  uuid(value: string): void {
    const at = this.room(16);
    this.buffer.write(value, at, 16, 'base64url');
  }

  private cut(): void {
    if (this.at === this.start) return;
    this.chunks.push(this.buffer.subarray(this.start, this.at));
    this.chunksByteCount += this.at - this.start;
    this.start = this.at;
  }

  /** Everything written, in order; the writer is spent. */
  finish(): Buffer[] {
    this.cut();
    return this.chunks;
  }

  /** As one buffer, copying only where there are several chunks. */
  toBuffer(): Buffer {
    const chunks = this.finish();
    return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
  }
}
