/**
 * What may happen to a transactional id. Pure: a transaction and a wish in, the next transaction
 * (to be written first) or an error out. Sources: KIP-98, KIP-360, KIP-890.
 */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import type { TopicPartition, Transaction } from './txn-records.ts';

/** The last epoch is kept for fencing: a producer id is replaced before it. */
export const EPOCH_MAX = 0x7fff;
/** From this version on every end of a transaction bumps the epoch. */
export const EPOCH_BUMP_VERSION = 2;

export interface ProducerOf {
  readonly producerId: number;
  readonly epoch: number;
}

export type Decision =
  /** Write `next`; it holds once it is committed. */
  | { readonly kind: 'write'; readonly next: Transaction }
  /** It is so already. */
  | { readonly kind: 'done' }
  | { readonly kind: 'refuse'; readonly error: ErrorName };

const DONE: Decision = { kind: 'done' };
const refuse = (error: ErrorName): Decision => ({ kind: 'refuse', error });
const write = (next: Transaction): Decision => ({ kind: 'write', next });

export function isExhausted(epoch: number): boolean {
  return epoch >= EPOCH_MAX - 1;
}

export function isPrepared({ state }: Transaction): boolean {
  return state === 'PrepareCommit' || state === 'PrepareAbort';
}

export function newTransaction(
  transactionalId: string,
  of: { producerId: number; timeoutMs: number; nowMs: number },
): Transaction {
  return {
    transactionalId,
    producerId: of.producerId,
    previousProducerId: -1,
    nextProducerId: -1,
    epoch: -1,
    lastEpoch: -1,
    timeoutMs: of.timeoutMs,
    state: 'Empty',
    partitions: new Map(),
    startedMs: -1,
    updatedMs: of.nowMs,
    clientVersion: 0,
  };
}

export type InitDecision =
  | Decision
  /** A transaction is open: it must be aborted, with the epoch bumped, before a producer may begin. */
  | { readonly kind: 'fence'; readonly next: Transaction };

/**
 * A producer begins or begins anew; `expected` is what it had, null for none.
 * @param newProducerId used where the epochs of the id have run out
 */
export function initProducer(
  txn: Transaction,
  wish: { timeoutMs: number; expected: ProducerOf | null; newProducerId: number; nowMs: number },
): InitDecision {
  const { expected, nowMs } = wish;
  const known =
    expected === null ||
    txn.epoch < 0 ||
    expected.producerId === txn.producerId ||
    (expected.producerId === txn.previousProducerId && isExhausted(expected.epoch));
  if (!known) return refuse('PRODUCER_FENCED');
  if (isPrepared(txn)) return refuse('CONCURRENT_TRANSACTIONS');
  if (txn.state === 'Ongoing') {
    const stale =
      expected !== null &&
      expected.producerId === txn.producerId &&
      expected.epoch !== txn.epoch &&
      expected.epoch !== txn.lastEpoch;
    return stale ? refuse('PRODUCER_FENCED') : { kind: 'fence', next: fenced(txn, nowMs) };
  }
  const fresh = {
    ...txn,
    timeoutMs: wish.timeoutMs,
    state: 'Empty' as const,
    partitions: new Map<string, Set<number>>(),
    startedMs: -1,
    updatedMs: nowMs,
  };
  if (isExhausted(txn.epoch) && (expected === null || expected.epoch === txn.epoch)) {
    return write({
      ...fresh,
      producerId: wish.newProducerId,
      previousProducerId: txn.producerId,
      epoch: 0,
      lastEpoch: expected === null ? -1 : txn.epoch,
    });
  }
  if (expected === null || txn.epoch < 0 || expected.epoch === txn.epoch)
    return write({
      ...fresh,
      epoch: txn.epoch + 1,
      lastEpoch: expected === null ? -1 : expected.epoch,
    });
  // The answer to the same wish was lost: it is given again.
  if (expected.epoch === txn.lastEpoch || expected.producerId === txn.previousProducerId)
    return write(fresh);
  return refuse('PRODUCER_FENCED');
}

/** The transaction on its way to an abort that its producer did not ask for. */
export function fenced(txn: Transaction, nowMs: number): Transaction {
  return {
    ...txn,
    state: 'PrepareAbort',
    epoch: Math.min(txn.epoch + 1, EPOCH_MAX),
    lastEpoch: -1,
    updatedMs: nowMs,
  };
}

/** Why a producer may not speak for the transactional id, or null. */
function producerFault(txn: Transaction, producer: ProducerOf): ErrorName | null {
  if (txn.producerId !== producer.producerId) return 'INVALID_PRODUCER_ID_MAPPING';
  return txn.epoch === producer.epoch ? null : 'PRODUCER_FENCED';
}

export function addPartitions(
  txn: Transaction,
  wish: {
    producer: ProducerOf;
    partitions: readonly TopicPartition[];
    clientVersion: number;
    nowMs: number;
  },
): Decision {
  const fault = producerFault(txn, wish.producer);
  if (fault !== null) return refuse(fault);
  if (isPrepared(txn)) return refuse('CONCURRENT_TRANSACTIONS');
  const isOngoing = txn.state === 'Ongoing';
  const missing = isOngoing
    ? wish.partitions.filter(({ topic, partition }) => !txn.partitions.get(topic)?.has(partition))
    : wish.partitions;
  if (isOngoing && missing.length === 0) return DONE;
  const partitions = new Map<string, Set<number>>();
  if (isOngoing) for (const [topic, ids] of txn.partitions) partitions.set(topic, new Set(ids));
  for (const { topic, partition } of missing) {
    const ids = partitions.get(topic) ?? new Set();
    partitions.set(topic, ids.add(partition));
  }
  return write({
    ...txn,
    state: 'Ongoing',
    partitions,
    startedMs: isOngoing ? txn.startedMs : wish.nowMs,
    updatedMs: wish.nowMs,
    clientVersion: wish.clientVersion,
  });
}

/** Whether a partition belongs to the producer's open transaction: NONE, or why not. */
export function verifyPartition(
  txn: Transaction,
  producer: ProducerOf,
  { topic, partition }: TopicPartition,
): ErrorName {
  const fault = producerFault(txn, producer);
  if (fault !== null) return fault;
  if (isPrepared(txn)) return 'CONCURRENT_TRANSACTIONS';
  const isIn = txn.state === 'Ongoing' && txn.partitions.get(topic)?.has(partition) === true;
  return isIn ? 'NONE' : 'TRANSACTION_ABORTABLE';
}

/**
 * A producer ends its transaction.
 * @param newProducerId used where the bump would exhaust the epochs; -1 where no bump is wanted
 */
export function endTransaction(
  txn: Transaction,
  wish: {
    producer: ProducerOf;
    committed: boolean;
    clientVersion: number;
    newProducerId: number;
    nowMs: number;
  },
): Decision {
  const { producer, committed, nowMs } = wish;
  const bumps = wish.clientVersion >= EPOCH_BUMP_VERSION;
  const rotated =
    bumps && producer.producerId === txn.previousProducerId && isExhausted(producer.epoch);
  if (producer.producerId !== txn.producerId && !rotated)
    return refuse('INVALID_PRODUCER_ID_MAPPING');
  // The epoch of an end that was answered already, and whose answer was lost.
  const isRepeat = bumps && (rotated || (txn.lastEpoch >= 0 && producer.epoch === txn.lastEpoch));
  if (producer.epoch !== txn.epoch && !isRepeat) return refuse('PRODUCER_FENCED');
  const prepare = (startedMs: number): Decision =>
    write({
      ...txn,
      state: committed ? 'PrepareCommit' : 'PrepareAbort',
      epoch: bumps ? txn.epoch + 1 : txn.epoch,
      lastEpoch: bumps ? txn.epoch : txn.lastEpoch,
      nextProducerId: bumps && isExhausted(txn.epoch) ? wish.newProducerId : -1,
      startedMs,
      updatedMs: nowMs,
      clientVersion: wish.clientVersion,
    });
  switch (txn.state) {
    case 'Ongoing':
      return isRepeat ? refuse('PRODUCER_FENCED') : prepare(txn.startedMs);
    case 'PrepareCommit':
    case 'PrepareAbort':
      // Whether it repeats that end or means the next one is judged when the markers are written.
      return refuse('CONCURRENT_TRANSACTIONS');
    case 'CompleteCommit':
    case 'CompleteAbort': {
      const same = (txn.state === 'CompleteCommit') === committed;
      if (bumps && !isRepeat) return committed ? refuse('INVALID_TXN_STATE') : prepare(nowMs);
      return same ? DONE : refuse('INVALID_TXN_STATE');
    }
    case 'Empty':
      // Nothing was added, but the producer means to leave the epoch behind.
      return bumps && !committed && !isRepeat ? prepare(nowMs) : refuse('INVALID_TXN_STATE');
    default:
      return refuse('INVALID_TXN_STATE');
  }
}

/** All markers are written: the transaction is over. */
export function completed(txn: Transaction, nowMs: number): Transaction {
  const rotates = txn.nextProducerId >= 0;
  return {
    ...txn,
    state: txn.state === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort',
    partitions: new Map(),
    producerId: rotates ? txn.nextProducerId : txn.producerId,
    previousProducerId: rotates ? txn.producerId : txn.previousProducerId,
    nextProducerId: -1,
    epoch: rotates ? 0 : txn.epoch,
    updatedMs: nowMs,
  };
}

/** What a producer is to use after a step that was written or found done. */
export function producerAfter(txn: Transaction): ProducerOf {
  return txn.nextProducerId >= 0
    ? { producerId: txn.nextProducerId, epoch: 0 }
    : { producerId: txn.producerId, epoch: txn.epoch };
}

export function hasTimedOut({ state, startedMs, timeoutMs }: Transaction, nowMs: number): boolean {
  return state === 'Ongoing' && startedMs + timeoutMs < nowMs;
}

/** Idle for so long that the id may be forgotten. */
export function hasExpired(txn: Transaction, idleMaxMs: number, nowMs: number): boolean {
  const idle =
    txn.state === 'Empty' || txn.state === 'CompleteCommit' || txn.state === 'CompleteAbort';
  return idle && txn.updatedMs + idleMaxMs <= nowMs;
}
