/** What API handlers may use. They see interfaces and images, never logs, gRPC or Kubernetes. */
import type { Clock } from '../../stdx/clock.ts';
import type { BrokerConfig, TopicRules } from '../config/config.ts';
import type { GroupCoordinator } from '../coordinator/group-coordinator.ts';
import type { TailMemory } from '../log/tail-memory.ts';
import type { BrokerImage, MetadataImage } from '../metadata/image.ts';
import type { TopicAdmin } from '../metadata/topic-admin.ts';
import type { Partition } from '../partition/partition.ts';

export interface TrafficObserver {
  onProduced(topic: string, byteCount: number, records: number): void;
  onProduceFailed(topic: string): void;
  onProduceRequest(topic: string): void;
  onFetched(topic: string, byteCount: number): void;
  onFetchFailed(topic: string): void;
  onFetchRequest(topic: string): void;
}

export interface Ports {
  readonly self: number;
  readonly clock: Clock;
  readonly image: MetadataImage;
  readonly config: BrokerConfig;
  readonly partition: (topicId: string, partition: number) => Partition | null;
  readonly topicRules: (topicId: string) => TopicRules;
  readonly groups: GroupCoordinator;
  readonly admin: TopicAdmin;
  readonly nextProducerId: () => Promise<number>;
  readonly traffic: TrafficObserver;
  /** Keeps memory that an answer refers to until it is sent. */
  readonly tail: Pick<TailMemory, 'hold' | 'release'>;
}

export const OFFSETS_TOPIC = '__consumer_offsets';
export const INTERNAL_TOPICS: ReadonlySet<string> = new Set([OFFSETS_TOPIC, '__transaction_state']);

/** Brokers in the form of NodeEndpoints (KIP-951). */
export function endpointOf({ id, host, port, rack }: BrokerImage) {
  return { nodeId: id, host, port, rack };
}
