/** What API handlers may use. They see interfaces and images, never gRPC or Kubernetes. */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import type { Chance } from '../../stdx/chance.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Turn } from '../../stdx/turn.ts';
import type { BrokerConfig, TopicRules } from '../config/config.ts';
import type { GroupCoordinator } from '../coordinator/group-coordinator.ts';
import type { TransactionMarker, TxnCoordinator } from '../coordinator/txn-coordinator.ts';
import type { TopicPartition } from '../coordinator/txn-records.ts';
import type { LogDirectories } from '../log/log-directories.ts';
import type { TailMemory } from '../log/tail-memory.ts';
import type { BrokerImage, MetadataImage } from '../metadata/image.ts';
import type { TopicAdmin } from '../metadata/topic-admin.ts';
import type { Partition } from '../partition/partition.ts';
import type { RecordsJudge } from '../partition/records-judge.ts';
import type { SharePartitions, ShareStore } from '../share/share-partitions.ts';

export interface TrafficObserver {
  onProduced(topic: string, byteCount: number, records: number): void;
  onProduceFailed(topic: string): void;
  onProduceRequest(topic: string): void;
  onFetched(topic: string, byteCount: number): void;
  onFetchFailed(topic: string): void;
  onFetchRequest(topic: string): void;
}

export interface PartitionInTransaction {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly topic: string;
  readonly partition: number;
  /** Of the first record; negative where records have none. */
  readonly baseSequence: number;
  /** Add the partition where it is missing (KIP-890, part 2); otherwise only ask. */
  readonly add: boolean;
}

export interface MarkersToWrite extends TransactionMarker {
  readonly partitions: readonly TopicPartition[];
}

/** Makes sure that a transaction may be written to here. */
export interface TransactionGate {
  /** NONE, or why records of the transaction must not be appended. */
  readonly admit: (of: PartitionInTransaction) => Promise<ErrorName>;
}

/** A move or election that an administrator asks for; decided by the controller. */
export interface PartitionChange {
  readonly topicId: string;
  readonly partition: number;
  readonly kind: 'reassign' | 'cancel' | 'elect';
  readonly replicas?: readonly number[];
  readonly allowReplicationFactorChange?: boolean;
  readonly unclean?: boolean;
}
export interface ChangeOutcome {
  readonly error: ErrorName;
  readonly message: string | null;
}

export interface Ports {
  readonly self: number;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly chance: Chance;
  readonly image: MetadataImage;
  readonly config: BrokerConfig;
  readonly partition: (topicId: string, partition: number) => Partition | null;
  readonly topicRules: (topicId: string) => TopicRules;
  readonly groups: GroupCoordinator;
  /** A group's own setting, else the cluster's default for all groups. */
  readonly groupSetting: (groupId: string, name: string) => string;
  readonly transactions: TxnCoordinator;
  readonly gate: TransactionGate;
  readonly shares: SharePartitions;
  readonly shareStore: ShareStore;
  readonly shareCoordinatorFor: (key: string) => number;
  /** Makes an internal topic that is missing. */
  readonly ensureTopic: (name: string) => void;
  /** Writes a marker into partitions that are led here; an error for each. */
  readonly writeMarkers: (markers: readonly MarkersToWrite[]) => Promise<ErrorName[][]>;
  readonly admin: TopicAdmin;
  /** Every replica on this broker. */
  readonly partitions: () => Iterable<Partition>;
  /** The disks of this broker. */
  readonly logDirectories: LogDirectories;
  readonly changePartitions: (
    changes: readonly PartitionChange[],
    timeoutMs: number,
  ) => Promise<ChangeOutcome[]>;
  readonly nextProducerId: () => Promise<number>;
  readonly traffic: TrafficObserver;
  readonly records: RecordsJudge;
  /** Keeps memory that an answer refers to until it is sent. */
  readonly tail: Pick<TailMemory, 'hold' | 'isCrowded' | 'release'>;
}

export const OFFSETS_TOPIC = '__consumer_offsets';
export const TRANSACTIONS_TOPIC = '__transaction_state';
export const SHARE_TOPIC = '__share_group_state';
export const INTERNAL_TOPICS: ReadonlySet<string> = new Set([
  OFFSETS_TOPIC,
  TRANSACTIONS_TOPIC,
  SHARE_TOPIC,
]);

/** A broker in the form of NodeEndpoints (KIP-951), as clients of that listener reach it. */
export function endpointOf({ image }: Ports, broker: BrokerImage, listener: string) {
  const { id, rack } = broker;
  return { nodeId: id, ...image.addressOf(broker, listener), rack };
}

/**
 * Whom clients are told to ask for changes. Any broker takes them, so that this one is named while
 * the controller is being elected.
 */
export function controllerFor({ image, self }: Ports): number {
  const broker = image.broker(image.controllerId);
  return broker === null || broker.fenced ? self : broker.id;
}
