import assert from 'node:assert/strict';
import { test } from 'node:test';
import { offsetRecord, readGroupRecord } from './group-records.ts';
import { GroupShard } from './group-shard.ts';

const openShard = () => {
  const shard = new GroupShard(
    {} as never,
    () => 'id',
    () => 0,
    () => null as never,
  );
  const value = { offset: 5, leaderEpoch: -1, metadata: '', commitTimestampMs: 0 };
  const of = { groupId: 'g', topic: 't', partition: 0 };
  shard.replay(readGroupRecord(offsetRecord(of, value)), 0);
  return shard;
};

test('offsets of a group do not expire while a commit of it is on its way', () => {
  const shard = openShard();
  shard.offsets.begin('g');
  shard.offsets.begin('g');
  shard.offsets.settle('g');
  assert.deepEqual(shard.expired(1_000, 10), []);
  shard.offsets.settle('g');
  assert.equal(shard.expired(1_000, 10).length, 2, 'the offset, and the group that is empty then');
  assert.deepEqual(shard.expired(9, 10), []);
});
