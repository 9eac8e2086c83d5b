/** A topic is deleted, and another one is made of the same name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kafkaTopics } from '../../kube/kafka-objects.ts';
import { TOPIC } from './scene.ts';
import { Stage } from './stage.ts';
import { NAMESPACE, type SimNode } from './world.ts';

test('a deleted topic leaves no line behind, though its page could not be written at first', async () => {
  using stage = await Stage.begin(3);
  const { world } = stage;
  const { api } = world.kube;
  const kind = world.kube.kindOf(kafkaTopics);
  const topics = () => api.list(kind, NAMESPACE, ({ metadata }) => metadata.name === TOPIC);
  world.kube.conflictChance = 1;
  api.delete(kind, NAMESPACE, TOPIC, {});
  await world.run(1_000);
  world.kube.conflictChance = 0;
  await stage.until(() => topics().length === 0);
  assert.equal(stage.line, undefined, 'its object was the last to go');
});

test('a controller that hears late of a deletion does not make the topic again', async () => {
  using stage = await Stage.begin(3);
  const { client, world } = stage;
  const controllerId = await stage.answer(client.controllerId());
  for (const { id, process } of world.nodes)
    if (process !== null && id !== controllerId) world.kube.late.set(process, 30_000);
  world.kube.api.delete(world.kube.kindOf(kafkaTopics), NAMESPACE, TOPIC, {});
  await stage.until(() => stage.line === undefined);
  await world.run(1_000);
  world.kill(world.nodes[controllerId] as SimNode);
  const elected = () => world.log.filter((line) => line.includes('elected controller')).length;
  const before = elected();
  await stage.until(() => elected() > before);
  await world.run(5_000);
  assert.equal(stage.line, undefined);
});
