/** Tenure's own kinds: the TypeScript face of the CRDs in crds/. */
import type { Condition, KubeObject, Resource } from './objects.ts';

export const GROUP = 'kafka.tenure.dev';
export const VERSION = 'v1beta1';
export const API_VERSION = `${GROUP}/${VERSION}`;
/** On every object that belongs to a cluster. */
export const CLUSTER_LABEL = `${GROUP}/cluster`;
/** Keeps a KafkaTopic until its replicas are given up. */
export const TOPIC_FINALIZER = `${GROUP}/topic`;
/** Of a KafkaCluster, said by its brokers: whether it has got back what its volumes hold. */
export const RECOVERED_CONDITION = 'Recovered';
/** Annotations by which people steer: "true" unless said otherwise. */
export const annotations = {
  /** On a KafkaCluster or a KafkaTopic: nothing is done about it. */
  paused: `${GROUP}/paused`,
  /** On a KafkaTopic, "false": its spec is not acted on, and its records outlive it. */
  managed: `${GROUP}/managed`,
  /** On a KafkaCluster, any value: a new one restarts every broker. On a pod: restarts that one. */
  restart: `${GROUP}/restart`,
  /** On a KafkaCluster whose updatePolicy is Plan: the `status.planId` that may be carried out. */
  approve: `${GROUP}/approve-plan`,
  /** On a broker's pod, written by the operator: the rack of its node. */
  rack: `${GROUP}/rack`,
  /** On a broker's Lease: the process that has or had the life which it counts. */
  incarnation: `${GROUP}/incarnation`,
  /**
   * On a KafkaCluster, written by its controller as `namespace/name/id`: a backup of the object carries the
   * cluster's id. An owner may write an id alone: the volumes of that cluster are then this one's.
   */
  clusterId: `${GROUP}/cluster-id`,
  /** On a KafkaTopic that the controller made again from what volumes hold: the topic's id. */
  recovered: `${GROUP}/recovered`,
} as const;

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
    readonly listeners?: readonly ListenerSpec[];
    readonly storage?: {
      readonly type: 'ephemeral' | 'persistent-claim';
      readonly size?: string;
      /** How many volumes each broker has: every one is a log directory. */
      readonly volumes?: number;
      readonly class?: string;
      readonly deleteClaim?: boolean;
    };
    readonly rack?: { readonly topologyKey: string };
    readonly resources?: Readonly<Record<string, unknown>>;
    readonly template?: {
      /** Fields of the pod's spec, and its `metadata` (labels, annotations). */
      readonly pod?: Readonly<Record<string, unknown>>;
      /** Fields of the broker's container. */
      readonly broker?: Readonly<Record<string, unknown>>;
    };
    /** Whether restarts begin by themselves, or once somebody has approved of the plan. */
    readonly updatePolicy?: 'Automatic' | 'Plan';
    /** When restarts may begin; always, if there are none. */
    readonly maintenanceWindows?: readonly MaintenanceWindow[];
    /** No broker runs; volumes and topics stay. */
    readonly hibernated?: boolean;
    /** Brokers that are to be emptied and get nothing new, by id. */
    readonly drainBrokers?: readonly number[];
    /** Bounds of `replicas` for whoever scales by the scale subresource. */
    readonly autoscaling?: { readonly minReplicas: number; readonly maxReplicas: number };
    readonly metrics?: { readonly podMonitor?: boolean };
    readonly tls?: TlsSpec;
    readonly recovery?: RecoverySpec;
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly selector?: string;
    readonly bootstrapServers?: string;
    readonly clusterId?: string;
    readonly brokers?: string;
    /** Where each listener is reached, by those who are not inside the cluster. */
    readonly listeners?: readonly ListenerStatus[];
    /** Restarts that are due and why, in their order. */
    readonly plan?: readonly PlannedRestart[];
    /** Names the plan; approving of it means repeating this name. */
    readonly planId?: string;
    readonly lastRestarts?: readonly LastRestart[];
    /** Partitions on their way to other brokers. */
    readonly moves?: MovesStatus;
    readonly certificates?: readonly { readonly name: string; readonly notAfter: string }[];
    readonly conditions?: readonly Condition[];
  };
}

/** What the owner allows where Kubernetes does not know what volumes hold. */
export interface RecoverySpec {
  /** Volumes of an earlier cluster of this name are taken over, with what they hold. */
  readonly adoptVolumes?: boolean;
  /** Brokers whose volumes will not come back, by id: nobody waits for them. */
  readonly lostBrokers?: readonly number[];
  /** Where no replica certainly has everything, the one that has most leads. */
  readonly allowLoss?: boolean;
}

export interface ListenerSpec {
  readonly name: string;
  readonly port: number;
  readonly type: 'internal' | 'nodeport' | 'loadbalancer';
  readonly tls?: boolean;
  /** Of the Services that are made for it. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** What single brokers tell clients of this listener, where that is not found out. */
  readonly brokers?: readonly {
    readonly id: number;
    readonly advertisedHost?: string;
    readonly advertisedPort?: number;
    readonly nodePort?: number;
  }[];
}

/** The address of one broker on one listener. */
export interface BrokerAddress {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

export interface ListenerStatus {
  readonly name: string;
  readonly type: string;
  readonly bootstrapServers: string;
  readonly brokers?: readonly BrokerAddress[];
}

export interface MaintenanceWindow {
  /** When it opens: five fields, as of cron. */
  readonly schedule: string;
  readonly durationMinutes: number;
  /** An IANA name; UTC if absent. */
  readonly timeZone?: string;
}

export interface TlsSpec {
  /** Whether brokers prove to each other who they are. */
  readonly brokers?: boolean;
  /** A Secret with `tls.crt` and `tls.key`, kept by somebody else such as cert-manager. */
  readonly certificateSecret?: string;
  readonly validityDays?: number;
  readonly renewalDays?: number;
}

export interface PlannedRestart {
  readonly broker: number;
  readonly reason: string;
  /** What it waits for; absent where it may begin. */
  readonly waitsFor?: string;
}

export interface LastRestart {
  readonly broker: number;
  readonly reason: string;
  /** The pod that was deleted. */
  readonly podUid: string;
  readonly startedAt: string;
  /** From its beginning until the broker was ready again. */
  readonly seconds?: number;
}

export interface MovesStatus {
  readonly partitions: number;
  readonly total: number;
  readonly startedAt: string;
  readonly message: string;
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
    /** What becomes of the records when the object is deleted. */
    readonly deletionPolicy?: 'Delete' | 'Retain';
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
    /** Partitions on their way to other brokers; absent where there are none. */
    readonly moving?: number;
    /** The `spec.replicas` that was last seen; a different one is acted on. */
    readonly observedReplicas?: number;
    /** While partitions are being given another number of replicas: that number. */
    readonly resizingTo?: number | null;
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
    /** Configuration that this broker cannot act on, a sentence each. */
    readonly configProblems?: readonly string[];
    /** Log directories whose disk failed, and why. */
    readonly failedLogDirs?: readonly string[];
  };
}

/** A page: the state of up to 256 partitions as lines of text (kube/partition-line.ts). */
export interface KafkaPartitionMap extends KubeObject {
  readonly spec: {
    readonly clusterRef: { readonly name: string };
    /** The controller that last wrote or claimed the page; an older one never writes it again. */
    readonly controllerEpoch: number;
    /** The store generation when lines were last added to this page or taken from it. */
    readonly storeGeneration?: number;
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
    /** How many brokers there were when replicas were last spread over all of them. */
    readonly balancedBrokers?: number;
    /** The store generation when the cluster was last recovered. */
    readonly storeGeneration?: number;
    /** A controller is writing pages again from volumes: until it is done they are not the whole truth. */
    readonly recovering?: boolean;
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

const idsOfUids = new Map<string, string>();
const UIDS_MAX = 100_000;

/** A uid in the form that ids have in Kafka. */
export function idOfUid(uid: string): string {
  // Asked for every topic at every look of a controller.
  let id = idsOfUids.get(uid);
  if (id === undefined) {
    id = Buffer.from(uid.replaceAll('-', ''), 'hex').toString('base64url');
    if (idsOfUids.size >= UIDS_MAX) idsOfUids.clear();
    idsOfUids.set(uid, id);
  }
  return id;
}

/**
 * A topic's id: the one that the controller has written down, which outlives the object; until it has, the
 * uid of the object. Only the controller writes a status, so a copy of an object has an id of its own.
 */
export function topicIdOf({ metadata: { uid = '' }, status }: KafkaTopic): string {
  return status?.topicId ?? idOfUid(uid);
}

/** The cluster id that the object itself names; null: none, or it was written for another object. */
export function clusterIdNamed({ metadata }: KafkaCluster): string | null {
  const parts = metadata.annotations?.[annotations.clusterId]?.split('/') ?? [];
  if (parts.length === 1) return parts[0] === '' ? null : (parts[0] ?? null);
  const [namespace, name, id] = parts;
  return namespace === metadata.namespace && name === metadata.name ? (id ?? null) : null;
}

/** What the controller writes there. */
export function clusterIdNote({ metadata }: KafkaCluster, clusterId: string): string {
  return `${metadata.namespace}/${metadata.name}/${clusterId}`;
}

/** The id of a cluster as far as its object tells; a first one has the uid of its object. */
export function clusterIdOf(cluster: KafkaCluster): string {
  return (
    clusterIdNamed(cluster) ?? cluster.status?.clusterId ?? idOfUid(cluster.metadata.uid ?? '')
  );
}
