/** The operator's copies of what belongs to clusters, by list and watch, and what is read from them. */
import { Informer, type InformerDeps } from '../kube/informer.ts';
import {
  CLUSTER_LABEL,
  type KafkaBroker,
  type KafkaCluster,
  type KafkaPartitionMap,
  type KafkaTopic,
  kafkaBrokers,
  kafkaClusters,
  kafkaPartitionMaps,
  kafkaTopics,
} from '../kube/kafka-objects.ts';
import {
  configMaps,
  type KubeObject,
  type Lease,
  leases,
  type Node,
  nodes,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaims,
  pods,
  type Resource,
  type Service,
  type StatefulSet,
  serviceAccounts,
  services,
  statefulSets,
} from '../kube/objects.ts';
import { type PartitionLine, parsePage } from '../kube/partition-line.ts';
import { brokersName, resource } from './cluster/desired/names.ts';
import type { Observed } from './cluster/observed.ts';
import type { ClusterViews } from './cluster/reconciler.ts';

const WATCHED_ONLY: readonly Resource[] = [
  serviceAccounts,
  resource('rbac.authorization.k8s.io', 'Role', 'roles'),
  resource('rbac.authorization.k8s.io', 'RoleBinding', 'rolebindings'),
  resource('policy', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  resource('networking.k8s.io', 'NetworkPolicy', 'networkpolicies'),
  configMaps,
];

export interface Wake {
  /** A cluster, or something that belongs to it, changed. */
  readonly cluster: (namespace: string, name: string) => void;
  readonly topic: (namespace: string, name: string) => void;
}

/** Objects by the cluster whose label they carry. */
class ByCluster<T extends KubeObject> {
  private readonly sets = new Map<string, Map<string, T>>();

  set(object: T, present: boolean): void {
    const key = clusterKey(object);
    const set = this.sets.get(key) ?? new Map<string, T>();
    if (present) set.set(object.metadata.name, object);
    else set.delete(object.metadata.name);
    if (set.size === 0) this.sets.delete(key);
    else this.sets.set(key, set);
  }

  of(namespace: string, cluster: string): T[] {
    return [...(this.sets.get(`${namespace}/${cluster}`)?.values() ?? [])];
  }
}

function clusterKey({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.labels?.[CLUSTER_LABEL] ?? ''}`;
}

export class Views implements ClusterViews, Disposable {
  private readonly deps: InformerDeps;
  private readonly wake: Wake;
  private readonly informers: Informer<KubeObject>[] = [];
  private readonly owned = new Map<string, Informer<KubeObject>>();
  private readonly pods = new ByCluster<Pod>();
  private readonly brokers = new ByCluster<KafkaBroker>();
  private readonly pages = new ByCluster<KafkaPartitionMap>();
  private readonly services = new ByCluster<Service>();
  private readonly claims = new ByCluster<PersistentVolumeClaim>();
  private readonly topicsOf = new Map<string, Map<string, KafkaTopic>>();
  private readonly lines = new WeakMap<KafkaPartitionMap, readonly PartitionLine[]>();
  private readonly nodes: Informer<Node> | null;
  private readonly leases: Informer<Lease>;
  readonly clusters: Informer<KafkaCluster>;
  readonly topics: Informer<KafkaTopic>;
  readonly synced: Promise<void>;

  constructor(deps: InformerDeps, of: { namespace: string; watchNodes: boolean }, wake: Wake) {
    this.deps = deps;
    this.wake = wake;
    const options = of.namespace === '' ? {} : { namespace: of.namespace };
    const labelled = { ...options, labelSelector: CLUSTER_LABEL };
    const keep = <T extends KubeObject>(informer: Informer<T>): Informer<T> => {
      this.informers.push(informer as unknown as Informer<KubeObject>);
      return informer;
    };
    const changed = (object: KubeObject) => {
      const { namespace = '', labels } = object.metadata;
      this.wake.cluster(namespace, labels?.[CLUSTER_LABEL] ?? '');
    };
    const byCluster = <T extends KubeObject>(kind: Resource<T>, into: ByCluster<T> | null) =>
      keep(
        new Informer(deps, kind, labelled, ({ before, after }) => {
          const object = (after ?? before) as T;
          into?.set(object, after !== null);
          changed(object);
        }),
      );
    const own = <T extends KubeObject>(kind: Resource<T>, into: ByCluster<T> | null = null) => {
      const informer = byCluster(kind, into) as unknown as Informer<KubeObject>;
      this.owned.set(kind.plural, informer);
    };
    this.clusters = keep(
      new Informer(deps, kafkaClusters, options, ({ before, after }) => {
        const { namespace = '', name } = (after ?? before)?.metadata ?? { name: '' };
        this.wake.cluster(namespace, name);
        // Only its coming and going matters to topics.
        if (before === null || after === null)
          for (const topic of this.topicsIn(namespace, name))
            this.wake.topic(namespace, topic.metadata.name);
      }),
    );
    this.topics = keep(
      new Informer(deps, kafkaTopics, options, ({ before, after }) => {
        const topic = (after ?? before) as KafkaTopic;
        this.noteTopic(topic, after !== null);
        this.wake.topic(topic.metadata.namespace ?? '', topic.metadata.name);
      }),
    );
    own(statefulSets);
    own(services, this.services);
    for (const kind of WATCHED_ONLY) own(kind);
    byCluster(pods, this.pods);
    byCluster(kafkaBrokers, this.brokers);
    byCluster(kafkaPartitionMaps, this.pages);
    byCluster(persistentVolumeClaims, this.claims);
    this.leases = keep(new Informer(deps, leases, labelled));
    this.nodes = of.watchNodes ? keep(new Informer(deps, nodes, {}, () => {})) : null;
    this.synced = Promise.all(this.informers.map(({ synced }) => synced)).then(() => {});
  }

  private noteTopic(topic: KafkaTopic, present: boolean): void {
    const key = `${topic.metadata.namespace}/${topic.spec.clusterRef.name}`;
    const set = this.topicsOf.get(key) ?? new Map<string, KafkaTopic>();
    if (present) set.set(topic.metadata.name, topic);
    else set.delete(topic.metadata.name);
    this.topicsOf.set(key, set);
  }

  private topicsIn(namespace: string, cluster: string): KafkaTopic[] {
    return [...(this.topicsOf.get(`${namespace}/${cluster}`)?.values() ?? [])];
  }

  private linesOf(page: KafkaPartitionMap): readonly PartitionLine[] {
    const known = this.lines.get(page);
    if (known !== undefined) return known;
    const parsed = parsePage(page.spec.partitions);
    this.lines.set(page, parsed);
    return parsed;
  }

  observe(namespace: string, name: string, now: string): Observed | null {
    const cluster = this.clusters.get(name, namespace);
    if (cluster === null) return null;
    const running = this.pods.of(namespace, name);
    return {
      cluster,
      statefulSet: this.live(statefulSets, namespace, brokersName(cluster)) as StatefulSet | null,
      pods: running,
      brokers: this.brokers.of(namespace, name),
      lines: this.pages.of(namespace, name).flatMap((page) => this.linesOf(page)),
      topics: this.topicsIn(namespace, name),
      services: this.services.of(namespace, name),
      claims: this.claims.of(namespace, name),
      nodes: new Map(
        running.flatMap(({ spec }) => {
          const node = this.nodes?.get(spec.nodeName ?? '', '') ?? null;
          return node === null ? [] : [[spec.nodeName ?? '', node] as const];
        }),
      ),
      controllerId: this.controllerId(namespace, name),
      now,
    };
  }

  private controllerId(namespace: string, cluster: string): number {
    const lease = this.leases.get(`${cluster}-controller`, namespace);
    return Number(lease?.spec?.holderIdentity?.split('/')[0] || -1);
  }

  async observeAfresh(observed: Observed): Promise<Observed> {
    const { namespace = '', name } = observed.cluster.metadata;
    const { api } = this.deps;
    const options = { namespace, labelSelector: `${CLUSTER_LABEL}=${name}` };
    const [running, pages, brokers, set] = await Promise.all([
      api.list(pods, options),
      api.list(kafkaPartitionMaps, options),
      api.list(kafkaBrokers, options),
      api.get(statefulSets, namespace, brokersName(observed.cluster)),
    ]);
    return {
      ...observed,
      statefulSet: set,
      pods: running.items,
      brokers: brokers.items,
      lines: pages.items.flatMap(({ spec }) => parsePage(spec.partitions)),
    };
  }

  live(kind: Resource, namespace: string, name: string): KubeObject | null {
    return this.owned.get(kind.plural)?.get(name, namespace) ?? null;
  }

  watches(kind: Resource): boolean {
    return this.owned.has(kind.plural);
  }

  topic(namespace: string, name: string): KafkaTopic | null {
    return this.topics.get(name, namespace);
  }

  cluster(namespace: string, name: string): KafkaCluster | null {
    return this.clusters.get(name, namespace);
  }
  hasCluster(namespace: string, name: string): boolean {
    return this.cluster(namespace, name) !== null;
  }

  [Symbol.dispose](): void {
    for (const informer of this.informers) informer[Symbol.dispose]();
  }
}
