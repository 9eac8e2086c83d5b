/** Whatever is asked for with `dryRun=All`, by any verb: an answer comes, and nothing is changed. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { systemChance } from '../../stdx/chance.ts';
import { systemClock } from '../../stdx/clock.ts';
import { createLogger } from '../../stdx/logger.ts';
import { EmbeddedApi } from './api.ts';
import { EmbeddedServer } from './server.ts';
import { Store } from './store.ts';

const TOKEN = systemChance.bytes(32).toString('base64url');
const clock = systemClock;
const store = new Store(':memory:');
const api = new EmbeddedApi({ store, clock, chance: systemChance });
const server = new EmbeddedServer({
  api,
  clock,
  logger: createLogger({ level: 'error', format: 'text' }),
  token: TOKEN,
});
let url = '';

const MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';
const SETS = '/apis/apps/v1/namespaces/default/statefulsets';
const map = (name: string, data: object, finalizers: string[] = []) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, finalizers },
  data,
});

interface Answer {
  readonly status: number;
  readonly body: any;
}
async function ask(method: string, path: string, body?: object, type?: string): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${TOKEN}`,
      'content-type': type ?? 'application/json',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

before(async () => {
  url = `http://127.0.0.1:${await server.listen('127.0.0.1', 0)}`;
  await ask('POST', MAPS, map('a', { is: 'so' }));
  await ask('POST', MAPS, map('held', {}, ['example.com/held']));
  await ask('POST', PODS, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: {} });
  const set = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 's' }, spec: {} };
  await ask('POST', SETS, set);
});
after(async () => {
  await server[Symbol.asyncDispose]();
  store[Symbol.dispose]();
});

const MERGE = 'application/merge-patch+json';
const APPLY = 'application/apply-patch+yaml';
const DRY = 'dryRun=All';
const requests: [string, string, string, object?, string?][] = [
  ['create', 'POST', `${MAPS}?${DRY}`, map('new', {})],
  ['create a namespace', 'POST', `/api/v1/namespaces?${DRY}`, namespace('other')],
  ['replace', 'PUT', `${MAPS}/a?${DRY}`, map('a', { is: 'other' })],
  ['patch', 'PATCH', `${MAPS}/a?${DRY}`, { data: { is: 'other' } }, MERGE],
  [
    'end the last finalizer',
    'PATCH',
    `${MAPS}/held?${DRY}`,
    { metadata: { finalizers: null } },
    MERGE,
  ],
  ['apply something new', 'PATCH', `${MAPS}/new?fieldManager=me&${DRY}`, map('new', {}), APPLY],
  ['apply', 'PATCH', `${MAPS}/a?fieldManager=me&force=true&${DRY}`, map('a', { is: 'x' }), APPLY],
  ['scale', 'PATCH', `${SETS}/s/scale?${DRY}`, { spec: { replicas: 7 } }, MERGE],
  ['status', 'PATCH', `${SETS}/s/status?${DRY}`, { status: { replicas: 7 } }, MERGE],
  ['bind', 'POST', `${PODS}/p/binding?${DRY}`, { target: { name: 'node' } }],
  ['evict', 'POST', `${PODS}/p/eviction?${DRY}`, {}],
  ['evict, said in the body', 'POST', `${PODS}/p/eviction`, { deleteOptions: { dryRun: ['All'] } }],
  ['delete', 'DELETE', `${MAPS}/a?${DRY}`],
  ['delete, said in the body', 'DELETE', `${MAPS}/a`, { dryRun: ['All'] }],
  ['delete what has a finalizer', 'DELETE', `${MAPS}/held?${DRY}`],
  ['delete all', 'DELETE', `${MAPS}?${DRY}`],
  ['delete all of a namespace', 'DELETE', `/api/v1/namespaces/default?${DRY}`],
];

function namespace(name: string) {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

for (const [name, method, path, body, type] of requests) {
  test(`${name}: answered, and nothing is changed`, async () => {
    const was = JSON.stringify([...store.all()]);
    const { version } = store;
    const { status } = await ask(method, path, body, type);
    assert.ok(status === 200 || status === 201, `${status}`);
    assert.equal(JSON.stringify([...store.all()]), was);
    assert.equal(store.version, version);
    assert.deepEqual(store.since(version), []);
  });
}

test('the answer says what would have come of it, in the version that is stored', async () => {
  const { body: now } = await ask('GET', `${MAPS}/a`);
  const patched = await ask('PATCH', `${MAPS}/a?${DRY}`, { data: { is: 'other' } }, MERGE);
  assert.equal(patched.body.data.is, 'other');
  assert.equal(patched.body.metadata.resourceVersion, now.metadata.resourceVersion);
  const made = await ask('POST', `${MAPS}?${DRY}`, map('new', {}));
  assert.equal(made.body.metadata.resourceVersion, undefined);
  const scaled = await ask('PATCH', `${SETS}/s/scale?${DRY}`, { spec: { replicas: 7 } }, MERGE);
  assert.equal(scaled.body.spec.replicas, 7);
  const going = await ask('DELETE', `${MAPS}/held?${DRY}`);
  assert.ok(going.body.metadata.deletionTimestamp !== undefined);
});

test('what would be refused is refused, and so is a way of trying that there is not', async () => {
  assert.equal((await ask('POST', `${MAPS}?${DRY}`, map('a', {}))).status, 409);
  assert.equal((await ask('DELETE', `${MAPS}/nobody?${DRY}`)).status, 404);
  assert.equal((await ask('DELETE', `${MAPS}/a?dryRun=Some`)).status, 400);
  assert.equal((await ask('GET', `${MAPS}/a`)).status, 200);
});
