/** What is done to pods through subresources: binding to a node, and eviction within the budgets. */
import type { KubeObject, Pod } from '../objects.ts';
import type { EmbeddedApi } from './api.ts';
import { ApiError, badRequest } from './api-error.ts';
import type { Kind } from './kinds.ts';

interface Budget extends KubeObject {
  readonly spec?: {
    readonly maxUnavailable?: number | string;
    readonly minAvailable?: number | string;
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly unhealthyPodEvictionPolicy?: string;
  };
}

const isReady = ({ status }: Pod) =>
  status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True') ===
  true;

function share(value: number | string, of: number): number {
  return typeof value === 'number' ? value : Math.ceil((Number.parseInt(value, 10) / 100) * of);
}

/** How many healthy pods may be disrupted now. */
function allowed({ spec }: Budget, pods: readonly Pod[]): number {
  const healthy = pods.filter(isReady).length;
  if (spec?.maxUnavailable !== undefined)
    return share(spec.maxUnavailable, pods.length) - (pods.length - healthy);
  return healthy - share(spec?.minAvailable ?? 0, pods.length);
}

/** Gives a pod to a node. @throws ApiError 409 where it has one. */
export function bindPod(
  api: EmbeddedApi,
  kind: Kind,
  of: { namespace: string; name: string },
  binding: { target?: { name?: string } },
): object {
  const pod = api.get(kind, of.namespace, of.name) as Pod;
  const nodeName = binding.target?.name;
  if (!nodeName) throw badRequest('target.name must name a node');
  if (pod.spec.nodeName !== undefined)
    throw new ApiError(
      409,
      'Conflict',
      `Operation cannot be fulfilled on pods/binding "${of.name}": pod ${of.name} is already assigned to node "${pod.spec.nodeName}"`,
    );
  api.patch(kind, of.namespace, of.name, 'merge', { spec: { nodeName } }, null, {});
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}

/** Deletes a pod if every disruption budget allows it. @throws ApiError 429 where one does not. */
export function evictPod(
  api: EmbeddedApi,
  kind: Kind,
  of: { namespace: string; name: string },
  eviction: { deleteOptions?: { gracePeriodSeconds?: number } },
): object {
  const pod = api.get(kind, of.namespace, of.name) as Pod;
  const budgets = api.kind('policy', 'v1', 'poddisruptionbudgets') as Kind;
  const all = api.list(kind, of.namespace, () => true) as Pod[];
  for (const budget of api.list(budgets, of.namespace, () => true) as Budget[]) {
    const labels = Object.entries(budget.spec?.selector?.matchLabels ?? {});
    const selected = ({ metadata }: Pod) =>
      labels.length > 0 && labels.every(([key, value]) => metadata.labels?.[key] === value);
    if (!selected(pod)) continue;
    const free = budget.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow' && !isReady(pod);
    if (free || allowed(budget, all.filter(selected)) > 0) continue;
    throw new ApiError(
      429,
      'TooManyRequests',
      "Cannot evict pod as it would violate the pod's disruption budget.",
    );
  }
  const { gracePeriodSeconds } = eviction.deleteOptions ?? {};
  api.delete(
    kind,
    of.namespace,
    of.name,
    gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds },
  );
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}
