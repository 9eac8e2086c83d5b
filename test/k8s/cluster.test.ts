/** A cluster on a real Kubernetes with nodes: installed, used, restarted, drained, cut off, and nothing lost. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sleepMs, until } from '../support/wait.ts';
import {
  ask,
  brokerPods,
  cluster,
  control,
  helm,
  here,
  image,
  install,
  kubectl,
  NAME,
  NAMESPACE,
  ok,
  SYSTEM,
  settled,
  skip,
  startClient,
  steer,
  underLoad,
} from './rig.ts';

const manifest = JSON.stringify({
  apiVersion: 'kafka.tenure.dev/v1beta1',
  kind: 'KafkaCluster',
  metadata: { name: NAME, namespace: NAMESPACE },
  spec: {
    replicas: 3,
    config: {
      'default.replication.factor': 3,
      'min.insync.replicas': 2,
      'group.initial.rebalance.delay.ms': 0,
    },
    rack: { topologyKey: 'topology.kubernetes.io/zone' },
    listeners: [
      { name: 'internal', port: 9092, type: 'internal' },
      { name: 'outside', port: 9094, type: 'nodeport' },
      { name: 'tls', port: 9095, type: 'internal', tls: true },
    ],
    tls: { brokers: true },
    storage: { type: 'persistent-claim', size: '1Gi' },
  },
});
const felt: [string, string][] = [];
const feel = (what: string, { longestMs }: { longestMs: number }) =>
  felt.push([what, `${longestMs} ms`]);

/** The number of a node that runs a broker, and not the client. */
async function victim(): Promise<string> {
  const load = await ok(here('get', 'pod', 'load', '-o', 'jsonpath={.spec.nodeName}'));
  const [pod] = (await brokerPods()).filter(({ spec }) => spec.nodeName !== load.trim());
  return pod?.spec.nodeName?.replace(/\D/g, '') ?? '';
}

describe('on nodes', { skip }, () => {
  before(async () => {
    await install();
    await kubectl(['delete', 'namespace', NAMESPACE, '--wait=true', '--timeout=120s']);
    await ok(['create', 'namespace', NAMESPACE]);
    // As strict as Kubernetes can be about pods.
    const level = 'pod-security.kubernetes.io/enforce=restricted';
    for (const namespace of [SYSTEM, NAMESPACE])
      await ok(['label', '--overwrite', 'namespace', namespace, level]);
  });
  after(async () => {
    for (const [what, longest] of felt) console.log(`${what.padEnd(44)} longest wait ${longest}`);
    await kubectl(here('delete', 'kafkacluster', NAME, '--wait=false'));
  });

  test('helm test passes: the operator answers and leads', async () => {
    assert.match(await helm('test', 'tenure', '--namespace', SYSTEM), /Phase: +Succeeded/);
  });

  test('a cluster is ready within seconds of kubectl apply, on the nodes of three zones', async () => {
    const startedMs = performance.now();
    await ok(['apply', '-f', '-'], manifest);
    await ok(here('wait', '--for=condition=Ready', `kafkacluster/${NAME}`, '--timeout=120s'));
    felt.push([
      'from apply to Ready (not a wait of clients)',
      `${Math.round(performance.now() - startedMs)} ms`,
    ]);
    await settled();
    const nodes = (await brokerPods()).map(({ spec }) => spec.nodeName);
    assert.equal(new Set(nodes).size, 3);
    const racks = await ok(here('get', 'kafkabrokers', '-o', 'jsonpath={.items[*].spec.rack}'));
    assert.equal(new Set(racks.split(' ')).size, 3, racks);
  });

  test('volumes, a node port on every broker, and a client by DNS', async () => {
    const claims = await ok(here('get', 'pvc', '-o', 'jsonpath={.items[*].status.phase}'));
    assert.deepEqual(claims.split(' '), ['Bound', 'Bound', 'Bound']);
    await until('node addresses are known', 30_000, async () => {
      const outside = (await cluster()).status?.listeners?.find(({ name }) => name === 'outside');
      return outside?.brokers?.length === 3 && outside.brokers.every(({ port }) => port >= 30_000);
    });
    await ok([
      'label',
      '--overwrite',
      'namespace',
      NAMESPACE,
      'pod-security.kubernetes.io/enforce=privileged',
    ]);
    await startClient();
    const { acknowledged } = (await ask('start'), await sleepMs(1000), await ask('end'));
    assert.ok(acknowledged > 10);
  });

  test('a restart of all brokers costs no request', async () => {
    const before = new Set((await brokerPods()).map(({ metadata }) => metadata.uid));
    const startedMs = performance.now();
    let rolledMs = 0;
    feel(
      'restart of all brokers',
      await underLoad(async () => {
        await ok(
          here('annotate', '--overwrite', 'kafkacluster', NAME, 'kafka.tenure.dev/restart=one'),
        );
        await until('every pod is new', 180_000, async () => {
          const now = await brokerPods();
          return now.length === 3 && now.every(({ metadata }) => !before.has(metadata.uid));
        });
        await settled();
        rolledMs = performance.now() - startedMs;
      }),
    );
    felt.push(['the restart itself took', `${Math.round(rolledMs)} ms`]);
    assert.equal(
      (await cluster()).status?.lastRestarts?.filter(({ seconds }) => seconds !== undefined).length,
      3,
    );
  });

  test('kubectl drain waits for partitions and costs no request', async () => {
    const [pod] = (await brokerPods()).filter(
      ({ metadata }) => metadata.name === `${NAME}-broker-1`,
    );
    const node = pod?.spec.nodeName ?? '';
    feel(
      'drain of a node',
      await underLoad(async () => {
        await ok([
          'drain',
          node,
          '--ignore-daemonsets',
          '--delete-emptydir-data',
          '--force',
          '--timeout=120s',
          '--pod-selector',
          `kafka.tenure.dev/cluster=${NAME}`,
        ]);
        await ok(['uncordon', node]);
        await settled();
      }),
    );
  });

  test('a pod that is deleted without grace loses nothing', async () => {
    feel(
      'pod deleted with grace 0',
      await underLoad(async () => {
        await ok(here('delete', 'pod', `${NAME}-broker-0`, '--grace-period=0', '--force'));
        await sleepMs(1000);
        await settled();
      }),
    );
  });

  test('a volume that is lost heals by itself', async () => {
    feel(
      'volume and pod of a broker lost',
      await underLoad(async () => {
        await ok(here('delete', 'pvc', `data-${NAME}-broker-2`, '--wait=false'));
        await ok(here('delete', 'pod', `${NAME}-broker-2`, '--grace-period=0', '--force'));
        await sleepMs(2000);
        await settled();
      }),
    );
  });

  test('four brokers and three again, replicas moved, nothing lost', async () => {
    feel(
      'scaling to four and back',
      await underLoad(async () => {
        await ok(here('scale', 'kafkacluster', NAME, '--replicas=4'));
        await sleepMs(1000);
        await settled();
        const used = await ok(
          here('get', 'kafkabroker', `${NAME}-broker-3`, '-o', 'jsonpath={.status.replicas}'),
        );
        assert.ok(Number(used) >= 0);
        await ok(here('scale', 'kafkacluster', NAME, '--replicas=3'));
        await until('three are left', 120_000, async () => (await brokerPods()).length === 3);
        await settled();
      }),
    );
  });

  test('the operator is killed, and upgraded: brokers are left alone, a stand-by takes over', async () => {
    const uids = async () =>
      (await brokerPods())
        .map(({ metadata }) => metadata.uid)
        .sort((a = '', b = '') => a.localeCompare(b));
    const before = await uids();
    await install('--set', 'replicas=2');
    const holder = async () =>
      (
        await ok([
          '-n',
          SYSTEM,
          'get',
          'lease',
          'tenure-operator',
          '-o',
          'jsonpath={.spec.holderIdentity}',
        ])
      ).trim();
    await until('one leads', 60_000, async () => (await holder()) !== '');
    const first = await holder();
    await ok(['-n', SYSTEM, 'delete', 'pod', first, '--grace-period=0', '--force']);
    await until('another leads', 60_000, async () => ![first, ''].includes(await holder()));
    await install('--set', 'replicas=1,logLevel=debug');
    await helm('rollback', 'tenure', '--namespace', SYSTEM, '--wait', '--timeout=120s');
    await settled();
    assert.deepEqual(await uids(), before);
  });

  test('a node is cut off and comes back', {
    skip: control === null && 'TENURE_TEST_CONTROL is not set',
  }, async () => {
    const node = await victim();
    feel(
      'a node cut off for 20 s',
      await underLoad(async () => {
        await steer('cut', node);
        await sleepMs(20_000);
        await steer('heal', node);
        await settled(180_000);
        // A client whose leader is cut off waits until that one's session is over.
      }, 10),
    );
  });

  test('a node is stopped and comes back', {
    skip: control === null && 'TENURE_TEST_CONTROL is not set',
  }, async () => {
    const node = await victim();
    feel(
      'a node stopped for 10 s',
      await underLoad(async () => {
        await steer('stop', node);
        await sleepMs(10_000);
        await steer('start', node);
        await settled(240_000);
      }),
    );
  });

  test('the API server is killed and starts again: clients notice nothing', {
    skip: control === null && 'TENURE_TEST_CONTROL is not set',
  }, async () => {
    await ask('start');
    await steer('kill-api');
    await sleepMs(5_000);
    await until(
      'it answers again',
      60_000,
      async () => (await kubectl(['get', '--raw', '/readyz'])).code === 0,
    );
    await settled();
    const verdict = await ask('end');
    feel('API server killed', verdict);
    assert.ok(verdict.longestMs < 3_000, `${verdict.longestMs} ms`);
  });

  test('everything goes with the namespace, and nothing hangs', async () => {
    assert.ok(image !== null);
    await ok(['delete', 'namespace', NAMESPACE, '--wait=true', '--timeout=120s']);
  });
});
