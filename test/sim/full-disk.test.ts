/** Disks without room: brokers start on them, give back what they have, and go on by themselves once there is room. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage } from './stage.ts';
import type { SimNode } from './world.ts';

const fill = ({ disk }: SimNode) => {
  disk.fails = 'ENOSPC';
};

/** As soon as somebody may read. */
async function endOf(stage: Stage): Promise<number> {
  for (let i = 0; i < 100; i++) {
    const { leader } = stage;
    if (leader !== undefined && stage.world.isReady(leader)) {
      const { error, highWatermark } = await stage.answer(stage.client.fetch(leader, 0));
      if (error === 'NONE') return highWatermark;
    }
    await stage.world.run(200);
  }
  throw new Error('nobody can read');
}

test('a broker starts on a disk without room: it is read from, refuses writes, and goes on by itself', async () => {
  using stage = await Stage.begin(1);
  const { client, leader: node, world } = stage;
  for (let i = 0; i < 5; i++) assert.equal(await stage.answer(client.produce(node)), 'NONE');
  let end = 5;
  for (const how of ['kill', 'stop'] as const) {
    if (how === 'kill') world.kill(node);
    else await stage.answer(world.stop(node));
    fill(node);
    world.start(node);
    const { process } = node;
    await stage.until(() => world.isReady(node));
    assert.equal(await endOf(stage), end, how);
    for (let i = 0; i < 3; i++)
      assert.equal(await stage.answer(client.produce(node)), 'KAFKA_STORAGE_ERROR');
    await world.run(30_000);
    assert.ok(node.disk.failures > node.failuresAtStart, 'it met the want of room');
    assert.equal(await endOf(stage), end);
    assert.ok(node.process === process && process?.alive === true, 'nobody restarts it');
    node.disk.heal();
    await world.run(35_000);
    assert.equal(await stage.answer(client.produce(node)), 'NONE');
    world.kill(node);
    world.start(node);
    await stage.until(() => world.isReady(node));
    assert.equal(await endOf(stage), ++end);
  }
});

test('all brokers are killed and start on disks without room; with room again every replica is in sync', async () => {
  using stage = await Stage.begin(3, { 'min.insync.replicas': 2 });
  const { client, world } = stage;
  for (let i = 0; i < 5; i++)
    assert.equal(await stage.answer(client.produce(stage.leader)), 'NONE');
  for (const node of world.nodes) {
    world.kill(node);
    fill(node);
    world.start(node);
  }
  await stage.until(() => world.nodes.every((node) => world.isReady(node)));
  const processes = world.nodes.map(({ process }) => process);
  await stage.until(() => stage.line?.leader != null);
  assert.equal(await endOf(stage), 5);
  assert.notEqual(await stage.answer(client.produce(stage.leader)), 'NONE');
  await world.run(20_000);
  for (const node of world.nodes) node.disk.heal();
  await stage.until(() => stage.line?.isr.length === 3 && stage.line.leader !== null);
  await world.run(5_000);
  assert.equal(await stage.answer(client.produce(stage.leader)), 'NONE');
  assert.equal(await endOf(stage), 6);
  assert.deepEqual(
    world.nodes.map(({ process }) => process),
    processes,
    'nobody was restarted',
  );
  assert.deepEqual(world.bugs, []);
});
