/** Copies from the past: of what the API remembers, and of one, two and three volumes. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { AdminClient, parseBootstrap } from '../../client/admin.ts';
import { conditionOf } from '../../kube/conditions.ts';
import { type KafkaCluster, kafkaClusters, kafkaTopics } from '../../kube/kafka-objects.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { externalKubeconfig } from '../support/external.ts';
import { freePort, sleepMs, startTestCluster, type TestCluster, until } from '../support/local.ts';
import { runProgram } from '../support/programs.ts';
import { VolumeStory } from '../support/volume-story.ts';

const of = { namespace: 'default', name: 'my-cluster' };
/** What puts aside and puts back what a real API server remembers: `save FOLDER`, `restore FOLDER`. */
const storeCommand = process.env.TENURE_TEST_STORE?.split(' ') ?? null;
const skip =
  externalKubeconfig !== null && storeCommand === null
    ? 'nothing is given that turns back what the API server remembers'
    : false;

let folder: string;
let bootstrapPort: number;
let cluster: TestCluster;
let story: VolumeStory;
/** What the copies of the volumes hold. */
const copied = new Set<string>();
before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'tenure-test-'));
  bootstrapPort = await freePort();
  cluster = await startTestCluster({ folder, bootstrapPort });
  story = new VolumeStory(cluster.bootstrap);
  await story.begin();
  await story.write('my-topic', 100);
});
after(async () => {
  await story?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** Everything stops; while it does not run, something is done to what is on disk. */
async function whileStopped(change: () => void | Promise<void>): Promise<void> {
  await cluster.stop();
  await change();
  cluster = await startTestCluster({ folder, bootstrapPort, again: true });
}

/** What the API remembers now; it may be put back later, while nothing runs. */
async function store(what: 'save' | 'restore'): Promise<void> {
  const copy = join(folder, 'older-store');
  if (storeCommand !== null) {
    const [program = '', ...args] = storeCommand;
    const { code, stderr } = await runProgram(program, [...args, what, copy], {
      timeoutMs: 120_000,
    });
    assert.equal(code, 0, stderr);
    return;
  }
  const memory = join(folder, 'kubernetes.sqlite');
  const [from, to] = what === 'save' ? [memory, copy] : [copy, memory];
  for (const end of ['', '-wal', '-shm']) {
    rmSync(`${to}${end}`, { force: true });
    if (existsSync(`${from}${end}`)) cpSync(`${from}${end}`, `${to}${end}`);
  }
}

const volumeOf = (id: number) => join(folder, `node/volumes/default_data-my-cluster-broker-${id}`);
const copyOf = (id: number) => join(folder, `copies/${id}`);

function restoreVolume(id: number): void {
  rmSync(volumeOf(id), { recursive: true });
  cpSync(copyOf(id), volumeOf(id), { recursive: true });
}

async function isReadyWithin(timeoutMs: number): Promise<boolean> {
  // What was said before they stopped stands there until somebody says something else.
  await sleepMs(6000);
  try {
    await cluster.local.ready(timeoutMs);
    return true;
  } catch {
    return false;
  }
}

async function freshProducerId(): Promise<number> {
  using admin = new AdminClient(parseBootstrap(cluster.bootstrap));
  const asked = {
    transactionalId: null,
    transactionTimeoutMs: 0,
    producerId: -1,
    producerEpoch: -1,
  };
  return (await admin.broker(0, apis.InitProducerId, 4, asked)).producerId;
}

async function recovered() {
  const object = (await cluster.local.api.get(
    kafkaClusters,
    of.namespace,
    of.name,
  )) as KafkaCluster;
  return conditionOf(object.status?.conditions, 'Recovered');
}

test('an older memory of the API: later topics, settings and producer ids are there', {
  skip,
}, async () => {
  await whileStopped(() => store('save'));
  await story.createTopic('later', { 'retention.ms': '-1' });
  await story.write('later', 50);
  await story.write('my-topic', 50);
  // A leader of before leads no more.
  process.kill(cluster.pid(0), 'SIGKILL');
  await sleepMs(3000);
  await cluster.local.ready(60_000);
  await story.write('my-topic', 50);
  const producerId = await freshProducerId();
  story.keepWriting('my-topic');
  await whileStopped(() => store('restore'));
  await until('it says that it recovered', 60_000, async () => {
    return (await recovered())?.status === 'True';
  });
  await cluster.local.ready(60_000);
  await story.stopWriting();
  await story.everythingIsThere('my-topic');
  await story.everythingIsThere('later');
  const later = await cluster.local.api.get(kafkaTopics, of.namespace, 'later');
  assert.equal(later?.spec.config?.['retention.ms'], '-1');
  assert.ok((await freshProducerId()) > producerId);
  assert.equal((await recovered())?.reason, 'Recovered');
});

test('older volumes of one and of two brokers: nothing is lost', {
  skip,
}, async () => {
  await whileStopped(() => {
    for (const id of [0, 1, 2]) cpSync(volumeOf(id), copyOf(id), { recursive: true });
  });
  for (const value of story.acknowledged.get('my-topic') ?? []) copied.add(value);
  await story.write('my-topic', 100);
  await whileStopped(() => restoreVolume(0));
  await story.write('my-topic', 10);
  await story.everythingIsThere('my-topic');
  // Whether the third one was in sync to the last depends on who stopped when. If it was not, it is no
  // member, although it happens to have everything: that is the owner's to say.
  await cluster.stop();
  restoreVolume(0);
  restoreVolume(2);
  cluster = await startTestCluster({ folder, bootstrapPort, ready: false, again: true });
  if (!(await isReadyWithin(15_000)))
    await cluster.local.api.patch(kafkaClusters, of, { spec: { recovery: { allowLoss: true } } });
  await cluster.local.ready(60_000);
  await cluster.local.api.patch(kafkaClusters, of, { spec: { recovery: null } });
  await story.write('my-topic', 10);
  await story.everythingIsThere('my-topic');
});

test('older volumes of all brokers: nobody leads before the owner allows the loss', {
  skip,
}, async () => {
  await story.write('my-topic', 10);
  await story[Symbol.asyncDispose]();
  await cluster.stop();
  for (const id of [0, 1, 2]) restoreVolume(id);
  cluster = await startTestCluster({ folder, bootstrapPort, ready: false, again: true });
  const topic = () => cluster.local.api.get(kafkaTopics, of.namespace, 'my-topic');
  await until('it does not serve less than was acknowledged without a word', 60_000, async () => {
    const ready = conditionOf((await topic())?.status?.conditions, 'Ready');
    return ready?.message === '0 of 3 partitions have a leader';
  });
  await cluster.local.api.patch(kafkaClusters, of, { spec: { recovery: { allowLoss: true } } });
  await until('it says what is lost', 60_000, async () => {
    const condition = await recovered();
    return condition?.reason === 'RecoveredWithLoss' && /my-topic-0/.test(condition.message);
  });
  await cluster.local.ready(60_000);
  const later = new VolumeStory(cluster.bootstrap);
  try {
    await later.begin();
    await later.write('my-topic', 10);
    for (const value of copied) later.acknowledged.get('my-topic')?.add(value);
    await later.everythingIsThere('my-topic');
  } finally {
    await later[Symbol.asyncDispose]();
  }
});
