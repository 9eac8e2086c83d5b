/** Objects as trees of fields. What a field is called comes from clients: never what every object inherits. */

// biome-ignore lint/suspicious/noExplicitAny: trees of any kind
export type Tree = Record<string, any>;

export const isTree = (value: unknown): value is Tree =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** The value of a field that the tree itself has: `constructor` is a name like any other. */
// biome-ignore lint/suspicious/noExplicitAny: trees of any kind
export const own = (tree: unknown, name: string): any =>
  tree !== null && typeof tree === 'object' && Object.hasOwn(tree, name)
    ? (tree as Tree)[name]
    : undefined;

export const DEPTH_MAX = 100;

/**
 * Why a value cannot become part of an object, as in "… must not …"; null: it can. What passes has no name
 * that JavaScript takes for the prototype of an object, and is not so deep that walking it overflows the stack.
 */
export function faultOf(root: unknown): string | null {
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEPTH_MAX) return `must not be deeper than ${DEPTH_MAX} levels`;
    const below: unknown[] = [];
    for (const value of level) {
      if (value === null || typeof value !== 'object') continue;
      if (Object.hasOwn(value, '__proto__'))
        return 'must not have a field that is called "__proto__"';
      for (const child of Object.values(value))
        if (child !== null && typeof child === 'object') below.push(child);
    }
    level = below;
  }
  return null;
}

/** A field that is null is one that is not there, as Go reads it. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isTree(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, child]) =>
      child === null ? [] : [[name, withoutNulls(child)]],
    ),
  );
}
