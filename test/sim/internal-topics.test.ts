/** Whole brokers on simulated time: what brokers make for themselves does not depend on who is there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KafkaTopic, kafkaClusters, kafkaTopics } from '../../kube/kafka-objects.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { SimClient } from './client.ts';
import { plainScene } from './scene.ts';
import { CLUSTER, NAMESPACE, type SimNode, World } from './world.ts';

const OFFSETS = '__consumer_offsets';

class Client extends SimClient {
  /** What the broker says of its coordinator of a group. */
  async find(host: string): Promise<number> {
    const asked = { keyType: 0, coordinatorKeys: ['g'] };
    const { coordinators } = await this.ask(host, 'FindCoordinator', 4, asked);
    return coordinators[0]?.errorCode ?? -1;
  }
  async create(host: string, name: string, replicationFactor: number): Promise<number> {
    const { topics } = await this.ask(host, 'CreateTopics', 7, {
      topics: [{ name, numPartitions: 1, replicationFactor, assignments: [], configs: [] }],
      timeoutMs: 5_000,
      validateOnly: false,
    });
    return topics[0]?.errorCode ?? -1;
  }
}

function setUp() {
  const config = { 'offsets.topic.num.partitions': 2, 'transaction.state.log.num.partitions': 1 };
  const world = new World({ seed: 7, scene: plainScene({ brokers: 3, partitions: 1, config }) });
  const client = new Client(world, 'client');
  const start = async (...ids: number[]) => {
    for (const id of ids) world.start(world.nodes[id] as SimNode);
    await world.run(8_000);
  };
  const done = async <T>(result: Promise<T>): Promise<T> => {
    await world.run(8_000);
    return result;
  };
  const replicas = (topic: string) =>
    world.lines().flatMap((line) => (line.topic === topic ? [line.replicas.length] : []));
  const list = <T extends KubeObject>(resource: typeof kafkaTopics | { plural: string }) =>
    world.kube.api.list(world.kube.kindOf(resource as never), NAMESPACE, () => true) as T[];
  return { world, client, start, done, replicas, list };
}

test('a consumer that waits while a cluster starts gets offsets with all their replicas', async () => {
  const { world, client, start, done, replicas } = setUp();
  using _ = world;
  await start(0);
  assert.equal(await done(client.find('node0')), 15, 'the coordinator is not available yet');
  await start(1);
  assert.equal(await done(client.find('node0')), 15);
  assert.deepEqual(replicas(OFFSETS), []);
  await start(2);
  await done(client.find('node0'));
  assert.equal(await done(client.find('node0')), 0);
  assert.deepEqual(replicas(OFFSETS), [3, 3]);
});

test('a broker that is away is given replicas, and follows them when it is back', async () => {
  const { world, client, start, done, replicas } = setUp();
  using _ = world;
  await start(0, 1, 2);
  world.kill(world.nodes[2] as SimNode);
  await world.run(15_000);
  assert.equal(await done(client.create('node0', 'made', 3)), 0);
  assert.equal(await done(client.create('node0', 'more', 4)), 38, 'never more than there can be');
  assert.deepEqual(replicas('made'), [3]);
  const isr = () => world.lines().find(({ topic }) => topic === 'made')?.isr.length;
  assert.equal(isr(), 2, 'who is away is not in sync');
  await start(2);
  assert.equal(isr(), 3);
});

test('an internal topic with too few replicas gets what it lacks once there are brokers', async () => {
  const { world, client, start, done, replicas, list } = setUp();
  using _ = world;
  const clusters = world.kube.kindOf(kafkaClusters);
  const scale = (to: number) =>
    world.kube.api.patch(
      clusters,
      NAMESPACE,
      CLUSTER,
      'merge',
      { spec: { replicas: to } },
      null,
      {},
    );
  scale(1);
  await start(0);
  await done(client.find('node0'));
  assert.equal(await done(client.find('node0')), 0, 'a cluster of one broker works');
  assert.deepEqual(replicas(OFFSETS), [1, 1]);
  scale(3);
  await start(1);
  assert.deepEqual(replicas(OFFSETS), [1, 1], 'not before there are enough');
  await start(2);
  await world.run(10_000);
  assert.deepEqual(replicas(OFFSETS), [3, 3]);
  const topic = list<KafkaTopic>(kafkaTopics).find(({ spec }) => spec.topicName === OFFSETS);
  assert.equal(topic?.spec.replicas, 3);
  const events = list<KubeObject & { reason: string }>({
    group: '',
    version: 'v1',
    plural: 'events',
  } as never);
  assert.deepEqual(
    events.map(({ reason }) => reason),
    ['ReplicasRaised'],
  );
});
