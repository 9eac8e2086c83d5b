/** Stock kubectl on the embedded API alone: what it writes in forms of its own, and who may. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { EmbeddedApi } from '../../kube/embedded/api.ts';
import { EmbeddedServer } from '../../kube/embedded/server.ts';
import { Store } from '../../kube/embedded/store.ts';
import { apiCredentials } from '../../local/api-credentials.ts';
import { systemChance } from '../../stdx/chance.ts';
import { systemClock } from '../../stdx/clock.ts';
import { quiet } from '../support/embedded-stage.ts';
import { missing, type Outcome, runProgram } from '../support/programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'tenure-kubectl-'));
const store = new Store(':memory:');
const api = new EmbeddedApi({ store, clock: systemClock, chance: systemChance });
let server: EmbeddedServer;

function writeKubeconfig(name: string, url: string, ca: string, token: string): void {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name,
        cluster: { server: url, 'certificate-authority-data': Buffer.from(ca).toString('base64') },
      },
    ],
    contexts: [{ name, context: { cluster: name, namespace: 'default', user: name } }],
    users: [{ name, user: { token } }],
    'current-context': name,
  };
  writeFileSync(join(folder, name), JSON.stringify(config));
}

function kubectl(args: readonly string[], config = 'local'): Promise<Outcome> {
  return runProgram('kubectl', args, { env: { KUBECONFIG: join(folder, config), HOME: folder } });
}

describe('kubectl', { skip: missing('kubectl') }, () => {
  before(async () => {
    const hosts = ['localhost', '127.0.0.1'];
    const { ca, tls, token } = await apiCredentials(join(folder, 'api'), {
      hosts,
      nowMs: systemClock.nowMs(),
      chance: systemChance,
    });
    server = new EmbeddedServer({ api, clock: systemClock, logger: quiet, token, tls });
    const url = `https://127.0.0.1:${await server.listen('127.0.0.1', 0)}`;
    writeKubeconfig('local', url, ca, token);
    writeKubeconfig('stranger', url, ca, 'x'.repeat(43));
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    store[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  test('creates a namespace, a ConfigMap, a Secret and a service account', async () => {
    const made = [
      ['namespace', 'shop'],
      ['configmap', 'settings', '--from-literal=a=b', '--namespace=shop'],
      ['secret', 'generic', 'keys', '--from-literal=a=b', '--namespace=shop'],
      ['serviceaccount', 'robot', '--namespace=shop'],
    ];
    for (const args of made) {
      const { code, stdout, stderr } = await kubectl(['create', ...args]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /created/);
    }
    const read = async (what: string) =>
      (await kubectl(['get', what, '--namespace=shop', '-o', 'jsonpath={.data.a}'])).stdout;
    assert.equal(await read('configmap/settings'), 'b');
    assert.equal(await read('secret/keys'), 'Yg==');
    const again = await kubectl(['create', 'namespace', 'shop']);
    assert.match(again.stderr, /AlreadyExists/);
    assert.match((await kubectl(['label', 'namespace', 'shop', 'a=b'])).stdout, /labeled/);
    assert.match((await kubectl(['delete', 'namespace', 'shop'])).stdout, /deleted/);
  });

  test('is told what to do where it sends a form that is not read', async () => {
    const { code, stderr } = await kubectl(['create', 'deployment', 'd', '--image=x']);
    assert.notEqual(code, 0);
    assert.match(stderr, /apply a manifest/);
  });

  test('with another token may do nothing', async () => {
    const { code, stderr } = await kubectl(['get', 'namespaces'], 'stranger');
    assert.notEqual(code, 0);
    assert.match(stderr, /must be logged in|Unauthorized/);
  });
});
