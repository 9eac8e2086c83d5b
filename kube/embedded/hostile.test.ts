/**
 * Whatever programs send that have the token: an answer comes that is no failure of the server's own, nothing
 * but objects is changed, and what is stored can be read again by the next start.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { systemChance } from '../../stdx/chance.ts';
import { systemClock } from '../../stdx/clock.ts';
import { EmbeddedStage, type Request } from '../../test/support/embedded-stage.ts';
import { EmbeddedApi } from './api.ts';

let stage: EmbeddedStage;
before(async () => {
  stage = await EmbeddedStage.open();
});
after(() => stage[Symbol.asyncDispose]());

const CORE = '/api/v1/namespaces/default';
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const definition = (schema: object, more: object = {}) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'things.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { kind: 'Thing', plural: 'things' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: schema },
        subresources: {
          status: {},
          scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
        },
        additionalPrinterColumns: [{ name: 'N', type: 'string', jsonPath: '.constructor.name' }],
        ...more,
      },
    ],
  },
});
const configMap = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  ...more,
});

async function milliseconds(run: () => Promise<unknown>): Promise<number> {
  const { user } = process.cpuUsage();
  await run();
  return (process.cpuUsage().user - user) / 1000;
}

test('a field that is called __proto__ is refused in every form', async () => {
  const text =
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"__proto__":"x"}}';
  const forms: Request[] = [
    { path: `${CORE}/configmaps`, method: 'POST', body: text },
    {
      path: `${CORE}/configmaps`,
      method: 'POST',
      body: text.replace('__proto__', '\\u005f_proto__'),
    },
    {
      path: `${CORE}/configmaps`,
      method: 'POST',
      body: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {__proto__: {evil: x}}\n',
      type: 'application/yaml',
    },
    {
      path: `${CORE}/configmaps/a?fieldManager=me`,
      method: 'PATCH',
      body: text,
      type: 'application/apply-patch+yaml',
    },
  ];
  for (const form of forms) {
    const answer = await stage.ask(form);
    assert.equal(answer.status, 400);
    assert.match(answer.body.message, /__proto__/);
  }
  assert.equal(({} as { evil?: unknown }).evil, undefined);
});

test('a ConfigMap may have a key that every object has', async () => {
  const data = { constructor: 'a', toString: 'b', hasOwnProperty: 'c' };
  const path = `${CORE}/configmaps/names`;
  await stage.ask({
    path: `${CORE}/configmaps`,
    method: 'POST',
    body: configMap('names', { data }),
  });
  assert.deepEqual({ ...(await stage.ask({ path })).body.data }, data);
  const applied = { ...configMap('names'), data: { valueOf: 'd' } };
  const type = 'application/apply-patch+yaml';
  for (const body of [applied, configMap('names')]) {
    const query = '?fieldManager=me&force=true';
    assert.equal(
      (await stage.ask({ path: path + query, method: 'PATCH', body, type })).status,
      200,
    );
  }
  assert.deepEqual({ ...(await stage.ask({ path })).body.data }, data);
});

test('YAML takes time in proportion to its length, and has no aliases', async () => {
  const head = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata:\n';
  const body = `${head}${Array.from({ length: 20_000 }, (_, i) => `  k${i}: v${i}`).join('\n')}`;
  const post: Request = { path: `${CORE}/configmaps`, method: 'POST', type: 'application/yaml' };
  const took = await milliseconds(async () => {
    assert.equal((await stage.ask({ ...post, body })).status, 201);
  });
  // A parser whose time grows with the square needs ten seconds.
  assert.ok(took < 3_000, `${took} ms`);
  const laughs = `a: &a [x, x]\n${'b: [*a, *a]\n'}`;
  assert.equal((await stage.ask({ ...post, body: laughs })).status, 400);
  assert.equal((await stage.ask({ ...post, body: '['.repeat(200_000) })).status, 400);
});

test('an object does not grow beyond what etcd takes, nor deeper than can be walked', async () => {
  const data = { text: 'x'.repeat(1_000_000) };
  const path = `${CORE}/configmaps`;
  assert.equal(
    (await stage.ask({ path, method: 'POST', body: configMap('big', { data }) })).status,
    201,
  );
  const before = stage.store.version;
  const more = await stage.ask({
    path: `${path}/big`,
    method: 'PATCH',
    type: 'application/json-patch+json',
    body: [{ op: 'copy', from: '/data/text', path: '/data/again' }],
  });
  assert.equal(more.status, 413);
  assert.equal(stage.store.version, before);
  const deep = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d"},"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
  assert.equal((await stage.ask({ path, method: 'POST', body: deep })).status, 400);
});

test('lists of many elements are merged without looking for each in all', async () => {
  const volumes = Array.from({ length: 20_000 }, (_, i) => ({ name: `v${i}` }));
  const spec = { containers: [], volumes };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'many' }, spec };
  await stage.ask({ path: `${CORE}/pods`, method: 'POST', body: pod });
  const took = await milliseconds(async () => {
    const type = 'application/strategic-merge-patch+json';
    const body = { spec: { volumes: volumes.map(({ name }) => ({ name, emptyDir: {} })) } };
    const path = `${CORE}/pods/many`;
    assert.equal((await stage.ask({ path, method: 'PATCH', type, body })).status, 200);
  });
  assert.ok(took < 3_000, `${took} ms`);
});

test('a pattern of a definition cannot stop the server', async () => {
  const schema = {
    type: 'object',
    properties: {
      spec: { type: 'object', properties: { text: { type: 'string', pattern: '^(a+)+$' } } },
    },
  };
  assert.equal(
    (await stage.ask({ path: DEFINITIONS, method: 'POST', body: definition(schema) })).status,
    201,
  );
  const took = await milliseconds(async () => {
    const thing = {
      apiVersion: 'example.com/v1',
      kind: 'Thing',
      metadata: { name: 'a' },
      spec: { text: `${'a'.repeat(40)}!` },
    };
    const path = '/apis/example.com/v1/namespaces/default/things';
    assert.equal((await stage.ask({ path, method: 'POST', body: thing })).status, 422);
  });
  assert.ok(took < 3_000);
  await stage.ask({ path: `${DEFINITIONS}/things.example.com`, method: 'DELETE' });
});

test('each pattern of a definition is held against its own field', async () => {
  const text = (pattern: string) => ({ type: 'string', pattern });
  const properties = { a: text('^a$'), b: text('^b$') };
  const schema = { type: 'object', properties: { spec: { type: 'object', properties } } };
  const made = await stage.ask({ path: DEFINITIONS, method: 'POST', body: definition(schema) });
  assert.equal(made.status, 201);
  const path = '/apis/example.com/v1/namespaces/default/things';
  const statusOf = async (spec: object) => {
    const metadata = { name: `two-${JSON.stringify(spec).length}` };
    const body = { apiVersion: 'example.com/v1', kind: 'Thing', metadata, spec };
    return (await stage.ask({ path, method: 'POST', body })).status;
  };
  assert.deepEqual(
    [await statusOf({ a: 'a', b: 'b' }), await statusOf({ a: 'b' }), await statusOf({ b: 'a' })],
    [201, 422, 422],
  );
  await stage.ask({ path: `${path}/two-17`, method: 'DELETE' });
  await stage.ask({ path: `${DEFINITIONS}/things.example.com`, method: 'DELETE' });
});

test('a definition that nothing could be held against is refused, and what has no spec', async () => {
  const bad = [
    { ...definition({}), spec: undefined },
    { ...definition({}), spec: { ...definition({}).spec, versions: 'v1' } },
    { ...definition({}), spec: { ...definition({}).spec, names: null } },
    definition({ type: 'object', properties: { a: { type: 'nonsense' } } }),
    definition({ type: 'object', properties: { a: { type: 'string', pattern: '(' } } }),
    definition({ type: 'object', 'x-kubernetes-validations': [{ rule: 'self.(' }] }),
    definition(
      { type: 'object' },
      {
        subresources: { scale: { specReplicasPath: '.a'.repeat(9_000), statusReplicasPath: '.b' } },
      },
    ),
  ];
  for (const body of bad) {
    const { status } = await stage.ask({ path: DEFINITIONS, method: 'POST', body });
    assert.equal(status, 422, JSON.stringify(body).slice(0, 300));
  }
  const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'c' } };
  const path = `${CORE}/persistentvolumeclaims`;
  assert.equal((await stage.ask({ path, method: 'POST', body: claim })).status, 422);
});

// ---- anything ---------------------------------------------------------------------------------

const word = fc.constantFrom(
  ...[
    'metadata',
    'spec',
    'status',
    'name',
    'labels',
    'finalizers',
    'containers',
    'volumes',
    'data',
  ],
  ...['__proto__', 'constructor', 'prototype', 'toString', '$patch', 'managedFields', 'fieldsV1'],
  ...['ownerReferences', 'uid', 'f:__proto__', 'f:data', 'replicas', 'template', 'versions', 'a'],
);
const leaf = fc.oneof(
  fc.constantFrom(null, true, 0, -1, 1.5, 1e308, '', 'a', 'delete', 'replace', '../..'),
  fc.string({ maxLength: 6 }),
);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(word, tie('tree'), { maxKeys: 4 }),
  ),
}));
const places = [
  ['v1', 'ConfigMap', `${CORE}/configmaps`],
  ['v1', 'Secret', `${CORE}/secrets`],
  ['v1', 'Pod', `${CORE}/pods`],
  ['v1', 'Service', `${CORE}/services`],
  ['v1', 'PersistentVolumeClaim', `${CORE}/persistentvolumeclaims`],
  ['v1', 'Namespace', '/api/v1/namespaces'],
  ['apps/v1', 'StatefulSet', '/apis/apps/v1/namespaces/default/statefulsets'],
  ['apiextensions.k8s.io/v1', 'CustomResourceDefinition', DEFINITIONS],
  ['example.com/v1', 'Thing', '/apis/example.com/v1/namespaces/default/things'],
] as const;
/** An object of a kind, with anything in it. */
const shaped = fc
  .tuple(fc.nat(places.length - 1), tree, tree, tree)
  .map(([at, spec, metadata, data]) => {
    const [apiVersion, kind, path] = places[at] as (typeof places)[number];
    const more = metadata !== null && typeof metadata === 'object' ? metadata : {};
    return {
      path,
      body: { apiVersion, kind, spec, data, status: data, metadata: { ...more, name: 'x' } },
    };
  });
const type = fc.constantFrom(
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
);
const pointer = fc
  .array(word, { maxLength: 4 })
  .map((names) => names.map((one) => `/${one}`).join(''));
const operations = fc.array(
  fc.record({
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'),
    path: pointer,
    from: pointer,
    value: tree,
  }),
  { maxLength: 6 },
);
const suffix = fc.constantFrom('', '/status', '/scale', '/binding', '/eviction');
const query = fc.constantFrom(
  '',
  '?fieldManager=me&force=true',
  '?dryRun=All',
  '?fieldValidation=Strict',
);
const request: fc.Arbitrary<Request> = fc.oneof(
  shaped.map(({ path, body }) => ({ method: 'POST', path, body })),
  fc
    .tuple(shaped, suffix, query)
    .map(([{ path, body }, at, q]) => ({ method: 'PUT', path: `${path}/x${at}${q}`, body })),
  fc
    .tuple(shaped, suffix, query, type, fc.oneof(tree, operations))
    .map(([{ path, body }, at, q, patchType, patch]) => ({
      method: 'PATCH',
      path: `${path}/x${at}${q}`,
      type: patchType,
      // Applied are whole objects mostly.
      body: JSON.stringify(patchType.startsWith('application/apply') ? body : patch),
    })),
  fc.tuple(shaped, suffix, tree).map(([{ path }, at, body]) => ({
    method: 'POST',
    path: `${path}/x${at}`,
    body: JSON.stringify(body),
  })),
  fc.tuple(shaped, tree).map(([{ path }, body]) => ({
    method: 'DELETE',
    path: `${path}/x`,
    body: JSON.stringify(body),
  })),
  fc.tuple(shaped, suffix).map(([{ path }, at]) => ({
    path: `${path}${at === '' ? '' : `/x${at}`}`,
    headers: { accept: 'application/json;as=Table' },
  })),
);

test('anything at all: no failure of the server, no change outside of objects, and it starts again', async () => {
  const schema = {
    type: 'object',
    'x-kubernetes-preserve-unknown-fields': true,
    properties: {
      spec: { type: 'object', properties: { replicas: { type: 'integer', default: 1 } } },
    },
  };
  await stage.ask({ path: DEFINITIONS, method: 'POST', body: definition(schema) });
  const inherited = JSON.stringify(Object.getOwnPropertyNames(Object.prototype));
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 4 }), async (requests) => {
      for (const one of requests) {
        const { status, body } = await stage.ask(one);
        assert.ok(status < 500, `${status} ${JSON.stringify(body)}`);
      }
      assert.equal(JSON.stringify(Object.getOwnPropertyNames(Object.prototype)), inherited);
    }),
    { numRuns: 600 },
  );
  const copy = stage.store.copy();
  const next = new EmbeddedApi({ store: copy, clock: systemClock, chance: systemChance });
  assert.ok(next.kinds().length > 0);
  copy[Symbol.dispose]();
});
