/**
 * npm run bench:operator: how fast a cluster and topics come to be, how long a roll takes and what its
 * clients feel, and what the operator costs with many clusters and with nothing to do.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { conditionOf } from '../../kube/conditions.ts';
import {
  annotations,
  type KafkaTopic,
  kafkaBrokers,
  kafkaClusters,
  kafkaPartitionMaps,
  kafkaTopics,
} from '../../kube/kafka-objects.ts';
import { type KubeObject, pods } from '../../kube/objects.ts';
import { bundle } from '../../local/bundle.ts';
import { ROOT } from '../../stdx/root.ts';
import { FaultyApi } from '../support/faulty-api.ts';
import { kafkaAt, Load } from '../support/load.ts';
import { startTestCluster, type TestCluster, until } from '../support/local.ts';
import { OperatorStage, TOKEN } from '../support/operator-stage.ts';
import { sleepMs } from '../support/wait.ts';
import { residentMiB } from './process-cost.ts';

const HELP = `Measures the operator, on the embedded API or, with TENURE_TEST_KUBECONFIG, on a real one.

  npm run bench:operator -- [--topics N] [--many N] [--clusters N]

  --topics    applied one after the other (default 100)
  --many      applied at once (default 1000)
  --clusters  that one operator looks after (default 100)
`;
const { values } = parseArgs({
  options: {
    topics: { type: 'string', default: '100' },
    many: { type: 'string', default: '1000' },
    clusters: { type: 'string', default: '100' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const rows: [string, string, string][] = [];
function report(what: string, value: string, goal: string): void {
  rows.push([what, value, goal]);
  process.stderr.write(`${what}: ${value}\n`);
}
const ms = (value: number) => `${Math.round(value)} ms`;
const NAMESPACE = 'default';

const topicObject = (name: string): KafkaTopic => ({
  apiVersion: 'kafka.tenure.dev/v1beta1',
  kind: 'KafkaTopic',
  metadata: { name, namespace: NAMESPACE },
  spec: { clusterRef: { name: 'my-cluster' }, partitions: 1, replicas: 3 },
});

async function topicTimes(cluster: TestCluster): Promise<void> {
  const kafka = kafkaAt([cluster.bootstrap]);
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const times: number[] = [];
  for (let i = 0; i < Number(values.topics); i++) {
    const name = `single-${i}`;
    const startedMs = performance.now();
    await cluster.local.api.create(kafkaTopics, topicObject(name));
    // Usable: a record of it is acknowledged by all replicas.
    await producer.send({ topic: name, acks: -1, messages: [{ value: 'x' }] });
    times.push(performance.now() - startedMs);
  }
  await producer.disconnect();
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor((times.length - 1) * share)] ?? 0;
  report('a topic: apply until its first acknowledged record, p50', ms(at(0.5)), '');
  report('the same, p99', ms(at(0.99)), '< 300 ms');
}

async function manyTopics(cluster: TestCluster): Promise<void> {
  const count = Number(values.many);
  const { api } = cluster.local;
  const startedMs = performance.now();
  const left = Array.from({ length: count }, (_, i) => `many-${i}`);
  const worker = async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop())
      await api.create(kafkaTopics, topicObject(name));
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  const appliedMs = performance.now() - startedMs;
  await until(`${count} topics are ready`, 120_000, async () => {
    // Listing them all costs the API as much as hundreds of writes: not more often than need be.
    await sleepMs(count / 10);
    const { items } = await api.list(kafkaTopics, { namespace: NAMESPACE });
    return (
      items.filter(
        ({ metadata, status }) =>
          metadata.name.startsWith('many-') &&
          conditionOf(status?.conditions, 'Ready')?.status === 'True',
      ).length === count
    );
  });
  report(`${count} topics: applied`, ms(appliedMs), '');
  const goal = count === 1000 ? '< 15 s' : '';
  report(`${count} topics: all ready`, ms(performance.now() - startedMs), goal);
  await atRest(cluster, count);
}

/** What is written, besides Leases, while nobody asks for anything. */
async function atRest(cluster: TestCluster, count: number): Promise<void> {
  const { api } = cluster.local;
  const versions = async () => {
    const lists = [kafkaTopics, kafkaPartitionMaps, kafkaBrokers, kafkaClusters].map((resource) =>
      api.list<KubeObject>(resource as never, { namespace: NAMESPACE }),
    );
    const objects = (await Promise.all(lists)).flatMap(({ items }) => items);
    return new Map(objects.map(({ metadata }) => [metadata.uid, metadata.resourceVersion]));
  };
  // Statuses follow within ten seconds.
  await sleepMs(12_000);
  const before = await versions();
  await sleepMs(10_000);
  const after = await versions();
  const changed = [...after].filter(([uid, version]) => before.get(uid) !== version).length;
  report(`objects changed in 10 s at rest, with ${count} topics`, String(changed), '0');
}

async function roll(cluster: TestCluster): Promise<void> {
  const { api } = cluster.local;
  const load = await Load.start(kafkaAt([cluster.bootstrap]));
  const uids = async () =>
    (await api.list(pods, { namespace: NAMESPACE })).items.map(({ metadata }) => metadata.uid);
  const before = await uids();
  const startedMs = performance.now();
  await api.patch(
    kafkaClusters,
    { namespace: NAMESPACE, name: 'my-cluster' },
    { metadata: { annotations: { [annotations.restart]: 'bench' } } },
  );
  await until('three new brokers', 120_000, async () => {
    const now = await uids();
    const status = (await api.get(kafkaClusters, NAMESPACE, 'my-cluster'))?.status;
    const of = (type: string) => conditionOf(status?.conditions, type)?.status;
    return (
      now.length === 3 &&
      now.every((uid) => !before.includes(uid)) &&
      of('Ready') === 'True' &&
      of('Degraded') === 'False'
    );
  });
  const elapsedMs = performance.now() - startedMs;
  const { acknowledged, longestMs } = await load.end();
  report('roll of 3 brokers under load', ms(elapsedMs), '< 30 s');
  report(
    'its clients: failed requests, longest wait',
    `0 of ${acknowledged}, ${longestMs} ms`,
    '0',
  );
}

/** The operator as its image runs it, against an API that holds so many clusters already. */
async function resident(url: string): Promise<number> {
  const file = await bundle(
    'operator/main.ts',
    join(ROOT, 'node_modules/.cache/tenure/operator.cjs'),
  );
  const account = mkdtempSync(join(tmpdir(), 'tenure-account-'));
  writeFileSync(join(account, 'token'), TOKEN);
  const child = spawn(process.execPath, [file], {
    env: {
      PATH: process.env.PATH,
      KUBERNETES_SERVER: url,
      TENURE_SERVICE_ACCOUNT_DIR: account,
      TENURE_BROKER_IMAGE: 'tenure:1',
      // As in the chart.
      NODE_OPTIONS: '--max-semi-space-size=2',
      TENURE_ADMIN_PORT: '0',
      TENURE_BIND_HOST: '127.0.0.1',
    },
    stdio: 'ignore',
  });
  await sleepMs(8_000);
  const mib = residentMiB([child.pid ?? 0]);
  child.kill();
  rmSync(account, { recursive: true });
  return mib;
}

async function clusters(): Promise<void> {
  const count = Number(values.clusters);
  await using stage = await OperatorStage.open();
  for (let i = 0; i < count; i++) await stage.createCluster(`c${i}`, { replicas: 3 });
  const api = new FaultyApi(stage.api);
  await using operator = stage.operator(api);
  const startedMs = performance.now();
  await operator.start();
  await until('every cluster is ready', 300_000, async () => {
    await sleepMs(200);
    const { items } = await stage.api.list(kafkaClusters, {});
    return items.every(({ status }) => conditionOf(status?.conditions, 'Ready')?.status === 'True');
  });
  report(`${count} clusters made by one operator`, ms(performance.now() - startedMs), '');
  await sleepMs(1_000);
  const writes = api.writes.length;
  await sleepMs(10_000);
  report(
    'writes of the operator in 10 s with nothing to do',
    String(api.writes.length - writes),
    '0',
  );
  const mib = await resident(stage.url);
  report(`operator resident with ${count} clusters`, `${mib.toFixed(0)} MiB`, '< 120 MiB');
}

const startedMs = performance.now();
{
  await using cluster = await startTestCluster();
  report(
    'from nothing to a ready cluster of 3 and its topic',
    ms(performance.now() - startedMs),
    '< 10 s',
  );
  await topicTimes(cluster);
  await roll(cluster);
  await manyTopics(cluster);
}
await clusters();
const width = Math.max(...rows.map(([what]) => what.length));
for (const [what, value, goal] of rows)
  console.log(
    `${what.padEnd(width)}  ${value.padEnd(24)} ${goal === '' ? '' : `goal ${goal}`}`.trimEnd(),
  );
process.exit(0);
