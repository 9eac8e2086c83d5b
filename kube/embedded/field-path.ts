/** The simple JSON paths of CRDs and printer columns: `.spec.replicas`, `.a[0].b`, `[?(@.type=="Ready")]`. Pure. */

import { own } from './tree.ts';

const STEP =
  /\.([A-Za-z0-9_-]+)|\['([^']+)'\]|\[(\d+)\]|\[\*\]|\[\?\(@\.([\w.]+)\s*==\s*["']([^"']*)["']\)\]|\.([A-Za-z0-9_\\./-]+)/y;

export function valuesAt(object: unknown, path: string): unknown[] {
  let values: unknown[] = [object];
  // The filter of a step looks at paths too, so the position must not live in the shared expression.
  const steps = new RegExp(STEP);
  while (steps.lastIndex < path.length) {
    const step = steps.exec(path);
    if (step === null) return [];
    const [text, name, quoted, index, filterKey, filterValue] = step;
    values = values.flatMap((value): unknown[] => {
      if (value === null || typeof value !== 'object') return [];
      if (text === '[*]') return Array.isArray(value) ? value : [];
      if (index !== undefined) return [own(value, index)];
      if (filterKey !== undefined) {
        return Array.isArray(value)
          ? value.filter((item) => valuesAt(item, `.${filterKey}`)[0] === filterValue)
          : [];
      }
      return [own(value, (name ?? quoted) as string)];
    });
  }
  return values.filter((value) => value !== undefined && value !== null);
}

/** A copy of the object with the value at a plain dotted path replaced. */
export function withValueAt<T>(object: T, path: string, value: unknown): T {
  const names = path.split('.').filter((name) => name !== '');
  const set = (at: unknown, depth: number): unknown => {
    if (depth === names.length) return value;
    const name = names[depth] as string;
    const container = (at ?? {}) as Record<string, unknown>;
    return { ...container, [name]: set(own(container, name), depth + 1) };
  };
  return set(object, 0) as T;
}
