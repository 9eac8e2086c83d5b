/** Lists of requests that name the same thing again: it is looked at once, however often it is named. */
import type { Pace } from '../../stdx/loop-share.ts';

/** Each once, in the order in which they were first named, with whether it was named again. */
export async function namedOnce<T>(
  pace: Pace,
  list: readonly T[],
  keyOf: (item: T) => unknown,
): Promise<{ readonly item: T; readonly again: boolean }[]> {
  const found = new Map<unknown, { item: T; again: boolean }>();
  for (const item of list) {
    const rest = pace.rest();
    if (rest !== null) await rest;
    const key = keyOf(item);
    const known = found.get(key);
    if (known === undefined) found.set(key, { item, again: false });
    else known.again = true;
  }
  return [...found.values()];
}

/** Each once, in the order in which they were first named. */
export async function distinct<T>(
  pace: Pace,
  list: readonly T[],
  keyOf: (item: T) => unknown,
): Promise<T[]> {
  return (await namedOnce(pace, list, keyOf)).map(({ item }) => item);
}

/** What a resource is known by. */
export const resourceKey = (of: { readonly resourceType: number; readonly resourceName: string }) =>
  `${of.resourceType}:${of.resourceName}`;
