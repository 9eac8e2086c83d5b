/** Tenure's own kinds: the TypeScript face of the CRDs in crds/. */
import type { Condition, KubeObject, Resource } from './objects.ts';

export const GROUP = 'kafka.tenure.dev';
export const VERSION = 'v1beta1';
export const API_VERSION = `${GROUP}/${VERSION}`;
/** On every object that belongs to a cluster. */
export const CLUSTER_LABEL = `${GROUP}/cluster`;
/** Keeps a KafkaTopic until its replicas are given up. */
export const TOPIC_FINALIZER = `${GROUP}/topic`;

export type ConfigValue = string | number | boolean;
export type ConfigMapOf = Readonly<Record<string, ConfigValue>>;

/** Limits under Kafka's names, for a user, a client id, both, or an address. */
export interface ClientQuota {
  readonly user?: string;
  readonly clientId?: string;
  readonly ip?: string;
  readonly config: ConfigMapOf;
}

export interface KafkaCluster extends KubeObject {
  readonly spec: {
    readonly replicas: number;
    readonly image?: string;
    /** Broker configuration under Kafka's names. */
    readonly config?: ConfigMapOf;
    /** Configuration of single brokers, by id; it goes before `config`. */
    readonly brokerConfig?: Readonly<Record<string, ConfigMapOf>>;
    /** Configuration of single groups, by id. */
    readonly groupConfig?: Readonly<Record<string, ConfigMapOf>>;
    /** Limits of clients. */
    readonly quotas?: readonly ClientQuota[];
    readonly listeners?: readonly {
      readonly name: string;
      readonly port: number;
      readonly type: string;
    }[];
    readonly storage?: {
      readonly type: 'ephemeral' | 'persistent-claim';
      readonly size?: string;
      readonly class?: string;
      readonly deleteClaim?: boolean;
    };
    readonly rack?: { readonly topologyKey: string };
    readonly resources?: Readonly<Record<string, unknown>>;
    readonly template?: { readonly pod?: Readonly<Record<string, unknown>> };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly selector?: string;
    readonly bootstrapServers?: string;
    readonly clusterId?: string;
    readonly brokers?: string;
    readonly conditions?: readonly Condition[];
  };
}

export interface KafkaTopic extends KubeObject {
  readonly spec: {
    readonly clusterRef: { readonly name: string };
    readonly topicName?: string;
    readonly partitions?: number;
    readonly replicas?: number;
    readonly config?: ConfigMapOf;
    /** Exact placement, broker ids by partition, as a client may ask for at creation. */
    readonly assignments?: readonly (readonly number[])[];
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly topicId?: string;
    readonly partitions?: number;
    readonly replicas?: number;
    readonly inSync?: number;
    readonly underReplicated?: number;
    readonly offline?: number;
    readonly leaders?: string;
    readonly conditions?: readonly Condition[];
  };
}

export interface KafkaBroker extends KubeObject {
  readonly spec: {
    readonly clusterRef: { readonly name: string };
    readonly id: number;
    /** Which life of the broker wrote this. */
    readonly epoch: number;
    readonly host: string;
    readonly port: number;
    readonly replicationPort: number;
    readonly rack?: string;
    readonly version: string;
    readonly incarnation: string;
    /** The pod in which the process runs. */
    readonly podUid?: string;
    /** The oldest life since which this broker certainly lost nothing; its own epoch if unsure. */
    readonly keptSince: number;
  };
  readonly status?: {
    readonly state?: 'Running' | 'Draining' | 'Fenced';
    /** The life that `state` speaks of. */
    readonly epoch?: number;
    readonly leaders?: number;
    readonly replicas?: number;
    readonly underReplicated?: number;
  };
}

/** A page: the state of up to 256 partitions as lines of text (kube/partition-line.ts). */
export interface KafkaPartitionMap extends KubeObject {
  readonly spec: {
    readonly clusterRef: { readonly name: string };
    /** The controller that last wrote or claimed the page; an older one never writes it again. */
    readonly controllerEpoch: number;
    readonly partitions: string;
  };
}

export interface KafkaClusterState extends KubeObject {
  readonly spec: {
    readonly clusterRef: { readonly name: string };
    readonly clusterId: string;
    readonly controllerEpoch: number;
    /** First producer id that nobody has. */
    readonly nextProducerId: number;
  };
}

function kafkaResource<T extends KubeObject>(kind: string, plural: string): Resource<T> {
  return { group: GROUP, version: VERSION, plural, kind, namespaced: true };
}

export const kafkaClusters = kafkaResource<KafkaCluster>('KafkaCluster', 'kafkaclusters');
export const kafkaTopics = kafkaResource<KafkaTopic>('KafkaTopic', 'kafkatopics');
export const kafkaBrokers = kafkaResource<KafkaBroker>('KafkaBroker', 'kafkabrokers');
export const kafkaPartitionMaps = kafkaResource<KafkaPartitionMap>(
  'KafkaPartitionMap',
  'kafkapartitionmaps',
);
export const kafkaClusterStates = kafkaResource<KafkaClusterState>(
  'KafkaClusterState',
  'kafkaclusterstates',
);

/** The topic's name in Kafka. */
export function topicNameOf(topic: KafkaTopic): string {
  return topic.spec.topicName ?? topic.metadata.name;
}

/** A topic's id is its object's uid, in the protocol's form. */
export function topicIdOf(topic: KafkaTopic): string {
  return Buffer.from((topic.metadata.uid ?? '').replaceAll('-', ''), 'hex').toString('base64url');
}

/** The uid behind a topic id. */
export function uidOf(topicId: string): string {
  const hex = Buffer.from(topicId, 'base64url').toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
