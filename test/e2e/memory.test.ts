/**
 * Clients that want a broker's memory, beside good ones: it stays within the limit of its pod, and the good
 * ones notice nothing. `TENURE_ATTACK_SECONDS=600` is the long form.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BrokerConnection } from '../../client/connection.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { buildBatch } from '../../proto/kafka/record-batch.ts';
import { ROOT } from '../../stdx/root.ts';
import { sleepMs, startTestCluster, type TestCluster, until } from '../support/local.ts';

const SECONDS = Number(process.env.TENURE_ATTACK_SECONDS ?? 20);
const CALM_SECONDS = 5;
const CONNECTIONS = 64;
const MIB = 1024 * 1024;
const LIMIT_BYTES = 1024 * MIB;
/** The long form is for a machine that has nothing else to do; elsewhere nobody is starved, but may be late. */
const P99_MS = process.env.TENURE_ATTACK_SECONDS === undefined ? 2_000 : 50;
const BATCH_BYTES = 512 * 1024;
const BATCHES = 160;

let cluster: TestCluster;
let host = '';
let attackers: ChildProcess | null = null;
before(async () => {
  cluster = await startTestCluster({ manifests: 'test/e2e/manifests/memory.yaml' });
  host = await cluster.address(0);
});
after(async () => {
  attackers?.kill('SIGKILL');
  await cluster?.[Symbol.asyncDispose]();
});

async function createTopic(name: string): Promise<void> {
  using connection = await BrokerConnection.open(host, 9092);
  const answer = await connection.send(apis.CreateTopics, 5, {
    topics: [{ name, numPartitions: 1, replicationFactor: 1 }],
    timeoutMs: 20_000,
  });
  assert.equal(answer.topics[0]?.errorCode, 0);
  await until('the topic has a leader', 20_000, async () => {
    const { topics } = await connection.send(apis.Metadata, 8, { topics: [{ name }] });
    return (topics[0]?.partitions[0]?.leaderId ?? -1) >= 0;
  });
}

async function produce(connection: BrokerConnection, topic: string, records: Buffer) {
  const { responses } = await connection.send(apis.Produce, 9, {
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: records as never }] }],
  });
  return responses[0]?.partitionResponses[0]?.errorCode ?? -1;
}

const recordsOf = (byteCount: number) =>
  buildBatch([{ key: null, value: Buffer.alloc(byteCount, 'x') }], { timestampMs: 0 });

/** What the process holds, now and at most. */
function resident(field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${cluster.pid(0)}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
}

const p99 = (times: readonly number[]) =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;

/** A producer and a consumer of small records for a while: how long each record takes to both. */
async function goodClients(topic: string, seconds: number) {
  using producer = await BrokerConnection.open(host, 9092);
  using consumer = await BrokerConnection.open(host, 9092);
  const small = recordsOf(1000);
  const sentAt: number[] = [];
  const times = { produce: [] as number[], consume: [] as number[] };
  const list = await consumer.send(apis.ListOffsets, 4, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1n as never }] }],
  });
  const first = Number(list.topics[0]?.partitions[0]?.offset);
  let next = first;
  let over = false;
  const consume = async () => {
    while (!over || next < first + sentAt.length) {
      const { responses } = await consumer.send(apis.Fetch, 11, {
        maxWaitMs: 200,
        minBytes: 1,
        maxBytes: 50 * MIB,
        topics: [
          { topic, partitions: [{ partition: 0, fetchOffset: next, partitionMaxBytes: MIB }] },
        ],
      });
      const partition = responses[0]?.partitions[0];
      assert.equal(partition?.errorCode, 0);
      const end = Number(partition?.highWatermark);
      const nowMs = performance.now();
      if ((partition?.records?.length ?? 0) > 0)
        for (; next < end; next++) times.consume.push(nowMs - (sentAt[next - first] as number));
    }
  };
  const consuming = consume();
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs) {
    const beginMs = performance.now();
    sentAt.push(beginMs);
    assert.equal(await produce(producer, topic, small), 0);
    times.produce.push(performance.now() - beginMs);
    await sleepMs(10);
  }
  over = true;
  await consuming;
  assert.equal(times.consume.length, sentAt.length);
  return { produce: p99(times.produce), consume: p99(times.consume), count: sentAt.length };
}

test('64 hostile connections cost memory within the limit, and good clients nothing', {
  timeout: (SECONDS + 120) * 1000,
}, async (t) => {
  await createTopic('good');
  await createTopic('large');
  using filler = await BrokerConnection.open(host, 9092);
  const batch = recordsOf(BATCH_BYTES);
  for (let i = 0; i < BATCHES; i++) assert.equal(await produce(filler, 'large', batch), 0);
  const calm = await goodClients('good', CALM_SECONDS);
  t.diagnostic(`calm: ${JSON.stringify(calm)}, ${Math.round(resident('VmRSS') / MIB)} MiB`);
  const pid = cluster.pid(0);
  const program = join(ROOT, 'test/support/memory-attackers.ts');
  // They are to take the broker's memory, not the processors of a machine that others use as well.
  attackers = spawn(process.execPath, [program, host, '9092', 'large', String(CONNECTIONS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  setPriority(attackers.pid as number, constants.priority.PRIORITY_LOW);
  let counts = '';
  attackers.stdout?.on('data', (bytes: Buffer) => {
    counts = bytes.toString();
  });
  await sleepMs(1000);
  const attacked = await goodClients('good', SECONDS);
  attackers.kill('SIGKILL');
  attackers = null;
  const most = resident('VmHWM');
  t.diagnostic(`attacked: ${JSON.stringify(attacked)}, at most ${Math.round(most / MIB)} MiB`);
  t.diagnostic(`attackers: ${counts.trim()}`);
  assert.equal(cluster.pid(0), pid, 'the process is the same');
  assert.ok(most < LIMIT_BYTES, `${most} bytes at most`);
  for (const what of ['produce', 'consume'] as const) {
    assert.ok(attacked[what] < P99_MS, `p99 of ${what}: ${attacked[what]} ms, ${calm[what]} calm`);
  }
  await until('what they held is given back', 20_000, async () => {
    const text = await (await fetch(`http://${host}:9404/metrics`)).text();
    const used = [...text.matchAll(/tenure_memory_budget_used_bytes\{class="(\w+)"\} (\d+)/g)];
    assert.equal(used.length, 7);
    return used.every(([, , bytes]) => Number(bytes) < MIB);
  });
});
