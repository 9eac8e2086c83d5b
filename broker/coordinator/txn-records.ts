/** The records of __transaction_state in Kafka's form, both ways. Pure. */
import { Reader } from '../../proto/kafka/cursor.ts';
import type { StoredRecord } from '../../proto/kafka/record-batch.ts';
import { transactionLogKey, transactionLogValue } from '../../proto/kafka/records/transaction.ts';
import { prefixed, type RecordPair } from './record-pair.ts';

/** In the order of their numbers in the records. */
export const transactionStates = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
  'PrepareEpochFence',
] as const;
export type TransactionState = (typeof transactionStates)[number];

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** One transactional id and its current or last transaction. Never changed, only replaced. */
export interface Transaction {
  readonly transactionalId: string;
  readonly producerId: number;
  /** The id before this one, whose epochs ran out; -1 if none. */
  readonly previousProducerId: number;
  /** The id that takes over when this transaction is complete; -1 if none. */
  readonly nextProducerId: number;
  readonly epoch: number;
  /** The epoch before the last bump that the producer itself asked for; -1 if none. */
  readonly lastEpoch: number;
  readonly timeoutMs: number;
  readonly state: TransactionState;
  /** By topic. */
  readonly partitions: ReadonlyMap<string, ReadonlySet<number>>;
  /** -1 before the first partition. */
  readonly startedMs: number;
  readonly updatedMs: number;
  /** Of the producer: 2 means that every end bumps the epoch (KIP-890). */
  readonly clientVersion: number;
}

const KEY_VERSION = 0;
const VALUE_VERSION = 1;

function keyOf(transactionalId: string): Buffer {
  return prefixed(KEY_VERSION, transactionLogKey, 0, { transactionalId });
}

export function transactionRecord(txn: Transaction): RecordPair {
  const open = txn.state !== 'Empty' && !txn.state.startsWith('Complete');
  const value = prefixed(VALUE_VERSION, transactionLogValue, VALUE_VERSION, {
    producerId: txn.producerId,
    previousProducerId: txn.previousProducerId,
    nextProducerId: txn.nextProducerId,
    producerEpoch: txn.epoch,
    transactionTimeoutMs: txn.timeoutMs,
    transactionStatus: transactionStates.indexOf(txn.state),
    transactionPartitions: open
      ? [...txn.partitions].map(([topic, ids]) => ({ topic, partitionIds: [...ids] }))
      : null,
    transactionLastUpdateTimestampMs: txn.updatedMs,
    transactionStartTimestampMs: txn.startedMs,
    clientTransactionVersion: txn.clientVersion,
  });
  return { key: keyOf(txn.transactionalId), value };
}

export function transactionTombstone(transactionalId: string): RecordPair {
  return { key: keyOf(transactionalId), value: null };
}

/** @throws MalformedMessage where the bytes are damaged. */
export function readTransactionRecord({
  key,
  value,
}: StoredRecord): { transactionalId: string; txn: Transaction | null } | null {
  if (key === null || key.length < 2 || key.readInt16BE(0) !== KEY_VERSION) return null;
  const { transactionalId } = transactionLogKey.read(new Reader(key, 2), 0);
  if (value === null) return { transactionalId, txn: null };
  const of = transactionLogValue.read(new Reader(value, 2), value.readInt16BE(0));
  const partitions = (of.transactionPartitions ?? []).map(
    ({ topic, partitionIds }) => [topic, new Set(partitionIds)] as const,
  );
  const state = transactionStates[of.transactionStatus] ?? 'Dead';
  // An end that bumped the epoch may be asked for again by the producer that had the one before.
  const ended = state.startsWith('Prepare') || state.startsWith('Complete');
  const txn: Transaction = {
    transactionalId,
    producerId: of.producerId,
    previousProducerId: of.previousProducerId,
    nextProducerId: of.nextProducerId,
    epoch: of.producerEpoch,
    lastEpoch: ended && of.clientTransactionVersion >= 2 ? of.producerEpoch - 1 : -1,
    timeoutMs: of.transactionTimeoutMs,
    state,
    partitions: new Map(partitions),
    startedMs: of.transactionStartTimestampMs,
    updatedMs: of.transactionLastUpdateTimestampMs,
    clientVersion: of.clientTransactionVersion,
  };
  return { transactionalId, txn };
}
