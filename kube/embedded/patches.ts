/** The ways to change an object: merge patch, strategic merge, server-side apply. Pure. */
import { ApiError } from './api-error.ts';
import { isTree, own, type Tree } from './tree.ts';

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isTree(patch)) return patch;
  const out: Tree = isTree(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete out[name];
    else out[name] = mergePatch(own(out, name), value);
  }
  return out;
}

/** Lists whose elements have an identity: by the name of the field that holds them. */
function listKeys(field: string, list: readonly unknown[]): readonly string[] | null {
  const sample = list[0];
  if (!isTree(sample) || !list.every(isTree)) return null;
  switch (field) {
    case 'containers':
    case 'initContainers':
    case 'ephemeralContainers':
    case 'volumes':
    case 'env':
    case 'imagePullSecrets':
      return ['name'];
    case 'volumeMounts':
      return ['mountPath'];
    case 'ports':
      return 'containerPort' in sample ? ['containerPort'] : ['port'];
    case 'conditions':
      return ['type'];
    case 'ownerReferences':
      return ['uid'];
    case 'hostAliases':
      return ['ip'];
    default:
      return null;
  }
}

/** What an element is told apart by. */
function elementKey(item: unknown, keys: readonly string[]): string {
  return `k:${JSON.stringify(Object.fromEntries(keys.map((key) => [key, own(item, key)])))}`;
}

/** Merges lists by what their elements are called; `merged` returns undefined for what goes. */
function mergeLists(
  live: readonly unknown[],
  changes: readonly Tree[],
  keys: readonly string[],
  merged: (live: unknown, change: Tree) => unknown,
): unknown[] {
  const out: unknown[] = [...live];
  const places = new Map<string, number>();
  for (const [i, item] of live.entries()) {
    const key = elementKey(item, keys);
    if (!places.has(key)) places.set(key, i);
  }
  for (const change of changes) {
    const key = elementKey(change, keys);
    const at = places.get(key) ?? out.length;
    out[at] = merged(out[at], change);
    places.set(key, at);
  }
  return out.filter((item) => item !== undefined);
}

/** Kubernetes' own patch for built-in kinds: lists with identity are merged, `$patch` directives kept. */
export function strategicMerge(target: unknown, patch: unknown, field = ''): unknown {
  if (Array.isArray(patch)) {
    const keys = listKeys(field, patch);
    if (keys === null || !Array.isArray(target))
      return patch.filter((item) => !isTree(item) || item.$patch !== 'delete');
    return mergeLists(target, patch as Tree[], keys, (live, item) => {
      if (item.$patch === 'delete') return undefined;
      return live === undefined ? item : strategicMerge(live, item);
    });
  }
  if (!isTree(patch)) return patch;
  if (patch.$patch === 'replace') {
    const { $patch: _, ...rest } = patch;
    return rest;
  }
  const out: Tree = isTree(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$')) continue;
    if (value === null) delete out[name];
    else out[name] = strategicMerge(own(out, name), value, name);
  }
  return out;
}

// ---- server-side apply ------------------------------------------------------------------------

/** Owned fields in Kubernetes' FieldsV1 form. */
export type FieldSet = { [key: string]: FieldSet };

const NOT_OWNED = new Set([
  'apiVersion',
  'kind',
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'managedFields',
]);

/** The fields that an applied configuration speaks of. */
export function fieldsOf(value: unknown, field = '', depth = 0): FieldSet {
  const out: FieldSet = {};
  if (Array.isArray(value)) {
    const keys = listKeys(field, value);
    if (keys === null) return out;
    for (const item of value as Tree[])
      out[elementKey(item, keys)] = { '.': {}, ...fieldsOf(item) };
    return out;
  }
  if (!isTree(value)) return out;
  for (const [name, child] of Object.entries(value)) {
    if (depth === 0 && (name === 'apiVersion' || name === 'kind' || name === 'status')) {
      if (name !== 'status') continue;
    }
    if (depth === 1 && field === 'metadata' && NOT_OWNED.has(name)) continue;
    const below = fieldsOf(child, name, depth + 1);
    // An object's name is not a field that anybody owns.
    if (depth === 0 && name === 'metadata' && Object.keys(below).length === 0) continue;
    out[`f:${name}`] = below;
  }
  return out;
}

/** Puts the applied values over the live ones. */
function overlay(live: unknown, applied: unknown, field: string): unknown {
  if (Array.isArray(applied)) {
    const keys = listKeys(field, applied);
    if (keys === null || !Array.isArray(live)) return applied;
    return mergeLists(live, applied as Tree[], keys, (known, item) =>
      known === undefined ? item : overlay(known, item, ''),
    );
  }
  if (!isTree(applied)) return applied;
  const out: Tree = isTree(live) ? { ...live } : {};
  for (const [name, value] of Object.entries(applied))
    out[name] = overlay(own(out, name), value, name);
  return out;
}

/** Drops what this manager owned before and speaks of no more, unless another one owns it. */
function dropFields(
  value: unknown,
  before: FieldSet,
  now: FieldSet | undefined,
  others: readonly FieldSet[],
  field: string,
): unknown {
  if (Array.isArray(value)) {
    const keys = listKeys(field, value);
    if (keys === null) return value;
    return value.flatMap((item: Tree) => {
      const key = elementKey(item, keys);
      const owned = before[key];
      if (owned === undefined) return [item];
      const inOthers = others.flatMap((set) => (set[key] === undefined ? [] : [set[key]]));
      if (now?.[key] === undefined && inOthers.length === 0) return [];
      return [dropFields(item, owned, now?.[key], inOthers, '')];
    });
  }
  if (!isTree(value)) return value;
  const out: Tree = { ...value };
  for (const [key, owned] of Object.entries(before)) {
    if (!key.startsWith('f:')) continue;
    const name = key.slice(2);
    const inOthers = others.flatMap((set) => (set[key] === undefined ? [] : [set[key]]));
    if (now?.[key] !== undefined || inOthers.length > 0) {
      const value = own(out, name);
      if (value !== undefined) out[name] = dropFields(value, owned, now?.[key], inOthers, name);
      continue;
    }
    if (Object.keys(owned).length === 0) delete out[name];
    else {
      const rest = dropFields(own(out, name), owned, undefined, [], name);
      const empty = Array.isArray(rest)
        ? rest.length === 0
        : isTree(rest) && Object.keys(rest).length === 0;
      if (empty || rest === undefined) delete out[name];
      else out[name] = rest;
    }
  }
  return out;
}

export interface ManagedFields {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly time: string;
  readonly fieldsType: 'FieldsV1';
  readonly fieldsV1: FieldSet;
  readonly subresource?: string;
}

/** First leaf that both sets name although the values differ; null: no conflict. */
function conflictingField(
  applied: unknown,
  live: unknown,
  theirs: FieldSet,
  path: string,
): string | null {
  for (const [key, below] of Object.entries(theirs)) {
    if (!key.startsWith('f:')) continue;
    const name = key.slice(2);
    if (!isTree(applied) || !Object.hasOwn(applied, name)) continue;
    const mine = applied[name];
    const current = own(live, name);
    if (Object.keys(below).length === 0) {
      if (JSON.stringify(mine) !== JSON.stringify(current)) return `${path}.${name}`;
    } else {
      const found = conflictingField(mine, current, below, `${path}.${name}`);
      if (found !== null) return found;
    }
  }
  return null;
}

/**
 * Server-side apply: what the manager applies becomes so, what it applied before and no longer
 * mentions goes, everything else stays. Ownership is tracked among appliers.
 * @throws ApiError 409 where another applier owns a field with another value, unless forced.
 */
export function applyConfiguration(
  live: Tree,
  applied: Tree,
  of: { manager: string; force: boolean; time: string; subresource?: string },
): { object: Tree; managedFields: ManagedFields[] } {
  const entries = ((live.metadata?.managedFields ?? []) as ManagedFields[]).filter(
    ({ operation }) => operation === 'Apply',
  );
  const isMine = (entry: ManagedFields) =>
    entry.manager === of.manager && entry.subresource === of.subresource;
  const before = entries.find(isMine)?.fieldsV1 ?? {};
  const others = entries.filter((entry) => !isMine(entry));
  if (!of.force) {
    for (const { manager, fieldsV1 } of others) {
      const field = conflictingField(applied, live, fieldsV1, '');
      if (field !== null)
        throw new ApiError(
          409,
          'Conflict',
          `Apply failed with 1 conflict: conflict with "${manager}": ${field}`,
        );
    }
  }
  const now = fieldsOf(applied);
  const merged = overlay(live, applied, '') as Tree;
  const object = dropFields(
    merged,
    before,
    now,
    others.map(({ fieldsV1 }) => fieldsV1),
    '',
  ) as Tree;
  const same = JSON.stringify(before) === JSON.stringify(now);
  const time = same ? (entries.find(isMine)?.time ?? of.time) : of.time;
  const mine: ManagedFields = {
    manager: of.manager,
    operation: 'Apply',
    apiVersion: applied.apiVersion,
    time,
    fieldsType: 'FieldsV1',
    fieldsV1: now,
    ...(of.subresource === undefined ? {} : { subresource: of.subresource }),
  };
  return { object, managedFields: [...others, mine] };
}
