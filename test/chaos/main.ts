/**
 * npm run chaos: three real brokers, real clients, and everything that goes wrong with processes,
 * links, disks and the Kubernetes API; then everything that was promised is looked for.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { sleepMs, startTestCluster, until } from '../support/local.ts';
import { namesOf, numberOf, readOptions, refuse } from '../support/options.ts';
import { ChaosConsumer, ChaosProducer, judgeClients, readAll } from './clients.ts';
import { doomTopics } from './doomed.ts';
import { TopicHistory, View } from './history.ts';
import { BrokerNetworks, inNamespace, makeHub } from './namespaces.ts';
import { missingForPrograms, PROGRAM_PARTITIONS, PROGRAM_TOPICS, Programs } from './programs.ts';
import { electionsOf, starvation } from './starvation.ts';

const KINDS = [
  'kill',
  'killController',
  'stop',
  'pause',
  'longPause',
  'killAll',
  'isolate',
  'cut',
  'cutOneWay',
  'diskFull',
  'apiStopped',
  'starved',
  'deleteTopic',
] as const;
const HELP = `Runs three brokers with clients, and breaks things.

  npm run chaos -- [--rounds N] [--minutes M] [--only kill,pause,…] [--seed N] [--keep]

  --keep    leaves the folder with the brokers' logs (TENURE_LOG_LEVEL=debug says more)
  --rounds  how often every kind of fault strikes (default 1)
  --minutes then, for so long, up to three at once at random (default 0)
  --only    only these: ${KINDS.join(', ')}
Cutting links needs root and Linux' network namespaces, filling a disk needs root: without them
those faults are left out, and it says so. Everything stays in namespaces of its own.
Beside the producers and the group of kafkajs there are programs of librdkafka, where Python has
confluent-kafka: idempotent, transactional, processing, and reading in both group protocols.
`;
const values = readOptions(
  {
    rounds: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '0' },
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
    inside: { type: 'string' },
  },
  HELP,
);
const rounds = numberOf('rounds', values.rounds, { min: 0 });
const minutes = numberOf('minutes', values.minutes, { min: 0, isWhole: false });
const only = values.only === undefined ? null : namesOf('only', KINDS, values.only);
if (rounds === 0 && minutes === 0) refuse('without --rounds and without --minutes nothing happens');
if (values.inside === undefined) {
  const hub = makeHub();
  if (hub === null) console.log('no network namespaces here: links are not cut');
  const self = [process.execPath, import.meta.filename, ...process.argv.slice(2)];
  const [program, ...args] =
    hub === null
      ? [...self, '--inside', 'none']
      : inNamespace(hub.name, [...self, '--inside', hub.name]);
  const child = spawn(program as string, args, { stdio: 'inherit' });
  // Whoever ends this wants nothing of it to be left.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const [status] = (await once(child, 'exit')) as [number | null];
  hub?.remove();
  process.exit(status ?? 1);
}

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const BROKERS = 3;
const TOPIC = 'chaos';
const PARTITIONS = 12;
const PRODUCERS = 3;
const SMALL_DISK = 1;
/** Room for all that a long run writes: it is full only while somebody fills it. */
const SMALL_DISK_SIZE = 'size=1g';
const SETTLE_TIMEOUT_MS = 60_000;
const STORM_SETTLE_TIMEOUT_MS = 120_000;
/** A fault that takes the whole machine, and is judged by what happens beside it. */
const LONE: ReadonlySet<string> = new Set(['starved']);
const STARVED_CONTROLLERS_MAX = 3;
/** Every partition moves about twice: away from who is later than the others, and back. */
const STARVED_LEADERS_MAX = 2 * (PARTITIONS + PROGRAM_TOPICS.length * PROGRAM_PARTITIONS);
const SO_FAR_INTERVAL_MS = 10 * 60_000;
const SHOWN_ANOMALIES_MAX = 40;
const anomalies: string[] = [];
let isStorm = false;

const folder = mkdtempSync(join(tmpdir(), 'tenure-chaos-'));
const volume = join(folder, `node/volumes/default_data-my-cluster-broker-${SMALL_DISK}`);
mkdirSync(volume, { recursive: true });
const hasSmallDisk =
  spawnSync('mount', ['-t', 'tmpfs', '-o', SMALL_DISK_SIZE, 'tmpfs', volume]).status === 0;
if (!hasSmallDisk) console.log('no small file system can be mounted here: no disk is filled');
const networks = values.inside === 'none' ? null : new BrokerNetworks(values.inside, BROKERS);

// However it ends.
process.on('exit', () => {
  networks?.[Symbol.dispose]();
  if (hasSmallDisk) spawnSync('umount', ['-l', volume]);
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

let seed = numberOf('seed', values.seed, { min: 0 });
const below = (count: number) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 4294967296) * count);
};

const cluster = await startTestCluster({
  folder,
  ...(networks === null ? {} : { machine: networks.machine }),
});
const kafka = new kafkajs.Kafka({
  brokers: [cluster.bootstrap],
  logLevel: kafkajs.logLevel.NOTHING,
  connectionTimeout: 1000,
  requestTimeout: 8000,
  retry: { initialRetryTime: 30, maxRetryTime: 300, retries: 200 },
});
const admin = kafka.admin();
await admin.connect();
await admin.createTopics({
  topics: [TOPIC, ...PROGRAM_TOPICS].map((topic) => ({
    topic,
    numPartitions: topic === TOPIC ? PARTITIONS : PROGRAM_PARTITIONS,
    replicationFactor: 3,
    configEntries: [{ name: 'min.insync.replicas', value: '2' }],
  })),
});
const history = new TopicHistory();
const producers = Array.from(
  { length: PRODUCERS },
  (_, id) => new ChaosProducer(kafka, TOPIC, PARTITIONS, id, history),
);
const consumer = new ChaosConsumer(kafka, TOPIC, 'watchers', new View(history));
await consumer.start();
await Promise.all(producers.map((producer) => producer.start()));
const lacking = missingForPrograms();
if (lacking !== null) console.log(`no programs of librdkafka: ${lacking}`);
const programs = lacking === null ? new Programs(cluster.bootstrap) : null;

const signal = (id: number, name: NodeJS.Signals) => process.kill(cluster.pid(id), name);
const another = (id: number) => (id + 1 + below(BROKERS - 1)) % BROKERS;

/** Strikes, and resolves when the cause is gone; what it left behind may last longer. */
const faults: Partial<Record<(typeof KINDS)[number], () => Promise<void>>> = {
  kill: async () => void signal(below(BROKERS), 'SIGKILL'),
  killController: async () => void signal(await cluster.controllerId(), 'SIGKILL'),
  stop: async () => void signal(below(BROKERS), 'SIGTERM'),
  pause: async () => {
    const id = below(BROKERS);
    signal(id, 'SIGSTOP');
    await sleepMs(3_000);
    signal(id, 'SIGCONT');
  },
  longPause: async () => {
    const id = below(BROKERS);
    const pid = cluster.pid(id);
    process.kill(pid, 'SIGSTOP');
    await sleepMs(15_000);
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // Its probes gave it up, and another process is in its place.
    }
  },
  killAll: async () => {
    for (let id = 0; id < BROKERS; id++) signal(id, 'SIGKILL');
  },
  ...(networks === null
    ? {}
    : {
        isolate: async () => {
          const id = below(BROKERS);
          networks.isolate(id);
          await sleepMs(15_000);
          networks.join(id);
        },
        cut: async () => {
          const id = below(BROKERS);
          const other = another(id);
          networks.cut(id, other);
          networks.cut(other, id);
          console.error(`${new Date().toISOString()} cut ${id} and ${other}`);
          await sleepMs(8_000);
          networks.heal(id, other);
          networks.heal(other, id);
        },
        cutOneWay: async () => {
          const id = below(BROKERS);
          const other = another(id);
          networks.cut(id, other);
          await sleepMs(8_000);
          networks.heal(id, other);
        },
      }),
  ...(hasSmallDisk
    ? {
        diskFull: async () => {
          const filler = join(volume, 'filler');
          try {
            fillUp(volume, filler);
            await sleepMs(8_000);
          } finally {
            rmSync(filler, { force: true });
          }
        },
      }
    : {}),
  apiStopped: async () => {
    const { hostname, port } = new URL(cluster.local.apiUrl);
    await cluster.local.server[Symbol.asyncDispose]();
    await sleepMs(12_000);
    await cluster.local.server.listen(hostname, Number(port));
  },
};

/**
 * The brokers get what twenty others leave of the processors. All of them are late then, and none is dead:
 * nobody is restarted, and neither controllers nor leaders go round.
 */
if (starvation.isPossible)
  faults.starved = async () => {
    const pids = () => Array.from({ length: BROKERS }, (_, id) => cluster.pid(id));
    const isRunning = (pid: number, id: number) => {
      try {
        return cluster.pid(id) === pid;
      } catch {
        return false;
      }
    };
    const before = { pids: pids(), ...(await electionsOf(cluster.local.api)) };
    await starvation.of(before.pids);
    // Whoever was told to stop meanwhile gets round to it only now.
    await sleepMs(8_000);
    const { controllers, leaders } = await electionsOf(cluster.local.api);
    if (!before.pids.every(isRunning)) anomalies.push('starved: brokers were restarted');
    if (controllers - before.controllers > STARVED_CONTROLLERS_MAX)
      anomalies.push(`starved: ${controllers - before.controllers} controllers were elected`);
    if (leaders - before.leaders > STARVED_LEADERS_MAX)
      anomalies.push(`starved: leaders changed ${leaders - before.leaders} times`);
    console.error(
      `starved: ${controllers - before.controllers} controllers, ${leaders - before.leaders} leaders elected`,
    );
  };

/** Nothing is wrong with a disk whose files are deleted: nobody ends of that. */
faults.deleteTopic = async () => {
  const pids = () => Array.from({ length: BROKERS }, (_, id) => cluster.pid(id)).join();
  const before = pids();
  await doomTopics(kafka, admin);
  if (!isStorm && pids() !== before) anomalies.push('deleteTopic: brokers were restarted');
};

/** Every partition has a leader and everybody in sync. */
async function isWhole(): Promise<boolean> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC, ...PROGRAM_TOPICS] });
    const partitions = topics.flatMap((topic) => topic.partitions);
    return (
      partitions.length === PARTITIONS + PROGRAM_TOPICS.length * PROGRAM_PARTITIONS &&
      partitions.every(({ isr, leader }) => leader >= 0 && isr.length === BROKERS)
    );
  } catch {
    return false;
  }
}

/** All but a little is taken; the broker takes of it meanwhile. */
function fillUp(folder: string, filler: string): void {
  const { bavail, bsize } = statfsSync(folder);
  try {
    writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - 64 * 1024)));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
  }
}

const takeLongestMs = () => Math.max(...producers.map((producer) => producer.takeLongestMs()));
const names = (only ?? KINDS).filter((name) => faults[name] !== undefined);
if (names.length === 0) anomalies.push(`none of ${only?.join(', ')} can be done on this machine`);
const rows: string[][] = [];
let injected = 0;
await until('the cluster is whole', SETTLE_TIMEOUT_MS, isWhole);
await sleepMs(1_000);
takeLongestMs();
await sleepMs(3_000);
rows.push(['nothing', '', `${Math.round(takeLongestMs())} ms`, '']);
for (let round = 0; round < rounds; round++) {
  for (const name of names) {
    const startedMs = performance.now();
    await faults[name]?.().catch((cause: unknown) => anomalies.push(`${name}: ${cause}`));
    injected++;
    const overMs = performance.now();
    // A fault of an instant shows only now.
    await sleepMs(1_500);
    await until(`${name} is got over`, SETTLE_TIMEOUT_MS, isWhole).catch((cause: unknown) => {
      anomalies.push(`not healed: ${(cause as Error).message}`);
    });
    const wholeMs = performance.now() - overMs;
    await sleepMs(500);
    const longest = Math.round(takeLongestMs());
    const lasted = `${((overMs - startedMs) / 1000).toFixed(1)} s`;
    rows.push([name, lasted, `${longest} ms`, `${(wholeMs / 1000).toFixed(1)} s`]);
    console.error(`${name}: longest wait ${longest} ms`);
  }
}
const sumOf = (count: (of: ChaosProducer) => number) =>
  producers.reduce((sum, producer) => sum + count(producer), 0);

/** A long run may be cut off: it has said until then how far it is and what looks wrong. */
function tellSoFar(waves: number): void {
  const told = programs?.soFar();
  const found = [...anomalies, ...consumer.anomalies, ...history.noticed, ...(told?.noticed ?? [])];
  const acknowledged = sumOf(({ acknowledged }) => acknowledged.count) + (told?.acknowledged ?? 0);
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  console.error(
    `${Math.round(performance.now() / 60_000)} min: ${waves} waves, ${acknowledged} records acknowledged, ` +
      `${told?.transactions ?? 0} transactions, ${consumer.seen.size + (told?.read ?? 0)} records read, ` +
      `${Math.round((heapUsed + arrayBuffers) / 2 ** 20)} MB, ${found.length} anomalies so far`,
  );
  for (const one of found.slice(0, SHOWN_ANOMALIES_MAX)) console.error(`  ${one}`);
}

let toldMs = performance.now();
/** A storm: several at once, again before all is whole; only now and then is it waited for that. */
isStorm = true;
const stormEndsMs = performance.now() + minutes * 60_000;
const stormy = names.filter((name) => !LONE.has(name));
for (let wave = 1; performance.now() < stormEndsMs; wave++) {
  const chosen = new Set(Array.from({ length: 1 + below(3) }, () => stormy[below(stormy.length)]));
  const atOnce = [...chosen].flatMap((name) => (name === undefined ? [] : [name]));
  injected += atOnce.length;
  console.error(`wave ${wave}: ${atOnce.join(' + ')}`);
  // Somebody it wanted to strike may be down already.
  await Promise.all(
    atOnce.map(async (name) => {
      await sleepMs(below(3_000));
      await faults[name]?.().catch((cause: unknown) => console.error(`${name}: ${cause}`));
    }),
  );
  await sleepMs(1_000 + below(6_000));
  if (performance.now() - toldMs >= SO_FAR_INTERVAL_MS) {
    toldMs = performance.now();
    tellSoFar(wave);
  }
  if (wave % 4 !== 0) continue;
  await until(`wave ${wave} is got over`, STORM_SETTLE_TIMEOUT_MS, isWhole).catch(
    (cause: unknown) => anomalies.push(`not healed: ${(cause as Error).message}`),
  );
}
if (minutes > 0) {
  await until('the storm is got over', STORM_SETTLE_TIMEOUT_MS, isWhole).catch((cause: unknown) =>
    anomalies.push(`not healed: ${(cause as Error).message}`),
  );
  rows.push(['storm', `${values.minutes} min`, `${Math.round(takeLongestMs())} ms`, '']);
}

await Promise.all(producers.map((producer) => producer.stop()));
const final = await readAll(kafka, TOPIC, SETTLE_TIMEOUT_MS, history);
await consumer.stop();
const acknowledged = sumOf(({ acknowledged }) => acknowledged.count);
const unknown = sumOf(({ unknown }) => unknown.length);
const judged = await programs?.judge();
anomalies.push(...(judged?.anomalies ?? []), ...judgeClients(final, producers, consumer));
await admin.disconnect();
await cluster[Symbol.asyncDispose]();
if (hasSmallDisk) spawnSync('umount', ['-l', volume]);
if (values.keep) console.log(`logs: ${folder}/node/logs`);
else rmSync(folder, { recursive: true, force: true });

const table = [
  ['fault', 'lasted', 'longest wait of an acks=all producer', 'whole again after'],
  ...rows,
];
const widths = table[0]?.map((_, i) => Math.max(...table.map((row) => row[i]?.length ?? 0))) ?? [];
for (const row of table)
  console.log(
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
console.log(
  `${injected} faults, ${acknowledged} writes acknowledged, ${unknown} given up, ` +
    `${consumer.seen.size} records read meanwhile, ${final.view.size} in the end, ${anomalies.length} anomalies`,
);
for (const { whys } of producers) for (const why of whys) console.log(`given up: ${why}`);
if (judged !== undefined) console.log(judged.summary);
for (const anomaly of anomalies.slice(0, SHOWN_ANOMALIES_MAX)) console.log(`  ${anomaly}`);
process.exit(anomalies.length === 0 ? 0 : 1);
