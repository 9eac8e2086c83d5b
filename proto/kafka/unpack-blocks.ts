/**
 * Blocks of LZ4 and of snappy, unpacked to where they are wanted and never beyond. In JavaScript: as fast as
 * the WebAssembly and native modules there are, because those hand over a copy, and whatever a block says it
 * cannot take more memory than was set aside for it.
 */
import { CorruptCompression } from './compression.ts';

/** Bytes with a view of them: four at a time are copied through it. */
export interface Viewed {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export function viewed(bytes: Buffer): Viewed {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** Copies go by four bytes and may write so many too many: there must be room for them behind a limit. */
export const SLACK_BYTES = 8;
/** From here on the platform's own copy is faster. */
const LONG_BYTES = 64;

class BrokenBlock extends CorruptCompression {
  constructor() {
    super('a compressed block of a batch is broken');
  }
}

/** Copies `count` bytes that lie at hand; both are known to lie within their buffers. */
function copyLiterals(from: Viewed, at: number, to: Viewed, into: number, count: number): void {
  if (count > LONG_BYTES || at + count + SLACK_BYTES > from.bytes.length) {
    to.bytes.set(from.bytes.subarray(at, at + count), into);
    return;
  }
  const [source, target] = [from.view, to.view];
  for (let i = 0; i < count; i += 4) target.setInt32(into + i, source.getInt32(at + i, true), true);
}

/** Repeats what lies `offset` bytes back; both may overlap. */
function copyMatch(to: Viewed, into: number, offset: number, count: number): void {
  const { bytes, view } = to;
  const from = into - offset;
  if (offset >= count && count > LONG_BYTES) bytes.copyWithin(into, from, from + count);
  else if (offset >= 4)
    for (let i = 0; i < count; i += 4) view.setInt32(into + i, view.getInt32(from + i, true), true);
  else if (offset === 1 && count > LONG_BYTES)
    bytes.fill(bytes[from] as number, into, into + count);
  else for (let i = 0; i < count; i++) bytes[into + i] = bytes[from + i] as number;
}

/**
 * Unpacks the LZ4 block `from[at, end)` to `start`, to `limit` at most; `to` has SLACK_BYTES behind that.
 * @returns where it ends
 * @throws CorruptCompression
 */
export function unpackLz4Block(
  from: Viewed,
  at: number,
  end: number,
  to: Viewed,
  start: number,
  limit: number,
): number {
  const source = from.bytes;
  let p = at;
  let q = start;
  while (p < end) {
    const token = source[p++] as number;
    let count = token >>> 4;
    for (let more = count === 15 ? 255 : 0; more === 255 && p < end; count += more)
      more = source[p++] as number;
    if (p + count > end || q + count > limit) throw new BrokenBlock();
    copyLiterals(from, p, to, q, count);
    p += count;
    q += count;
    // A block ends with literals.
    if (p === end) return q;
    if (p + 2 > end) throw new BrokenBlock();
    const offset = (source[p] as number) | ((source[p + 1] as number) << 8);
    p += 2;
    count = token & 15;
    for (let more = count === 15 ? 255 : 0; more === 255 && p < end; count += more)
      more = source[p++] as number;
    count += 4;
    if (offset === 0 || offset > q - start || q + count > limit) throw new BrokenBlock();
    copyMatch(to, q, offset, count);
    q += count;
  }
  throw new BrokenBlock();
}

/** What a snappy block says that it unpacks to, and where it goes on. */
export function snappyLength(b: Buffer, at: number, end: number): { length: number; at: number } {
  let length = 0;
  let p = at;
  for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
    const byte = p < end ? (b[p++] as number) : 0x80;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80 && length <= 0xffff_ffff) return { length, at: p };
  }
  throw new BrokenBlock();
}

/**
 * Unpacks the elements `from[at, end)` of a snappy block to `start`, to `limit` at most; `to` has SLACK_BYTES
 * behind that.
 * @returns where it ends
 * @throws CorruptCompression
 */
export function unpackSnappyBlock(
  from: Viewed,
  at: number,
  end: number,
  to: Viewed,
  start: number,
  limit: number,
): number {
  const source = from.bytes;
  let p = at;
  let q = start;
  while (p < end) {
    const tag = source[p++] as number;
    let count = (tag >>> 2) + 1;
    const kind = tag & 3;
    if (kind === 0) {
      if (count > 60) {
        const bytes = count - 60;
        if (p + bytes > end) throw new BrokenBlock();
        count = source.readUIntLE(p, bytes) + 1;
        p += bytes;
      }
      if (p + count > end || q + count > limit) throw new BrokenBlock();
      copyLiterals(from, p, to, q, count);
      p += count;
    } else {
      let offset = 0;
      if (kind === 1) {
        count = ((tag >>> 2) & 7) + 4;
        offset = ((tag >>> 5) << 8) | (source[p] as number);
        p += 1;
      } else if (kind === 2) {
        offset = (source[p] as number) | ((source[p + 1] as number) << 8);
        p += 2;
      } else {
        offset = p + 4 <= end ? source.readUInt32LE(p) : 0;
        p += 4;
      }
      if (p > end || offset === 0 || offset > q - start || q + count > limit)
        throw new BrokenBlock();
      copyMatch(to, q, offset, count);
    }
    q += count;
  }
  return q;
}
