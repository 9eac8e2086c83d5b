/** What clients ask to learn which kinds there are: discovery documents and OpenAPI v3. Pure. */
import { groupVersion, type JsonSchema, type Kind } from './kinds.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

export function coreVersions(): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: '' }],
  };
}

export function groupList(kinds: readonly Kind[]): object {
  const groups = new Map<string, Set<string>>();
  for (const { group, version } of kinds) {
    if (group === '') continue;
    groups.set(group, (groups.get(group) ?? new Set()).add(version));
  }
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: [...groups].map(([name, versions]) => groupOf(name, [...versions])),
  };
}

export function groupOf(name: string, versions: readonly string[]): object {
  const all = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { kind: 'APIGroup', apiVersion: 'v1', name, versions: all, preferredVersion: all[0] };
}

export function resourceList(kinds: readonly Kind[], gv: string): object {
  const resources = kinds
    .filter((kind) => groupVersion(kind) === gv)
    .flatMap((kind) => {
      const { plural, singular, namespaced, kind: name, shortNames, categories } = kind;
      const main = {
        name: plural,
        singularName: singular,
        namespaced,
        kind: name,
        verbs: VERBS,
        ...(shortNames.length === 0 ? {} : { shortNames }),
        ...(categories.length === 0 ? {} : { categories }),
      };
      const status = {
        name: `${plural}/status`,
        singularName: '',
        namespaced,
        kind: name,
        verbs: ['get', 'patch', 'update'],
      };
      const scale = {
        name: `${plural}/scale`,
        singularName: '',
        namespaced,
        group: 'autoscaling',
        version: 'v1',
        kind: 'Scale',
        verbs: ['get', 'patch', 'update'],
      };
      // kubectl drain looks for it.
      const eviction = {
        name: `${plural}/eviction`,
        singularName: '',
        namespaced,
        group: 'policy',
        version: 'v1',
        kind: 'Eviction',
        verbs: ['create'],
      };
      return [
        main,
        ...(kind.hasStatus ? [status] : []),
        ...(kind.scale === null ? [] : [scale]),
        ...(kind.kind === 'Pod' ? [eviction] : []),
      ];
    });
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: gv, resources };
}

function pathOf(gv: string): string {
  return gv.includes('/') ? `apis/${gv}` : `api/${gv}`;
}

export function openApiIndex(kinds: readonly Kind[]): object {
  const paths: Record<string, object> = {};
  for (const gv of new Set(kinds.map(groupVersion)))
    paths[pathOf(gv)] = { serverRelativeURL: `/openapi/v3/${pathOf(gv)}` };
  return { paths };
}

const META: JsonSchema = {
  description: 'Standard object metadata.',
  type: 'object',
  properties: {
    name: { description: 'Name must be unique within a namespace.', type: 'string' },
    namespace: { description: 'The space within which the name must be unique.', type: 'string' },
    labels: {
      description: 'Key value pairs to organize and select objects.',
      type: 'object',
      additionalProperties: { type: 'string' },
    },
    annotations: {
      description: 'Arbitrary key value pairs.',
      type: 'object',
      additionalProperties: { type: 'string' },
    },
  },
};

function schemaName({ group, version, kind }: Kind): string {
  return `${group === '' ? 'io.k8s.api.core' : group.split('.').reverse().join('.')}.${version}.${kind}`;
}

function schemaFor(kind: Kind): JsonSchema {
  const gvk = [{ group: kind.group, version: kind.version, kind: kind.kind }];
  const own = kind.schema ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    ...own,
    type: 'object',
    properties: {
      apiVersion: { description: 'The versioned schema of this object.', type: 'string' },
      kind: { description: 'The kind of this object.', type: 'string' },
      ...own.properties,
      metadata: { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' },
    },
    'x-kubernetes-group-version-kind': gvk,
  };
}

/** The document of one group and version; kubectl explains from it and checks what it may ask for. */
export function openApiOf(kinds: readonly Kind[], gv: string): object | null {
  const own = kinds.filter((kind) => groupVersion(kind) === gv);
  if (own.length === 0) return null;
  const schemas: Record<string, JsonSchema> = {
    'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta': META,
  };
  const paths: Record<string, object> = {};
  const parameters = ['dryRun', 'fieldManager', 'fieldValidation', 'force'].map((name) => ({
    name,
    in: 'query',
    schema: { type: name === 'force' ? 'boolean' : 'string' },
  }));
  for (const kind of own) {
    schemas[schemaName(kind)] = schemaFor(kind);
    const gvk = { group: kind.group, version: kind.version, kind: kind.kind };
    const scope = kind.namespaced ? '/namespaces/{namespace}' : '';
    const answer = {
      responses: {
        200: {
          description: 'OK',
          content: {
            'application/json': { schema: { $ref: `#/components/schemas/${schemaName(kind)}` } },
          },
        },
      },
    };
    const operation = (action: string) => ({
      ...answer,
      parameters,
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': gvk,
    });
    paths[`/${pathOf(gv)}${scope}/${kind.plural}`] = {
      get: operation('list'),
      post: operation('post'),
    };
    paths[`/${pathOf(gv)}${scope}/${kind.plural}/{name}`] = {
      get: operation('get'),
      put: operation('put'),
      patch: operation('patch'),
      delete: operation('delete'),
    };
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Tenure embedded Kubernetes API', version: 'v1' },
    paths,
    components: { schemas },
  };
}
