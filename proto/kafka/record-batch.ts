/**
 * Record batches, magic 2: the unit that is produced, stored, replicated and fetched, byte for byte.
 *
 *     baseOffset int64 | batchLength int32 | partitionLeaderEpoch int32 | magic int8 | crc uint32
 *     | attributes int16 | lastOffsetDelta int32 | baseTimestamp int64 | maxTimestamp int64
 *     | producerId int64 | producerEpoch int16 | baseSequence int32 | recordsCount int32 | records
 *
 * The CRC covers attributes to the end, so a broker may set offset and epoch without touching it.
 */
import { crc32c } from '../../stdx/crc32c.ts';
import { MalformedMessage, Reader, readInt64At, Writer, writeInt64At } from './cursor.ts';

export const BATCH_HEADER_BYTES = 61;
/** baseOffset and batchLength: what must be read to know how long a batch is. */
export const BATCH_PREFIX_BYTES = 12;
const AT = {
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
} as const;

export const TIMESTAMP_TYPE_BIT = 0x08;
export const TRANSACTIONAL_BIT = 0x10;
export const CONTROL_BIT = 0x20;
/** The base timestamp says when tombstones and markers in the batch may go (KIP-534). */
export const DELETE_HORIZON_BIT = 0x40;

/** Reads header fields of the batch that starts at `at`. */
export const batch = {
  baseOffset: (b: Buffer, at = 0) => readInt64At(b, at),
  /** The whole batch, prefix included. */
  byteCount: (b: Buffer, at = 0) => b.readInt32BE(at + AT.batchLength) + BATCH_PREFIX_BYTES,
  leaderEpoch: (b: Buffer, at = 0) => b.readInt32BE(at + AT.leaderEpoch),
  magic: (b: Buffer, at = 0) => b.readInt8(at + AT.magic),
  crc: (b: Buffer, at = 0) => b.readUInt32BE(at + AT.crc),
  attributes: (b: Buffer, at = 0) => b.readInt16BE(at + AT.attributes),
  lastOffsetDelta: (b: Buffer, at = 0) => b.readInt32BE(at + AT.lastOffsetDelta),
  lastOffset: (b: Buffer, at = 0) => readInt64At(b, at) + b.readInt32BE(at + AT.lastOffsetDelta),
  baseTimestamp: (b: Buffer, at = 0) => readInt64At(b, at + AT.baseTimestamp),
  maxTimestamp: (b: Buffer, at = 0) => readInt64At(b, at + AT.maxTimestamp),
  producerId: (b: Buffer, at = 0) => readInt64At(b, at + AT.producerId),
  producerEpoch: (b: Buffer, at = 0) => b.readInt16BE(at + AT.producerEpoch),
  baseSequence: (b: Buffer, at = 0) => b.readInt32BE(at + AT.baseSequence),
  count: (b: Buffer, at = 0) => b.readInt32BE(at + AT.count),
} as const;

/** Sets what the leader decides; both fields lie outside the CRC. */
export function stampBatch(b: Buffer, at: number, baseOffset: number, leaderEpoch: number): void {
  writeInt64At(b, baseOffset, at);
  b.writeInt32BE(leaderEpoch, at + AT.leaderEpoch);
}

/**
 * Sets whose time counts, the broker's or the producer's, and the largest timestamp. The CRC is made anew
 * where that changes anything.
 */
export function stampTimestamps(
  b: Buffer,
  at: number,
  isLogAppendTime: boolean,
  maxTimestamp: number,
): void {
  const before = batch.attributes(b, at);
  const attributes = isLogAppendTime ? before | TIMESTAMP_TYPE_BIT : before & ~TIMESTAMP_TYPE_BIT;
  if (attributes === before && maxTimestamp === batch.maxTimestamp(b, at)) return;
  b.writeInt16BE(attributes, at + AT.attributes);
  writeInt64At(b, maxTimestamp, at + AT.maxTimestamp);
  b.writeUInt32BE(crcOf(b, at), at + AT.crc);
}

/** The checksum that the batch at `at` should have. */
export function crcOf(b: Buffer, at = 0): number {
  return crc32c(b, at + AT.attributes, at + batch.byteCount(b, at));
}

export type BatchFault = 'truncated' | 'magic' | 'crc' | 'count';

/**
 * Judges the batch at `at` by its header and checksum; `end` is where the bytes at hand end.
 * Null: it is whole and intact.
 */
export function batchFault(b: Buffer, at: number, end: number): BatchFault | null {
  if (end - at < BATCH_HEADER_BYTES) return 'truncated';
  const byteCount = batch.byteCount(b, at);
  if (byteCount < BATCH_HEADER_BYTES || at + byteCount > end) return 'truncated';
  if (batch.magic(b, at) !== 2) return 'magic';
  if (crcOf(b, at) !== batch.crc(b, at)) return 'crc';
  const delta = batch.lastOffsetDelta(b, at);
  const count = batch.count(b, at);
  // Compaction may leave fewer records than offsets, even none; more cannot be.
  return delta < 0 || count < 0 || count > delta + 1 ? 'count' : null;
}

export interface RecordHeader {
  readonly key: string;
  readonly value: Buffer | null;
}

export interface NewRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: readonly RecordHeader[];
  readonly timestampMs?: number;
}

export interface BatchOptions {
  readonly timestampMs: number;
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly attributes?: number;
}

function writeRecord(w: Writer, record: NewRecord, offsetDelta: number, timestampDelta: number) {
  const body = new Writer(64);
  body.int8(0);
  body.varlong(timestampDelta);
  body.varint(offsetDelta);
  for (const part of [record.key, record.value]) {
    body.varint(part === null ? -1 : part.length);
    if (part !== null) body.bytes(part);
  }
  body.varint(record.headers?.length ?? 0);
  for (const { key, value } of record.headers ?? []) {
    const name = Buffer.from(key);
    body.varint(name.length);
    body.bytes(name);
    body.varint(value === null ? -1 : value.length);
    if (value !== null) body.bytes(value);
  }
  w.varint(body.byteCount);
  for (const part of body.finish()) w.bytes(part);
}

/** Builds an uncompressed batch at offset 0; for the coordinators' own records and for tests. */
export function buildBatch(records: readonly NewRecord[], options: BatchOptions): Buffer {
  const w = new Writer(256);
  const base = options.timestampMs;
  let max = base;
  records.forEach((record, i) => {
    const at = record.timestampMs ?? base;
    max = Math.max(max, at);
    writeRecord(w, record, i, at - base);
  });
  const b = Buffer.alloc(BATCH_HEADER_BYTES + w.byteCount);
  w.toBuffer().copy(b, BATCH_HEADER_BYTES);
  b.writeInt32BE(b.length - BATCH_PREFIX_BYTES, AT.batchLength);
  b.writeInt32BE(-1, AT.leaderEpoch);
  b.writeInt8(2, AT.magic);
  b.writeInt16BE(options.attributes ?? 0, AT.attributes);
  b.writeInt32BE(records.length - 1, AT.lastOffsetDelta);
  writeInt64At(b, base, AT.baseTimestamp);
  writeInt64At(b, max, AT.maxTimestamp);
  writeInt64At(b, options.producerId ?? -1, AT.producerId);
  b.writeInt16BE(options.producerEpoch ?? -1, AT.producerEpoch);
  b.writeInt32BE(options.baseSequence ?? -1, AT.baseSequence);
  b.writeInt32BE(records.length, AT.count);
  b.writeUInt32BE(crc32c(b, AT.attributes), AT.crc);
  return b;
}

/** How a transaction ended in a partition, as its marker says. */
export interface TransactionEnd {
  readonly committed: boolean;
  /** Leader epoch of the coordinator's partition when it wrote the marker. */
  readonly coordinatorEpoch: number;
}

/** A control batch with one end-of-transaction marker (KIP-98). */
export function buildTransactionMarker(
  { committed, coordinatorEpoch }: TransactionEnd,
  of: { timestampMs: number; producerId: number; producerEpoch: number },
): Buffer {
  const key = Buffer.alloc(4);
  key.writeInt16BE(committed ? 1 : 0, 2);
  const value = Buffer.alloc(6);
  value.writeInt32BE(coordinatorEpoch, 2);
  return buildBatch([{ key, value }], { ...of, attributes: TRANSACTIONAL_BIT | CONTROL_BIT });
}

/** What the marker at `at` says; null where the control batch is of another kind. */
export function transactionEndOf(b: Buffer, at = 0): TransactionEnd | null {
  for (const { key, value } of recordsOf(b, at)) {
    const type = key !== null && key.length >= 4 ? key.readInt16BE(2) : -1;
    if ((type !== 0 && type !== 1) || value === null || value.length < 6) return null;
    return { committed: type === 1, coordinatorEpoch: value.readInt32BE(2) };
  }
  return null;
}

export interface StoredRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** Walks the batches of a buffer; a cut-off last batch is left out. */
export function* batchesOf(b: Buffer): Generator<{ at: number; end: number }> {
  let at = 0;
  while (b.length - at >= BATCH_HEADER_BYTES) {
    const end = at + batch.byteCount(b, at);
    if (end > b.length || end <= at) return;
    yield { at, end };
    at = end;
  }
}

/** Attributes, two deltas, two lengths and the number of headers, a byte each at least. */
const RECORD_BYTES_MIN = 6;

/**
 * The records of an uncompressed batch, keys and values as views.
 * @throws MalformedMessage
 */
export function* recordsOf(b: Buffer, at = 0): Generator<StoredRecord> {
  const base = batch.baseOffset(b, at);
  const baseTimestamp = batch.baseTimestamp(b, at);
  const reader = new Reader(b, at + BATCH_HEADER_BYTES, at + batch.byteCount(b, at));
  const part = () => {
    const length = reader.varint();
    return length < 0 ? null : reader.view(length);
  };
  for (let i = batch.count(b, at); i > 0; i--) {
    const length = reader.varint();
    // What does not go forward would be read for as often as the header says.
    if (length < RECORD_BYTES_MIN) throw new MalformedMessage('a record is too short');
    const end = length + reader.at;
    reader.take(1);
    const timestampMs = baseTimestamp + reader.varlong();
    const offset = base + reader.varint();
    const key = part();
    const value = part();
    yield { offset, timestampMs, key, value };
    reader.at = end;
  }
}
