/** Brokers that prove who they are: whose certificate it is must be who a message says, and who is dialled. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import {
  brokerUri,
  certificateFile,
  keyFile,
  type PeerTlsMode,
} from '../../kube/broker-identity.ts';
import { makeAuthority, signServer } from '../../operator/cluster/authority.ts';
import { freePort } from '../../test/support/local.ts';
import { grpcNetwork, type PeerNetwork } from './peer-network.ts';
import { PeerServer, type PeerServerDeps } from './peer-server.ts';

const CLUSTER = { namespace: 'default', cluster: 'my-cluster' };
const HOST = '127.0.0.1';
const LEADER = { id: 0, epoch: 1 };
const root = mkdtempSync(join(tmpdir(), 'tenure-peers-'));
const reached: string[] = [];
const networks = new Map<string, PeerNetwork>();
let server: PeerServer;
let port = 0;
const others: PeerServer[] = [];
const ports = new Map<PeerTlsMode, number>();

/** Somebody with a certificate, and how they reach others. */
async function enter(
  name: string,
  of: {
    id: number;
    cluster?: string;
    signer: Awaited<ReturnType<typeof makeAuthority>>;
    trusted: string;
    mode?: PeerTlsMode;
  },
): Promise<PeerNetwork> {
  const folder = mkdtempSync(join(root, `${name}-`));
  const now = new Date().toISOString();
  const until = new Date(Date.now() + 3_600_000);
  const names = [brokerUri({ ...CLUSTER, cluster: of.cluster ?? CLUSTER.cluster }, of.id)];
  const pair = await signServer(of.signer, { names, forClients: true, now, until });
  writeFileSync(join(folder, certificateFile(of.id)), pair.certificate);
  writeFileSync(join(folder, keyFile(of.id)), pair.key);
  writeFileSync(join(folder, 'ca.crt'), of.trusted);
  const network = grpcNetwork({ ...CLUSTER, folder, id: of.id, mode: of.mode ?? 'require' });
  networks.set(name, network);
  return network;
}

before(async () => {
  const now = new Date().toISOString();
  const until = new Date(Date.now() + 3_600_000);
  const peers = await makeAuthority('peers', now, until);
  const clients = await makeAuthority('clients', now, until);
  const own = { signer: peers, trusted: peers.certificate };
  const network = await enter('leader', { id: 0, ...own });
  await enter('follower', { id: 1, ...own });
  await enter('other cluster', { id: 1, cluster: 'other', ...own });
  await enter('client', { id: 1, signer: clients, trusted: peers.certificate });
  networks.set('plain', grpcNetwork(null));
  const note = (name: string) => async () => {
    reached.push(name);
    return { accepted: false, results: [] };
  };
  const control = {
    alterPartition: note('AlterPartition'),
    leave: note('Leave'),
    allocateProducerIds: note('AllocateProducerIds'),
    changePartitions: note('ChangePartitions'),
  };
  const serverOf = (network: PeerNetwork) =>
    new PeerServer({
      network,
      control,
      transactions: {
        writeMarkers: async () => {
          reached.push('WriteMarkers');
          return [];
        },
      },
      coordinatesTransactions: (id: number) => id === 2,
      shareState: {},
      reportReplicas: () => ({}),
      self: () => LEADER,
      clusterId: () => 'id',
      look() {},
      logger: { warn() {} },
    } as unknown as PeerServerDeps);
  server = serverOf(network);
  port = await freePort();
  await server.listen(HOST, port);
  for (const mode of ['accept', 'dial', 'require'] as const) {
    const one = serverOf(await enter(mode, { id: 0, mode, ...own }));
    ports.set(mode, await freePort());
    await one.listen(HOST, ports.get(mode) as number);
    others.push(one);
    await enter(`follower that would ${mode}`, { id: 1, mode, ...own });
  }
});
after(async () => {
  for (const one of others) await one[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

/** What comes of a call: its status, and whether anybody behind the entrance heard of it. */
function call(
  who: string,
  method: string,
  request: object,
  dialled = 0,
  at = port,
): Promise<string> {
  const network = networks.get(who) as PeerNetwork;
  const services = [network.control, network.transactions] as unknown as ((
    address: string,
    id: number,
  ) => grpc.Client & Record<string, unknown>)[];
  reached.length = 0;
  const peer = services
    .map((connect) => connect(`${HOST}:${at}`, dialled))
    .find((one) => typeof one[method] === 'function') as grpc.Client & Record<string, any>;
  return new Promise((resolve) => {
    peer[method](request, { deadline: Date.now() + 5_000 }, (error: grpc.ServiceError | null) => {
      peer.close();
      resolve(
        error === null || reached.length > 0
          ? reached.join(',')
          : (grpc.status[error.code] as string),
      );
    });
  });
}

function follow(who: string, follower: number): Promise<string> {
  const peer = (networks.get(who) as PeerNetwork).replication(`${HOST}:${port}`, 0);
  return new Promise((resolve) => {
    const stream = peer.Follow();
    stream.on('error', () => {});
    stream.on('status', ({ code }: grpc.StatusObject) => {
      peer.close();
      resolve(grpc.status[code] as string);
    });
    const hello = { clusterId: 'id', follower: { id: follower, epoch: 1 }, leader: LEADER };
    stream.write({ hello });
  });
}

const member = (id: number) => ({ id, epoch: 1 });
const withdraw = (id: number) => ({
  topicId: 't',
  partition: 0,
  kind: 'withdraw',
  member: member(id),
});
const claims: readonly [string, (id: number) => object][] = [
  ['Leave', (id) => ({ broker: member(id) })],
  ['AllocateProducerIds', (id) => ({ broker: member(id) })],
  ['AlterPartition', (id) => ({ leader: member(id), changes: [] })],
  ['ChangePartitions', (id) => ({ wishes: [withdraw(id)] })],
];

for (const [method, request] of claims) {
  test(`${method}: a broker speaks for itself alone`, async () => {
    assert.equal(await call('follower', method, request(1)), method);
    assert.equal(await call('follower', method, request(2)), 'PERMISSION_DENIED');
  });

  test(`${method}: strangers are not heard`, async () => {
    assert.equal(await call('other cluster', method, request(1)), 'PERMISSION_DENIED');
    assert.equal(await call('client', method, request(1)), 'UNAVAILABLE');
    assert.equal(await call('plain', method, request(1)), 'UNAVAILABLE');
  });
}

test('a broker withdraws no replica of another one beside its own', async () => {
  const wishes = [withdraw(1), withdraw(2)];
  assert.equal(await call('follower', 'ChangePartitions', { wishes }), 'PERMISSION_DENIED');
  const elect = { topicId: 't', partition: 0, kind: 'elect' };
  assert.equal(await call('follower', 'ChangePartitions', { wishes: [elect] }), 'ChangePartitions');
});

test('markers are written by who coordinates transactions alone', async () => {
  assert.equal(await call('follower', 'WriteMarkers', { markers: [] }), 'PERMISSION_DENIED');
});

test('nobody follows in the name of another one', async () => {
  assert.equal(await follow('follower', 2), 'PERMISSION_DENIED');
  assert.equal(await follow('other cluster', 1), 'PERMISSION_DENIED');
});

test('who is reached must be who was dialled', async () => {
  assert.equal(await call('follower', 'Leave', { broker: member(1) }, 2), 'UNAVAILABLE');
  assert.equal(await call('follower', 'Leave', { broker: member(1) }, 0), 'Leave');
});

const steps = ['none', 'accept', 'dial', 'require'] as const;
test('brokers one step apart understand each other, and who demands TLS hears nobody without', async () => {
  for (const [i, mode] of steps.entries())
    for (const [j, other] of steps.entries()) {
      if (mode === 'none') continue;
      const who = other === 'none' ? 'plain' : `follower that would ${other}`;
      const answer = await call(who, 'Leave', { broker: member(1) }, 0, ports.get(mode));
      const isHeard = mode !== 'require' || other === 'dial' || other === 'require';
      assert.equal(answer, isHeard ? 'Leave' : 'UNAVAILABLE', `${other} calls ${mode}`);
      if (Math.abs(i - j) <= 1) assert.equal(answer, 'Leave');
    }
});

test('who proves who they are is held to it on the way there too', async () => {
  for (const mode of ['accept', 'dial'] as const) {
    const at = ports.get(mode);
    const claim = { broker: member(2) };
    assert.equal(await call('follower', 'Leave', claim, 0, at), 'PERMISSION_DENIED');
    assert.equal(await call('other cluster', 'Leave', claim, 0, at), 'PERMISSION_DENIED');
    assert.equal(await call('client', 'Leave', claim, 0, at), 'UNAVAILABLE');
  }
});

test('what is neither, and who says nothing, does not disturb the others', async () => {
  const at = ports.get('require') as number;
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.from([0x16, 3]),
  ]) {
    const socket = net.connect(at, HOST);
    socket.on('error', () => {});
    socket.end(bytes);
    await new Promise((done) => socket.once('close', done));
  }
  assert.equal(await call('follower', 'Leave', { broker: member(1) }, 0, at), 'Leave');
});
