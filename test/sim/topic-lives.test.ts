/** A topic is deleted, and another one is made of the same name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kafkaTopics } from '../../kube/kafka-objects.ts';
import { TOPIC } from './scene.ts';
import { Stage } from './stage.ts';
import { NAMESPACE } from './world.ts';

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
