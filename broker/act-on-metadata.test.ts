import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API_VERSION, type KafkaPartitionMap, type KafkaTopic } from '../kube/kafka-objects.ts';
import { formatPage, type PartitionLine } from '../kube/partition-line.ts';
import { actOnMetadata } from './act-on-metadata.ts';
import { MetadataImage } from './metadata/image.ts';
import type { MetadataListener } from './metadata/metadata.ts';

const PAGE = 'c-partitions-0000';
const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ';
const LINE: PartitionLine = {
  topic: 't',
  topicId: TOPIC_ID,
  partition: 0,
  leader: { id: 0, epoch: 1 },
  leaderEpoch: 0,
  partitionEpoch: 0,
  replicas: [0],
  isr: [{ id: 0, epoch: 1 }],
  elr: [],
  adding: [],
  removing: [],
};
const TOPIC = {
  apiVersion: API_VERSION,
  kind: 'KafkaTopic',
  metadata: { name: 't', uid: 'u' },
  spec: { clusterRef: { name: 'c' } },
  status: { topicId: TOPIC_ID },
} as KafkaTopic;

/** A broker that knows one topic, and whom it takes for gone. */
function stage() {
  const image = new MetadataImage();
  const gone: string[] = [];
  let listener: MetadataListener = {};
  const page = (lines: PartitionLine[], storeGeneration: number) =>
    ({ spec: { partitions: formatPage(lines), storeGeneration } }) as KafkaPartitionMap;
  const show = (lines: PartitionLine[], generation: number) =>
    listener.onLines?.(image.setPage(PAGE, page(lines, generation)) ?? []);
  image.setPage(PAGE, page([LINE], 1));
  image.setTopicObject(TOPIC, true);
  actOnMetadata({
    metadata: {
      image,
      listen: (one) => {
        listener = one;
        return { [Symbol.dispose]: () => {} };
      },
    },
    replicas: {
      noteGeneration: () => {},
      onLines: () => {},
      onTopic: () => {},
      refreshRules: () => {},
      reportStrays: () => {},
    },
    clusterId: '',
    onTopicGone: (name) => gone.push(name),
    onCluster: () => {},
    onFatal: () => {},
  });
  const losesObject = () => {
    image.setTopicObject(TOPIC, false);
    listener.onTopic?.(TOPIC, false);
  };
  return { gone, losesObject, show };
}

test('a topic whose object is missing has not ended: what groups committed of it stays', () => {
  const { gone, losesObject } = stage();
  losesObject();
  assert.deepEqual(gone, []);
});

test('a topic has ended once a newer page has none of its lines', () => {
  const { gone, show } = stage();
  show([{ ...LINE, topicId: 'AAAAAAAAAAAAAAAAAAAAAg' }], 2);
  assert.deepEqual(gone, ['t'], 'also where another one has its name by now');
});

test('an older page ends no topic', () => {
  const { gone, show } = stage();
  show([], 0);
  assert.deepEqual(gone, []);
});
