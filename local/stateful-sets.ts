/**
 * What Kubernetes' controller manager does for StatefulSets, as far as Tenure's need it: pods by
 * ordinal, all at once, replaced only when they are gone (OnDelete), and a revision that tells an
 * outdated pod from a current one.
 */
import { createHash } from 'node:crypto';
import { Informer, type InformerDeps } from '../kube/informer.ts';
import {
  type KubeObject,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaims,
  pods as podResource,
  type Resource,
  type StatefulSet,
  statefulSets,
} from '../kube/objects.ts';
import type { KubeApi } from '../kube/port.ts';
import { isKubeError } from '../kube/port.ts';
import type { Clock } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';

export const REVISION_LABEL = 'controller-revision-hash';
const POD_INDEX_LABEL = 'apps.kubernetes.io/pod-index';

export function revisionOf({ metadata, spec }: StatefulSet): string {
  return `${metadata.name}-${createHash('sha256').update(JSON.stringify(spec.template)).digest('hex').slice(0, 10)}`;
}

/** The pod of one ordinal. Pure. */
export function podOf(set: StatefulSet, ordinal: number): Pod {
  const { metadata, spec } = set;
  const name = `${metadata.name}-${ordinal}`;
  const claims = (spec.volumeClaimTemplates ?? []).map((claim) => ({
    name: claim.metadata.name,
    persistentVolumeClaim: { claimName: `${claim.metadata.name}-${name}` },
  }));
  const { template } = spec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: metadata.namespace ?? 'default',
      labels: {
        ...template.metadata?.labels,
        [REVISION_LABEL]: revisionOf(set),
        [POD_INDEX_LABEL]: String(ordinal),
        'statefulset.kubernetes.io/pod-name': name,
      },
      ...(template.metadata?.annotations === undefined
        ? {}
        : { annotations: template.metadata.annotations }),
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'StatefulSet',
          name: metadata.name,
          uid: metadata.uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      ...template.spec,
      hostname: name,
      subdomain: spec.serviceName ?? '',
      volumes: [...(template.spec.volumes ?? []), ...claims],
    },
  };
}

/** The claims of one ordinal; they outlive its pods. Pure. */
export function claimsOf(
  { metadata, spec }: StatefulSet,
  ordinal: number,
): PersistentVolumeClaim[] {
  return (spec.volumeClaimTemplates ?? []).map((template) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: `${template.metadata.name}-${metadata.name}-${ordinal}`,
      namespace: metadata.namespace ?? 'default',
      labels: { ...spec.selector.matchLabels, ...template.metadata.labels },
    },
    spec: template.spec as PersistentVolumeClaim['spec'],
  }));
}

export class StatefulSets implements Disposable {
  private readonly api: KubeApi;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly sets: Informer<StatefulSet>;
  private readonly pods: Informer<Pod>;
  private readonly waiting = new Set<string>();
  private running = false;

  constructor(deps: InformerDeps) {
    this.api = deps.api;
    this.clock = deps.clock;
    this.logger = deps.logger;
    this.sets = new Informer(deps, statefulSets, {}, ({ after }) => {
      if (after !== null) this.enqueue(after.metadata.namespace ?? '', after.metadata.name);
    });
    this.pods = new Informer(deps, podResource, {}, ({ before, after }) => {
      const owner = (after ?? before)?.metadata.ownerReferences?.find(
        ({ kind }) => kind === 'StatefulSet',
      );
      if (owner !== undefined)
        this.enqueue((after ?? before)?.metadata.namespace ?? '', owner.name);
    });
  }

  private enqueue(namespace: string, name: string): void {
    this.waiting.add(`${namespace}/${name}`);
    if (!this.running) void this.run();
  }

  private async run(): Promise<void> {
    this.running = true;
    await Promise.all([this.sets.synced, this.pods.synced]);
    for (let key = first(this.waiting); key !== null; key = first(this.waiting)) {
      this.waiting.delete(key);
      const [namespace = '', name = ''] = key.split('/');
      try {
        await this.reconcile(namespace, name);
      } catch (cause) {
        this.logger.warn('reconciling a StatefulSet failed, trying again', { name, cause });
        this.clock.after(500, () => this.enqueue(namespace, name));
      }
    }
    this.running = false;
  }

  private async reconcile(namespace: string, name: string): Promise<void> {
    const set = this.sets.get(name, namespace);
    if (set === null || set.metadata.deletionTimestamp !== undefined) return;
    const owned = this.pods
      .all()
      .filter(({ metadata }) =>
        metadata.ownerReferences?.some(({ uid }) => uid === set.metadata.uid),
      );
    const replicas = set.spec.replicas ?? 1;
    const byName = new Map(owned.map((pod) => [pod.metadata.name, pod]));
    for (let ordinal = 0; ordinal < replicas; ordinal++) {
      if (byName.has(`${name}-${ordinal}`)) continue;
      for (const claim of claimsOf(set, ordinal)) await this.create(persistentVolumeClaims, claim);
      await this.create(podResource, podOf(set, ordinal));
    }
    for (const pod of owned) {
      const ordinal = Number(pod.metadata.name.slice(name.length + 1));
      if (ordinal >= replicas && pod.metadata.deletionTimestamp === undefined)
        await this.api.delete(podResource, namespace, pod.metadata.name);
    }
    await this.writeStatus(set, owned, replicas);
  }

  private async create<T extends KubeObject>(resource: Resource<T>, object: T): Promise<void> {
    try {
      await this.api.create(resource, object);
    } catch (cause) {
      if (!isKubeError(cause, 409)) throw cause;
    }
  }

  private async writeStatus(
    set: StatefulSet,
    owned: readonly Pod[],
    replicas: number,
  ): Promise<void> {
    const updateRevision = revisionOf(set);
    const ready = owned.filter(({ status }) =>
      status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True'),
    );
    const updated = owned.filter(
      ({ metadata }) => metadata.labels?.[REVISION_LABEL] === updateRevision,
    );
    const status = {
      observedGeneration: set.metadata.generation ?? 0,
      replicas: owned.length,
      readyReplicas: ready.length,
      availableReplicas: ready.length,
      currentReplicas: replicas,
      updatedReplicas: updated.length,
      currentRevision:
        updated.length === owned.length
          ? updateRevision
          : (set.status?.currentRevision ?? updateRevision),
      updateRevision,
    };
    if (JSON.stringify(status) === JSON.stringify(set.status)) return;
    const { namespace = '', name } = set.metadata;
    await this.api.patch(statefulSets, { namespace, name, subresource: 'status' }, { status });
  }

  [Symbol.dispose](): void {
    this.sets[Symbol.dispose]();
    this.pods[Symbol.dispose]();
  }
}

function first(keys: ReadonlySet<string>): string | null {
  for (const key of keys) return key;
  return null;
}
