/**
 * The records inside a batch, for the few who must look: compaction, recompression, checks of
 * compacted topics. Everybody else moves batches as opaque bytes.
 */
import { type Codec, codecs, compress, decompress, isCodecReady } from './compression.ts';
import { MalformedMessage, Reader, Writer, writeInt64At } from './cursor.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  batch,
  crcOf,
  DELETE_HORIZON_BIT,
} from './record-batch.ts';

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

/** Whether `rawRecords` may be called for the batch now; if not, `loadCodecs` makes it so. */
export function canRead(b: Buffer, at = 0): boolean {
  return isCodecReady(codecOf(b, at));
}

/**
 * The records of the batch at `at`; keys are views into the (unpacked) batch.
 * @throws CorruptCompression or MalformedMessage where the content is not what the header says
 */
export function rawRecords(b: Buffer, at = 0): RawRecord[] {
  const body = b.subarray(at + BATCH_HEADER_BYTES, at + batch.byteCount(b, at));
  const bytes = decompress(codecOf(b, at), body);
  const reader = new Reader(bytes);
  const records: RawRecord[] = [];
  for (let left = batch.count(b, at); left > 0; left--) {
    const length = reader.varint();
    const end = reader.at + length;
    if (length < 0 || end > bytes.length)
      throw new MalformedMessage('a record must lie within its batch');
    reader.take(1);
    const timestampDelta = reader.varlong();
    const offsetDelta = reader.varint();
    const restAt = reader.at;
    const keyLength = reader.varint();
    const key = keyLength < 0 ? null : reader.view(keyLength);
    const isTombstone = reader.varint() < 0;
    const rest = bytes.subarray(restAt, end);
    records.push({ offsetDelta, timestampDelta, key, isTombstone, rest });
    reader.at = end;
  }
  return records;
}

/**
 * A batch with the header of the one at `at` and other records or another codec. Offsets, producer,
 * epoch and largest timestamp stay as they are.
 */
export function rebuildBatch(
  b: Buffer,
  at: number,
  records: readonly RawRecord[],
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
  for (const { timestampDelta, offsetDelta, rest } of records) {
    const head = new Writer(24);
    head.int8(0);
    head.varlong(oldBase + timestampDelta - newBase);
    head.varint(offsetDelta);
    w.varint(head.byteCount + rest.length);
    for (const part of head.finish()) w.bytes(part);
    w.bytes(rest);
  }
  const isEmpty = records.length === 0;
  const codec = isEmpty ? 'none' : as.codec;
  const built = repacked(b, at, isEmpty ? Buffer.alloc(0) : w.toBuffer(), { ...as, codec });
  if (horizonMs !== null) {
    built.writeInt16BE(batch.attributes(built) | DELETE_HORIZON_BIT, AT.attributes);
    writeInt64At(built, horizonMs, AT.baseTimestamp);
  }
  built.writeInt32BE(records.length, AT.count);
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
