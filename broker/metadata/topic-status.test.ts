import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergePatch } from '../../kube/embedded/patches.ts';
import {
  annotations,
  type KafkaTopic,
  TOPIC_FINALIZER,
  topicIdOf,
} from '../../kube/kafka-objects.ts';
import { type PartitionLine, partitionKey } from '../../kube/partition-line.ts';
import { TopicStatusWriter } from './topic-status.ts';

const made: KafkaTopic = {
  apiVersion: 'kafka.tenure.dev/v1beta1',
  kind: 'KafkaTopic',
  metadata: {
    name: 't',
    namespace: 'n',
    uid: '00000000-0000-4000-8000-00000000000a',
    generation: 1,
    finalizers: [TOPIC_FINALIZER],
  },
  spec: { clusterRef: { name: 'c' }, partitions: 1, replicas: 2 },
};
const member = (id: number) => ({ id, epoch: 1 });
const line: PartitionLine = {
  topic: 't',
  topicId: topicIdOf(made),
  partition: 0,
  leader: member(0),
  leaderEpoch: 0,
  partitionEpoch: 0,
  replicas: [0, 1],
  isr: [member(0), member(1)],
  elr: [],
  adding: [],
  removing: [],
};

/** What a new controller writes of a topic, and the topic after it. */
async function look(topic: KafkaTopic): Promise<{ writes: number; topic: KafkaTopic }> {
  let writes = 0;
  let current = topic;
  const api = {
    async patch(_: unknown, __: unknown, patch: unknown) {
      writes++;
      current = mergePatch(current, patch) as KafkaTopic;
    },
  };
  const clock = { nowMs: () => 0, monotonicMs: () => 0 };
  const logger = { debug() {} };
  const writer = new TopicStatusWriter({ api, clock, logger } as never);
  writer.update([topic], new Map([[partitionKey(line.topicId, 0), line]]), [], new Map());
  writer.writeDue();
  await new Promise((done) => setImmediate(done));
  return { writes, topic: current };
}

test('a new controller writes nothing of a topic whose status says all there is to say', async () => {
  const first = await look(made);
  assert.equal(first.writes, 1);
  assert.equal(first.topic.status?.observedReplicas, 2);
  assert.equal((await look(first.topic)).writes, 0);
});

test('that partitions have the number of replicas asked for is noted once', async () => {
  const { topic } = await look(made);
  const resized = { ...topic, status: { ...topic.status, resizingTo: 2 } };
  const after = await look(resized);
  assert.equal(after.writes, 1);
  assert.equal(after.topic.status?.resizingTo, undefined);
  assert.equal((await look(after.topic)).writes, 0);
});

test('a topic that is managed again does not go on saying that it is not', async () => {
  const left = { ...made.metadata, annotations: { [annotations.managed]: 'false' } };
  const unmanaged = (await look({ ...made, metadata: left })).topic;
  const says = ({ status }: KafkaTopic) =>
    status?.conditions?.some(({ type }) => type === 'Unmanaged') === true;
  assert.equal(says(unmanaged), true);
  assert.equal(says((await look({ ...unmanaged, metadata: made.metadata })).topic), false);
});
