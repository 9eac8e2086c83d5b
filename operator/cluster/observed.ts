/** Everything that a decision about a cluster is made from, read at one moment. */
import {
  annotations,
  type KafkaBroker,
  type KafkaCluster,
  type KafkaTopic,
  topicIdOf,
} from '../../kube/kafka-objects.ts';
import type { Node, PersistentVolumeClaim, Pod, Service, StatefulSet } from '../../kube/objects.ts';
import type { PartitionLine } from '../../kube/partition-line.ts';

export interface Observed {
  readonly cluster: KafkaCluster;
  readonly statefulSet: StatefulSet | null;
  readonly pods: readonly Pod[];
  readonly brokers: readonly KafkaBroker[];
  readonly lines: readonly PartitionLine[];
  readonly topics: readonly KafkaTopic[];
  readonly services: readonly Service[];
  readonly claims: readonly PersistentVolumeClaim[];
  /** The nodes of the brokers' pods, by name. */
  readonly nodes: ReadonlyMap<string, Node>;
  /** Broker id of the controller; -1 where there is none. */
  readonly controllerId: number;
  /** ISO time of this moment, to the second. */
  readonly now: string;
}

/** How many brokers should run: none while the cluster sleeps. */
export function wantedBrokers({ spec }: KafkaCluster): number {
  return spec.hibernated === true ? 0 : spec.replicas;
}

/** Whether Kubernetes has looked at the StatefulSet as it is now: only then its revision means anything. */
export function isSetSeen({ statefulSet }: Pick<Observed, 'statefulSet'>): boolean {
  return (
    statefulSet !== null &&
    statefulSet.status?.observedGeneration === statefulSet.metadata?.generation
  );
}

export function isPaused({ metadata }: KafkaCluster): boolean {
  return metadata.annotations?.[annotations.paused] === 'true';
}

export function ordinalOf({ metadata }: { metadata: { name: string } }): number {
  return Number(/-(\d+)$/.exec(metadata.name)?.[1] ?? -1);
}

export function isReady({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True') ===
      true
  );
}

/** The `min.insync.replicas` in force for a topic: its own, the cluster's, or Kafka's default. */
export function minInsyncReplicas(
  { cluster, topics }: Pick<Observed, 'cluster' | 'topics'>,
  topicId: string,
): number {
  const topic = topics.find((one) => topicIdOf(one) === topicId);
  const value =
    topic?.spec.config?.['min.insync.replicas'] ?? cluster.spec.config?.['min.insync.replicas'];
  return Number(value ?? 1);
}
