/**
 * npm run failover: how long partitions are without a leader, and what producers notice, when real
 * processes die, are restarted or lose the Kubernetes API. Prints a table.
 */
import { parseArgs } from 'node:util';
import kafkajs, { type Kafka } from 'kafkajs';
import { AdminClient, parseBootstrap } from '../../client/admin.ts';
import { sleepMs, startTestCluster, type TestCluster, until } from '../support/local.ts';

const HELP = `Measures failover on three brokers, one of which leads many partitions.

  npm run failover -- [--partitions N] [--rounds N] [--outage-seconds N]

  --partitions      led by one broker (default 1000), three replicas each
  --rounds          how often it is killed (default 5)
  --outage-seconds  how long the Kubernetes API is away (default 30; the goal is stated for 300)
`;
const { values } = parseArgs({
  options: {
    partitions: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' },
    'outage-seconds': { type: 'string', default: '30' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const PARTITIONS = Number(values.partitions);
const ROUNDS = Number(values.rounds);
const TOPIC = 'many';
const PRODUCERS = 4;
const LOOK_MS = 5;
const WHOLE_TIMEOUT_MS = 120_000;

const rows: string[][] = [];
const report = (what: string, ...cells: string[]) => {
  rows.push([what, ...cells]);
  console.error(`${what}: ${cells.join('  ')}`);
};
const quantile = (sorted: readonly number[], q: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
const ms = (value: number) => `${Math.round(value)} ms`;

async function leadersOf(address: string): Promise<{ leader: number; isr: number }[]> {
  using admin = new AdminClient(parseBootstrap(`${address}:9092`));
  const [found] = await admin.topics([TOPIC]);
  return (found?.partitions ?? [])
    .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
    .map(({ isrNodes, leaderId }) => ({ leader: leaderId, isr: isrNodes.length }));
}

async function whole(cluster: TestCluster): Promise<void> {
  await until('every partition is whole', WHOLE_TIMEOUT_MS, async () => {
    try {
      const partitions = await leadersOf(await cluster.address(0));
      return (
        partitions.length === PARTITIONS &&
        partitions.every(({ isr, leader }) => leader >= 0 && isr === 3)
      );
    } catch {
      return false;
    }
  });
}

/** Sends one record after the other, to ever other partitions, and counts what the client gives up. */
class Load {
  private readonly running: Promise<void>[];
  private isOver = false;
  private waits: number[] = [];
  failed = 0;

  constructor(kafka: Kafka) {
    this.running = Array.from({ length: PRODUCERS }, (_, id) => this.run(kafka, id));
  }

  private async run(kafka: Kafka, id: number): Promise<void> {
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    for (let i = 0; !this.isOver; i++) {
      const partition = (i * PRODUCERS + id) % PARTITIONS;
      const startedMs = performance.now();
      try {
        await producer.send({
          topic: TOPIC,
          acks: -1,
          messages: [{ value: `${id}:${i}`, partition }],
        });
      } catch {
        this.failed++;
      }
      this.waits.push(performance.now() - startedMs);
      await sleepMs(2);
    }
    await producer.disconnect();
  }

  take(): { count: number; p99: number; max: number; failed: number } {
    const sorted = this.waits.toSorted((a, b) => a - b);
    this.waits = [];
    const { failed } = this;
    this.failed = 0;
    return { count: sorted.length, p99: quantile(sorted, 0.99), max: sorted.at(-1) ?? 0, failed };
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.running);
  }
}

const said = ({ count, failed, max, p99 }: ReturnType<Load['take']>) =>
  `${count} requests, ${failed} failed, p99 ${ms(p99)}, worst ${ms(max)}`;

/** Kills the broker; returns after how long each of its partitions had a leader again. */
async function kill(cluster: TestCluster, victim: number): Promise<number[]> {
  const witness = await cluster.address((victim + 1) % 3);
  using admin = new AdminClient(parseBootstrap(`${witness}:9092`));
  const led = (await leadersOf(witness)).map(({ leader }) => leader === victim);
  const after = new Map<number, number>();
  const expected = led.filter(Boolean).length;
  const killedMs = performance.now();
  process.kill(cluster.pid(victim), 'SIGKILL');
  while (after.size < expected && performance.now() - killedMs < 60_000) {
    const [found] = await admin.topics([TOPIC]);
    const nowMs = performance.now() - killedMs;
    for (const { leaderId, partitionIndex } of found?.partitions ?? [])
      if (led[partitionIndex] && leaderId >= 0 && leaderId !== victim && !after.has(partitionIndex))
        after.set(partitionIndex, nowMs);
    await sleepMs(LOOK_MS);
  }
  return [...after.values()];
}

await using cluster = await startTestCluster();
const kafka = new kafkajs.Kafka({
  brokers: [cluster.bootstrap],
  logLevel: kafkajs.logLevel.NOTHING,
  retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 300 },
});
const admin = kafka.admin();
await admin.connect();
const createdMs = performance.now();
await admin.createTopics({
  timeout: 60_000,
  topics: [
    {
      topic: TOPIC,
      replicaAssignment: Array.from({ length: PARTITIONS }, (_, partition) => ({
        partition,
        replicas: [1, 2, 0],
      })),
      configEntries: [{ name: 'min.insync.replicas', value: '2' }],
    },
  ],
});
await whole(cluster);
report(`a topic of ${PARTITIONS} partitions is whole`, ms(performance.now() - createdMs));

const load = new Load(kafka);
await sleepMs(5_000);
load.take();
await sleepMs(3_000);
report('nothing happens', said(load.take()));

for (const isController of [false, true]) {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [first] = await leadersOf(await cluster.address(0));
    const leader = first?.leader ?? 1;
    const controller = await cluster.controllerId();
    if (isController !== (leader === controller)) {
      // The controller moves on when it is stopped in good order.
      process.kill(cluster.pid(controller), 'SIGTERM');
      await sleepMs(3_000);
      await whole(cluster);
      await sleepMs(1_000);
    }
    const [now] = await leadersOf(await cluster.address(0));
    const victim = now?.leader ?? leader;
    if (isController !== (victim === (await cluster.controllerId()))) continue;
    load.take();
    times.push(...(await kill(cluster, victim)));
    await whole(cluster);
    await sleepMs(2_000);
  }
  const sorted = times.toSorted((a, b) => a - b);
  report(
    `kill -9 of a broker that leads ${PARTITIONS}${isController ? ', and is the controller' : ''}`,
    `${sorted.length} leaderships: p50 ${ms(quantile(sorted, 0.5))}, p99 ${ms(quantile(sorted, 0.99))}, worst ${ms(sorted.at(-1) ?? 0)}`,
    `producers: ${said(load.take())}`,
  );
}

{
  const [first] = await leadersOf(await cluster.address(0));
  const victim = first?.leader ?? 1;
  load.take();
  process.kill(cluster.pid(victim), 'SIGTERM');
  await sleepMs(3_000);
  await whole(cluster);
  await sleepMs(1_000);
  report('planned restart of that broker', said(load.take()));
}
{
  const { hostname, port } = new URL(cluster.local.apiUrl);
  load.take();
  await cluster.local.server[Symbol.asyncDispose]();
  await sleepMs(Number(values['outage-seconds']) * 1000);
  await cluster.local.server.listen(hostname, Number(port));
  await sleepMs(2_000);
  report(`no Kubernetes API for ${values['outage-seconds']} s`, said(load.take()));
}
await load.stop();
await admin.disconnect();
const width = Math.max(...rows.map(([what]) => what?.length ?? 0));
console.log(rows.map(([what, ...cells]) => [what?.padEnd(width), ...cells].join('  ')).join('\n'));
