/** A partition whose log starts in the middle of a batch moves to brokers that have nothing of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage } from './stage.ts';

/** Every batch is there, the first one whole. */
async function assertWhole(stage: Stage): Promise<void> {
  const { client, leader } = stage;
  for (let offset = 50; offset < 1000; ) {
    const fetched = await stage.answer(client.fetch(leader, offset));
    const { batches, error, highWatermark, logStartOffset } = fetched;
    assert.deepEqual([error, logStartOffset, highWatermark], ['NONE', 50, 1000]);
    for (const [base, last] of batches) {
      assert.equal(base, Math.floor(offset / 100) * 100);
      offset = last + 1;
    }
    assert.ok(batches.length > 0, `nothing at ${offset}`);
  }
  assert.equal((await stage.answer(client.fetch(leader, 49))).error, 'OFFSET_OUT_OF_RANGE');
}

test('who begins in the middle of a batch leads with every record that there is', async () => {
  using stage = await Stage.begin(6);
  const { client, world } = stage;
  for (let i = 0; i < 10; i++)
    assert.equal(await stage.answer(client.produce(stage.leader, { records: 100 })), 'NONE');
  assert.equal(await stage.answer(client.deleteRecords(stage.leader, 50)), 'NONE');
  assert.equal(await stage.answer(client.deleteRecords(stage.leader, 1001)), 'OFFSET_OUT_OF_RANGE');
  const others = world.nodes.map(({ id }) => id).filter((id) => !stage.line?.replicas.includes(id));
  assert.equal(await stage.answer(client.move(others)), 'NONE');
  await stage.until(
    () => stage.line?.replicas.join() === others.join() && others.includes(stage.leader.id),
  );
  await world.run(1_000);
  await assertWhole(stage);
  // And so it is for who comes after a restart of all of them.
  const stopped = world.nodes.map(({ broker }) => broker?.stop());
  await stage.answer(Promise.all(stopped));
  for (const node of world.nodes) {
    world.kill(node);
    world.start(node);
  }
  await stage.until(() => world.nodes.every((node) => world.isReady(node)));
  await world.run(3_000);
  await assertWhole(stage);
});

test('what was deleted stays so when the leader is lost right after it answered', async () => {
  using stage = await Stage.begin(3);
  const { client, world } = stage;
  for (let i = 0; i < 10; i++)
    assert.equal(await stage.answer(client.produce(stage.leader, { records: 100 })), 'NONE');
  const before = stage.leader;
  const asked = client.deleteRecords(before, 50).finally(() => world.kill(before));
  assert.equal(await stage.answer(asked), 'NONE');
  await stage.until(() => stage.line?.leader !== null && stage.leader !== before);
  await world.run(500);
  await assertWhole(stage);
});
