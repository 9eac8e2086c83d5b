/** A leader is stopped and goes on: what it answers before it has heard of anything. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorName } from '../../proto/kafka/errors.ts';
import { TOPIC } from './scene.ts';
import { Stage } from './stage.ts';
import type { SimNode } from './world.ts';

const SUSPENDED = 'leading nothing before looking again';
const wasSuspended = ({ world }: Stage) => world.log.some((line) => line.includes(SUSPENDED));

/** Neither the API nor another broker reaches it, not even after it goes on: clients do. */
function cutOff({ world }: Stage, node: SimNode): void {
  if (node.process !== null) world.kube.cut.add(node.process);
  for (const other of world.nodes) {
    if (other === node) continue;
    world.network.cut(node.name, other.name);
    world.network.cut(other.name, node.name);
  }
}

/** Everything that only a leader may answer, as a client asks it that knows no epoch. */
async function askAll({ client, world }: Stage, host: string): Promise<string[]> {
  const node = world.nodes.find(({ name }) => name === host);
  assert.ok(node !== undefined);
  const asked: [string, Promise<string>][] = [
    ['Fetch', client.fetch(node, 2).then(({ error }) => error)],
    ['Fetch beyond its log', client.fetch(node, 3).then(({ error }) => error)],
    ['Produce', client.produce(node, { acks: 1 })],
    ['DeleteRecords', client.deleteRecords(node, 1)],
    [
      'ListOffsets',
      client
        .ask(host, 'ListOffsets', 6, {
          replicaId: -1,
          isolationLevel: 0,
          topics: [
            {
              name: TOPIC,
              partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }],
            },
          ],
        })
        .then(({ topics }) => errorName(topics[0]?.partitions[0]?.errorCode ?? -1)),
    ],
    [
      'OffsetForLeaderEpoch',
      client
        .ask(host, 'OffsetForLeaderEpoch', 4, {
          replicaId: -1,
          topics: [
            {
              topic: TOPIC,
              partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }],
            },
          ],
        })
        .then(({ topics }) => errorName(topics[0]?.partitions[0]?.errorCode ?? -1)),
    ],
  ];
  return Promise.all(asked.map(async ([name, answer]) => `${name}: ${await answer}`));
}

test('what waits in the sockets of an old leader is refused before it hears of the new one', async () => {
  using stage = await Stage.begin(3);
  const { client, world } = stage;
  assert.equal(await stage.answer(client.produce(stage.leader, { records: 2 })), 'NONE');
  const old = stage.leader;
  cutOff(stage, old);
  old.process?.stop();
  await stage.until(() => stage.leader !== old);
  assert.equal(await stage.answer(client.produce(stage.leader, { records: 5 })), 'NONE');
  const waiting = askAll(stage, old.name);
  const longPoll = client.fetch(old, 2, 400);
  await world.run(2_000);
  old.process?.resume(world.scheduler);
  const answers = await stage.answer(waiting);
  assert.deepEqual(
    answers.filter((answer) => !answer.endsWith('NOT_LEADER_OR_FOLLOWER')),
    [],
  );
  assert.equal((await stage.answer(longPoll)).error, 'NOT_LEADER_OR_FOLLOWER');
  assert.ok(wasSuspended(stage));
});

test('a poll that was waiting when its leader was stopped is not answered by the old one', async () => {
  using stage = await Stage.begin(3);
  const { client, world } = stage;
  assert.equal(await stage.answer(client.produce(stage.leader, { records: 2 })), 'NONE');
  const old = stage.leader;
  if (old.process !== null) world.kube.cut.add(old.process);
  await world.run(12_000);
  assert.equal(stage.leader, old, 'the others see that it lives');
  const polled = client.fetch(old, 2, 7_000);
  await world.run(100);
  cutOff(stage, old);
  old.process?.stop();
  await world.run(7_200);
  assert.notEqual(stage.leader, old);
  // The time of the poll is over: its timer is the first thing that runs.
  old.process?.resume(world.scheduler);
  assert.equal((await stage.answer(polled)).error, 'NOT_LEADER_OR_FOLLOWER');
});

test('a request that came in as its leader was stopped is not answered by the old one', async () => {
  using stage = await Stage.begin(3);
  const { client, world } = stage;
  assert.equal(await stage.answer(client.produce(stage.leader, { records: 2 })), 'NONE');
  const old = stage.leader;
  if (old.process !== null) world.kube.cut.add(old.process);
  await world.run(12_000);
  cutOff(stage, old);
  old.process?.stop();
  // Before any of its timers is due.
  const asked = client.fetch(old, 1);
  await world.run(7_300);
  assert.notEqual(stage.leader, old);
  old.process?.resume(world.scheduler);
  assert.equal((await stage.answer(asked)).error, 'NOT_LEADER_OR_FOLLOWER');
});

test('who still leads goes on once the pages say so', async () => {
  using stage = await Stage.begin(3, { 'broker.session.timeout.ms': 9_000 });
  const { client, leader, world } = stage;
  // All stand still, as virtual machines that are moved do: nobody is there to elect another leader.
  for (const { process } of world.nodes) process?.stop();
  await world.run(20_000);
  for (const { process } of world.nodes) process?.resume(world.scheduler);
  await world.run(3_000);
  assert.ok(wasSuspended(stage));
  assert.equal(stage.leader, leader);
  assert.equal(await stage.answer(client.produce(leader, { acks: 1 })), 'NONE');
});

test('while the API is away a follower that was asked lets its leader go on', async () => {
  using stage = await Stage.begin(3);
  const { client, leader, world } = stage;
  assert.equal(await stage.answer(client.produce(leader)), 'NONE');
  world.kube.goDown();
  await world.run(10_000);
  leader.process?.stop();
  await world.run(15_000);
  leader.process?.resume(world.scheduler);
  await world.run(1_000);
  assert.ok(wasSuspended(stage));
  assert.equal(await stage.answer(client.produce(leader, { acks: 1 })), 'NONE');
  assert.equal((await stage.answer(client.fetch(leader, 0))).error, 'NONE');
  await world.run(5_000);
  assert.equal(await stage.answer(client.produce(leader)), 'NONE', 'and its followers follow');
});

test('who leads by what a follower confirmed leads no more once nobody follows', async () => {
  using stage = await Stage.begin(3);
  const { client, leader, world } = stage;
  world.kube.goDown();
  await world.run(10_000);
  leader.process?.stop();
  await world.run(15_000);
  leader.process?.resume(world.scheduler);
  await world.run(1_000);
  assert.equal((await stage.answer(client.fetch(leader, 0))).error, 'NONE');
  cutOff(stage, leader);
  // Both ends of the streams are given up by then; it does not know yet that it is alone.
  await world.run(14_000);
  assert.equal((await stage.answer(client.fetch(leader, 0))).error, 'NOT_LEADER_OR_FOLLOWER');
});

test('a loaded broker does not flap, with the API and without it', async () => {
  using stage = await Stage.begin(3);
  const { client, leader, world } = stage;
  const late = async (ms: number) => {
    leader.process?.stop();
    await world.run(ms);
    leader.process?.resume(world.scheduler);
    await world.run(100);
  };
  for (let i = 0; i < 10; i++) await late(2_000);
  await late(5_000);
  world.kube.goDown();
  for (let i = 0; i < 20; i++) await late(2_000);
  assert.equal(wasSuspended(stage), false);
  assert.equal(stage.leader, leader);
  assert.equal(await stage.answer(client.produce(leader)), 'NONE');
});
