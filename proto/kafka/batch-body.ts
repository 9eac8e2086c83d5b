/**
 * The records inside a stored batch, for the few who must look again once it is appended. Everybody else
 * moves batches as opaque bytes.
 */
import { type Codec, codecs, compress, isCodecReady } from './compression.ts';
import { MalformedMessage, Writer, writeInt64At } from './cursor.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  batch,
  crcOf,
  DELETE_HORIZON_BIT,
} from './record-batch.ts';
import { BROKEN, MORE, RecordWalk } from './record-walk.ts';
import { UnpackedWindow, type Unpacking, unpack } from './unpacking.ts';

const AT = { batchLength: 8, crc: 17, attributes: 21, baseTimestamp: 27, count: 57 } as const;

export interface RawRecord {
  readonly offsetDelta: number;
  readonly timestampDelta: number;
  readonly key: Buffer | null;
  /** Null: a tombstone. */
  readonly isTombstone: boolean;
  /** Key, value and headers as they are encoded. */
  readonly rest: Buffer;
}

export function codecOf(b: Buffer, at = 0): Codec {
  return codecs[batch.attributes(b, at) & 7] ?? 'none';
}

/** Whether `rebuildBatch` may be called for the batch with its codec; if not, `loadCodecs` makes it so. */
export function canRebuild(b: Buffer, at = 0): boolean {
  return isCodecReady(codecOf(b, at));
}

/** Goes over the records of a stored batch, which are unpacked as it goes; none of them is kept. */
export class BatchReader {
  /** What the record says, where it lies in `bytes`. */
  readonly walk = new RecordWalk();
  bytes: Buffer;
  /** Where the record ends. */
  end: number;
  /** Read so far, unpacked. */
  byteCount = 0;
  private readonly window = new UnpackedWindow();
  private readonly unpacking: Unpacking | null;
  private limit: number;
  private left: number;

  /** @throws CorruptCompression */
  constructor(b: Buffer, at: number, bytesMax: number) {
    const codec = codecOf(b, at);
    const start = at + BATCH_HEADER_BYTES;
    const end = at + batch.byteCount(b, at);
    this.left = batch.count(b, at);
    const isPlain = codec === 'none';
    this.unpacking = isPlain ? null : unpack(codec, b.subarray(start, end), bytesMax);
    this.bytes = isPlain ? b : this.window.bytes;
    this.end = isPlain ? start : 0;
    this.limit = isPlain ? end : 0;
  }

  /**
   * Goes to the next record.
   * @returns false: that was the last
   * @throws CorruptCompression or MalformedMessage where the content is not what the header says
   */
  next(): boolean {
    if (this.left === 0) return false;
    this.left--;
    for (;;) {
      const end = this.walk.read(this.bytes, this.end, this.limit);
      if (end === BROKEN) throw new MalformedMessage(this.walk.fault ?? '');
      if (end !== MORE) {
        this.byteCount += end - this.end;
        this.end = end;
        return true;
      }
      this.more();
    }
  }

  private more(): void {
    const { unpacking, window } = this;
    window.start = this.end;
    if (unpacking === null || !unpacking.more(window))
      throw new MalformedMessage('a record must lie within its batch');
    this.bytes = window.bytes;
    this.end = window.start;
    this.limit = window.end;
  }

  get hasKey(): boolean {
    return this.walk.keyLength >= 0;
  }
  keyText(): string {
    const { keyAt, keyLength } = this.walk;
    return this.bytes.toString('latin1', keyAt, keyAt + keyLength);
  }

  /** To be called once, whatever happened. */
  close(): void {
    this.unpacking?.close();
  }
}

const ANY_SIZE = 2 ** 31;

/**
 * The records of the batch at `at`; keys are views into the (unpacked) batch.
 * @throws CorruptCompression or MalformedMessage where the content is not what the header says
 */
export function rawRecords(b: Buffer, at = 0): RawRecord[] {
  return [...eachRecord(b, at, ANY_SIZE)];
}

/** One after the other, with memory of its own each. */
export function* eachRecord(b: Buffer, at: number, bytesMax: number): Generator<RawRecord> {
  const reader = new BatchReader(b, at, bytesMax);
  try {
    while (reader.next()) {
      const { walk, bytes, end } = reader;
      const rest = Buffer.from(bytes.subarray(walk.restAt, end));
      const from = walk.keyAt - walk.restAt;
      yield {
        offsetDelta: walk.offsetDelta,
        timestampDelta: walk.timestampDelta,
        key: reader.hasKey ? rest.subarray(from, from + walk.keyLength) : null,
        isTombstone: walk.valueLength < 0,
        rest,
      };
    }
  } finally {
    reader.close();
  }
}

/**
 * A batch with the header of the one at `at` and other records or another codec. Offsets, producer,
 * epoch and largest timestamp stay as they are.
 */
export function rebuildBatch(
  b: Buffer,
  at: number,
  records: Iterable<RawRecord>,
  as: {
    readonly codec: Codec;
    readonly level: number;
    /** Set: tombstones and markers in it may go after this time (KIP-534). */
    readonly deleteHorizonMs?: number | null;
  },
): Buffer {
  const horizonMs = as.deleteHorizonMs ?? null;
  const oldBase = batch.baseTimestamp(b, at);
  const newBase = horizonMs ?? oldBase;
  const w = new Writer(1024);
  let count = 0;
  for (const { timestampDelta, offsetDelta, rest } of records) {
    const head = new Writer(24);
    head.int8(0);
    head.varlong(oldBase + timestampDelta - newBase);
    head.varint(offsetDelta);
    w.varint(head.byteCount + rest.length);
    for (const part of head.finish()) w.bytes(part);
    w.bytes(rest);
    count++;
  }
  const isEmpty = count === 0;
  const codec = isEmpty ? 'none' : as.codec;
  const built = repacked(b, at, isEmpty ? Buffer.alloc(0) : w.toBuffer(), { ...as, codec });
  if (horizonMs !== null) {
    built.writeInt16BE(batch.attributes(built) | DELETE_HORIZON_BIT, AT.attributes);
    writeInt64At(built, horizonMs, AT.baseTimestamp);
  }
  built.writeInt32BE(count, AT.count);
  built.writeUInt32BE(crcOf(built), AT.crc);
  return built;
}

/** A batch with the header of the one at `at` and its records, which come unpacked, in another codec. */
export function repacked(
  b: Buffer,
  at: number,
  records: Buffer,
  as: { readonly codec: Codec; readonly level: number },
): Buffer {
  const body = compress(as.codec, records, as.level);
  const built = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES + body.length);
  b.copy(built, 0, at, at + BATCH_HEADER_BYTES);
  body.copy(built, BATCH_HEADER_BYTES);
  built.writeInt32BE(built.length - BATCH_PREFIX_BYTES, AT.batchLength);
  const attributes = (batch.attributes(b, at) & ~7) | codecs.indexOf(as.codec);
  built.writeInt16BE(attributes, AT.attributes);
  built.writeUInt32BE(crcOf(built), AT.crc);
  return built;
}
