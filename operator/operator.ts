/** The operator: watches clusters and what belongs to them, and reconciles by key while it leads. */
import type { KafkaCluster } from '../kube/kafka-objects.ts';
import type { KubeApi } from '../kube/port.ts';
import { serveAdmin } from '../stdx/admin-http.ts';
import type { Chance } from '../stdx/chance.ts';
import type { Clock } from '../stdx/clock.ts';
import { Lifetime } from '../stdx/lifetime.ts';
import type { Logger } from '../stdx/logger.ts';
import type { OperatorDefaults } from './cluster/desired/stateful-set.ts';
import { ClusterReconciler } from './cluster/reconciler.ts';
import { Views } from './cluster-views.ts';
import { Election, type ElectionOptions } from './election.ts';
import { operatorMetrics } from './metrics.ts';
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
  /** Whether nodes may be read: for racks and addresses of node ports. */
  readonly watchNodes: boolean;
  /** Null: this operator is the only one. */
  readonly election: Omit<ElectionOptions, 'onLost'> | null;
  /** Another operator acts now: the process should end. */
  readonly onLost: () => void;
  readonly admin: { readonly host: string; readonly port: number } | null;
}

export class Operator implements AsyncDisposable {
  private readonly deps: OperatorDeps;
  private readonly lifetime = new Lifetime();
  private isLeading = false;
  /** Where metrics and health are served; null where they are not. */
  adminPort: number | null = null;

  constructor(deps: OperatorDeps) {
    this.deps = deps;
  }

  /** Resolves when it knows everything; it acts as soon as it leads. */
  async start(): Promise<void> {
    const { clock, logger } = this.deps;
    const queue = new WorkQueue({
      clock,
      logger,
      work: async (key) => {
        await acting;
        await reconciler.reconcile(...split(key));
      },
    });
    const topicQueue = new WorkQueue({
      clock,
      logger,
      work: async (key) => {
        await acting;
        await this.reconcileTopic(views, ...split(key));
      },
    });
    const views = new Views(this.deps, this.deps, {
      cluster: (namespace, name) => queue.add(`${namespace}/${name}`),
      topic: (namespace, name) => topicQueue.add(`${namespace}/${name}`),
    });
    const reconciler = new ClusterReconciler({
      ...this.deps,
      views,
      lookAgain: (namespace, name, afterMs) => queue.addAfter(`${namespace}/${name}`, afterMs),
    });
    this.lifetime.own(views);
    const acting = this.whenLeading().then(() => views.synced);
    // Given up in the other order: work ends first, then the Lease is given back.
    this.lifetime.own(topicQueue);
    this.lifetime.own(queue);
    await this.serve(queue, views);
    await views.synced;
    logger.info('operator is up', { clusters: views.clusters.size });
  }

  private async whenLeading(): Promise<void> {
    const { election } = this.deps;
    if (election !== null) {
      const standing = new Election(this.deps, { ...election, onLost: () => this.deps.onLost() });
      this.lifetime.own(standing);
      await standing.won;
      this.deps.logger.info('this operator leads');
    }
    this.isLeading = true;
  }

  private async reconcileTopic(views: Views, namespace: string, name: string): Promise<void> {
    const topic = views.topic(namespace, name);
    if (topic === null) return;
    const exists = views.hasCluster(namespace, topic.spec.clusterRef.name);
    const now = new Date(this.deps.clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
    await reconcileOrphan(this.deps.api, topic, exists, now);
  }

  private async serve(queue: WorkQueue, views: Views): Promise<void> {
    if (this.deps.admin === null) return;
    const registry = operatorMetrics({ queue, views, isLeading: () => this.isLeading });
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

function split(key: string): [string, string] {
  const slash = key.indexOf('/');
  return [key.slice(0, slash), key.slice(slash + 1)];
}
