/**
 * The API server's logic: create, read, change and delete objects of known kinds, with versions,
 * generations, subresources, finalizers and owner references as Kubernetes has them.
 *
 * Must never know: HTTP.
 */
import type { Chance } from '../../stdx/chance.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { KubeObject, ObjectMeta } from '../objects.ts';
import { ApiError, alreadyExists, badRequest, conflict, notFound } from './api-error.ts';
import { valuesAt, withValueAt } from './field-path.ts';
import { jsonPatch } from './json-patch.ts';
import { builtInKinds, groupVersion, type Kind, kindsOfCrd } from './kinds.ts';
import { applyConfiguration, type ManagedFields, mergePatch, strategicMerge } from './patches.ts';
import type { Store } from './store.ts';
import { isTree, type Tree, withoutNulls } from './tree.ts';
import { invalid, prune, validate, validateDefinition, withDefaults } from './validation.ts';

export type PatchType = 'merge' | 'json' | 'strategic' | 'apply';
export type Subresource = 'status' | 'scale';

export interface WriteOptions {
  readonly fieldManager?: string;
  readonly fieldValidation?: string;
  readonly force?: boolean;
}

export interface DeleteOptions {
  readonly uid?: string;
  readonly gracePeriodSeconds?: number;
  readonly orphan?: boolean;
}

type Mutable = { -readonly [K in keyof ObjectMeta]: ObjectMeta[K] };

const DNS_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const EVENT_LIFE_MS = 3_600_000;

export function collectionOf({ group, plural }: Kind): string {
  return `${group}/${plural}`;
}
function keyOf(kind: Kind, namespace: string, name: string): string {
  return kind.namespaced ? `${namespace}/${name}` : name;
}

export class EmbeddedApi {
  readonly store: Store;
  private readonly clock: Clock;
  private readonly chance: Chance;
  private readonly custom = new Map<string, Kind[]>();

  constructor(of: { store: Store; clock: Clock; chance: Chance }) {
    this.store = of.store;
    this.clock = of.clock;
    this.chance = of.chance;
    for (const crd of this.store.list('apiextensions.k8s.io/customresourcedefinitions'))
      this.learn(crd);
    for (const name of ['default', 'kube-system', 'kube-node-lease']) this.ensureNamespace(name);
  }

  /** The same with a copy of everything: what is done there has no consequences here. */
  rehearsal(): EmbeddedApi & Disposable {
    const store = this.store.copy();
    const api = new EmbeddedApi({ store, clock: this.clock, chance: this.chance });
    return Object.assign(api, { [Symbol.dispose]: () => store[Symbol.dispose]() });
  }

  private now(): string {
    return new Date(this.clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  private ensureNamespace(name: string): void {
    const kind = this.kind('', 'v1', 'namespaces') as Kind;
    if (this.store.get(collectionOf(kind), name) !== null) return;
    this.create(kind, '', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, {});
  }

  private learn(crd: KubeObject): void {
    this.custom.set(crd.metadata.name, kindsOfCrd(crd));
  }

  kinds(): Kind[] {
    return [...builtInKinds, ...[...this.custom.values()].flat()];
  }

  kind(group: string, version: string, plural: string): Kind | null {
    return (
      this.kinds().find((k) => k.group === group && k.version === version && k.plural === plural) ??
      null
    );
  }

  // ---- reading ------------------------------------------------------------------------------

  find(kind: Kind, namespace: string, name: string): KubeObject | null {
    return this.store.get(collectionOf(kind), keyOf(kind, namespace, name));
  }

  get(kind: Kind, namespace: string, name: string): KubeObject {
    const object = this.find(kind, namespace, name);
    if (object === null) throw notFound(this.pluralOf(kind), name);
    return object;
  }

  private pluralOf({ group, plural }: Kind): string {
    return group === '' ? plural : `${plural}.${group}`;
  }

  list(
    kind: Kind,
    namespace: string | null,
    selects: (object: KubeObject) => boolean,
  ): KubeObject[] {
    return this.store
      .list(collectionOf(kind))
      .filter(
        (object) =>
          (namespace === null || object.metadata.namespace === namespace) && selects(object),
      )
      .sort((a, b) =>
        `${a.metadata.namespace}/${a.metadata.name}`.localeCompare(
          `${b.metadata.namespace}/${b.metadata.name}`,
        ),
      );
  }

  // ---- writing ------------------------------------------------------------------------------

  create(kind: Kind, namespace: string, given: KubeObject, options: WriteOptions): KubeObject {
    this.checkType(kind, given);
    const metadata = { ...given.metadata } as Mutable & { generateName?: string };
    if (!metadata.name && typeof metadata.generateName === 'string')
      metadata.name = `${metadata.generateName}${this.chance.uuid().slice(0, 5)}`;
    if (typeof metadata.name !== 'string' || metadata.name === '')
      throw invalid(kind, '', [
        {
          reason: 'FieldValueRequired',
          field: 'metadata.name',
          message: 'Required value: name or generateName is required',
        },
      ]);
    const isRbac = kind.group === 'rbac.authorization.k8s.io';
    if (!isRbac && (!DNS_NAME.test(metadata.name) || metadata.name.length > 253)) {
      throw invalid(kind, metadata.name, [
        {
          reason: 'FieldValueInvalid',
          field: 'metadata.name',
          message: `Invalid value: "${metadata.name}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character`,
        },
      ]);
    }
    if (kind.namespaced) {
      if (metadata.namespace && metadata.namespace !== namespace)
        throw badRequest('the namespace of the object must be the namespace of the request');
      metadata.namespace = namespace;
      if (this.store.get('/namespaces', namespace) === null)
        throw notFound('namespaces', namespace);
    } else delete metadata.namespace;
    const key = keyOf(kind, namespace, metadata.name);
    if (this.store.get(collectionOf(kind), key) !== null)
      throw alreadyExists(this.pluralOf(kind), metadata.name);
    metadata.uid = this.chance.uuid();
    metadata.creationTimestamp = this.now();
    metadata.generation = 1;
    delete metadata.resourceVersion;
    delete metadata.deletionTimestamp;
    let object = this.shaped(kind, { ...given, metadata } as KubeObject, options);
    if (kind.hasStatus && kind.crd !== null) object = without(object, 'status');
    this.check(kind, object, null);
    return this.write(kind, this.completed(kind, object));
  }

  private check(kind: Kind, object: KubeObject, old: KubeObject | null): void {
    validate(kind, object, old);
    if (kind.kind === 'CustomResourceDefinition') validateDefinition(kind, object);
  }

  /** What the server adds to built-in kinds. */
  private completed(kind: Kind, object: KubeObject): KubeObject {
    const tree = object as Tree;
    if (kind.kind === 'Namespace') return { ...object, status: { phase: 'Active' } } as KubeObject;
    if (kind.kind === 'StatefulSet' || kind.kind === 'Deployment') {
      return {
        ...object,
        spec: { replicas: 1, ...tree.spec },
        status: tree.status ?? { replicas: 0 },
      } as KubeObject;
    }
    if (kind.kind === 'Pod')
      return { ...object, status: tree.status ?? { phase: 'Pending' } } as KubeObject;
    if (kind.kind === 'Service')
      return {
        ...object,
        spec: this.withNodePorts(kind, { type: 'ClusterIP', ...tree.spec }),
        status: { loadBalancer: {} },
      } as KubeObject;
    if (kind.kind === 'PersistentVolumeClaim')
      return { ...object, status: tree.status ?? { phase: 'Pending' } } as KubeObject;
    if (kind.kind === 'CustomResourceDefinition') {
      const condition = (type: string) => ({
        type,
        status: 'True',
        reason: type === 'Established' ? 'InitialNamesAccepted' : 'NoConflicts',
        message: 'served',
        lastTransitionTime: this.now(),
      });
      const status = {
        acceptedNames: tree.spec.names,
        storedVersions: tree.spec.versions.map((v: Tree) => v.name),
        conditions: [condition('NamesAccepted'), condition('Established')],
      };
      return { ...object, status } as unknown as KubeObject;
    }
    return object;
  }

  /** Services that are reached through nodes get a port that no other has. */
  private withNodePorts(kind: Kind, spec: Tree): Tree {
    if (spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') return spec;
    const used = new Set(
      this.list(kind, null, () => true).flatMap((service) =>
        ((service as Tree).spec?.ports ?? []).map((port: Tree) => port.nodePort),
      ),
    );
    const ports = (spec.ports ?? []).map((port: Tree) => {
      if (port.nodePort !== undefined) return port;
      let nodePort = 30_000;
      while (used.has(nodePort)) nodePort++;
      used.add(nodePort);
      return { ...port, nodePort };
    });
    return { ...spec, ports };
  }

  private checkType(kind: Kind, object: KubeObject): void {
    if (!isTree(object) || !isTree(object.metadata))
      throw badRequest('an object must have metadata');
    if (object.kind !== kind.kind || object.apiVersion !== groupVersion(kind)) {
      throw badRequest(
        `the object must be a ${groupVersion(kind)} ${kind.kind}, it is a ${object.apiVersion} ${object.kind}`,
      );
    }
  }

  /** Unknown fields out, defaults in. */
  private shaped(kind: Kind, object: KubeObject, { fieldValidation }: WriteOptions): KubeObject {
    if (kind.schema === null) return this.plain(kind, object);
    const { value, unknown } = prune(object, kind.schema);
    if (unknown.length > 0 && fieldValidation === 'Strict') {
      throw badRequest(
        `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: strict decoding error: ${unknown.map((path) => `unknown field "${path}"`).join(', ')}`,
      );
    }
    return withDefaults(value, kind.schema) as KubeObject;
  }

  /** Built-in objects as Go would read them. */
  private plain({ kind }: Kind, object: KubeObject): KubeObject {
    // Null is a value in the schemas of definitions.
    if (kind !== 'CustomResourceDefinition') return withoutNulls(object) as KubeObject;
    return { ...object, metadata: withoutNulls(object.metadata) as ObjectMeta };
  }

  private write(kind: Kind, object: KubeObject): KubeObject {
    const { namespace = '', name } = object.metadata;
    const stored = this.store.put(collectionOf(kind), keyOf(kind, namespace, name), object);
    if (kind.kind === 'CustomResourceDefinition') this.learn(stored);
    if (kind.kind === 'Event') this.forgetOldEvents();
    return stored;
  }

  private forgetOldEvents(): void {
    const before = this.clock.nowMs() - EVENT_LIFE_MS;
    for (const event of this.store.list('/events')) {
      if (Date.parse(event.metadata.creationTimestamp ?? '') >= before) return;
      this.store.remove('/events', `${event.metadata.namespace}/${event.metadata.name}`);
    }
  }

  replace(
    kind: Kind,
    namespace: string,
    name: string,
    given: KubeObject,
    subresource: Subresource | null,
    options: WriteOptions,
  ): KubeObject {
    if (subresource === 'scale')
      return this.setScale(
        kind,
        namespace,
        name,
        (given as Tree | null)?.spec?.replicas,
        (given as Tree | null)?.metadata?.resourceVersion,
        options,
      );
    this.checkType(kind, given);
    const current = this.get(kind, namespace, name);
    const wanted = given.metadata.resourceVersion;
    if (wanted && wanted !== current.metadata.resourceVersion)
      throw conflict(this.pluralOf(kind), name);
    if (given.metadata.uid && given.metadata.uid !== current.metadata.uid)
      throw conflict(this.pluralOf(kind), name);
    return this.change(kind, current, given as Tree, subresource, options);
  }

  patch(
    kind: Kind,
    namespace: string,
    name: string,
    type: PatchType,
    body: Tree,
    subresource: Subresource | null,
    options: WriteOptions,
  ): KubeObject {
    if (type !== 'json' && !isTree(body)) throw badRequest('a patch must be an object');
    if (subresource === 'scale') {
      const next = (
        type === 'json'
          ? jsonPatch(this.scale(kind, namespace, name), body)
          : mergePatch(this.scale(kind, namespace, name), body)
      ) as Tree;
      return this.setScale(
        kind,
        namespace,
        name,
        next.spec?.replicas,
        body.metadata?.resourceVersion,
        options,
      );
    }
    const key = keyOf(kind, namespace, name);
    const current = this.store.get(collectionOf(kind), key);
    if (type === 'apply')
      return this.apply(kind, namespace, name, current, body, subresource, options);
    if (current === null) throw notFound(this.pluralOf(kind), name);
    const wanted = (body as Tree | null)?.metadata?.resourceVersion;
    if (wanted && wanted !== current.metadata.resourceVersion)
      throw conflict(this.pluralOf(kind), name);
    const next =
      type === 'json'
        ? jsonPatch(current, body)
        : type === 'strategic'
          ? strategicMerge(current, body)
          : mergePatch(current, body);
    this.checkType(kind, next as KubeObject);
    return this.change(kind, current, next as Tree, subresource, options);
  }

  private apply(
    kind: Kind,
    namespace: string,
    name: string,
    current: KubeObject | null,
    body: Tree,
    subresource: Subresource | null,
    options: WriteOptions,
  ): KubeObject {
    const { fieldManager } = options;
    if (!fieldManager) throw badRequest('fieldManager is required for apply patch');
    const applied = { ...body, metadata: { ...body.metadata, name } } as Tree;
    this.checkType(kind, applied as KubeObject);
    const how = {
      manager: fieldManager,
      force: options.force === true,
      time: this.now(),
      ...(subresource === null ? {} : { subresource }),
    };
    if (current === null) {
      if (subresource !== null) throw notFound(this.pluralOf(kind), name);
      const bare = { apiVersion: body.apiVersion, kind: body.kind, metadata: { name } };
      const { object, managedFields } = applyConfiguration(bare, applied, how);
      return this.create(
        kind,
        namespace,
        { ...object, metadata: { ...object.metadata, managedFields } } as KubeObject,
        options,
      );
    }
    const { object, managedFields } = applyConfiguration(current as Tree, applied, how);
    return this.change(
      kind,
      current,
      { ...object, metadata: { ...object.metadata, managedFields } },
      subresource,
      options,
    );
  }

  /** Puts a changed object in place of the current one; a change that changes nothing writes nothing. */
  private change(
    kind: Kind,
    current: KubeObject,
    wanted: Tree,
    subresource: Subresource | null,
    options: WriteOptions,
  ): KubeObject {
    const old = current as Tree;
    const shaped = this.shaped(kind, wanted as KubeObject, options) as Tree;
    let next: Tree;
    if (subresource === 'status') {
      const managed = wanted.metadata?.managedFields as ManagedFields[] | undefined;
      next = {
        ...old,
        status: shaped.status,
        metadata: { ...old.metadata, ...(managed ? { managedFields: managed } : {}) },
      };
    } else {
      next = { ...shaped, metadata: this.keptMeta(current.metadata, wanted.metadata) };
      if (kind.hasStatus)
        next =
          old.status === undefined
            ? without(next as KubeObject, 'status')
            : { ...next, status: old.status };
      const specOf = ({ metadata: _m, status: _s, ...rest }: Tree) => JSON.stringify(sorted(rest));
      if (specOf(next) !== specOf(old))
        next.metadata = { ...next.metadata, generation: (old.metadata.generation ?? 0) + 1 };
    }
    this.check(kind, next as KubeObject, current);
    if (JSON.stringify(sorted(next)) === JSON.stringify(sorted(old))) return current;
    const written = this.write(kind, next as KubeObject);
    const { deletionTimestamp, finalizers = [] } = written.metadata;
    if (deletionTimestamp !== undefined && finalizers.length === 0 && kind.kind !== 'Pod')
      this.erase(kind, written);
    return written;
  }

  /** What a client may not change. */
  private keptMeta(current: ObjectMeta, wanted: ObjectMeta | undefined): ObjectMeta {
    const {
      uid,
      name,
      namespace,
      creationTimestamp,
      generation,
      deletionTimestamp,
      deletionGracePeriodSeconds,
      resourceVersion,
    } = current;
    const fixed = {
      uid,
      name,
      namespace,
      creationTimestamp,
      generation,
      deletionTimestamp,
      deletionGracePeriodSeconds,
      resourceVersion,
    };
    const set = Object.fromEntries(
      Object.entries(fixed).filter(([, value]) => value !== undefined),
    );
    const {
      deletionTimestamp: _d,
      deletionGracePeriodSeconds: _g,
      managedFields,
      finalizers,
      ...rest
    } = wanted ?? ({} as ObjectMeta);
    return {
      ...rest,
      ...((managedFields ?? current.managedFields)
        ? { managedFields: managedFields ?? current.managedFields }
        : {}),
      ...(finalizers?.length ? { finalizers } : {}),
      ...set,
    } as ObjectMeta;
  }

  // ---- scale --------------------------------------------------------------------------------

  scale(kind: Kind, namespace: string, name: string): Tree {
    const object = this.get(kind, namespace, name);
    if (kind.scale === null) throw notFound(this.pluralOf(kind), name);
    const selector =
      kind.scale.labelSelectorPath === undefined
        ? undefined
        : valuesAt(object, kind.scale.labelSelectorPath)[0];
    return {
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      metadata: {
        name,
        namespace,
        uid: object.metadata.uid,
        resourceVersion: object.metadata.resourceVersion,
        creationTimestamp: object.metadata.creationTimestamp,
      },
      spec: { replicas: valuesAt(object, kind.scale.specReplicasPath)[0] ?? 0 },
      status: {
        replicas: valuesAt(object, kind.scale.statusReplicasPath)[0] ?? 0,
        ...(typeof selector === 'string' ? { selector } : {}),
      },
    };
  }

  private setScale(
    kind: Kind,
    namespace: string,
    name: string,
    replicas: unknown,
    resourceVersion: string | undefined,
    options: WriteOptions,
  ): KubeObject {
    if (kind.scale === null) throw notFound(this.pluralOf(kind), name);
    if (typeof replicas !== 'number') throw badRequest('spec.replicas must be a number');
    const current = this.get(kind, namespace, name);
    if (resourceVersion && resourceVersion !== current.metadata.resourceVersion)
      throw conflict(this.pluralOf(kind), name);
    this.change(
      kind,
      current,
      withValueAt(current as Tree, kind.scale.specReplicasPath, replicas),
      null,
      options,
    );
    return this.scale(kind, namespace, name) as KubeObject;
  }

  // ---- deleting -----------------------------------------------------------------------------

  /** Returns the object as it is afterwards, or null where it is gone. */
  delete(kind: Kind, namespace: string, name: string, options: DeleteOptions): KubeObject | null {
    const current = this.get(kind, namespace, name);
    const { uid, finalizers = [], deletionTimestamp } = current.metadata;
    if (options.uid && options.uid !== uid) throw conflict(this.pluralOf(kind), name);
    if (options.orphan) this.orphan(uid ?? '');
    const grace =
      options.gracePeriodSeconds ?? (current as Tree).spec?.terminationGracePeriodSeconds ?? 30;
    const isRunning = kind.kind === 'Pod' && (current as Tree).spec?.nodeName && grace > 0;
    if (finalizers.length === 0 && !isRunning) {
      this.erase(kind, current);
      return null;
    }
    if (deletionTimestamp !== undefined) return current;
    const metadata = {
      ...current.metadata,
      deletionTimestamp: this.now(),
      deletionGracePeriodSeconds: kind.kind === 'Pod' ? grace : 0,
    };
    return this.write(kind, { ...current, metadata });
  }

  private erase(kind: Kind, object: KubeObject): void {
    const { namespace = '', name, uid } = object.metadata;
    this.store.remove(collectionOf(kind), keyOf(kind, namespace, name));
    if (kind.kind === 'CustomResourceDefinition') this.eraseCustom(name);
    if (kind.kind === 'Namespace') this.eraseNamespace(name);
    if (uid !== undefined) this.collect(uid);
  }

  private kindOf(object: KubeObject): Kind | null {
    return (
      this.kinds().find(
        (kind) => groupVersion(kind) === object.apiVersion && kind.kind === object.kind,
      ) ?? null
    );
  }

  /** Deletes what the removed object owned and nobody else owns. */
  private collect(ownerUid: string): void {
    for (const { object } of [...this.store.all()]) {
      const owners = object.metadata.ownerReferences ?? [];
      if (!owners.some(({ uid }) => uid === ownerUid)) continue;
      const left = owners.filter(({ uid }) => uid !== ownerUid && this.exists(uid));
      const kind = this.kindOf(object);
      if (kind === null || left.length > 0) continue;
      this.tryDelete(kind, object);
    }
  }

  private tryDelete(kind: Kind, { metadata }: KubeObject): void {
    try {
      this.delete(kind, metadata.namespace ?? '', metadata.name, {});
    } catch (cause) {
      if (!(cause instanceof ApiError) || cause.status !== 404) throw cause;
    }
  }

  private exists(uid: string): boolean {
    for (const { object } of this.store.all()) if (object.metadata.uid === uid) return true;
    return false;
  }

  private orphan(ownerUid: string): void {
    for (const { object } of [...this.store.all()]) {
      const owners = object.metadata.ownerReferences ?? [];
      const kind = this.kindOf(object);
      if (kind === null || !owners.some(({ uid }) => uid === ownerUid)) continue;
      const ownerReferences = owners.filter(({ uid }) => uid !== ownerUid);
      this.write(kind, { ...object, metadata: { ...object.metadata, ownerReferences } });
    }
  }

  private eraseCustom(crd: string): void {
    for (const kind of this.custom.get(crd) ?? []) {
      for (const object of this.store.list(collectionOf(kind)))
        this.store.remove(
          collectionOf(kind),
          keyOf(kind, object.metadata.namespace ?? '', object.metadata.name),
        );
    }
    this.custom.delete(crd);
  }

  private eraseNamespace(namespace: string): void {
    for (const { object } of [...this.store.all()]) {
      if (object.metadata.namespace !== namespace) continue;
      const kind = this.kindOf(object);
      if (kind !== null) this.tryDelete(kind, object);
    }
  }
}

function without(object: KubeObject, field: string): KubeObject {
  const { [field]: _, ...rest } = object as Tree;
  return rest as KubeObject;
}

/** Keys in a fixed order, so that two trees can be compared as text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, of]) => name !== 'resourceVersion' && of !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, of]) => [name, sorted(of)]),
  );
}
