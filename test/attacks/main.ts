/**
 * npm run attacks: three real brokers, somebody who means well, and somebody who does not. Tells for each kind of
 * attack how long the one waited because of the other, what memory the brokers took, and whether one ended.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { startTestCluster, until } from '../support/local.ts';
import { namesOf, numberOf, readOptions } from '../support/options.ts';
import { sleepMs } from '../support/wait.ts';
import type { Waited } from './good-client.ts';
import { attacks, type Target } from './kinds.ts';

const KINDS = Object.keys(attacks) as (keyof typeof attacks)[];
const HELP = `Runs three brokers with a good producer and consumer, and attacks them.

  npm run attacks -- [--only names,unread,…] [--seconds N] [--stall-ms N] [--rss-mib N]

  --only      only these: ${KINDS.join(', ')}
  --seconds   how long each attack goes on (default 10)
  --stall-ms  fails where a good client waits longer than that because of one (default: is only told)
  --rss-mib   fails where a broker takes more memory than that (default: is only told)
Fails where a broker ends, or a good client sees an error.
`;
const values = readOptions(
  {
    only: { type: 'string' },
    seconds: { type: 'string', default: '10' },
    'stall-ms': { type: 'string', default: '0' },
    'rss-mib': { type: 'string', default: '0' },
  },
  HELP,
);
const seconds = numberOf('seconds', values.seconds, { min: 1 });
const stallMs = numberOf('stall-ms', values['stall-ms'], { min: 0 });
const rssMib = numberOf('rss-mib', values['rss-mib'], { min: 0 });
const kinds = values.only === undefined ? KINDS : namesOf('only', KINDS, values.only);

const BROKERS = [0, 1, 2];
const GOOD = 'good';
const TARGETS = { fat: 'fat', compacted: 'compacted', plain: 'plain' };
const FAT_BATCHES = 60;
const FAT_BYTES = 900_000;
const QUIET_MS = 5_000;
const HEAL_MS = 60_000;
const SAMPLE_MS = 250;

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const faults: string[] = [];
await using cluster = await startTestCluster();
const kafka = new kafkajs.Kafka({
  brokers: [cluster.bootstrap],
  logLevel: kafkajs.logLevel.NOTHING,
  retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 50 },
});
const admin = kafka.admin();
await admin.connect();
const config = { 'min.insync.replicas': '2' };
await admin.createTopics({
  topics: [
    { topic: GOOD, numPartitions: 3, config },
    { topic: TARGETS.fat, numPartitions: 1, config },
    { topic: TARGETS.plain, numPartitions: 1, config },
    {
      topic: TARGETS.compacted,
      numPartitions: 1,
      config: { ...config, 'cleanup.policy': 'compact' },
    },
  ].map(({ config: of, ...topic }) => ({
    ...topic,
    replicationFactor: BROKERS.length,
    configEntries: Object.entries(of).map(([name, value]) => ({ name, value })),
  })),
});
const producer = kafka.producer();
await producer.connect();
for (let i = 0; i < FAT_BATCHES; i++)
  await producer.send({ topic: TARGETS.fat, messages: [{ value: Buffer.alloc(FAT_BYTES, 'x') }] });
await producer.disconnect();

/** Where the victims are led now. */
async function targetNow(topic: string): Promise<Omit<Target, 'isOver'>> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const { brokers } = await admin.describeCluster();
  const id = topics[0]?.partitions[0]?.leader;
  const leader = brokers.find(({ nodeId }) => nodeId === id);
  if (leader === undefined) throw new Error(`${topic} has no leader`);
  return { ...TARGETS, leader: { host: leader.host, port: leader.port } };
}

const isWhole = async () => {
  const known = await admin.fetchTopicMetadata({ topics: [GOOD, ...Object.values(TARGETS)] });
  return known.topics.every(({ partitions }) =>
    partitions.every(({ isr, leader }) => leader >= 0 && isr.length === BROKERS.length),
  );
};

/** In MiB; 0 while the process is not there. */
function rssOf(id: number): number {
  try {
    const text = readFileSync(`/proc/${cluster.pid(id)}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
const pidOf = (id: number) => {
  try {
    return cluster.pid(id);
  } catch {
    return 0;
  }
};

const good = fork(join(import.meta.dirname, 'good-client.ts'), [cluster.bootstrap, GOOD]);
async function ask(child: ChildProcess): Promise<Waited> {
  child.send('');
  const [waited] = (await once(child, 'message')) as [Waited];
  return waited;
}

/** Watches while something goes on. */
async function watch(name: string, during: () => Promise<void>): Promise<string[]> {
  await ask(good);
  const before = BROKERS.map(pidOf);
  const pids = new Set(before);
  let rss = 0;
  const timer = setInterval(() => {
    for (const id of BROKERS) {
      rss = Math.max(rss, rssOf(id));
      pids.add(pidOf(id));
    }
  }, SAMPLE_MS);
  await during();
  const waited = await ask(good);
  clearInterval(timer);
  // What was let loose may take its time.
  await until(`the cluster is whole after ${name}`, HEAL_MS, () =>
    isWhole().catch(() => false),
  ).catch((cause: unknown) => faults.push((cause as Error).message));
  for (const id of BROKERS) pids.add(pidOf(id));
  pids.delete(0);
  const restarts = pids.size - before.length;
  const { errors, produceMs, read, readMs, sent } = waited;
  if (restarts > 0) faults.push(`${name}: ${restarts} restarts`);
  if (errors.length > 0) faults.push(`${name}: a good client was told: ${errors[0]}`);
  if (stallMs > 0 && Math.max(produceMs, readMs) > stallMs)
    faults.push(`${name}: a good client waited ${Math.round(Math.max(produceMs, readMs))} ms`);
  if (rssMib > 0 && rss > rssMib) faults.push(`${name}: a broker took ${Math.round(rss)} MiB`);
  const row = [
    name,
    `${Math.round(produceMs)} ms`,
    `${Math.round(readMs)} ms`,
    `${sent}/${read}`,
    `${Math.round(rss)} MiB`,
    String(restarts),
    String(errors.length),
  ];
  console.error(row.join('  '));
  return row;
}

const rows = [
  ['attack', 'worst produce', 'worst read', 'sent/read', 'largest broker', 'restarts', 'errors'],
];
await until('the cluster is whole', HEAL_MS, () => isWhole().catch(() => false));
await sleepMs(QUIET_MS);
rows.push(await watch('nothing', () => sleepMs(seconds * 1000)));
for (const kind of kinds) {
  const target = await targetNow(TARGETS[attacks[kind].at]);
  rows.push(
    await watch(kind, async () => {
      const hostile = fork(join(import.meta.dirname, 'hostile.ts'), [
        kind,
        String(seconds),
        JSON.stringify(target),
      ]);
      await once(hostile, 'exit');
    }),
  );
}
good.kill('SIGKILL');
await admin.disconnect();

const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
for (const row of rows)
  console.log(
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
console.log(`${kinds.length} attacks, ${faults.length} faults`);
for (const fault of faults) console.log(`  ${fault}`);
process.exitCode = faults.length === 0 ? 0 : 1;
