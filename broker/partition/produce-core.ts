/** Judges what a producer sent for one partition before a byte of it is appended. Pure. */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { type BatchFault, batch, batchFault, CONTROL_BIT } from '../../proto/kafka/record-batch.ts';
import type { ProducerState } from '../log/producer-state.ts';
import type { ProducerBatch, TransactionStart } from '../log/sequence-core.ts';

export interface ProduceRules {
  readonly maxMessageBytes: number;
  readonly segmentBytes: number;
  readonly logAppendTime: boolean;
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
}

export type ProduceVerdict =
  | { readonly kind: 'append' }
  | { readonly kind: 'duplicate'; readonly of: ProducerBatch }
  | {
      readonly kind: 'refuse';
      readonly error: ErrorName;
      readonly message: string;
      /** The records are at fault, not the batch: the first one that is. */
      readonly record?: number;
    };

const APPEND: ProduceVerdict = { kind: 'append' };

function refuse(error: ErrorName, message: string): ProduceVerdict {
  return { kind: 'refuse', error, message };
}

const faults: Record<BatchFault, readonly [ErrorName, string]> = {
  truncated: ['CORRUPT_MESSAGE', 'the batch must be as long as its header says'],
  magic: ['UNSUPPORTED_FOR_MESSAGE_FORMAT', 'only record batches of magic 2 are accepted'],
  crc: ['CORRUPT_MESSAGE', 'the checksum of the batch must match its content'],
  count: ['INVALID_RECORD', 'the record count must agree with the last offset delta'],
};

/** @param start the transaction that the records begin here, if its coordinator vouches for it */
export function judgeProduce(
  records: Buffer,
  rules: ProduceRules,
  producers: ProducerState,
  start: TransactionStart | null,
  nowMs: number,
): ProduceVerdict {
  const fault = batchFault(records, 0, records.length);
  if (fault !== null) return refuse(...faults[fault]);
  if (batch.byteCount(records) !== records.length) {
    return refuse('INVALID_RECORD', 'a request must carry exactly one batch for a partition');
  }
  if (records.length > rules.maxMessageBytes) {
    return refuse(
      'MESSAGE_TOO_LARGE',
      `a batch must not exceed max.message.bytes (${rules.maxMessageBytes})`,
    );
  }
  if (records.length > rules.segmentBytes) {
    return refuse(
      'RECORD_LIST_TOO_LARGE',
      `a batch must not exceed segment.bytes (${rules.segmentBytes})`,
    );
  }
  const attributes = batch.attributes(records);
  if ((attributes & CONTROL_BIT) !== 0)
    return refuse('INVALID_RECORD', 'clients must not write control batches');
  if ((attributes & 7) > 4)
    return refuse('UNSUPPORTED_COMPRESSION_TYPE', 'the compression codec must be known');
  if (batch.count(records) !== batch.lastOffsetDelta(records) + 1) return refuse(...faults.count);
  if (batch.count(records) === 0)
    return refuse('INVALID_RECORD', 'a batch must hold at least one record');
  if (!rules.logAppendTime) {
    const timestampMs = batch.maxTimestamp(records);
    const early = nowMs - timestampMs > rules.timestampBeforeMaxMs;
    const late = timestampMs - nowMs > rules.timestampAfterMaxMs;
    if (timestampMs >= 0 && (early || late)) {
      const message =
        'the timestamp must lie within message.timestamp.before.max.ms and after.max.ms';
      return { kind: 'refuse', error: 'INVALID_TIMESTAMP', message, record: 0 };
    }
  }
  const verdict = producers.judge(records, 0, start);
  if (verdict.kind === 'append') return APPEND;
  if (verdict.kind === 'duplicate') return verdict;
  return refuse(verdict.error, 'the producer id, epoch and sequence must follow the last batch');
}
