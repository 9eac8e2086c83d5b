/**
 * Unpacks the body of a batch piece by piece: whoever looks at records has a window of them at a time, and
 * no body comes to more than a bound, whatever it says of itself. What lies behind its end, or is missing
 * there, is refused: some consumer would be stopped by it.
 */
import { createGunzip, createZstdDecompress, constants as zlib } from 'node:zlib';
import { Xxhash32, xxhash32 } from '../../stdx/xxhash32.ts';
import { type Codec, CorruptCompression } from './compression.ts';
import {
  SLACK_BYTES,
  snappyLength,
  unpackLz4Block,
  unpackSnappyBlock,
  type Viewed,
  viewed,
} from './unpack-blocks.ts';

/** A body comes to more than is allowed. */
export class TooMuchUnpacked extends CorruptCompression {
  constructor(bytesMax: number) {
    super(`a batch must not unpack to more than ${bytesMax} bytes`);
  }
}

/** What the codecs of the platform give at a time. */
const PIECE_BYTES = 64 * 1024;

/** Unpacked bytes that were not used yet, with room for more behind them. */
export class UnpackedWindow implements Viewed {
  bytes: Buffer = Buffer.alloc(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  start = 0;
  end = 0;

  /** Makes room for so many bytes behind the end, and SLACK_BYTES. */
  reserve(byteCount: number): void {
    if (this.end + byteCount + SLACK_BYTES <= this.bytes.length) return;
    const kept = this.end - this.start;
    const wanted = kept + byteCount + SLACK_BYTES;
    if (wanted <= this.bytes.length) this.bytes.copyWithin(0, this.start, this.end);
    else {
      const bytes = Buffer.allocUnsafeSlow(Math.max(wanted + PIECE_BYTES / 4, 2 * kept));
      this.bytes.copy(bytes, 0, this.start, this.end);
      const of = viewed(bytes);
      this.bytes = of.bytes;
      this.view = of.view;
    }
    this.start = 0;
    this.end = kept;
  }

  clear(): void {
    this.start = 0;
    this.end = 0;
  }
}

/** A body that is being unpacked. */
export interface Unpacking {
  /**
   * Puts more bytes behind the end of the window.
   * @returns false where there are no more
   * @throws CorruptCompression
   */
  more(into: UnpackedWindow): boolean;
  /** To be called once, whatever happened: what is dear to make is used again. */
  close(): void;
}

/** @throws CorruptCompression */
export function unpack(codec: Codec, body: Buffer, bytesMax: number): Unpacking {
  switch (codec) {
    case 'none':
      return new Plain(body);
    case 'gzip':
      return new PlatformCodec(gzips, body, bytesMax, false);
    case 'zstd':
      return new PlatformCodec(zstds, body, bytesMax, checkZstdFrames(body) > ZSTD_WINDOW_KEPT);
    case 'snappy':
      return new Snappy(body, bytesMax);
    case 'lz4':
      return new Lz4(body, bytesMax);
  }
}

class Plain implements Unpacking {
  private body: Buffer | null;

  constructor(body: Buffer) {
    this.body = body;
  }

  more(into: UnpackedWindow): boolean {
    const { body } = this;
    this.body = null;
    if (body === null) return false;
    into.reserve(body.length);
    into.end += body.copy(into.bytes, into.end);
    return body.length > 0;
  }

  close(): void {}
}

/** The part of Node's streams that unpacks at once and to where it is told; they use it themselves. */
interface Handle {
  writeSync(
    flush: number,
    input: Buffer,
    inputAt: number,
    inputBytes: number,
    output: Buffer,
    outputAt: number,
    outputBytes: number,
  ): void;
  reset(): void;
  close(): void;
  onerror: (message: string) => void;
}

class PlatformDecoder {
  private readonly handle: Handle;
  /** What of output and input is left after a write. */
  private readonly left: Uint32Array;
  private fault: string | null = null;

  constructor(stream: object) {
    const of = stream as { _handle: Handle; _writeState: Uint32Array };
    this.handle = of._handle;
    this.left = of._writeState;
    this.handle.onerror = (message) => {
      this.fault = message;
    };
  }

  /** @returns how many bytes were written; `inputLeft` says how many were not read */
  write(input: Buffer, at: number, into: Buffer, intoAt: number, room: number): number {
    const { handle, left } = this;
    handle.writeSync(zlib.Z_FINISH, input, at, input.length - at, into, intoAt, room);
    if (this.fault !== null) throw new CorruptCompression(this.fault);
    return room - (left[0] as number);
  }

  get inputLeft(): number {
    return this.left[1] as number;
  }

  get hasFailed(): boolean {
    return this.fault !== null;
  }

  reset(): void {
    this.handle.reset();
  }

  close(): void {
    this.handle.close();
  }
}

/** Decoders that wait for the next body: to make one is dearer than most bodies. */
class SpareDecoders {
  private readonly spare: PlatformDecoder[] = [];
  private readonly make: () => object;

  constructor(make: () => object) {
    this.make = make;
  }

  take(): PlatformDecoder {
    return this.spare.pop() ?? new PlatformDecoder(this.make());
  }

  giveBack(decoder: PlatformDecoder): void {
    // What has failed once does so again.
    if (decoder.hasFailed || this.spare.length === SPARE_MAX) return decoder.close();
    decoder.reset();
    this.spare.push(decoder);
  }
}
const SPARE_MAX = 2;
const gzips = new SpareDecoders(createGunzip);
const zstds = new SpareDecoders(createZstdDecompress);

class PlatformCodec implements Unpacking {
  private readonly spares: SpareDecoders;
  private readonly decoder: PlatformDecoder;
  private readonly body: Buffer;
  private readonly bytesMax: number;
  /** It took so much memory that it is not kept. */
  private readonly isLarge: boolean;
  private isDone = false;
  private at = 0;
  private byteCount = 0;

  constructor(spares: SpareDecoders, body: Buffer, bytesMax: number, isLarge: boolean) {
    this.spares = spares;
    this.decoder = spares.take();
    this.body = body;
    this.bytesMax = bytesMax;
    this.isLarge = isLarge;
  }

  more(into: UnpackedWindow): boolean {
    const { body, decoder } = this;
    if (this.isDone) return false;
    into.reserve(PIECE_BYTES);
    const count = decoder.write(body, this.at, into.bytes, into.end, PIECE_BYTES);
    const at = body.length - decoder.inputLeft;
    this.isDone = at === body.length && count < PIECE_BYTES;
    if (count === 0 && at === this.at && !this.isDone)
      throw new CorruptCompression('nothing must follow the compressed data of a batch');
    this.at = at;
    this.byteCount += count;
    if (this.byteCount > this.bytesMax) throw new TooMuchUnpacked(this.bytesMax);
    into.end += count;
    return !this.isDone || count > 0;
  }

  close(): void {
    if (this.isLarge) this.decoder.close();
    else this.spares.giveBack(this.decoder);
  }
}

const ZSTD_MAGIC = 0xfd2fb528;
/** A decoder keeps the memory that its largest window took. */
const ZSTD_WINDOW_KEPT = 8 * 1024 * 1024;

/**
 * Goes over the frames of zstd data (RFC 8878): the platform does not say where they end.
 * @returns the largest window of them
 * @throws CorruptCompression where the data does not end with a frame
 */
function checkZstdFrames(b: Buffer): number {
  let at = 0;
  let windowMax = 0;
  do {
    const frame = zstdFrame(b, at);
    at = frame.end;
    windowMax = Math.max(windowMax, frame.window);
  } while (at < b.length);
  return windowMax;
}

function zstdFrame(b: Buffer, start: number): { end: number; window: number } {
  const cut = () => new CorruptCompression('the zstd data of a batch must be whole');
  if (start + 5 > b.length || b.readUInt32LE(start) !== ZSTD_MAGIC) throw cut();
  const descriptor = b[start + 4] as number;
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >>> 6] as number;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  const sizeAt = start + (isSingle ? 5 : 6) + dictionaryBytes;
  let at = sizeAt + sizeBytes;
  if (at > b.length) throw cut();
  // Of six bytes, the most that can be read so; what is larger is no window that is taken.
  const size = sizeBytes === 0 ? 0 : b.readUIntLE(sizeAt, Math.min(sizeBytes, 6));
  const window = isSingle ? size : 2 ** (11 + ((b[start + 5] as number) >>> 3));
  for (let isLast = false; !isLast; ) {
    if (at + 3 > b.length) throw cut();
    const header = b.readUIntLE(at, 3);
    isLast = (header & 1) === 1;
    const kind = (header >>> 1) & 3;
    // One byte that is repeated has a size of its own.
    at += 3 + (kind === 1 ? 1 : header >>> 3);
  }
  if ((descriptor & 4) !== 0) at += 4;
  if (at > b.length) throw cut();
  return { end: at, window };
}

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER_BYTES = 16;
/** No element of snappy makes more of its bytes. */
const SNAPPY_RATIO_MAX = 22;

/** Kafka's framing of snappy, or one block without any. */
class Snappy implements Unpacking {
  private readonly body: Viewed;
  private readonly isFramed: boolean;
  private readonly bytesMax: number;
  private at = 0;
  private byteCount = 0;

  constructor(body: Buffer, bytesMax: number) {
    this.body = viewed(body);
    this.bytesMax = bytesMax;
    this.isFramed = body.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC);
    if (body.length === 0) throw new CorruptCompression('snappy data must say how long it is');
    if (!this.isFramed) return;
    if (body.length < XERIAL_HEADER_BYTES || body.readInt32BE(8) < 1)
      throw new CorruptCompression('the header of snappy data must be whole');
    this.at = XERIAL_HEADER_BYTES;
  }

  more(into: UnpackedWindow): boolean {
    const { bytes } = this.body;
    if (this.at === bytes.length) return false;
    let start = this.at;
    let end = bytes.length;
    if (this.isFramed) {
      const size = start + 4 <= end ? bytes.readInt32BE(start) : 0;
      start += 4;
      if (size <= 0 || start + size > end)
        throw new CorruptCompression('a snappy block must lie within its batch');
      end = start + size;
    }
    const { length, at } = snappyLength(bytes, start, end);
    if (length > (end - at) * SNAPPY_RATIO_MAX)
      throw new CorruptCompression('a snappy block cannot unpack to what it says');
    this.byteCount += length;
    if (this.byteCount > this.bytesMax) throw new TooMuchUnpacked(this.bytesMax);
    into.reserve(length);
    const limit = into.end + length;
    if (unpackSnappyBlock(this.body, at, end, into, into.end, limit) !== limit)
      throw new CorruptCompression('a snappy block must unpack to what it says');
    into.end = limit;
    this.at = end;
    return true;
  }

  close(): void {}
}

const LZ4_MAGIC = 0x184d2204;
const LZ4 = { version: 0x40, independent: 0x20, blockSums: 0x10, size: 0x08, sum: 0x04 } as const;
const LZ4_KNOWN = 0xff & ~0x03;
/** Nor does LZ4. */
const LZ4_RATIO_MAX = 256;
const LZ4_UNPACKED = 0x8000_0000;

/** An LZ4 frame with blocks that stand for themselves, as Kafka reads no other. */
class Lz4 implements Unpacking {
  private readonly body: Viewed;
  private readonly bytesMax: number;
  private readonly blockMax: number;
  private readonly flags: number;
  private readonly size: number | null;
  private readonly sum: Xxhash32 | null;
  private isDone = false;
  private at: number;
  private byteCount = 0;

  constructor(body: Buffer, bytesMax: number) {
    this.body = viewed(body);
    this.bytesMax = bytesMax;
    if (body.length < 7 || body.readUInt32LE(0) !== LZ4_MAGIC) throw lz4Fault('header');
    this.flags = body[4] as number;
    const sizeBytes = (this.flags & LZ4.size) === 0 ? 0 : 8;
    const end = 6 + sizeBytes;
    const code = (body[5] as number) >>> 4;
    const must = LZ4.version | LZ4.independent;
    const isKnown =
      (this.flags & ~LZ4_KNOWN) === 0 &&
      (this.flags & 0xc0) === LZ4.version &&
      (this.flags & must) === must;
    if (!isKnown || code < 4 || code > 7 || ((body[5] as number) & 0x8f) !== 0)
      throw lz4Fault('kind');
    if (body.length <= end || body[end] !== ((xxhash32(body, 4, end) >>> 8) & 0xff))
      throw lz4Fault('header');
    this.size = sizeBytes === 0 ? null : Number(body.readBigUInt64LE(6));
    this.blockMax = 2 ** (8 + 2 * code);
    this.sum = (this.flags & LZ4.sum) === 0 ? null : new Xxhash32();
    this.at = end + 1;
  }

  more(into: UnpackedWindow): boolean {
    const { bytes } = this.body;
    if (this.isDone) return false;
    if (this.at + 4 > bytes.length) throw lz4Fault('end');
    const header = bytes.readUInt32LE(this.at);
    this.at += 4;
    if (header === 0) return this.finish();
    const size = header % LZ4_UNPACKED;
    const start = this.at;
    const end = start + size;
    if (size > this.blockMax || end + 4 > bytes.length) throw lz4Fault('block');
    const isPacked = header < LZ4_UNPACKED;
    const room = isPacked ? Math.min(this.blockMax, size * LZ4_RATIO_MAX) : size;
    into.reserve(room);
    const from = into.end;
    if (isPacked) into.end = unpackLz4Block(this.body, start, end, into, from, from + room);
    else into.end += bytes.copy(into.bytes, from, start, end);
    this.byteCount += into.end - from;
    if (this.byteCount > this.bytesMax) throw new TooMuchUnpacked(this.bytesMax);
    this.sum?.update(into.bytes, from, into.end);
    this.at = end;
    if ((this.flags & LZ4.blockSums) !== 0) this.checkSum(xxhash32(bytes, start, end));
    return true;
  }

  private checkSum(sum: number): void {
    const { bytes } = this.body;
    if (this.at + 4 > bytes.length || bytes.readUInt32LE(this.at) !== sum)
      throw lz4Fault('checksum');
    this.at += 4;
  }

  private finish(): false {
    if (this.sum !== null) this.checkSum(this.sum.digest());
    if (this.size !== null && this.size !== this.byteCount) throw lz4Fault('size');
    if (this.at !== this.body.bytes.length) throw lz4Fault('end');
    this.isDone = true;
    return false;
  }

  close(): void {}
}

function lz4Fault(what: string): CorruptCompression {
  return new CorruptCompression(`the LZ4 frame of a batch is broken (${what})`);
}
