/** The token and the certificate of the embedded API: nobody else may read them, and they stay. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { podAccess } from '../kube/client.ts';
import { systemChance } from '../stdx/chance.ts';
import { apiCredentials, keepPrivate } from './api-credentials.ts';
import { writePrivate } from './node-folders.ts';

const root = mkdtempSync(join(tmpdir(), 'tenure-credentials-'));
after(() => rmSync(root, { recursive: true }));

const HOSTS = ['localhost', '127.0.0.1'];
const NOW_MS = Date.parse('2026-01-01T00:00:00Z');
const of = (hosts = HOSTS, nowMs = NOW_MS) => ({ hosts, nowMs, chance: systemChance });
const modeOf = (path: string) => statSync(path).mode & 0o777;

test('only the user of this machine may read them, and they are the same at the next start', async () => {
  const folder = join(root, 'api');
  const first = await apiCredentials(folder, of());
  assert.equal(modeOf(folder), 0o700);
  for (const name of readdirSync(folder)) assert.equal(modeOf(join(folder, name)), 0o600, name);
  assert.ok(first.token.length >= 43);
  assert.deepEqual(await apiCredentials(folder, of()), first);
  const other = await apiCredentials(join(root, 'other'), of());
  assert.notEqual(other.token, first.token);
});

test('a certificate that does not name the host, or ends soon, is made anew; the token stays', async () => {
  const folder = join(root, 'renewed');
  const first = await apiCredentials(folder, of());
  const named = await apiCredentials(folder, of([...HOSTS, '10.77.0.1']));
  assert.notEqual(named.tls.cert, first.tls.cert);
  const late = await apiCredentials(folder, of(HOSTS, NOW_MS + 3600 * 24 * 3_600_000));
  assert.notEqual(late.tls.cert, named.tls.cert);
  assert.equal(late.token, first.token);
});

test('the certificate is one that clients accept for the hosts that it names', async () => {
  const { tls, ca } = await apiCredentials(join(root, 'used'), of(HOSTS, Date.now()));
  const server = https.createServer(tls, (_request, response) => response.end('ok'));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  const status = await new Promise((resolve, reject) => {
    https
      .get({ host: '127.0.0.1', port, ca, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
      .on('error', reject);
  });
  assert.equal(status, 200);
  await new Promise((done) => server.close(done));
});

test('what others could read before, they cannot any more', () => {
  const path = join(root, 'kubeconfig');
  writeFileSync(path, 'old', { mode: 0o644 });
  writePrivate(path, 'new');
  assert.equal(readFileSync(path, 'utf8'), 'new');
  assert.equal(modeOf(path), 0o600);
  const database = join(root, 'database');
  writeFileSync(database, 'kept', { mode: 0o644 });
  keepPrivate(database);
  assert.equal(readFileSync(database, 'utf8'), 'kept');
  assert.equal(modeOf(database), 0o600);
});

test('a pod finds both in the folder that it is told of', async () => {
  const { folder, token, ca } = await apiCredentials(join(root, 'pod'), of());
  const access = podAccess({ KUBERNETES_SERVER: 'https://127.0.0.1:7443' }, folder);
  assert.equal(access.ca, ca);
  assert.equal(access.token?.(), token);
});
