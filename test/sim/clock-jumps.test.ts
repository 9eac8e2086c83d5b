/** Clocks on the wall are set forward and back while brokers run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage } from './stage.ts';

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;

test('a clock that is set changes no leader and no ISR, fences nobody, and every write is committed', async () => {
  using stage = await Stage.begin(3);
  const { client, world } = stage;
  assert.equal(await stage.answer(client.produce(stage.leader)), 'NONE');
  const before = { leader: stage.leader.name, line: stage.line };
  const epochs = world.nodes.map((node) => world.brokerEpochOf(node));
  const controllerId = await stage.answer(client.controllerId());
  let written = 1;
  for (const jumpMs of [SECOND_MS, 60 * SECOND_MS, DAY_MS])
    for (const direction of [1, -1])
      for (const who of [[0], [1], [2], [0, 1, 2]]) {
        for (const id of who) {
          const node = world.nodes[id];
          if (node !== undefined) node.skewMs += direction * jumpMs;
        }
        // The same again later, so that no timer of a minute has its turn in between alone.
        for (const ms of [100, 12_000]) {
          await world.run(ms);
          assert.equal(await stage.answer(client.produce(stage.leader)), 'NONE');
          written++;
        }
      }
  assert.deepEqual({ leader: stage.leader.name, line: stage.line }, before);
  assert.deepEqual(
    world.nodes.map((node) => world.brokerEpochOf(node)),
    epochs,
  );
  assert.equal(await stage.answer(client.controllerId()), controllerId);
  assert.equal((await stage.answer(client.fetch(stage.leader, 0))).highWatermark, written);
  assert.deepEqual(world.bugs, []);
});
