import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatLine, type PartitionLine } from '../../kube/partition-line.ts';
import { type MemoryDisk, memoryDisk } from '../../stdx/disk-memory.ts';
import { createLogger } from '../../stdx/logger.ts';
import { configTextOf, DirectoryRecords, type Life } from './directory-record.ts';
import { seal, unseal } from './sealed-text.ts';

const logger = { ...createLogger({ level: 'error', format: 'text' }), warn: () => {} };
const open = (disk: MemoryDisk) => new DirectoryRecords({ disk, logger }, '/a');

const lineOf = (partition: number, leaderEpoch = 1): PartitionLine => ({
  topic: 'a-topic.with_all',
  topicId: 'bq2dIkbPTxeNsw_0A-9dfQ',
  partition,
  leader: { id: 1, epoch: 7 },
  leaderEpoch,
  partitionEpoch: 2,
  replicas: [1, 2],
  isr: [{ id: 1, epoch: 7 }],
  elr: [],
  adding: [],
  removing: [],
});
const life: Life = {
  epoch: 7,
  keptSince: 3,
  incarnation: 'x',
  bootId: 'boot',
  directories: ['d1', 'd2'],
};
const identity = { clusterId: 'c', nodeId: 1, directoryId: 'd1' };

function written(): MemoryDisk {
  const disk = memoryDisk();
  const records = open(disk);
  records.noteIdentity(identity);
  records.noteLife(life);
  records.noteProducerId(2000);
  records.noteStoreGeneration(4);
  for (let partition = 0; partition < 3; partition++)
    records.noteLine(
      lineOf(partition),
      configTextOf({ 'cleanup.policy': 'compact', note: 'a config=b' }),
    );
  records.saveNow();
  return disk;
}

test('a directory says what it was told, in its next life', () => {
  const { record, life: known, isDamaged } = open(written());
  assert.deepEqual(known, life);
  assert.equal(isDamaged, false);
  assert.deepEqual(record, {
    ...identity,
    path: '/a',
    brokerEpoch: 7,
    keptSince: 3,
    incarnation: 'x',
    bootId: 'boot',
    directories: ['d1', 'd2'],
    storeGeneration: 4,
    producerIdMax: 2000,
    replicas: [0, 1, 2].map((partition) => ({
      topic: 'a-topic.with_all',
      topicId: 'bq2dIkbPTxeNsw_0A-9dfQ',
      partition,
      line: formatLine(lineOf(partition)),
      config: configTextOf({ 'cleanup.policy': 'compact', note: 'a config=b' }),
    })),
  });
});

test('the highest numbers are kept, whatever comes later', () => {
  const disk = written();
  const records = open(disk);
  records.noteProducerId(1000);
  records.noteStoreGeneration(3);
  const { producerIdMax, storeGeneration } = open(disk).record ?? {};
  assert.deepEqual([producerIdMax, storeGeneration], [2000, 4]);
});

test('whatever bit flips in either file, it says what it said, or nothing: never something else', () => {
  const disk = written();
  const whole = open(disk).record;
  for (const file of ['/a/tenure-directory.json', '/a/tenure-replicas']) {
    const bytes = disk.readBytes(file) as Buffer;
    // With 7 every bit of a byte has its turn.
    for (let bit = 0; bit < bytes.length * 8; bit += 7) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      disk.files.set(file, flipped);
      const { record, isDamaged } = open(disk);
      // It lies there twice.
      if (file.endsWith('json'))
        assert.deepEqual([record, isDamaged], [whole, false], `bit ${bit}`);
      else assert.deepEqual(record, { ...whole, replicas: null }, `bit ${bit}`);
    }
    for (let length = 0; length < bytes.length; length++) {
      disk.files.set(file, bytes.subarray(0, length));
      const { record } = open(disk);
      assert.equal(record === null || record.replicas === null, true, `cut to ${length} bytes`);
    }
    disk.files.set(file, bytes);
  }
});

test('a seal is right for its text alone', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(), (text, at) => {
      const sealed = seal(text);
      assert.equal(unseal(sealed), Buffer.from(text).toString('utf8'));
      const other = Buffer.from(sealed);
      const i = at % other.length;
      other[i] = (other[i] as number) ^ 0x20;
      assert.equal(unseal(other), null);
    }),
  );
});

test('a value that makes no sense is not believed, though its seal is right', () => {
  const bad = [
    { ...life, keptSince: 8 },
    { ...life, epoch: -1 },
    { ...life, directories: [1] },
    'x',
  ];
  for (const wrong of bad) {
    const disk = memoryDisk();
    const of = {
      version: 1,
      identity,
      life: wrong,
      next: null,
      storeGeneration: 0,
      producerIdMax: 0,
    };
    disk.files.set('/a/tenure-directory.json', seal(JSON.stringify(of)));
    const records = open(disk);
    assert.deepEqual([records.life, records.isDamaged], [null, true], JSON.stringify(wrong));
  }
});

test('what an earlier version wrote is known, and has one home afterwards', () => {
  const disk = memoryDisk();
  const old = { epoch: 7, keptSince: 3, bootId: 'boot', directories: ['d1'] };
  disk.files.set('/a/tenure-life.json', Buffer.from(JSON.stringify(old)));
  const records = open(disk);
  assert.deepEqual(records.life, { ...old, incarnation: '' });
  assert.equal(records.isOfEarlierVersion, true);
  records.noteIdentity(identity);
  assert.equal(disk.exists('/a/tenure-life.json'), false);
  assert.deepEqual(open(disk).life, { ...old, incarnation: '' });
  assert.equal(open(disk).record?.replicas, null, 'an earlier version knew no lines');
});

test('a thousand lines that change are one write, and lines that did not change are none', async () => {
  const disk = memoryDisk();
  const records = open(disk);
  records.noteIdentity(identity);
  records.noteLife(life);
  let writes = 0;
  const before = { ...disk };
  disk.open = (path, options) => {
    writes++;
    return before.open(path, options);
  };
  for (let partition = 0; partition < 1000; partition++) records.noteLine(lineOf(partition), 'd');
  await Promise.all([records.save(), records.save()]);
  assert.equal(writes, 1);
  assert.equal(records.isStale, false);
  const again = open(disk);
  for (let partition = 0; partition < 1000; partition++)
    assert.equal(again.noteLine(lineOf(partition), 'd'), false);
  await again.save();
  assert.equal(writes, 1);
  assert.equal(again.noteLine(lineOf(5, 2), 'd'), true);
  again.forgetLine(lineOf(6));
  again.saveNow();
  const { replicas } = open(disk).record ?? {};
  assert.equal(replicas?.length, 999);
  assert.equal(replicas.find(({ partition }) => partition === 5)?.line, formatLine(lineOf(5, 2)));
});

test('an orderly stop is not overtaken by what was being written before it', async () => {
  const disk = memoryDisk();
  const records = open(disk);
  records.noteIdentity(identity);
  records.noteLine(lineOf(0, 1), 'd');
  const earlier = records.save();
  records.noteLine(lineOf(0, 2), 'd');
  records.saveNow();
  await earlier;
  assert.equal(open(disk).record?.replicas?.[0]?.line, formatLine(lineOf(0, 2)));
});
