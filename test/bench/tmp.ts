/**
 * `npm run bench`: what a broker costs. Starts clusters of its own; prints a table. Compare columns of
 * one run only: absolute times of a shared machine mean little.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createTopic } from '/work/main/cli/topics.ts';
import { AdminClient, parseBootstrap } from '/work/main/client/admin.ts';
import { BrokerConnection } from '/work/main/client/connection.ts';
import { apis } from '/work/main/proto/kafka/messages/index.ts';
import { buildBatch } from '/work/main/proto/kafka/record-batch.ts';
import { sleepMs, startTestCluster, type TestCluster, until } from '/work/main/test/support/local.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '4' }, help: { type: 'boolean' } },
});
if (values.help) {
  process.stdout.write(
    'Usage: npm run bench -- [--seconds N]   how long each measurement runs (default 4)\n',
  );
  process.exit(0);
}
const SECONDS = Number(values.seconds);
const rows: string[][] = [];
const report = (what: string, ...cells: string[]) => {
  rows.push([what, ...cells]);
  process.stderr.write(`${what}: ${cells.join('  ')}\n`);
};

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
const residentMiB = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
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
const cpuOf = (pids: readonly number[]) => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);

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
  const before = cpuOf(pids);
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
  return { mbps: sent / 1e6 / seconds, cpuPerGb: (cpuOf(pids) - before) / (sent / 1e9) };
}

async function consume(cluster: TestCluster, topic: string, brokers: number) {
  const pids = pidsOf(cluster, brokers);
  const targets = await leaders(cluster, topic);
  let read = 0;
  const before = cpuOf(pids);
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
  return { mbps: read / 1e6 / seconds, cpuPerGb: (cpuOf(pids) - before) / (read / 1e9) };
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


const cluster = await startTestCluster();
using admin = new AdminClient(parseBootstrap(cluster.bootstrap));
const [rf,kb]=(process.env.WHAT??'1-16').split('-').map(Number);
await createTopic(admin, { name: 'b', partitions: 3, replicas: rf!, configs: [], ifNotExists: false });
console.log(await produce(cluster,'b',kb!*1024,3));
if (process.env.LAT) { const t=await latency(cluster,'b',1000); console.log([0.5,0.99].map(q=>quantile(t,q))); }
console.log(pidsOf(cluster,3).map(residentMiB));
await cluster[Symbol.asyncDispose](); process.exit(0);
