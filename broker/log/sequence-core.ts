/**
 * Whether a client's batch is the next one of its producer, a repeat, or must not be appended. Pure:
 * what the log says of the producer, and, where it says nothing, what is known while the transaction
 * is being verified. Sources: KIP-98, KIP-360, KIP-890.
 */

import type { ErrorName } from '../../proto/kafka/errors.ts';
import { batch, TRANSACTIONAL_BIT } from '../../proto/kafka/record-batch.ts';

/** Kafka remembers this many, so a producer may have as many requests in flight. */
export const BATCHES_KEPT = 5;
const SEQUENCES = 0x8000_0000;

export interface ProducerBatch {
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

export interface Producer {
  epoch: number;
  /** The newest batches of that epoch, in order. */
  batches: ProducerBatch[];
  lastTimestampMs: number;
  /** Of the coordinator that wrote the last marker; -1 before the first. */
  coordinatorEpoch: number;
  /** First offset of the open transaction; -1 while there is none. */
  txnFirstOffset: number;
  /** Offset of its newest batch or marker: where there are too many, the one that was silent longest goes. */
  seenAt: number;
}

/** A transaction that has no record in the partition yet, while its coordinator is asked about it. */
export interface TransactionStart {
  readonly epoch: number;
  /** Of all batches that came for it, also those that were refused for the moment and come again. */
  readonly lowestSequence: number;
  /** Each transaction has an epoch of its own (KIP-890): it begins with sequence 0 everywhere. */
  readonly ownEpoch: boolean;
}

export type SequenceVerdict =
  | { readonly kind: 'append' }
  | { readonly kind: 'duplicate'; readonly of: ProducerBatch }
  | { readonly kind: 'refuse'; readonly error: ErrorName };

const APPEND: SequenceVerdict = { kind: 'append' };
const OLD_EPOCH: SequenceVerdict = { kind: 'refuse', error: 'INVALID_PRODUCER_EPOCH' };
const OUTSIDE: SequenceVerdict = { kind: 'refuse', error: 'INVALID_TXN_STATE' };
const OUT_OF_ORDER: SequenceVerdict = { kind: 'refuse', error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' };

/** Sequences wrap to 0 after 2^31-1. */
export function sequencePlus(sequence: number, delta: number): number {
  return (sequence + delta + SEQUENCES) % SEQUENCES;
}

/** Whether `a` comes before `b`, also where one of them is beyond the wrap. */
export function isSequenceBefore(a: number, b: number): boolean {
  return a !== b && sequencePlus(b, -a) < SEQUENCES / 2;
}

/**
 * What to do with the batch at `at` of a client's request.
 * @param known what the log says of the producer; null: nothing, or no more
 * @param start the transaction that the batch would begin here; null where that is not verified
 */
export function judgeSequence(
  known: Producer | null,
  start: TransactionStart | null,
  b: Buffer,
  at: number,
): SequenceVerdict {
  const epoch = batch.producerEpoch(b, at);
  if (known !== null) {
    if (epoch < known.epoch) return OLD_EPOCH;
    const isTransactional = (batch.attributes(b, at) & TRANSACTIONAL_BIT) !== 0;
    if (!isTransactional && known.txnFirstOffset >= 0) return OUTSIDE;
  }
  const baseSequence = batch.baseSequence(b, at);
  // Only coordinators write without a sequence.
  if (baseSequence < 0) return APPEND;
  if (known === null) return mayBeFirst(baseSequence, start) ? APPEND : OUT_OF_ORDER;
  // An epoch begins with 0; the marker that begins it has no sequence.
  const last = epoch === known.epoch ? known.batches.at(-1) : undefined;
  if (last === undefined) return baseSequence === 0 ? APPEND : OUT_OF_ORDER;
  const lastSequence = sequencePlus(baseSequence, batch.lastOffsetDelta(b, at));
  const repeat = known.batches.find(
    (kept) => kept.baseSequence === baseSequence && kept.lastSequence === lastSequence,
  );
  if (repeat !== undefined) return { kind: 'duplicate', of: repeat };
  return baseSequence === sequencePlus(last.lastSequence, 1) ? APPEND : OUT_OF_ORDER;
}

/**
 * The state of a producer may have expired, or gone with its records, so that any sequence may come
 * next. But one that was refused and comes again must not be overtaken: it could never be appended.
 */
function mayBeFirst(baseSequence: number, start: TransactionStart | null): boolean {
  if (start === null) return true;
  return baseSequence === (start.ownEpoch ? 0 : start.lowestSequence);
}
