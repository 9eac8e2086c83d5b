/** The operator: watches clusters and what belongs to them, and reconciles by key while it leads. */
import { conditionsWith } from '../kube/conditions.ts';
import { tell } from '../kube/events.ts';
import {
  API_VERSION,
  type KafkaCluster,
  type KafkaTopic,
  kafkaClusters,
  kafkaTopics,
} from '../kube/kafka-objects.ts';
import type { Resource } from '../kube/objects.ts';
import type { KubeApi } from '../kube/port.ts';
import { serveAdmin } from '../stdx/admin-http.ts';
import type { Chance } from '../stdx/chance.ts';
import type { Clock } from '../stdx/clock.ts';
import { Lifetime } from '../stdx/lifetime.ts';
import type { Logger } from '../stdx/logger.ts';
import type { OperatorDefaults } from './cluster/desired/stateful-set.ts';
import { ClusterReconciler, FIELD_MANAGER } from './cluster/reconciler.ts';
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
      onBug: (key, cause) => this.tellOfBug(views.cluster(...split(key)), kafkaClusters, cause),
    });
    const topicQueue = new WorkQueue({
      clock,
      logger,
      work: async (key) => {
        await acting;
        await this.reconcileTopic(views, ...split(key));
      },
      onBug: (key, cause) => this.tellOfBug(views.topic(...split(key)), kafkaTopics, cause),
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

  /** What the operator cannot deal with is told where people look: at the object. */
  private async tellOfBug(
    object: KafkaCluster | KafkaTopic | null,
    resource: Resource,
    cause: unknown,
  ): Promise<void> {
    const { api, clock, logger } = this.deps;
    logger.error('a bug of the operator: this object is set aside', { of: resource.kind, cause });
    if (object === null) return;
    const { namespace = '', name, generation: observedGeneration = 0 } = object.metadata;
    const message = `the operator cannot deal with this object: ${(cause as Error).message}`;
    const reason = 'OperatorBug';
    const degraded = {
      type: 'Degraded',
      status: 'True',
      reason,
      message,
      observedGeneration,
    } as const;
    const known = object.status?.conditions ?? [];
    if (known.some((one) => one.reason === reason && one.message === message)) return;
    const now = new Date(clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
    const status = { conditions: conditionsWith(known, [degraded], now) };
    try {
      await api.patch(resource, { namespace, name, subresource: 'status' }, { status });
    } catch (cause) {
      logger.debug('writing a condition failed', { cause });
    }
    const telling = { type: 'Warning', reason, message, component: FIELD_MANAGER } as const;
    const about = { ...object, apiVersion: API_VERSION, kind: resource.kind };
    await tell(this.deps, about, { telling, nowMs: clock.nowMs() });
  }

  private async serve(queue: WorkQueue, views: Views): Promise<void> {
    if (this.deps.admin === null) return;
    const registry = operatorMetrics({ queue, views, isLeading: () => this.isLeading });
    const metrics = () => ({ contentType: registry.contentType, body: registry.metrics() });
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
