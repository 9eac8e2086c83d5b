/** Nothing happens for long, and then something does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage } from './stage.ts';

test('after idle minutes a write changes no ISR', async () => {
  using stage = await Stage.begin(3);
  const { client, world } = stage;
  assert.equal(await stage.answer(client.produce(stage.leader)), 'NONE');
  const before = stage.line?.partitionEpoch;
  for (let round = 0; round < 3; round++) {
    await world.run(61_000);
    // Long enough for the leader to look after its ISR before the followers have confirmed.
    world.network.slownessMs = 2_000;
    assert.equal(await stage.answer(client.produce(stage.leader)), 'NONE');
    await world.run(2_000);
    world.network.slownessMs = 0;
  }
  assert.equal(stage.line?.partitionEpoch, before);
});

test('a follower whose stream broke while all was idle leaves the ISR after the first write', async () => {
  using stage = await Stage.begin(3, { 'replica.lag.time.max.ms': 10_000 });
  const { client, leader, world } = stage;
  assert.equal(await stage.answer(client.produce(leader)), 'NONE');
  const controllerId = await stage.answer(client.controllerId());
  const away = world.nodes.find((node) => node !== leader && node.id !== controllerId);
  assert.ok(away !== undefined);
  // Cut off from its leader alone: for the cluster it lives.
  world.network.cut(away.name, leader.name);
  world.network.cut(leader.name, away.name);
  await world.run(30_000);
  assert.equal(stage.line?.isr.length, 3, 'it lacks nothing');
  const answered = client.produce(leader);
  await stage.until(() => stage.line?.isr.length === 2);
  assert.equal(await stage.answer(answered), 'NONE');
});
