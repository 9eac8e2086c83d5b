/** Nothing but programs that show the token gets in: no page of a browser, no other user, no other form. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EmbeddedStage, type Request } from '../../test/support/embedded-stage.ts';
import { Entrance } from './entrance.ts';

let stage: EmbeddedStage;
before(async () => {
  stage = await EmbeddedStage.open();
});
after(() => stage[Symbol.asyncDispose]());

const PODS = '/api/v1/namespaces/default/pods';
const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'c', command: ['touch', '/owned'] }] },
});

const strangers: Readonly<Record<string, Request & { readonly status: number }>> = {
  'a page that posts text, as it may without being asked': {
    method: 'POST',
    path: PODS,
    body: pod('page'),
    type: 'text/plain',
    token: null,
    headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    status: 403,
  },
  'a page that knows the token': {
    method: 'POST',
    path: PODS,
    body: pod('page'),
    headers: { origin: 'https://evil.example' },
    status: 403,
  },
  'a page without an origin': { path: PODS, headers: { origin: 'null' }, status: 403 },
  'a page that asks whether it may': {
    method: 'OPTIONS',
    path: PODS,
    token: null,
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    status: 403,
  },
  'a name that leads here by somebody else’s DNS': {
    path: PODS,
    headers: { host: 'evil.example:7443' },
    status: 403,
  },
  'another user of this machine': {
    method: 'POST',
    path: PODS,
    body: pod('user'),
    token: null,
    status: 401,
  },
  'a token that is nearly right': { path: PODS, token: 'x'.repeat(43), status: 401 },
  'an empty token': { path: PODS, headers: { authorization: 'Bearer ' }, token: null, status: 401 },
  'somebody who asks what there is': { path: '/apis', token: null, status: 401 },
  'somebody who asks for logs': { path: `${PODS}/p/log`, token: null, status: 401 },
  'text with the token': {
    method: 'POST',
    path: PODS,
    body: pod('text'),
    type: 'text/plain',
    status: 415,
  },
  'a form with the token': {
    method: 'POST',
    path: PODS,
    body: 'a=b',
    type: 'application/x-www-form-urlencoded',
    status: 415,
  },
  'no form with the token': {
    method: 'POST',
    path: PODS,
    body: pod('none'),
    type: '',
    status: 415,
  },
  'text as a patch': {
    method: 'PATCH',
    path: `${PODS}/p`,
    body: '{}',
    type: 'text/plain',
    status: 415,
  },
};

for (const [name, { status, ...request }] of Object.entries(strangers)) {
  test(`${name}: refused, and nothing is made`, async () => {
    const { version } = stage.store;
    const answer = await stage.ask(request);
    assert.equal(answer.status, status);
    assert.equal(answer.body.kind, 'Status');
    assert.equal(stage.store.version, version);
  });
}

test('who shows the token is served, by every name of this machine; probes need none', async () => {
  for (const host of ['127.0.0.1', 'localhost:1', '[::1]:7443', 'LOCALHOST'])
    assert.equal((await stage.ask({ path: PODS, headers: { host } })).status, 200, host);
  for (const path of ['/livez', '/readyz', '/healthz'])
    assert.equal((await stage.ask({ path, token: null })).status, 200);
  const made = await stage.ask({ method: 'POST', path: PODS, body: pod('mine') });
  assert.equal(made.status, 201);
});

test('no answer lets another origin read it', async () => {
  const response = await fetch(`http://127.0.0.1:${stage.port}/livez`);
  assert.equal(response.headers.get('access-control-allow-origin'), null);
});

test('a token that could be guessed is none', () => {
  assert.throws(() => new Entrance('secret'), /guessable/);
});

test('a body of more than 3 MB is refused', async () => {
  const body = JSON.stringify({ ...pod('big'), data: 'x'.repeat(3 * 1024 * 1024) });
  const refused = await stage.ask({ method: 'POST', path: PODS, body }).catch(() => null);
  // The connection may end before all was sent.
  if (refused !== null) assert.equal(refused.status, 413);
  assert.equal((await stage.ask({ path: `${PODS}/big` })).status, 404);
});
