/** Lists of requests that name the same thing again: it is looked at once, however often it is named. */

/** Each once, in the order in which they were first named. */
export function distinct<T>(list: readonly T[], keyOf: (item: T) => unknown): T[] {
  const first = new Map<unknown, T>();
  for (const item of list) {
    const key = keyOf(item);
    if (!first.has(key)) first.set(key, item);
  }
  return first.size === list.length ? (list as T[]) : [...first.values()];
}

/** Each once, with whether it was named again: for what a request must name once. */
export function namedOnce<T>(
  list: readonly T[],
  keyOf: (item: T) => unknown,
): { readonly item: T; readonly again: boolean }[] {
  const found = new Map<unknown, { item: T; again: boolean }>();
  for (const item of list) {
    const key = keyOf(item);
    const known = found.get(key);
    if (known === undefined) found.set(key, { item, again: false });
    else known.again = true;
  }
  return [...found.values()];
}

/** What a resource is known by. */
export const resourceKey = (of: { readonly resourceType: number; readonly resourceName: string }) =>
  `${of.resourceType}:${of.resourceName}`;
