/** The coordinators of groups and transactions on this broker, tied to the partitions they live on. */
import { codeOf, type ErrorName, errorName } from '../proto/kafka/errors.ts';
import { batch, batchesOf } from '../proto/kafka/record-batch.ts';
import { expectNoBug } from '../stdx/bug.ts';
import type { Chance } from '../stdx/chance.ts';
import { type Clock, sleep } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';
import { byTimestamp } from './api/02-list-offsets.ts';
import { untilReadable } from './api/long-poll.ts';
import {
  INTERNAL_TOPICS,
  OFFSETS_TOPIC,
  type PartitionInTransaction,
  SHARE_TOPIC,
  TRANSACTIONS_TOPIC,
  type TransactionGate,
} from './api/ports.ts';
import { type BrokerConfig, listOf } from './config/config.ts';
import { durationMs, groupValue } from './config/group-settings.ts';
import type { TopicsView } from './coordinator/consumer-groups-core.ts';
import { GroupCoordinator } from './coordinator/group-coordinator.ts';
import type { ShardRules } from './coordinator/group-shard.ts';
import type { MigrationPolicy } from './coordinator/migration-core.ts';
import type { CoordinatorLog } from './coordinator/shards.ts';
import { ShareStateCoordinator } from './coordinator/share-state.ts';
import { TxnCoordinator } from './coordinator/txn-coordinator.ts';
import type { InternalTopics } from './internal-topics.ts';
import { errorCodes, Markers } from './markers.ts';
import type { MetadataImage } from './metadata/image.ts';
import type { Partition } from './partition/partition.ts';
import type { Partitions } from './partition/partitions.ts';
import type { SharePeers } from './replication/share-peers.ts';
import type { TransactionHandlers, TransactionPeers } from './replication/transaction-peers.ts';
import { SharePartitions } from './share/share-partitions.ts';
import { ClusterShareStore } from './share-store.ts';

const APPEND_TIMEOUT_MS = 5_000;
const READ_BYTES = 1024 * 1024;
const COMMIT_LOOK_MS = 500;

export interface CoordinatorsDeps {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  readonly selfId: number;
  readonly image: MetadataImage;
  readonly config: BrokerConfig;
  readonly partitions: Partitions;
  readonly peers: TransactionPeers;
  readonly nextProducerId: () => Promise<number>;
  readonly sharePeers: SharePeers;
  readonly topics: InternalTopics;
}

export class Coordinators implements TransactionGate, Disposable {
  private readonly deps: CoordinatorsDeps;
  readonly groups: GroupCoordinator;
  readonly transactions: TxnCoordinator;
  readonly markers: Markers;
  readonly shareStates: ShareStateCoordinator;
  readonly shareStore: ClusterShareStore;
  readonly shares: SharePartitions;

  constructor(deps: CoordinatorsDeps) {
    this.deps = deps;
    const { config } = deps;
    const number = (name: string) => config.number(name);
    this.groups = new GroupCoordinator({
      ...deps,
      log: this.logOf(OFFSETS_TOPIC),
      topics: topicsView(deps.image),
      rules: this.groupRules(),
    });
    this.markers = new Markers({
      ...deps,
      partition: (topic, partition) => this.partitionOf(topic, partition),
      send: (id, markers) => deps.peers.writeMarkers(id, markers),
      onOffsetsMarker: (partition, producerId, committed) =>
        this.groups.endTransaction(partition, producerId, committed),
    });
    this.transactions = new TxnCoordinator({
      ...deps,
      log: this.logOf(TRANSACTIONS_TOPIC),
      rules: () => ({
        timeoutMaxMs: number('transaction.max.timeout.ms'),
        idExpirationMs: number('transactional.id.expiration.ms'),
        abortCheckMs: number('transaction.abort.timed.out.transaction.cleanup.interval.ms'),
        expiryCheckMs: number('transaction.remove.expired.transaction.cleanup.interval.ms'),
      }),
      writeMarkers: (marker, partitions, goOn) =>
        this.markers.writeEverywhere(marker, partitions, goOn),
    });
    this.shareStates = new ShareStateCoordinator({ ...deps, log: this.logOf(SHARE_TOPIC) });
    this.shareStore = new ClusterShareStore({
      ...deps,
      states: this.shareStates,
      peers: deps.sharePeers,
    });
    this.shares = new SharePartitions({
      ...deps,
      store: this.shareStore,
      limits: (groupId) => ({
        lockMs: Number(this.groupSetting(groupId, 'share.record.lock.duration.ms')),
        deliveriesMax: Number(this.groupSetting(groupId, 'share.delivery.count.limit')),
        locksMax: Number(this.groupSetting(groupId, 'share.partition.max.record.locks')),
        renews: this.groupSetting(groupId, 'share.renew.acknowledge.enable') === 'true',
      }),
      firstOffset: (groupId, partition) =>
        this.firstOffset(this.groupSetting(groupId, 'share.auto.offset.reset'), partition),
      readsCommitted: (groupId) =>
        this.groupSetting(groupId, 'share.isolation.level') === 'read_committed',
    });
  }

  private async firstOffset(reset: string, partition: Partition): Promise<number> {
    const { highWatermark, log } = partition;
    if (reset === 'earliest') return log.startOffset;
    const duration = durationMs(reset);
    if (duration === null) return highWatermark;
    const since = this.deps.clock.nowMs() - duration;
    const { offset } = await byTimestamp(partition, since, highWatermark);
    return offset < 0 ? highWatermark : offset;
  }

  private groupRules(): ShardRules {
    const { config } = this.deps;
    const number = (name: string) => config.number(name);
    const own = (groupId: string, name: string) => Number(this.groupSetting(groupId, name));
    return {
      classic: () => ({
        initialRebalanceDelayMs: number('group.initial.rebalance.delay.ms'),
        sessionTimeoutMinMs: number('group.min.session.timeout.ms'),
        sessionTimeoutMaxMs: number('group.max.session.timeout.ms'),
        groupSizeMax: number('group.max.size'),
        offsetMetadataBytesMax: number('offset.metadata.max.bytes'),
        offsetsRetentionMs: number('offsets.retention.minutes') * 60_000,
        offsetsRetentionCheckMs: number('offsets.retention.check.interval.ms'),
      }),
      consumer: (groupId) => ({
        sessionTimeoutMs: own(groupId, 'consumer.session.timeout.ms'),
        groupSizeMax: number('group.consumer.max.size'),
        assignors: config.list('group.consumer.assignors'),
        migration: config.text('group.consumer.migration.policy') as MigrationPolicy,
      }),
      share: (groupId) => ({
        sessionTimeoutMs: own(groupId, 'share.session.timeout.ms'),
        groupSizeMax: number('group.share.max.size'),
      }),
      streams: (groupId) => ({
        sessionTimeoutMs: own(groupId, 'streams.session.timeout.ms'),
        groupSizeMax: number('group.streams.max.size'),
        initialRebalanceDelayMs: own(groupId, 'streams.initial.rebalance.delay.ms'),
        standbyReplicas: own(groupId, 'streams.num.standby.replicas'),
        rackAwareTags: listOf(this.groupSetting(groupId, 'streams.rack.aware.assignment.tags')),
      }),
    };
  }

  /** A group's own setting, else the cluster's default for all groups. */
  groupSetting(groupId: string, name: string): string {
    const { clusterConfig, groupConfig } = this.deps.image;
    return groupValue(name, groupConfig[groupId] ?? {}, clusterConfig).value;
  }

  private partitionOf(topic: string, index: number): Partition | null {
    const { image, partitions } = this.deps;
    return partitions.get(image.topic(topic)?.id ?? '', index);
  }

  private logOf(topic: string): CoordinatorLog {
    return {
      partitionCount: () => this.deps.image.topic(topic)?.partitions.length ?? 0,
      isLed: (index, leaderEpoch) => {
        const partition = this.partitionOf(topic, index);
        return partition?.isLeader === true && partition.leaderEpoch === leaderEpoch;
      },
      batchBytesMax: (index) => this.partitionOf(topic, index)?.rules.maxMessageBytes ?? Infinity,
      append: (index, bytes) =>
        new Promise<ErrorName>((resolve) => {
          const partition = this.partitionOf(topic, index);
          if (partition === null) return resolve('NOT_LEADER_OR_FOLLOWER');
          const request = { acks: -1, timeoutMs: APPEND_TIMEOUT_MS, trusted: true };
          partition.produce(bytes, request, ({ error }) => resolve(error));
        }),
      read: (index) => readAll(this.deps.clock, this.partitionOf(topic, index)),
    };
  }

  /** Whether this broker leads a partition of an internal topic, and in which epoch. */
  onLeadership(topic: string, partition: number, leaderEpoch: number | null): void {
    if (topic === OFFSETS_TOPIC) this.groups.shards.onLeadership(partition, leaderEpoch);
    if (topic === TRANSACTIONS_TOPIC) this.transactions.shards.onLeadership(partition, leaderEpoch);
    if (topic === SHARE_TOPIC) this.shareStates.shards.onLeadership(partition, leaderEpoch);
  }

  /** What peers ask of this broker. */
  readonly handlers: TransactionHandlers = {
    writeMarkers: async (markers) => errorCodes(await this.markers.writeHere(markers)),
    addPartitions: async (request) => {
      const { transactionalId, producerId, producerEpoch, partitions } = request;
      const producer = { producerId, epoch: producerEpoch };
      if (request.verifyOnly)
        return this.transactions.verify(transactionalId, producer, partitions).map(codeOf);
      const { clientVersion } = request;
      const of = { clientVersion, patienceMs: this.patienceMs };
      const error = await this.transactions.addPartitions(
        transactionalId,
        producer,
        partitions,
        of,
      );
      return partitions.map(() => codeOf(error));
    },
  };

  /** Whether a broker leads any partition of the log of transactions, as far as is known here. */
  leadsTransactions(id: number): boolean {
    const partitions = this.deps.image.topic(TRANSACTIONS_TOPIC)?.partitions ?? [];
    return partitions.some(({ leader }) => leader?.id === id);
  }

  /** Makes sure that a partition belongs to the open transaction of a producer; NONE or why not. */
  async admit(of: PartitionInTransaction): Promise<ErrorName> {
    const partition = this.partitionOf(of.topic, of.partition);
    if (partition === null) return 'NOT_LEADER_OR_FOLLOWER';
    const { producerId, producerEpoch: epoch, baseSequence, add: ownEpoch } = of;
    const first = { producerId, epoch, baseSequence, ownEpoch };
    const nowMs = this.deps.clock.nowMs();
    return partition.verifications.verify(first, nowMs, () => this.ask(of));
  }

  /** How long the last transaction of a producer may take to end before its next one is refused. */
  private get patienceMs(): number {
    return this.deps.config.number('add.partitions.to.txn.retry.backoff.max.ms');
  }

  /** Asks the coordinator, which waits as well; one of an older version answers at once. */
  private async ask(of: PartitionInTransaction): Promise<ErrorName> {
    const { clock, config } = this.deps;
    const deadlineMs = clock.monotonicMs() + this.patienceMs;
    for (;;) {
      const error = await this.askOnce(of);
      const wait = error === 'CONCURRENT_TRANSACTIONS' && of.add;
      if (!wait || clock.monotonicMs() >= deadlineMs) return error;
      await sleep(clock, config.number('add.partitions.to.txn.retry.backoff.ms'));
    }
  }

  private async askOnce(of: PartitionInTransaction): Promise<ErrorName> {
    const { image, peers, selfId, logger } = this.deps;
    const topic = image.topic(TRANSACTIONS_TOPIC);
    const index = this.transactions.partitionFor(of.transactionalId);
    const leader = topic?.partitions[index]?.leader ?? null;
    if (leader === null) return 'COORDINATOR_NOT_AVAILABLE';
    const request = {
      transactionalId: of.transactionalId,
      producerId: of.producerId,
      producerEpoch: of.producerEpoch,
      verifyOnly: !of.add,
      clientVersion: of.add ? 2 : 0,
      partitions: [{ topic: of.topic, partition: of.partition }],
    };
    try {
      const [code] =
        leader.id === selfId
          ? await this.handlers.addPartitions(request)
          : await peers.addPartitions(leader.id, request);
      return errorName(code ?? -1);
    } catch (cause) {
      expectNoBug('asking a transaction coordinator', cause);
      logger.debug('the transaction coordinator does not answer', { broker: leader.id, cause });
      return 'COORDINATOR_NOT_AVAILABLE';
    }
  }

  [Symbol.dispose](): void {
    this.groups[Symbol.dispose]();
    this.transactions[Symbol.dispose]();
    this.shares[Symbol.dispose]();
    this.shareStates[Symbol.dispose]();
  }
}

function topicsView(image: MetadataImage): TopicsView {
  return {
    get version() {
      return image.topicsVersion;
    },
    byName(name) {
      const topic = image.topic(name);
      return topic === null ? null : { id: topic.id, partitions: topic.partitions.length };
    },
    nameOf: (id) => image.topicById(id)?.name ?? null,
    *names() {
      for (const { name } of image.topics()) if (!INTERNAL_TOPICS.has(name)) yield name;
    },
  };
}

/**
 * Everything in the log; ends only when all of it is committed: what a coordinator answers from must
 * not be gone with the next leader.
 */
async function* readAll(clock: Clock, partition: Partition | null): AsyncGenerator<Buffer> {
  if (partition === null) return;
  let offset = partition.log.startOffset;
  while (offset < partition.log.writtenOffset) {
    const { buffers, byteCount } = await partition.readCopy({
      offset,
      bytesMax: READ_BYTES,
      endOffset: partition.log.writtenOffset,
      atLeastOne: true,
    });
    if (byteCount === 0) return;
    for (const bytes of buffers) {
      yield bytes;
      for (const { at } of batchesOf(bytes)) offset = batch.lastOffset(bytes, at) + 1;
    }
  }
  while (partition.highWatermark < offset) {
    if (!partition.isLeader) throw new Error('the partition is led elsewhere by now');
    await untilReadable({ clock }, [partition], COMMIT_LOOK_MS);
  }
}
