/** What the answers of an API server mean; the server is a real one on this machine. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { KubeClient } from './client.ts';
import { leases } from './objects.ts';
import { KubeError, KubeUnreachable } from './port.ts';

let status = 200;
let body = '{}';
const server = createServer((_, response) => response.writeHead(status).end(body));
let client: KubeClient;
before(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  client = new KubeClient({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
after(async () => {
  client[Symbol.dispose]();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});
const lease = { metadata: { name: 'a', namespace: 'n' } } as never;

test('an API that is busy has not answered: nothing is known of what was asked', async () => {
  for (status of [429, 500, 503, 504])
    await assert.rejects(client.replace(leases, lease), KubeUnreachable, String(status));
});

test('a conflict and an object that is not there are answers', async () => {
  status = 409;
  body = JSON.stringify({ reason: 'Conflict', message: 'the object has been modified' });
  await assert.rejects(
    client.replace(leases, lease),
    (cause) => cause instanceof KubeError && cause.reason === 'Conflict',
  );
  status = 404;
  assert.equal(await client.get(leases, 'n', 'a'), null);
});

test('a version that is too old ends a watch, however it is said', async () => {
  const end = () => client.watch(leases, { resourceVersion: '1' }, () => {}).ended;
  status = 410;
  assert.equal(await end(), 'expired');
  status = 200;
  body = `${JSON.stringify({ type: 'ERROR', object: { code: 410 } })}\n`;
  assert.equal(await end(), 'expired');
  body = `${JSON.stringify({ type: 'ERROR', object: { code: 500 } })}\n`;
  assert.equal(await end(), 'closed');
  status = 429;
  assert.equal(await end(), 'closed');
});
