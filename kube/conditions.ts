/** Status conditions by Kubernetes' conventions: a transition time moves only with the status. Pure. */
import type { Condition } from './objects.ts';

/** The conditions after setting `wanted`; those not named stay as they are. */
export function conditionsWith(
  before: readonly Condition[],
  wanted: readonly Omit<Condition, 'lastTransitionTime'>[],
  now: string,
): Condition[] {
  const list = before.filter(({ type }) => !wanted.some((condition) => condition.type === type));
  for (const condition of wanted) {
    const old = before.find(({ type }) => type === condition.type);
    const lastTransitionTime =
      old?.status === condition.status && old.lastTransitionTime !== ''
        ? old.lastTransitionTime
        : now;
    list.push({ ...condition, lastTransitionTime });
  }
  return list.sort((a, b) => a.type.localeCompare(b.type));
}

export function conditionOf(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | null {
  return conditions?.find((condition) => condition.type === type) ?? null;
}
