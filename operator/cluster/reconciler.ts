/**
 * Brings one KafkaCluster to what its spec says: observe, plan, apply. Short, level-based and safe to
 * repeat: it may be killed after every call to the API and finds its way from what it then sees. With
 * nothing to do it writes nothing.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { tell } from '../../kube/events.ts';
import {
  API_VERSION,
  annotations,
  type KafkaCluster,
  kafkaBrokers,
  kafkaClusters,
} from '../../kube/kafka-objects.ts';
import {
  apiVersionOf,
  type KubeObject,
  persistentVolumeClaims,
  pods as podResource,
  type Resource,
  services,
} from '../../kube/objects.ts';
import { isKubeError, type KubeApi, KubeError } from '../../kube/port.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import { listenerStatuses } from './addresses-core.ts';
import { type CertificateState, Certificates } from './certificates.ts';
import { usesTls } from './certificates-core.ts';
import { isContained } from './contained-core.ts';
import { desiredObjects } from './desired/desired.ts';
import { type Desired, LISTENER_LABEL } from './desired/names.ts';
import type { OperatorDefaults } from './desired/stateful-set.ts';
import { isPaused, type Observed, ordinalOf } from './observed.ts';
import { planPeerTls } from './peer-tls-core.ts';
import { planRacks } from './racks-core.ts';
import { type DueRestart, mayEvict, planRoll, type RollPlan } from './roll-core.ts';
import { planScale } from './scale-core.ts';
import {
  type ClusterStatus,
  clusterStatus,
  type Decided,
  ownConditions,
  pausedStatus,
} from './status.ts';
import { planGrowth, storageState } from './storage-core.ts';

export const FIELD_MANAGER = 'tenure-operator';
/** How often certificates are looked at where nothing else calls for it. */
const CERTIFICATE_LOOK_MS = 3600_000;
/** On every object: of what it was last made, so that nothing is sent twice. */
const HASH_ANNOTATION = 'kafka.tenure.dev/applied';

export interface ClusterViews {
  /** From the local copies; null where the cluster is unknown. */
  readonly observe: (namespace: string, name: string, now: string) => Observed | null;
  /** The same, with pods, pages and brokers read from the API at this moment. */
  readonly observeAfresh: (observed: Observed) => Promise<Observed>;
  readonly live: (resource: Resource, namespace: string, name: string) => KubeObject | null;
  readonly watches: (resource: Resource) => boolean;
}

export interface ReconcilerDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly views: ClusterViews;
  readonly defaults: OperatorDefaults;
  /** What to show as the bootstrap address; null: the Service's name. */
  readonly bootstrapShown: ((cluster: KafkaCluster) => string) | null;
  /** Called where a cluster is to be looked at again although nothing changes. */
  readonly lookAgain: (namespace: string, name: string, afterMs: number) => void;
}

export class ClusterReconciler {
  private readonly deps: ReconcilerDeps;
  /** The API's words about claims that it did not let grow, by cluster. */
  private readonly refusals = new Map<string, Map<string, string>>();

  /** The status last written, by cluster: a watch may be late, and history must not be lost to that. */
  private readonly written = new Map<
    string,
    { readonly uid: string; readonly version: string; readonly status: ClusterStatus }
  >();

  private readonly certificates: Certificates;

  constructor(deps: ReconcilerDeps) {
    this.deps = deps;
    this.certificates = new Certificates({ ...deps, fieldManager: FIELD_MANAGER });
  }

  async reconcile(namespace: string, name: string): Promise<void> {
    let observed = this.observe(namespace, name);
    if (observed === null || observed.cluster.metadata.deletionTimestamp !== undefined) {
      this.written.delete(`${namespace}/${name}`);
      this.refusals.delete(`${namespace}/${name}`);
      return;
    }
    if (isPaused(observed.cluster)) {
      await this.writeStatus(observed, pausedStatus(observed));
      return;
    }
    // Copies may be old: what takes brokers away is decided on what the API says now.
    if (planScale(observed).replicas < (observed.statefulSet?.spec.replicas ?? 0))
      observed = await this.deps.views.observeAfresh(observed);
    let isApplying = false;
    let certificates: CertificateState | null = null;
    let fault = await this.attempt(async () => {
      certificates = await this.ensureCertificates(observed as Observed);
      isApplying = await this.applyAll(observed as Observed);
    });
    await this.growVolumes(observed);
    await this.nameRacks(observed);
    let roll = this.planRoll(observed, (words) => {
      fault ??= words;
    });
    if (roll.due.some(({ waitsFor }) => waitsFor === null)) {
      // So is what stops one.
      observed = await this.deps.views.observeAfresh(observed);
      roll = this.planRoll(observed, () => {});
    }
    await this.writeStatus(
      observed,
      this.statusOf(observed, roll, { fault, isApplying, certificates }),
    );
    for (const due of roll.due) if (due.waitsFor === null) await this.restart(observed, due);
    await this.forgetBrokers(observed);
    this.scheduleLook(observed, roll);
    if (fault !== null) throw new Error(fault);
  }

  /** What the copies say; where a copy is older than what was written here, what was written. */
  private observe(namespace: string, name: string): Observed | null {
    const observed = this.deps.views.observe(namespace, name, this.now());
    if (observed === null) return null;
    const { cluster } = observed;
    const own = this.written.get(keyOf(cluster));
    const isOld =
      own !== undefined &&
      own.uid === cluster.metadata.uid &&
      isOlder(cluster.metadata.resourceVersion ?? '', own.version);
    return isOld ? { ...observed, cluster: { ...cluster, status: own.status } } : observed;
  }

  private now(): string {
    return new Date(this.deps.clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  /** Runs it; returns the API's words where the API refused. */
  private async attempt(run: () => Promise<void>): Promise<string | null> {
    try {
      await run();
      return null;
    } catch (cause) {
      if (!(cause instanceof KubeError)) throw cause;
      return cause.message;
    }
  }

  private planRoll(observed: Observed, onFault: (words: string) => void): RollPlan {
    try {
      return planRoll(observed);
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause;
      onFault(cause.message);
      return { due: [], planId: null, lookAgainAt: null };
    }
  }

  private statusOf(
    observed: Observed,
    roll: RollPlan,
    of: Pick<Decided, 'fault' | 'isApplying' | 'certificates'>,
  ): ClusterStatus {
    const refusals = this.refusals.get(keyOf(observed.cluster)) ?? new Map<string, string>();
    return clusterStatus(observed, {
      scale: planScale(observed),
      roll,
      storage: storageState(observed, refusals),
      bootstrap: this.deps.bootstrapShown?.(observed.cluster) ?? null,
      ...of,
    });
  }

  /** Certificates come before the pods that read them. */
  private async ensureCertificates(observed: Observed): Promise<CertificateState | null> {
    const { cluster, now } = observed;
    const hasPeerTls = planPeerTls(observed) !== 'none';
    if (!usesTls(cluster) && !hasPeerTls) return null;
    const brokers = Math.max(planScale(observed).replicas, cluster.spec.replicas);
    return this.certificates.ensure(cluster, { brokers, hasPeerTls, now });
  }

  /** Whether something has changed by it. */
  private async applyAll(observed: Observed): Promise<boolean> {
    const { cluster, statefulSet } = observed;
    const { replicas } = planScale(observed);
    const shown = listenerStatuses(observed).find(({ type }) => type === 'internal');
    const wanted = desiredObjects({
      cluster,
      defaults: this.deps.defaults,
      replicas,
      live: statefulSet,
      mayEvict: mayEvict(observed),
      bootstrapServers: this.deps.bootstrapShown?.(cluster) ?? shown?.bootstrapServers ?? '',
      peerTls: planPeerTls(observed),
    });
    let hasChanged = false;
    for (const desired of wanted) if (await this.apply(desired)) hasChanged = true;
    const kept = new Set(wanted.map(({ object }) => `${object.kind}/${object.metadata.name}`));
    for (const { metadata } of observed.services) {
      if (metadata.labels?.[LISTENER_LABEL] === undefined || kept.has(`Service/${metadata.name}`))
        continue;
      await this.remove(services, metadata.namespace ?? '', metadata.name);
      hasChanged = true;
    }
    return hasChanged;
  }

  /** Whether the live object has changed by it: then a watch will tell. */
  private async apply({ resource, object }: Desired): Promise<boolean> {
    const { namespace = '', name } = object.metadata;
    const text = JSON.stringify(object);
    const hash = createHash('sha256').update(text).digest('base64url').slice(0, 16);
    if (!this.deps.views.watches(resource)) return this.applyUnwatched(resource, object, hash);
    const live = this.deps.views.live(resource, namespace, name);
    if (
      live?.metadata.annotations?.[HASH_ANNOTATION] === hash &&
      live.metadata.deletionTimestamp === undefined &&
      isContained(object, live)
    )
      return false;
    const annotated = { ...object.metadata.annotations, [HASH_ANNOTATION]: hash };
    const full = { ...object, metadata: { ...object.metadata, annotations: annotated } };
    const { metadata } = await this.deps.api.apply(resource, full, { fieldManager: FIELD_MANAGER });
    if (metadata.resourceVersion === live?.metadata.resourceVersion) return false;
    this.deps.logger.info('applied', { kind: object.kind, name });
    return true;
  }

  /** Kinds that a cluster may lack are not watched: applied once for each of their forms. */
  private async applyUnwatched(
    resource: Resource,
    object: KubeObject,
    hash: string,
  ): Promise<boolean> {
    const key = `${resource.plural}/${object.metadata.namespace}/${object.metadata.name}`;
    if (this.unwatched.get(key) === hash) return false;
    await this.deps.api.apply(resource, object, { fieldManager: FIELD_MANAGER });
    this.unwatched.set(key, hash);
    return false;
  }
  private readonly unwatched = new Map<string, string>();

  private async remove(resource: Resource, namespace: string, name: string): Promise<void> {
    try {
      await this.deps.api.delete(resource, namespace, name);
      this.deps.logger.info('removed', { kind: resource.kind, name });
    } catch (cause) {
      if (!isKubeError(cause, 404)) throw cause;
    }
  }

  private async growVolumes(observed: Observed): Promise<void> {
    const refused = new Map<string, string>();
    for (const { claim, size } of planGrowth(observed)) {
      const { namespace = '', name } = claim.metadata;
      const patch = { spec: { resources: { requests: { storage: size } } } };
      const words = await this.attempt(async () => {
        await this.deps.api.patch(persistentVolumeClaims, { namespace, name }, patch);
        this.deps.logger.info('growing a volume', { claim: name, size });
      });
      if (words !== null) refused.set(name, words);
    }
    this.refusals.set(keyOf(observed.cluster), refused);
  }

  /** Tells pods in which rack they run; brokers wait for that before they say where they are. */
  private async nameRacks(observed: Observed): Promise<void> {
    for (const { pod, rack } of planRacks(observed)) {
      const { namespace = '', name, resourceVersion } = pod.metadata;
      const patch = { metadata: { resourceVersion, annotations: { [annotations.rack]: rack } } };
      try {
        await this.deps.api.patch(podResource, { namespace, name }, patch);
      } catch (cause) {
        // It changed meanwhile: the next look tries again.
        if (!isKubeError(cause, 404, 409)) throw cause;
      }
    }
  }

  /** Brokers that were scaled away and whose pods are gone are no longer part of the cluster. */
  private async forgetBrokers(observed: Observed): Promise<void> {
    const { brokers, cluster, pods, lines } = observed;
    if (cluster.spec.hibernated === true) return;
    const held = Math.max(-1, ...lines.flatMap(({ replicas }) => replicas));
    for (const { metadata, spec } of brokers) {
      const stays = spec.id < cluster.spec.replicas || spec.id <= held;
      if (stays || pods.some((pod) => ordinalOf(pod) === spec.id)) continue;
      await this.remove(kafkaBrokers, metadata.namespace ?? '', metadata.name);
    }
  }

  private async restart({ cluster }: Observed, { pod, reason }: DueRestart): Promise<void> {
    const { namespace = '', name, uid } = pod.metadata;
    this.deps.logger.info('restarting a broker', { pod: name, reason });
    await this.event(cluster, 'Normal', 'RollingRestart', `restarting ${name}: ${reason}`);
    try {
      await this.deps.api.delete(podResource, namespace, name, uid === undefined ? {} : { uid });
    } catch (cause) {
      if (!isKubeError(cause, 404, 409)) throw cause;
    }
  }

  private scheduleLook(observed: Observed, { lookAgainAt }: RollPlan): void {
    const { cluster, now } = observed;
    const { namespace = '', name } = cluster.metadata;
    if (lookAgainAt === null && (usesTls(cluster) || planPeerTls(observed) !== 'none'))
      this.deps.lookAgain(namespace, name, CERTIFICATE_LOOK_MS);
    if (lookAgainAt !== null)
      this.deps.lookAgain(namespace, name, Date.parse(lookAgainAt) - Date.parse(now) + 1000);
  }

  private async event(
    cluster: KafkaCluster,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): Promise<void> {
    // Objects from a list may come without their kind.
    const about = { ...cluster, apiVersion: API_VERSION, kind: 'KafkaCluster' };
    const telling = { type, reason, message, component: FIELD_MANAGER };
    await tell(this.deps, about, { telling, nowMs: this.deps.clock.nowMs() });
  }

  private async writeStatus(observed: Observed, status: ClusterStatus): Promise<void> {
    const { cluster } = observed;
    const known = { ...cluster.status, conditions: ownConditions(cluster) };
    if (cluster.status !== undefined && isDeepStrictEqual(known, status)) return;
    const { namespace = '', name } = cluster.metadata;
    const object = {
      apiVersion: apiVersionOf(kafkaClusters),
      kind: 'KafkaCluster',
      metadata: { name, namespace },
      status,
    } as unknown as KafkaCluster;
    try {
      const { metadata } = await this.deps.api.apply(kafkaClusters, object, {
        fieldManager: FIELD_MANAGER,
        subresource: 'status',
      });
      const { uid = '', resourceVersion: version = '' } = metadata;
      this.written.set(keyOf(cluster), { uid, version, status });
    } catch (cause) {
      if (!isKubeError(cause, 404)) throw cause;
      return;
    }
    await this.announce(cluster, status);
  }

  /** Events tell what has changed since the last status. */
  private async announce(cluster: KafkaCluster, status: ClusterStatus): Promise<void> {
    const good = new Set(['Ready', 'Available', 'StorageReady', 'ConfigValid']);
    for (const { type, reason, message, status: state } of status.conditions ?? []) {
      const before = cluster.status?.conditions?.find((one) => one.type === type);
      if (before === undefined || before.reason === reason) continue;
      const isBad = good.has(type) ? state === 'False' : type === 'Degraded' && state === 'True';
      await this.event(cluster, isBad ? 'Warning' : 'Normal', reason, message);
    }
  }
}

/** Versions of one resource are numbers that grow (KEP-5504). */
function isOlder(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length;
}

function keyOf({ metadata }: KafkaCluster): string {
  return `${metadata.namespace}/${metadata.name}`;
}
