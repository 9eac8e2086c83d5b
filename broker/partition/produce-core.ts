/** Judges what a producer sent for one partition before a byte of it is appended. Pure. */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import {
  BATCH_HEADER_BYTES,
  batch,
  CONTROL_BIT,
  crcOf,
  TRANSACTIONAL_BIT,
} from '../../proto/kafka/record-batch.ts';
import type { ProducerState } from '../log/producer-state.ts';
import type { ProducerBatch, TransactionStart } from '../log/sequence-core.ts';

export interface ProduceRules {
  readonly maxMessageBytes: number;
  readonly segmentBytes: number;
}

export interface Refusal {
  readonly kind: 'refuse';
  readonly error: ErrorName;
  readonly message: string;
}

export type ProduceVerdict =
  | { readonly kind: 'append' }
  | { readonly kind: 'duplicate'; readonly of: ProducerBatch }
  | Refusal;

const APPEND: ProduceVerdict = { kind: 'append' };

function refuse(error: ErrorName, message: string): Refusal {
  return { kind: 'refuse', error, message };
}

/** What tells where a batch ends and how it is to be read lies before it. */
const MAGIC_END = 17;
const ONE_BATCH = 'a request must carry exactly one whole batch for a partition';

/**
 * What is wrong with a batch by its header and checksum alone; null: nothing. Asked before anything is unpacked.
 */
export function judgeBatch(records: Buffer, rules: ProduceRules, trusted = false): Refusal | null {
  if (records.length < MAGIC_END) return refuse('INVALID_RECORD', ONE_BATCH);
  const byteCount = batch.byteCount(records);
  const magic = batch.magic(records);
  if (byteCount < BATCH_HEADER_BYTES || magic > 2)
    return refuse('CORRUPT_MESSAGE', 'the bytes must be a record batch');
  if (magic !== 2) return refuse('INVALID_RECORD', 'only record batches of magic 2 are accepted');
  if (byteCount !== records.length) return refuse('INVALID_RECORD', ONE_BATCH);
  if (batch.baseOffset(records) !== 0)
    return refuse('INVALID_RECORD', 'the offsets of a batch must count from 0 on');
  if (records.length > rules.maxMessageBytes) {
    return refuse(
      'MESSAGE_TOO_LARGE',
      `a batch must not exceed max.message.bytes (${rules.maxMessageBytes})`,
    );
  }
  if (crcOf(records) !== batch.crc(records))
    return refuse('CORRUPT_MESSAGE', 'the checksum of the batch must match its content');
  const attributes = batch.attributes(records);
  if ((attributes & 7) > 4)
    return refuse('UNSUPPORTED_COMPRESSION_TYPE', 'the compression codec must be known');
  const delta = batch.lastOffsetDelta(records);
  if (delta < 0 || batch.count(records) !== delta + 1)
    return refuse('INVALID_RECORD', 'the record count must agree with the last offset delta');
  if ((attributes & CONTROL_BIT) !== 0)
    return refuse('INVALID_RECORD', 'clients must not write control batches');
  // What a coordinator writes in a producer's transaction has no sequence, as in Kafka.
  return (trusted ? null : judgeProducerFields(records)) ?? judgeSegment(records, rules);
}

function judgeProducerFields(records: Buffer): Refusal | null {
  const producerId = batch.producerId(records);
  if (producerId >= 0) {
    if (batch.baseSequence(records) < 0)
      return refuse('INVALID_RECORD', 'a batch with a producer id must have a sequence');
    // Beyond it one would be taken for another.
    if (producerId >= Number.MAX_SAFE_INTEGER)
      return refuse('INVALID_RECORD', 'the producer id must be one that a broker gave');
  } else if ((batch.attributes(records) & TRANSACTIONAL_BIT) !== 0)
    return refuse('INVALID_RECORD', 'records of a transaction must have a producer id');
  return null;
}

function judgeSegment(records: Buffer, rules: ProduceRules): Refusal | null {
  if (records.length <= rules.segmentBytes) return null;
  return refuse(
    'RECORD_LIST_TOO_LARGE',
    `a batch must not exceed segment.bytes (${rules.segmentBytes})`,
  );
}

/**
 * Whether the producer may go on with this batch, which is right by itself.
 * @param start the transaction that the records begin here, if its coordinator vouches for it
 */
export function judgeProducer(
  records: Buffer,
  producers: ProducerState,
  start: TransactionStart | null,
): ProduceVerdict {
  const verdict = producers.judge(records, 0, start);
  if (verdict.kind === 'append') return APPEND;
  if (verdict.kind === 'duplicate') return verdict;
  return refuse(verdict.error, 'the producer id, epoch and sequence must follow the last batch');
}
