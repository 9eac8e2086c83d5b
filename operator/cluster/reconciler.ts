/** Brings one KafkaCluster to what its spec says: observe, plan, apply; short, and safe to repeat. */

import {
  API_VERSION,
  type KafkaBroker,
  type KafkaCluster,
  type KafkaPartitionMap,
  kafkaBrokers,
  kafkaClusters,
} from '../../kube/kafka-objects.ts';
import {
  type KubeObject,
  type Pod,
  pods as podResource,
  type Resource,
  type StatefulSet,
} from '../../kube/objects.ts';
import { parsePage } from '../../kube/partition-line.ts';
import { isKubeError, type KubeApi } from '../../kube/port.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import { brokersName, type Desired, desiredObjects, type OperatorDefaults } from './desired.ts';
import {
  clusterStatus,
  type Observed,
  ordinalOf,
  PAUSE_ANNOTATION,
  planRestart,
  planScale,
} from './plan.ts';

export const FIELD_MANAGER = 'tenure-operator';

/** The local copies that a reconcile reads from. */
export interface ClusterViews {
  readonly cluster: (namespace: string, name: string) => KafkaCluster | null;
  readonly statefulSet: (namespace: string, name: string) => StatefulSet | null;
  readonly pods: (namespace: string, cluster: string) => readonly Pod[];
  readonly brokers: (namespace: string, cluster: string) => readonly KafkaBroker[];
  readonly pages: (namespace: string, cluster: string) => readonly KafkaPartitionMap[];
  readonly controllerId: (namespace: string, cluster: string) => number;
}

export interface ReconcilerDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly views: ClusterViews;
  readonly defaults: OperatorDefaults;
  /** What to show as the bootstrap address; null: the Service's name. */
  readonly bootstrapShown: ((cluster: KafkaCluster) => string) | null;
}

export class ClusterReconciler {
  private readonly deps: ReconcilerDeps;
  /** What was last applied, so that nothing is sent twice. */
  private readonly applied = new Map<string, string>();

  constructor(deps: ReconcilerDeps) {
    this.deps = deps;
  }

  async reconcile(namespace: string, name: string): Promise<void> {
    const observed = this.observe(namespace, name);
    if (observed === null || observed.cluster.metadata.deletionTimestamp !== undefined) return;
    const { cluster } = observed;
    if (cluster.metadata.annotations?.[PAUSE_ANNOTATION] === 'true') return;
    const scale = planScale(observed);
    for (const desired of desiredObjects(cluster, this.deps.defaults, scale.replicas))
      await this.apply(desired);
    const restart = planRestart(observed, this.deps.views.controllerId(namespace, name));
    if (restart.kind === 'restart') await this.restart(cluster, restart.pod, restart.why);
    await this.forgetBrokers(observed, scale.replicas);
    const bootstrap = this.deps.bootstrapShown?.(cluster) ?? null;
    await this.writeStatus(cluster, clusterStatus(observed, { scale, restart, bootstrap }));
  }

  private observe(namespace: string, name: string): Observed | null {
    const { views, clock } = this.deps;
    const cluster = views.cluster(namespace, name);
    if (cluster === null) return null;
    return {
      cluster,
      statefulSet: views.statefulSet(namespace, brokersName(cluster)),
      pods: views.pods(namespace, name),
      brokers: views.brokers(namespace, name),
      lines: views.pages(namespace, name).flatMap(({ spec }) => parsePage(spec.partitions)),
      now: new Date(clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z'),
    };
  }

  /** Brokers that were scaled away and whose pods are gone are no longer part of the cluster. */
  private async forgetBrokers({ brokers, pods }: Observed, replicas: number): Promise<void> {
    for (const { metadata, spec } of brokers) {
      if (spec.id < replicas || pods.some((pod) => ordinalOf(pod) === spec.id)) continue;
      const { namespace = '', name } = metadata;
      try {
        await this.deps.api.delete(kafkaBrokers, namespace, name);
      } catch (cause) {
        if (!isKubeError(cause, 404)) throw cause;
      }
    }
  }

  private async apply({ resource, object }: Desired): Promise<void> {
    const key = `${resource.plural}/${object.metadata.namespace}/${object.metadata.name}`;
    const text = JSON.stringify(object);
    if (this.applied.get(key) === text) return;
    await this.deps.api.apply(resource, object, { fieldManager: FIELD_MANAGER });
    this.applied.set(key, text);
    this.deps.logger.info('applied', { kind: object.kind, name: object.metadata.name });
  }

  /** Somebody changed or deleted one of the objects: apply it again. */
  forget(resource: Resource, { metadata }: KubeObject): void {
    this.applied.delete(`${resource.plural}/${metadata.namespace}/${metadata.name}`);
  }

  private async restart(cluster: KafkaCluster, pod: Pod, why: string): Promise<void> {
    const { namespace = '', name, uid } = pod.metadata;
    this.deps.logger.info('restarting a broker', { pod: name, why });
    await this.event(cluster, 'RollingRestart', `restarting ${name}: ${why}`);
    try {
      await this.deps.api.delete(podResource, namespace, name, uid === undefined ? {} : { uid });
    } catch (cause) {
      if (!isKubeError(cause, 404, 409)) throw cause;
    }
  }

  private async event(cluster: KafkaCluster, reason: string, message: string): Promise<void> {
    const { namespace = '', name, uid } = cluster.metadata;
    const at = new Date(this.deps.clock.nowMs());
    const events: Resource = {
      group: '',
      version: 'v1',
      plural: 'events',
      kind: 'Event',
      namespaced: true,
    };
    const now = at.toISOString().replace(/\.\d+Z$/, 'Z');
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${at.getTime().toString(16)}`, namespace },
      involvedObject: { apiVersion: API_VERSION, kind: 'KafkaCluster', name, namespace, uid },
      reason,
      message,
      type: 'Normal',
      source: { component: FIELD_MANAGER },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    try {
      await this.deps.api.create(events, event as KubeObject);
    } catch (cause) {
      this.deps.logger.debug('writing an event failed', { cause });
    }
  }

  private async writeStatus(
    cluster: KafkaCluster,
    status: NonNullable<KafkaCluster['status']>,
  ): Promise<void> {
    if (JSON.stringify(cluster.status) === JSON.stringify(status)) return;
    const { namespace = '', name } = cluster.metadata;
    try {
      await this.deps.api.patch(
        kafkaClusters,
        { namespace, name, subresource: 'status' },
        { status },
      );
    } catch (cause) {
      if (!isKubeError(cause, 404)) throw cause;
    }
  }
}
