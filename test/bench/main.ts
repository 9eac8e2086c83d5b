/**
 * `npm run bench`: what a broker costs. Starts clusters of its own; prints a table. Compare columns of
 * one run only: absolute times of a shared machine mean little.
 */
import { parseArgs } from 'node:util';
import { createTopic } from '../../cli/topics.ts';
import { AdminClient, parseBootstrap } from '../../client/admin.ts';
import { BrokerConnection } from '../../client/connection.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { buildBatch } from '../../proto/kafka/record-batch.ts';
import { sleepMs, startTestCluster, type TestCluster, until } from '../support/local.ts';
import { growthBench } from './against/growth.ts';
import { against } from './against/main.ts';
import { cpuSeconds, residentMiB } from './process-cost.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    against: { type: 'string' },
    rounds: { type: 'string', default: '2' },
    only: { type: 'string' },
    write: { type: 'boolean', default: false },
    growth: { type: 'boolean', default: false },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  process.stdout.write(
    `What a broker costs, in figures that can be compared within one run.

  npm run bench -- [--seconds N]
  npm run bench -- --against kafka [--rounds N] [--seconds N] [--only alone|replicated] [--write]
  npm run bench -- --growth [--write]

  --seconds  how long each load runs (default 4)
  --against  the same loads, by librdkafka, against Apache Kafka too, in turns (Java, Maven, confluent-kafka)
  --rounds   how often each system has its turn (default 2)
  --only     one broker without replication, or three with it
  --growth   what a request costs as partitions, connections, groups and the log grow (needs 25 GB of disk)
  --write    the table goes into docs/benchmarks.md, the figures into test/bench/results
`,
  );
  process.exit(0);
}
const SECONDS = Number(values.seconds);
const rows: string[][] = [];
const report = (what: string, ...cells: string[]) => {
  rows.push([what, ...cells]);
  process.stderr.write(`${what}: ${cells.join('  ')}\n`);
};

const quantile = (sorted: readonly number[], q: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;

async function leaders(cluster: TestCluster, topic: string) {
  using admin = new AdminClient(parseBootstrap(cluster.bootstrap));
  const [found] = await admin.topics([topic]);
  const { brokers } = await admin.cluster();
  return (found?.partitions ?? []).map(({ partitionIndex, leaderId }) => {
    const broker = brokers.find(({ brokerId }) => brokerId === leaderId);
    if (broker === undefined) throw new Error(`partition ${partitionIndex} has no leader`);
    return { partition: partitionIndex, host: broker.host, port: broker.port };
  });
}

function batchOf(byteCount: number): Buffer {
  const value = Buffer.alloc(1024, 'x');
  return buildBatch(
    Array.from({ length: Math.floor(byteCount / 1050) || 1 }, () => ({
      key: null,
      value: byteCount < 1024 ? value.subarray(0, byteCount) : value,
    })),
    { timestampMs: 1 },
  );
}

const pidsOf = (cluster: TestCluster, brokers: number) =>
  Array.from({ length: brokers }, (_, id) => cluster.pid(id));

/** Pipelined produce requests to every partition's leader; returns bytes per second and CPU per GB. */
async function produce(cluster: TestCluster, topic: string, batchBytes: number, brokers: number) {
  const records = batchOf(batchBytes);
  const pids = pidsOf(cluster, brokers);
  const targets = await leaders(cluster, topic);
  const connections = await Promise.all(
    targets.map(({ host, port }) => BrokerConnection.open(host, port)),
  );
  const body = (partition: number) => ({
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
  });
  let sent = 0;
  const before = cpuSeconds(pids);
  const startedMs = performance.now();
  const end = startedMs + SECONDS * 1000;
  await Promise.all(
    targets.flatMap(({ partition }, i) =>
      Array.from({ length: 8 }, async () => {
        while (performance.now() < end) {
          const answer = await (connections[i] as BrokerConnection).send(
            apis.Produce,
            9,
            body(partition),
          );
          const code = answer.responses[0]?.partitionResponses[0]?.errorCode;
          if (code !== 0) throw new Error(`produce failed with ${code}`);
          sent += records.length;
        }
      }),
    ),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  for (const connection of connections) connection[Symbol.dispose]();
  return { mbps: sent / 1e6 / seconds, cpuPerGb: (cpuSeconds(pids) - before) / (sent / 1e9) };
}

async function consume(cluster: TestCluster, topic: string, brokers: number) {
  const pids = pidsOf(cluster, brokers);
  const targets = await leaders(cluster, topic);
  let read = 0;
  const before = cpuSeconds(pids);
  const startedMs = performance.now();
  const end = startedMs + SECONDS * 1000;
  await Promise.all(
    targets.map(async ({ partition, host, port }) => {
      using connection = await BrokerConnection.open(host, port);
      let offset = 0;
      while (performance.now() < end) {
        const body = {
          maxWaitMs: 0,
          minBytes: 1,
          maxBytes: 50_000_000,
          topics: [
            {
              topic,
              partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: 1_048_576 }],
            },
          ],
        };
        const answer = await connection.send(apis.Fetch, 11, body);
        const records = answer.responses[0]?.partitions[0]?.records as Buffer;
        read += records.length;
        offset = records.length === 0 ? 0 : offset + Math.floor(records.length / 1050);
      }
    }),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  return { mbps: read / 1e6 / seconds, cpuPerGb: (cpuSeconds(pids) - before) / (read / 1e9) };
}

/** One record a request at a fixed rate; a late answer counts from when it was due (no coordinated omission). */
async function latency(cluster: TestCluster, topic: string, perSecond: number) {
  const targets = await leaders(cluster, topic);
  const connections = await Promise.all(
    targets.map(({ host, port }) => BrokerConnection.open(host, port)),
  );
  const records = batchOf(100);
  const took: number[] = [];
  const startedMs = performance.now();
  const total = perSecond * SECONDS;
  const all: Promise<void>[] = [];
  for (let i = 0; i < total; ) {
    const dueCount = Math.min(
      total,
      Math.floor(((performance.now() - startedMs) / 1000) * perSecond),
    );
    for (; i < dueCount; i++) {
      const dueMs = startedMs + (i / perSecond) * 1000;
      const { partition } = targets[i % targets.length] as (typeof targets)[number];
      const body = {
        acks: -1,
        timeoutMs: 30_000,
        topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
      };
      all.push(
        (connections[i % targets.length] as BrokerConnection)
          .send(apis.Produce, 9, body)
          .then(() => void took.push(performance.now() - dueMs)),
      );
    }
    await sleepMs(1);
  }
  await Promise.all(all);
  for (const connection of connections) connection[Symbol.dispose]();
  return took.sort((a, b) => a - b);
}

async function main(): Promise<void> {
  const startedMs = performance.now();
  await using cluster = await startTestCluster();
  report(
    'start: API, operator, 3 brokers, topic ready',
    `${((performance.now() - startedMs) / 1000).toFixed(2)} s`,
  );
  const up = [...cluster.brokerLog(0).matchAll(/broker is up .*elapsedMs=(\d+)/g)].at(-1)?.[1];
  report('broker: ports made to serving clients', `${up} ms`);
  await sleepMs(3000);
  const pids = pidsOf(cluster, 3);
  const idleBefore = cpuSeconds(pids);
  await sleepMs(5000);
  report(
    'idle broker',
    `${Math.round(residentMiB(pids.slice(0, 1)))} MiB resident`,
    `${(((cpuSeconds(pids) - idleBefore) / 5 / 3) * 100).toFixed(2)} % of a core`,
  );

  using admin = new AdminClient(parseBootstrap(cluster.bootstrap));
  for (const replicas of [1, 3]) {
    for (const size of [16, 128]) {
      const topic = `bench-${replicas}-${size}`;
      await createTopic(admin, {
        name: topic,
        partitions: 3,
        replicas,
        configs: [],
        ifNotExists: false,
      }).catch((cause: unknown) => {
        throw cause;
      });
      const { mbps, cpuPerGb } = await produce(cluster, topic, size * 1024, 3);
      report(
        `produce acks=all, RF=${replicas}, ${size} KiB batches`,
        `${mbps.toFixed(0)} MB/s`,
        `${cpuPerGb.toFixed(2)} broker CPU-s/GB`,
      );
    }
  }
  const read = await consume(cluster, 'bench-1-128', 3);
  report(
    'consume from the beginning, RF=1',
    `${read.mbps.toFixed(0)} MB/s`,
    `${read.cpuPerGb.toFixed(2)} broker CPU-s/GB`,
  );
  for (const rate of [1000]) {
    const took = await latency(cluster, 'bench-3-16', rate);
    const shown = [0.5, 0.99, 0.999].map((q) => `p${q * 100} ${quantile(took, q).toFixed(1)} ms`);
    report(`acks=all latency, RF=3, ${rate} single-record requests/s`, ...shown);
  }
  report('after the load', `${Math.round(residentMiB(pids.slice(0, 1)))} MiB resident`);

  const victim = ((await cluster.controllerId()) + 1) % 3;
  const killedMs = performance.now();
  process.kill(cluster.pid(victim), 'SIGKILL');
  using other = new AdminClient(parseBootstrap(`${await cluster.address((victim + 1) % 3)}:9092`));
  await until('leaders moved', 20_000, async () =>
    (await other.topics(null)).every(({ partitions }) =>
      partitions.every(
        ({ leaderId, replicaNodes }) =>
          leaderId >= 0 && (leaderId !== victim || replicaNodes.length === 1),
      ),
    ),
  );
  report(
    'kill -9 of a broker: every replicated partition has a new leader',
    `${Math.round(performance.now() - killedMs)} ms`,
  );

  const width = Math.max(...rows.map(([what]) => what?.length ?? 0));
  process.stdout.write(
    `\n${rows.map(([what = '', ...cells]) => `${what.padEnd(width)}  ${cells.join('  ')}`).join('\n')}\n`,
  );
}

if (values.growth) await growthBench(values.write);
else if (values.against === undefined) await main();
else {
  if (values.against !== 'kafka') throw new Error('--against must be kafka');
  if (values.only !== undefined && values.only !== 'alone' && values.only !== 'replicated')
    throw new Error('--only must be alone or replicated');
  await against({
    rounds: Number(values.rounds),
    seconds: SECONDS,
    only: values.only ?? null,
    write: values.write,
  });
}
process.exit(0);
