import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KafkaPartitionMap } from '../../kube/kafka-objects.ts';
import { formatPage, type PartitionLine } from '../../kube/partition-line.ts';
import { MetadataImage } from './image.ts';
import { wentBack } from './page-age.ts';

const line = (more: Partial<PartitionLine> = {}): PartitionLine => ({
  topic: 't',
  topicId: 'AAAAAAAAAAAAAAAAAAAAAQ',
  partition: 0,
  leader: { id: 0, epoch: 1 },
  leaderEpoch: 3,
  partitionEpoch: 7,
  replicas: [0, 1, 2],
  isr: [0, 1, 2].map((id) => ({ id, epoch: 1 })),
  elr: [],
  adding: [],
  removing: [],
  ...more,
});
const page = (lines: PartitionLine[], storeGeneration = 1) =>
  ({ spec: { partitions: formatPage(lines), storeGeneration } }) as KafkaPartitionMap;
const other = (more: Partial<PartitionLine>) => line({ ...more, partition: 1 });

test('no line goes back, and of two with the same epochs one is not the other', () => {
  assert.equal(wentBack(line(), line()), false);
  assert.equal(wentBack(line(), line({ partitionEpoch: 8 })), false);
  assert.equal(wentBack(line(), line({ partitionEpoch: 6 })), true);
  assert.equal(wentBack(line(), line({ leaderEpoch: 2, partitionEpoch: 9 })), true);
  assert.equal(wentBack(line(), line({ leader: { id: 0, epoch: 2 } })), true);
  assert.equal(wentBack(line(), line({ isr: [{ id: 0, epoch: 1 }] })), true);
});

test('of a page with one line that went back nothing is believed', () => {
  const image = new MetadataImage();
  image.setPage('p', page([line(), other({})]));
  const mixed = [line({ leaderEpoch: 4, partitionEpoch: 8 }), other({ partitionEpoch: 6 })];
  assert.equal(image.setPage('p', page(mixed)), null);
  assert.equal(image.line(line().topicId, 0)?.leaderEpoch, 3);
  const [age] = image.pageAges();
  assert.equal(age?.changes, 20, 'a controller is told of what was seen, not of what came after');
});

test('pages that were written again after that are believed', () => {
  const image = new MetadataImage();
  image.setPage('p', page([line()]));
  assert.equal(image.setPage('p', page([line({ partitionEpoch: 6 })])), null);
  assert.equal(
    image.setPage('p', page([line({ leaderEpoch: 4, partitionEpoch: 8 })], 2))?.length,
    1,
  );
});
