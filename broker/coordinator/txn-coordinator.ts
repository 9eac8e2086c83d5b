/**
 * Runs transactions on the leaders of __transaction_state: writes what the core decides, answers
 * once it is committed, then has the markers written and completes. Sources: KIP-98, KIP-890.
 *
 * Must never know: the log, replication, sockets.
 */
import { type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import { buildBatch, recordsOf } from '../../proto/kafka/record-batch.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import type { RecordPair } from './record-pair.ts';
import { idleIds, TRANSACTIONAL_IDS_MAX } from './room-core.ts';
import { type CoordinatorLog, type Shard, Shards } from './shards.ts';
import {
  addPartitions,
  completed,
  type Decision,
  endTransaction,
  fenced,
  hasExpired,
  hasTimedOut,
  initProducer,
  isExhausted,
  isPrepared,
  newTransaction,
  type ProducerOf,
  producerAfter,
  verifyPartition,
} from './txn-core.ts';
import {
  readTransactionRecord,
  type TopicPartition,
  type Transaction,
  transactionRecord,
  transactionTombstone,
} from './txn-records.ts';

export interface TransactionRules {
  readonly timeoutMaxMs: number;
  readonly idExpirationMs: number;
  readonly abortCheckMs: number;
  readonly expiryCheckMs: number;
}

export interface TransactionMarker {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly committed: boolean;
  readonly transactionVersion: number;
}

export interface TxnCoordinatorDeps {
  readonly log: CoordinatorLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly rules: () => TransactionRules;
  readonly nextProducerId: () => Promise<number>;
  /**
   * Resolves when every partition has the marker or exists no more: true; false where a newer
   * coordinator was met or `goOn` said stop.
   */
  readonly writeMarkers: (
    marker: TransactionMarker,
    partitions: readonly TopicPartition[],
    goOn: () => boolean,
  ) => Promise<boolean>;
}

interface Entry {
  txn: Transaction;
  /** A step is being written: others wait for its outcome. */
  busy: boolean;
  /** Told, once, when a step was written or given up. */
  readonly waiting: Set<() => void>;
}
const entryOf = (txn: Transaction): Entry => ({ txn, busy: false, waiting: new Set() });
const NOT_YET: Decision = { kind: 'refuse', error: 'CONCURRENT_TRANSACTIONS' };
type Entries = Map<string, Entry>;
type TxnShard = Shard<Entries>;

export interface ProducerAnswer extends ProducerOf {
  readonly error: ErrorName;
}
const refused = (error: ErrorName): ProducerAnswer => ({ error, producerId: -1, epoch: -1 });

export class TxnCoordinator implements Disposable {
  private readonly deps: TxnCoordinatorDeps;
  readonly shards: Shards<Entries>;
  private readonly timers: Disposable[] = [];

  constructor(deps: TxnCoordinatorDeps) {
    this.deps = deps;
    this.shards = new Shards({
      ...deps,
      name: 'transactions',
      create: () => new Map(),
      replay: (entries, bytes, at) => {
        for (const record of recordsOf(bytes, at)) {
          const found = readTransactionRecord(record);
          if (found === null) continue;
          if (found.txn === null) entries.delete(found.transactionalId);
          else entries.set(found.transactionalId, entryOf(found.txn));
        }
      },
      onLoaded: (shard) => {
        for (const entry of shard.core.values())
          if (isPrepared(entry.txn)) void this.complete(shard, entry);
      },
      onUnload: () => {},
    });
    const { abortCheckMs, expiryCheckMs } = deps.rules();
    this.timers.push(
      deps.clock.every(abortCheckMs, () => this.abortTimedOut()),
      deps.clock.every(expiryCheckMs, () => void this.forgetExpired()),
    );
  }

  partitionFor(transactionalId: string): number {
    return this.shards.partitionFor(transactionalId);
  }

  private writeRecord(shard: TxnShard, record: RecordPair): Promise<ErrorName> {
    return this.shards.append(
      shard,
      buildBatch([record], { timestampMs: this.deps.clock.nowMs() }),
    );
  }

  /** Writes the next state of a transaction; it holds only when that is committed. */
  private async write(shard: TxnShard, entry: Entry, next: Transaction): Promise<ErrorName> {
    entry.busy = true;
    const error = await this.writeRecord(shard, transactionRecord(next));
    entry.busy = false;
    if (error === 'NONE') entry.txn = next;
    for (const wake of entry.waiting) wake();
    return error;
  }

  private async perform(shard: TxnShard, entry: Entry, decision: Decision): Promise<ErrorName> {
    if (decision.kind === 'refuse') return decision.error;
    return decision.kind === 'done' ? 'NONE' : this.write(shard, entry, decision.next);
  }

  /** A producer begins: ends what an earlier one of that id left open, and gets a newer epoch. */
  async initProducer(
    transactionalId: string,
    timeoutMs: number,
    expected: ProducerOf | null,
  ): Promise<ProducerAnswer> {
    if (transactionalId === '') return refused('INVALID_REQUEST');
    if (timeoutMs <= 0 || timeoutMs > this.deps.rules().timeoutMaxMs)
      return refused('INVALID_TRANSACTION_TIMEOUT');
    const { clock } = this.deps;
    const shard = this.shards.for(transactionalId);
    if (typeof shard === 'string') return refused(shard);
    const known = shard.core.get(transactionalId);
    if (known === undefined && !(await this.makeRoom(shard))) return refused('POLICY_VIOLATION');
    // Fetched before anything is decided, so that nothing changes between decision and write.
    const newProducerId =
      known === undefined || isExhausted(known.txn.epoch) ? await this.deps.nextProducerId() : -1;
    if (!this.shards.isCurrent(shard)) return refused('NOT_COORDINATOR');
    let entry = shard.core.get(transactionalId);
    if (entry === undefined) {
      const of = { producerId: newProducerId, timeoutMs, nowMs: clock.nowMs() };
      entry = entryOf(newTransaction(transactionalId, of));
      shard.core.set(transactionalId, entry);
    }
    if (entry.busy) return refused('CONCURRENT_TRANSACTIONS');
    if (isExhausted(entry.txn.epoch) && newProducerId < 0)
      return refused('CONCURRENT_TRANSACTIONS');
    const wish = { timeoutMs, expected, newProducerId, nowMs: clock.nowMs() };
    const decision = initProducer(entry.txn, wish);
    if (decision.kind === 'fence') {
      const error = await this.write(shard, entry, decision.next);
      if (error !== 'NONE') return refused(error);
      void this.complete(shard, entry);
      return refused('CONCURRENT_TRANSACTIONS');
    }
    const error = await this.perform(shard, entry, decision);
    return error === 'NONE' ? { error, ...producerAfter(entry.txn) } : refused(error);
  }

  /** Whether there is room for one id more: those idle for longest go, as if their time were over. */
  private async makeRoom(shard: TxnShard): Promise<boolean> {
    if (shard.core.size < TRANSACTIONAL_IDS_MAX) return true;
    const idle = [...shard.core.values()].flatMap(({ busy, txn }) => (busy ? [] : [txn]));
    const nowMs = this.deps.clock.nowMs();
    const gone = idleIds(idle, nowMs);
    if (gone.length === 0) return false;
    for (const id of gone) (shard.core.get(id) as Entry).busy = true;
    const batch = buildBatch(gone.map(transactionTombstone), { timestampMs: nowMs });
    if ((await this.shards.append(shard, batch)) !== 'NONE') return false;
    for (const id of gone) shard.core.delete(id);
    this.evicted += gone.length;
    return true;
  }
  /** Ids that were forgotten before their time. */
  evicted = 0;

  private find(
    transactionalId: string,
  ): { shard: TxnShard; entry: Entry } | { shard: null; error: ErrorName } {
    if (transactionalId === '') return { shard: null, error: 'INVALID_REQUEST' };
    const shard = this.shards.for(transactionalId);
    if (typeof shard === 'string') return { shard: null, error: shard };
    const entry = shard.core.get(transactionalId);
    if (entry === undefined || entry.txn.epoch < 0)
      return { shard: null, error: 'INVALID_PRODUCER_ID_MAPPING' };
    return { shard, entry };
  }

  /**
   * NONE once the partitions are written down as part of the producer's transaction.
   * @param patienceMs how long the last transaction may take to end, or another step to be written
   */
  async addPartitions(
    transactionalId: string,
    producer: ProducerOf,
    partitions: readonly TopicPartition[],
    { clientVersion, patienceMs }: { clientVersion: number; patienceMs: number },
  ): Promise<ErrorName> {
    const { clock } = this.deps;
    const deadlineMs = clock.monotonicMs() + patienceMs;
    for (;;) {
      const found = this.find(transactionalId);
      if (found.shard === null) return found.error;
      const { shard, entry } = found;
      const wish = { producer, partitions, clientVersion, nowMs: clock.nowMs() };
      const decision = entry.busy ? NOT_YET : addPartitions(entry.txn, wish);
      const isNotYet = decision.kind === 'refuse' && decision.error === 'CONCURRENT_TRANSACTIONS';
      const leftMs = deadlineMs - clock.monotonicMs();
      if (!isNotYet || leftMs <= 0) return this.perform(shard, entry, decision);
      await this.nextStep(entry, leftMs);
    }
  }

  /** Resolves when a step of the transaction was written, or when the time is up. */
  private nextStep(entry: Entry, timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        timer[Symbol.dispose]();
        entry.waiting.delete(done);
        resolve();
      };
      const timer = this.deps.clock.after(timeoutMs, done);
      entry.waiting.add(done);
    });
  }

  /**
   * For each partition: NONE where it belongs to the open transaction, or why not. What is written down counts,
   * also while the next step is being written: another partition that joins is no reason to send a producer
   * away, and where it is the end, its marker makes this proof void or comes after the records.
   */
  verify(
    transactionalId: string,
    producer: ProducerOf,
    partitions: readonly TopicPartition[],
  ): ErrorName[] {
    const found = this.find(transactionalId);
    if (found.shard === null) return partitions.map(() => found.error);
    const { txn } = found.entry;
    return partitions.map((partition) => verifyPartition(txn, producer, partition));
  }

  /** Answers as soon as the outcome is certain; markers follow. */
  async end(
    transactionalId: string,
    producer: ProducerOf,
    committed: boolean,
    clientVersion: number,
  ): Promise<ProducerAnswer> {
    const found = this.find(transactionalId);
    if (found.shard === null) return refused(found.error);
    const { shard, entry } = found;
    const newProducerId = isExhausted(entry.txn.epoch) ? await this.deps.nextProducerId() : -1;
    if (!this.shards.isCurrent(shard)) return refused('NOT_COORDINATOR');
    if (entry.busy) return refused('CONCURRENT_TRANSACTIONS');
    if (isExhausted(entry.txn.epoch) && newProducerId < 0)
      return refused('CONCURRENT_TRANSACTIONS');
    const nowMs = this.deps.clock.nowMs();
    const wish = { producer, committed, clientVersion, newProducerId, nowMs };
    const decision = endTransaction(entry.txn, wish);
    const error = await this.perform(shard, entry, decision);
    if (error !== 'NONE') return refused(error);
    const answer = { error, ...producerAfter(entry.txn) };
    if (decision.kind === 'write') void this.complete(shard, entry);
    return answer;
  }

  /** From prepared to complete, however long partitions are without a leader. */
  private async complete(shard: TxnShard, entry: Entry): Promise<void> {
    const { txn } = entry;
    const partitions = [...txn.partitions].flatMap(([topic, ids]) =>
      [...ids].map((partition) => ({ topic, partition })),
    );
    const marker = {
      producerId: txn.producerId,
      producerEpoch: txn.epoch,
      coordinatorEpoch: shard.leaderEpoch,
      committed: txn.state === 'PrepareCommit',
      transactionVersion: txn.clientVersion,
    };
    const goOn = () => this.shards.isCurrent(shard);
    const written = await this.deps.writeMarkers(marker, partitions, goOn);
    if (!written || !goOn()) return;
    await this.write(shard, entry, completed(txn, this.deps.clock.nowMs()));
  }

  private abortTimedOut(): void {
    const nowMs = this.deps.clock.nowMs();
    for (const shard of this.shards.loaded()) {
      for (const entry of shard.core.values()) {
        if (entry.busy || !hasTimedOut(entry.txn, nowMs)) continue;
        const { transactionalId, timeoutMs } = entry.txn;
        this.deps.logger.info('transaction timed out: aborting', { transactionalId, timeoutMs });
        void this.write(shard, entry, fenced(entry.txn, nowMs)).then((error) => {
          if (error === 'NONE') void this.complete(shard, entry);
        });
      }
    }
  }

  private async forgetExpired(): Promise<void> {
    const nowMs = this.deps.clock.nowMs();
    const { idExpirationMs } = this.deps.rules();
    for (const shard of this.shards.loaded()) {
      for (const [id, entry] of shard.core) {
        if (entry.busy || !hasExpired(entry.txn, idExpirationMs, nowMs)) continue;
        entry.busy = true;
        const error = await this.writeRecord(shard, transactionTombstone(id));
        if (error === 'NONE') shard.core.delete(id);
        else break;
      }
    }
  }

  /** @throws KafkaError where this broker cannot know; null where the id is unknown. */
  describe(transactionalId: string): Transaction | null {
    const shard = this.shards.for(transactionalId);
    if (typeof shard === 'string') throw new KafkaError(shard);
    return shard.core.get(transactionalId)?.txn ?? null;
  }

  /** Every transactional id on this broker. */
  list(): Transaction[] {
    return [...this.shards.loaded()].flatMap(({ core }) =>
      [...core.values()].map(({ txn }) => txn),
    );
  }

  [Symbol.dispose](): void {
    for (const timer of this.timers) timer[Symbol.dispose]();
    this.shards[Symbol.dispose]();
  }
}
