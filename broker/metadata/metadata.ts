/** Keeps the image current by watching the cluster's objects: the one path by which metadata comes. */
import { Informer, type InformerDeps } from '../../kube/informer.ts';
import {
  CLUSTER_LABEL,
  type KafkaBroker,
  type KafkaCluster,
  type KafkaClusterState,
  type KafkaPartitionMap,
  type KafkaTopic,
  kafkaBrokers,
  kafkaClusterStates,
  kafkaClusters,
  kafkaPartitionMaps,
  kafkaTopics,
} from '../../kube/kafka-objects.ts';
import { type Lease, leases } from '../../kube/objects.ts';
import { type PartitionLine, parsePage } from '../../kube/partition-line.ts';
import type { KubeApi, ListOptions } from '../../kube/port.ts';
import { Lifetime } from '../../stdx/lifetime.ts';
import type { Logger } from '../../stdx/logger.ts';
import { type LineChange, MetadataImage } from './image.ts';

export interface MetadataListener {
  onLines?(changes: readonly LineChange[]): void;
  onTopic?(topic: KafkaTopic, present: boolean): void;
  onBroker?(broker: KafkaBroker): void;
  onLease?(lease: Lease): void;
  onCluster?(cluster: KafkaCluster): void;
  onState?(state: KafkaClusterState): void;
  onStateGone?(): void;
  onPageGone?(name: string): void;
  /** A page is older than it was: what the API remembers is not the newest. */
  onOlderStore?(): void;
}

export function controllerLeaseName(cluster: string): string {
  return `${cluster}-controller`;
}
export function brokerName(cluster: string, id: number): string {
  return `${cluster}-broker-${id}`;
}

export class Metadata implements AsyncDisposable {
  readonly image = new MetadataImage();
  readonly topics: Informer<KafkaTopic>;
  readonly brokers: Informer<KafkaBroker>;
  readonly pages: Informer<KafkaPartitionMap>;
  readonly leases: Informer<Lease>;
  readonly clusters: Informer<KafkaCluster>;
  readonly states: Informer<KafkaClusterState>;
  private readonly listeners = new Set<MetadataListener>();
  private readonly lifetime = new Lifetime();
  private readonly api: KubeApi;
  private readonly labelled: ListOptions;

  constructor(deps: InformerDeps, of: { namespace: string; cluster: string }) {
    const { image } = this;
    const { namespace, cluster } = of;
    const mine = (object: { spec: { clusterRef: { name: string } } }) =>
      object.spec.clusterRef.name === cluster;
    const labelled = { namespace, labelSelector: `${CLUSTER_LABEL}=${cluster}` };
    this.api = deps.api;
    this.labelled = labelled;
    const each = (run: (listener: MetadataListener) => void) => {
      for (const listener of this.listeners) run(listener);
    };
    this.clusters = new Informer(deps, kafkaClusters, { namespace }, ({ after }) => {
      if (after?.metadata.name !== cluster) return;
      image.setCluster(after);
      each((listener) => listener.onCluster?.(after));
    });
    this.topics = new Informer(deps, kafkaTopics, { namespace }, ({ before, after }) => {
      const topic = after ?? before;
      if (topic === null || !mine(topic)) return;
      image.setTopicObject(topic, after !== null);
      each((listener) => listener.onTopic?.(topic, after !== null));
    });
    this.brokers = new Informer(deps, kafkaBrokers, labelled, ({ before, after }) => {
      image.setBroker((after ?? before)?.metadata.name ?? '', after);
      if (after !== null) each((listener) => listener.onBroker?.(after));
    });
    this.pages = new Informer(deps, kafkaPartitionMaps, labelled, ({ before, after }) => {
      // A page that is gone is not a word about its partitions: only a newer page is.
      const name = (after ?? before)?.metadata.name ?? '';
      if (after === null) return each((listener) => listener.onPageGone?.(name));
      const changes = takePage(image, after, deps.logger);
      if (changes === null) each((listener) => listener.onOlderStore?.());
      else if (changes.length > 0) each((listener) => listener.onLines?.(changes));
    });
    this.leases = new Informer(deps, leases, labelled, ({ after }) => {
      if (after === null) return;
      if (after.metadata.name === controllerLeaseName(cluster)) {
        image.controllerId = holderId(after);
        image.controllerEpoch = after.spec?.leaseTransitions ?? 0;
      }
      each((listener) => listener.onLease?.(after));
    });
    this.states = new Informer(deps, kafkaClusterStates, labelled, ({ after }) => {
      image.isStateMissing = after === null || after.spec.recovering === true;
      if (after === null) return each((listener) => listener.onStateGone?.());
      image.clusterId = after.spec.clusterId;
      each((listener) => listener.onState?.(after));
    });
    for (const informer of [
      this.clusters,
      this.topics,
      this.brokers,
      this.pages,
      this.leases,
      this.states,
    ]) {
      this.lifetime.own(informer);
    }
  }

  async synced(): Promise<void> {
    const all = [this.clusters, this.topics, this.brokers, this.pages, this.leases, this.states];
    await Promise.all(all.map((informer) => informer.synced));
    if (this.states.size === 0) this.image.isStateMissing = true;
  }

  /** Every page as the API has it now, not as it was told. */
  async readLines(): Promise<PartitionLine[]> {
    const { items } = await this.api.list(kafkaPartitionMaps, this.labelled);
    return items.flatMap(({ spec }) => parsePage(spec.partitions));
  }

  listen(listener: MetadataListener): Disposable {
    this.listeners.add(listener);
    return { [Symbol.dispose]: () => this.listeners.delete(listener) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.lifetime[Symbol.asyncDispose]();
  }
}

/** A page that somebody broke by hand is told, and says nothing: what was known before it stays. */
function takePage(
  image: MetadataImage,
  page: KafkaPartitionMap,
  logger: Logger,
): LineChange[] | null {
  try {
    return image.setPage(page.metadata.name, page);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    logger.error('a page cannot be read', { page: page.metadata.name, cause });
    return [];
  }
}

/** Holder identities read `<broker id>/<incarnation>`; -1 for nobody. */
export function holderId(lease: Lease): number {
  const holder = lease.spec?.holderIdentity;
  return holder ? Number(holder.split('/')[0]) : -1;
}
