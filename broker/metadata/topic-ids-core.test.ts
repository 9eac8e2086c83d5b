import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API_VERSION, idOfUid, type KafkaTopic } from '../../kube/kafka-objects.ts';
import { type PartitionLine, partitionKey } from '../../kube/partition-line.ts';
import { endsRecords } from './deletions.ts';
import { planIds } from './topic-ids-core.ts';

const uidOf = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;
const topic = (
  n: number,
  topicName: string,
  topicId?: string,
  meta: Partial<KafkaTopic['metadata']> = {},
): KafkaTopic => ({
  apiVersion: API_VERSION,
  kind: 'KafkaTopic',
  metadata: {
    name: `object-${n}`,
    uid: uidOf(n),
    creationTimestamp: `2026-01-0${n}T00:00:00Z`,
    ...meta,
  },
  spec: { clusterRef: { name: 'c' }, topicName },
  ...(topicId === undefined ? {} : { status: { topicId } }),
});
const pages = (...of: [string, string][]) =>
  new Map(
    of.map(([name, topicId]): [string, PartitionLine] => [
      partitionKey(topicId, 0),
      {
        topic: name,
        topicId,
        partition: 0,
        leader: null,
        leaderEpoch: 1,
        partitionEpoch: 1,
        replicas: [0],
        isr: [],
        elr: [],
        adding: [],
        removing: [],
      },
    ]),
  );
const changes = (topics: KafkaTopic[], lines = pages()) =>
  planIds(topics, lines).map(({ topic: { metadata }, topicId }) => [metadata.name, topicId]);

test('a new object of a name that the pages know gets the id of before', () => {
  assert.deepEqual(changes([topic(1, 'a')], pages(['a', 'X'])), [['object-1', 'X']]);
  assert.deepEqual(changes([topic(1, 'a', 'X')], pages(['a', 'X'])), []);
  assert.deepEqual(changes([topic(1, 'b')], pages(['a', 'X'])), []);
});

test('no two objects have one id: the older keeps it', () => {
  const both = [topic(2, 'b', 'X'), topic(1, 'a', 'X')];
  assert.deepEqual(changes(both, pages(['a', 'X'])), [['object-2', idOfUid(uidOf(2))]]);
  const twice = [topic(1, 'a'), topic(2, 'a')];
  assert.deepEqual(changes(twice, pages(['a', 'X'])), [['object-1', 'X']]);
});

test('an id whose partitions ended is not used again', () => {
  assert.deepEqual(changes([topic(1, 'a', 'X')]), [['object-1', idOfUid(uidOf(1))]]);
});

test('a topic that is being deleted keeps its id to the end', () => {
  const dying = topic(1, 'a', 'X', { deletionTimestamp: '2026-02-01T00:00:00Z' });
  assert.deepEqual(changes([dying]), []);
  assert.deepEqual(changes([dying, topic(2, 'a')], pages(['a', 'X'])), []);
});

test('records end with a topic that was deleted while its cluster lives, not with its cluster', () => {
  const cluster = (meta: object = {}) =>
    ({
      apiVersion: API_VERSION,
      kind: 'KafkaCluster',
      metadata: { name: 'c', creationTimestamp: '2026-01-01T00:00:00Z', ...meta },
      spec: { replicas: 1 },
    }) as const;
  const dying = topic(1, 'a', 'X', { deletionTimestamp: '2026-02-01T00:00:00Z' });
  assert.equal(endsRecords(dying, cluster()), true);
  assert.equal(endsRecords(dying, null), false);
  assert.equal(endsRecords(dying, cluster({ deletionTimestamp: '2026-02-01T00:00:01Z' })), false);
  // Deleted with the cluster before this one.
  assert.equal(endsRecords(dying, cluster({ creationTimestamp: '2026-02-01T00:00:00Z' })), false);
  assert.equal(endsRecords(topic(1, 'a'), cluster()), false);
});
