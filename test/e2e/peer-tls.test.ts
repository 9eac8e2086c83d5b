/** Brokers that prove to each other who they are: replication, failover and a new certificate, under load. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { kafkaClusters } from '../../kube/kafka-objects.ts';
import { type Secret, secrets } from '../../kube/objects.ts';
import { kafkaAt, Load } from '../support/load.ts';
import { startTestCluster, type TestCluster, until } from '../support/local.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster({ manifests: 'test/e2e/manifests/peers.yaml' });
});
after(() => cluster?.[Symbol.asyncDispose]());

async function peers(id = 0): Promise<Record<'ca' | 'cert' | 'key', string>> {
  const secret = (await cluster.local.api.get(secrets, 'default', 'my-cluster-peers')) as Secret;
  const text = (name: string) => Buffer.from(secret?.data?.[name] ?? '', 'base64').toString();
  return { ca: text('ca.crt'), cert: text(`broker-${id}.crt`), key: text(`broker-${id}.key`) };
}

/** The serial number that a broker shows to a peer of that certificate. */
async function shown(of: Partial<Awaited<ReturnType<typeof peers>>>): Promise<string> {
  const host = await cluster.address(0);
  const socket = tls.connect({
    host,
    port: 9091,
    ALPNProtocols: ['h2'],
    checkServerIdentity: () => undefined,
    ...of,
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
    // With TLS 1.3 a server's refusal comes after the client's side is through.
    socket.once('data', () => resolve());
  });
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

test('records are replicated, a killed broker is replaced, and a new certificate restarts nobody', async () => {
  const own = await peers();
  const first = await shown(own);
  await assert.rejects(shown({ ca: own.ca }), /alert|ECONNRESET|closed/, 'who has none is refused');
  const load = await Load.start(kafkaAt([cluster.bootstrap]));
  const pids = [0, 1, 2].map(cluster.pid);
  await cluster.local.api.delete(secrets, 'default', 'my-cluster-peers');
  await cluster.local.api.patch(
    kafkaClusters,
    { namespace: 'default', name: 'my-cluster' },
    { metadata: { annotations: { 'example.com/look': 'now' } } },
  );
  await until('there is a new certificate', 20_000, async () => {
    const now = await peers().catch(() => null);
    return now !== null && now.cert !== '' && now.cert !== own.cert;
  });
  await until('it is shown', 30_000, async () => (await shown(await peers())) !== first);
  assert.deepEqual([0, 1, 2].map(cluster.pid), pids);
  process.kill(cluster.pid(1), 'SIGKILL');
  await until('it is back', 30_000, () => {
    try {
      return cluster.pid(1) !== pids[1];
    } catch {
      return false;
    }
  });
  const { acknowledged } = await load.end();
  assert.ok(acknowledged > 50);
});
