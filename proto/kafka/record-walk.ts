/**
 * Goes over the records of a batch without making anything of them: the check of what a producer sent, and
 * where compaction finds keys. What is read of a record are numbers that the next one overwrites.
 *
 *     length varint | attributes int8 | timestampDelta varlong | offsetDelta varint | key, value: length
 *     varint, bytes | headers: count varint, each key and value as above
 */

/** The record is not whole in the bytes at hand: `wanted` says how many it needs. */
export const MORE = -1;
/** The bytes are no record: `fault` says why. */
export const BROKEN = -2;

/** Attributes, two deltas, two lengths and the number of headers, a byte each at least. */
const RECORD_BYTES_MIN = 6;
/** A length before a record. */
const LENGTH_BYTES_MAX = 5;
const TWO_28 = 2 ** 28;
const TWO_56 = 2 ** 56;

export class RecordWalk {
  /** Why the last record could not be read. */
  fault: string | null = null;
  /** After MORE: bytes from where the record begins, as far as is known. */
  wanted = 0;
  timestampDelta = 0;
  offsetDelta = 0;
  /** Where the length of the key is: key, value and headers as they are encoded go from here to the end. */
  restAt = 0;
  keyAt = 0;
  /** Negative: there is no key. */
  keyLength = -1;
  /** Negative: a tombstone. */
  valueLength = -1;
  private at = 0;

  /**
   * Reads the record at `at` of bytes that end at `end`.
   * @returns where it ends, MORE or BROKEN
   */
  read(b: Buffer, at: number, end: number): number {
    const last = this.readShort(b, at, end);
    return last > 0 ? last : this.readAny(b, at, end);
  }

  /**
   * Most records: at hand, without headers, no field before the key longer than two bytes, nor a length. Reads
   * as if all were well, also beyond the record, and judges by where that leads.
   * @returns where the record ends; 0: it is of another kind
   */
  private readShort(b: Buffer, at: number, end: number): number {
    let p = at;
    let v = b[p++] as number;
    if (v >= 0x80) {
      const w = b[p++] as number;
      if (w >= 0x80) return 0;
      v = (v & 0x7f) | (w << 7);
    }
    const last = p + (v >>> 1);
    if ((v & 1) !== 0 || last > end) return 0;
    v = b[++p] as number;
    p++;
    if (v >= 0x80) {
      const w = b[p++] as number;
      if (w >= 0x80) return 0;
      v = (v & 0x7f) | (w << 7);
    }
    this.timestampDelta = (v >>> 1) ^ -(v & 1);
    v = b[p++] as number;
    if (v >= 0x80) {
      const w = b[p++] as number;
      if (w >= 0x80) return 0;
      v = (v & 0x7f) | (w << 7);
    }
    this.offsetDelta = (v >>> 1) ^ -(v & 1);
    this.restAt = p;
    v = b[p++] as number;
    if (v >= 0x80) {
      const w = b[p++] as number;
      if (w >= 0x80) return 0;
      v = (v & 0x7f) | (w << 7);
    }
    let length = (v >>> 1) ^ -(v & 1);
    this.keyAt = p;
    this.keyLength = length;
    if (length > 0) p += length;
    v = b[p++] as number;
    if (v >= 0x80) {
      const w = b[p++] as number;
      if (w >= 0x80) return 0;
      v = (v & 0x7f) | (w << 7);
    }
    length = (v >>> 1) ^ -(v & 1);
    this.valueLength = length;
    if (length > 0) p += length;
    return b[p] === 0 && p + 1 === last ? last : 0;
  }

  private readAny(b: Buffer, at: number, end: number): number {
    this.at = at;
    if (!this.endsWithin(b, at, end)) return this.lengthIsCut(at, end);
    const length = this.varint(b, end);
    if (length < RECORD_BYTES_MIN) return this.broken('a record is shorter than its fields');
    const start = this.at;
    const last = start + length;
    if (last > end) {
      this.wanted = last - at;
      return MORE;
    }
    this.at = start + 1;
    this.timestampDelta = this.varlong(b, last);
    this.offsetDelta = this.varint(b, last);
    this.restAt = this.at;
    this.keyLength = this.varint(b, last);
    this.keyAt = this.at;
    if (this.keyLength > 0) this.at += this.keyLength;
    this.valueLength = this.varint(b, last);
    if (this.valueLength > 0) this.at += this.valueLength;
    const headers = this.varint(b, last);
    if (headers !== 0 && !this.passHeaders(b, headers, last))
      return this.broken('the headers of a record must lie within it');
    // A field that reaches beyond the end moves the position there, whatever is read after it.
    if (this.at !== last) return this.broken('the fields of a record must fill its length');
    return last;
  }

  private broken(why: string): number {
    this.fault = why;
    return BROKEN;
  }

  private lengthIsCut(at: number, end: number): number {
    if (end - at >= LENGTH_BYTES_MAX) return this.broken('the length of a record must be a varint');
    this.wanted = end - at + 1;
    return MORE;
  }

  private endsWithin(b: Buffer, at: number, end: number): boolean {
    const limit = Math.min(end, at + LENGTH_BYTES_MAX);
    for (let i = at; i < limit; i++) if ((b[i] as number) < 0x80) return true;
    return false;
  }

  private passHeaders(b: Buffer, count: number, last: number): boolean {
    // Two lengths each at least.
    if (count < 0 || count > (last - this.at) / 2) return false;
    for (let i = 0; i < count; i++) {
      const nameLength = this.varint(b, last);
      if (nameLength < 0) return false;
      this.at += nameLength;
      const valueLength = this.varint(b, last);
      if (valueLength > 0) this.at += valueLength;
    }
    return true;
  }

  /** Zigzag, 32 bits; behind the end there are zeros, and the position goes on. */
  private varint(b: Buffer, end: number): number {
    let { at } = this;
    if (at >= end) return this.past(end);
    let byte = b[at++] as number;
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (at >= end || shift > 28) return this.past(end);
      byte = b[at++] as number;
      value |= (byte & 0x7f) << shift;
    }
    this.at = at;
    return (value >>> 1) ^ -(value & 1);
  }

  /** Zigzag, 64 bits, as exact as a number is. */
  private varlong(b: Buffer, end: number): number {
    let { at } = this;
    if (at >= end) return this.past(end);
    let byte = b[at++] as number;
    const isOdd = (byte & 1) === 1;
    let low = byte & 0x7f;
    let middle = 0;
    let high = 0;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (at >= end || shift > 63) return this.past(end);
      byte = b[at++] as number;
      if (shift < 28) low |= (byte & 0x7f) << shift;
      else if (shift < 56) middle |= (byte & 0x7f) << (shift - 28);
      else high |= (byte & 0x7f) << (shift - 56);
    }
    this.at = at;
    const value = low + middle * TWO_28 + high * TWO_56;
    return isOdd ? -(value + 1) / 2 : value / 2;
  }

  /** Nothing is read any more, and the record cannot end where it says. */
  private past(end: number): number {
    this.at = end + 1;
    return 0;
  }
}
