/** The operator: watches clusters and what belongs to them, and reconciles by key. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { Informer } from '../kube/informer.ts';
import {
  CLUSTER_LABEL,
  type KafkaCluster,
  kafkaBrokers,
  kafkaClusters,
  kafkaPartitionMaps,
  kafkaTopics,
} from '../kube/kafka-objects.ts';
import { type KubeObject, leases, pods, type Resource, statefulSets } from '../kube/objects.ts';
import type { KubeApi } from '../kube/port.ts';
import { serveAdmin } from '../stdx/admin-http.ts';
import type { Chance } from '../stdx/chance.ts';
import type { Clock } from '../stdx/clock.ts';
import { Lifetime } from '../stdx/lifetime.ts';
import type { Logger } from '../stdx/logger.ts';
import type { OperatorDefaults } from './cluster/desired.ts';
import { ClusterReconciler } from './cluster/reconciler.ts';
import { WorkQueue } from './queue.ts';
import { reconcileOrphan } from './topic/orphans.ts';

export interface OperatorDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  readonly defaults: OperatorDefaults;
  readonly bootstrapShown: ((cluster: KafkaCluster) => string) | null;
  /** Empty: all namespaces. */
  readonly namespace: string;
  readonly admin: { readonly host: string; readonly port: number } | null;
}

export class Operator implements AsyncDisposable {
  private readonly deps: OperatorDeps;
  private readonly lifetime = new Lifetime();
  /** Where metrics and health are served; null where they are not. */
  adminPort: number | null = null;

  constructor(deps: OperatorDeps) {
    this.deps = deps;
  }

  async start(): Promise<void> {
    const { api, clock, logger, lifetime } = { ...this.deps, lifetime: this.lifetime };
    const informerDeps = this.deps;
    const options = this.deps.namespace === '' ? {} : { namespace: this.deps.namespace };
    const labelled = { ...options, labelSelector: CLUSTER_LABEL };
    const keyOfLabel = ({ metadata }: KubeObject) =>
      `${metadata.namespace}/${metadata.labels?.[CLUSTER_LABEL] ?? ''}`;

    const clusters = new Informer(informerDeps, kafkaClusters, options, ({ before, after }) => {
      const { namespace, name } = (after ?? before)?.metadata ?? { namespace: '', name: '' };
      queue.add(`${namespace}/${name}`);
      for (const topic of topics.all())
        if (topic.spec.clusterRef.name === name)
          topicQueue.add(`${topic.metadata.namespace}/${topic.metadata.name}`);
    });
    const wake = <T extends KubeObject>(resource: Resource<T>, isOurs: boolean) =>
      new Informer(informerDeps, resource, labelled, ({ before, after }) => {
        const object = (after ?? before) as T;
        // What somebody else changed or removed is applied again.
        if (isOurs && after === null) reconciler.forget(resource, object);
        queue.add(keyOfLabel(object));
      });
    const sets = wake(statefulSets, true);
    const brokerPods = wake(pods, false);
    const brokers = wake(kafkaBrokers, false);
    const pages = wake(kafkaPartitionMaps, false);
    const controllerLeases = new Informer(informerDeps, leases, labelled);
    const topics = new Informer(informerDeps, kafkaTopics, options, ({ before, after }) => {
      const { namespace, name } = (after ?? before)?.metadata ?? { namespace: '', name: '' };
      topicQueue.add(`${namespace}/${name}`);
    });
    const of = <T extends KubeObject>(informer: Informer<T>, namespace: string, cluster: string) =>
      informer
        .all()
        .filter(
          ({ metadata }) =>
            metadata.namespace === namespace && metadata.labels?.[CLUSTER_LABEL] === cluster,
        );
    const reconciler = new ClusterReconciler({
      ...this.deps,
      views: {
        cluster: (namespace, name) => clusters.get(name, namespace),
        statefulSet: (namespace, name) => sets.get(name, namespace),
        pods: (namespace, cluster) => of(brokerPods, namespace, cluster),
        brokers: (namespace, cluster) => of(brokers, namespace, cluster),
        pages: (namespace, cluster) => of(pages, namespace, cluster),
        controllerId: (namespace, cluster) =>
          Number(
            controllerLeases
              .get(`${cluster}-controller`, namespace)
              ?.spec?.holderIdentity?.split('/')[0] ?? -1,
          ),
      },
    });
    const all = [clusters, sets, brokerPods, brokers, pages, controllerLeases, topics];
    const synced = Promise.all(all.map((informer) => informer.synced));
    const split = (key: string) => key.split('/') as [string, string];
    const queue = new WorkQueue({
      clock,
      logger,
      work: async (key) => {
        await synced;
        await reconciler.reconcile(...split(key));
      },
    });
    const topicQueue = new WorkQueue({
      clock,
      logger,
      work: async (key) => {
        await synced;
        const [namespace, name] = split(key);
        const topic = topics.get(name, namespace);
        if (topic === null) return;
        const exists = clusters.get(topic.spec.clusterRef.name, namespace) !== null;
        await reconcileOrphan(
          api,
          topic,
          exists,
          new Date(clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z'),
        );
      },
    });
    for (const informer of all) lifetime.own(informer);
    lifetime.atEnd(() => {
      queue.stop();
      topicQueue.stop();
    });
    await this.serve({ queue, clusters, topics });
    await synced;
    logger.info('operator is up', { clusters: clusters.all().length });
  }

  private async serve(of: {
    queue: WorkQueue;
    clusters: Informer<KafkaCluster>;
    topics: { all(): readonly unknown[] };
  }): Promise<void> {
    if (this.deps.admin === null) return;
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const { queue, clusters, topics } = of;
    const registers = [registry];
    const count = (name: string, help: string, value: () => number) =>
      new Counter({
        name,
        help,
        labelNames: ['kind'],
        registers,
        collect() {
          this.reset();
          this.inc({ kind: 'KafkaCluster' }, value());
        },
      });
    count('tenure_reconciliations_total', 'Reconciles.', () => queue.reconciled + queue.failed);
    count(
      'tenure_reconciliations_successful_total',
      'Reconciles that ended well.',
      () => queue.reconciled,
    );
    count(
      'tenure_reconciliations_failed_total',
      'Reconciles that failed and are tried again.',
      () => queue.failed,
    );
    new Gauge({
      name: 'tenure_resources',
      help: 'Objects that the operator answers for.',
      labelNames: ['kind'],
      registers,
      collect() {
        this.set({ kind: 'KafkaCluster' }, clusters.all().length);
        this.set({ kind: 'KafkaTopic' }, topics.all().length);
      },
    });
    new Gauge({
      name: 'tenure_reconciliations_in_progress',
      help: 'Reconciles under way.',
      registers,
      collect() {
        this.set(queue.inProgress);
      },
    });
    const metrics = async () => ({
      contentType: registry.contentType,
      body: await registry.metrics(),
    });
    const admin = this.lifetime.own(
      await serveAdmin({ metrics, live: () => null, ready: () => null }, this.deps.admin),
    );
    this.adminPort = admin.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lifetime[Symbol.asyncDispose]();
  }
}
