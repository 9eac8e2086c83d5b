import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Member, PartitionLine } from '../../kube/partition-line.ts';
import { LeaderCore } from './leader-core.ts';

const rules = { minInsyncReplicas: 2, replicaLagTimeMaxMs: 1000 };
const member = (id: number, epoch = 1): Member => ({ id, epoch });
const line = (more: Partial<PartitionLine> = {}): PartitionLine => ({
  topic: 't',
  topicId: 'x',
  partition: 0,
  leader: member(1),
  leaderEpoch: 5,
  partitionEpoch: 0,
  replicas: [1, 2, 3],
  isr: [member(1), member(2), member(3)],
  elr: [],
  adding: [],
  removing: [],
  ...more,
});
const lead = (of: PartitionLine = line(), endOffset = 0, highWatermark = 0) =>
  new LeaderCore(of, member(1), { endOffset, highWatermark, nowMs: 0 });
const anyone = () => true;

test('the high watermark waits for every in-sync replica', () => {
  const core = lead();
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 10 }, 10, 0);
  assert.equal(core.advance(10, rules), false);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 7 }, 10, 0);
  assert.equal(core.advance(10, rules), true);
  assert.equal(core.highWatermark, 7);
});

test('a follower outside the ISR does not hold the high watermark back', () => {
  const core = lead(line({ isr: [member(1), member(2)] }));
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 10 }, 10, 0);
  core.advance(10, rules);
  assert.equal(core.highWatermark, 10);
});

test('below min.insync.replicas the high watermark stands still', () => {
  const core = lead(line({ isr: [member(1)] }));
  assert.equal(core.advance(10, rules), false);
  assert.equal(core.highWatermark, 0);
});

test('a member that was proposed already holds the high watermark back', () => {
  const core = lead(line({ isr: [member(1), member(2)] }), 5, 5);
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 20 }, 20, 0);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 6 }, 20, 0);
  assert.deepEqual(core.propose(20, rules, anyone, 0), [member(1), member(2), member(3)]);
  core.advance(20, rules);
  assert.equal(core.highWatermark, 6);
});

test('progress of an earlier life of a broker counts for nothing', () => {
  const core = lead();
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 10 }, 10, 0);
  core.onFollower({ id: 3, brokerEpoch: 2, endOffset: 10 }, 10, 0);
  assert.equal(core.advance(10, rules), false, 'broker 3 is in the ISR as epoch 1 only');
  core.onLine(line({ partitionEpoch: 1, isr: [member(1), member(2), member(3, 2)] }), 0);
  assert.equal(core.advance(10, rules), true);
});

test('nobody joins the ISR below the start of the leader epoch or the high watermark', () => {
  const core = lead(line({ isr: [member(1), member(2)] }), 8, 4);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 7 }, 8, 0);
  assert.equal(core.propose(8, rules, anyone, 0), null);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 8 }, 8, 0);
  assert.equal(
    core.propose(8, rules, () => false, 0),
    null,
    'a fenced or draining broker may not join',
  );
  assert.notEqual(core.propose(8, rules, anyone, 0), null);
});

test('a follower that lags too long is proposed out, and stays in force until the page says so', () => {
  const core = lead();
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 10 }, 10, 900);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 4 }, 10, 900);
  assert.equal(core.propose(10, rules, anyone, 1000), null);
  assert.deepEqual(core.propose(10, rules, anyone, 1500), [member(1), member(2)]);
  core.advance(10, rules);
  assert.equal(core.highWatermark, 4, 'the leader never shrinks its ISR by itself');
  core.onLine(line({ partitionEpoch: 1, isr: [member(1), member(2)] }), 1500);
  core.advance(10, rules);
  assert.equal(core.highWatermark, 10);
});

test('who no longer follows may not join, although it had caught up', () => {
  const core = lead(line({ isr: [member(1), member(2)] }));
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 0 }, 0, 0);
  core.onFollowerGone(3, 1);
  assert.equal(core.propose(0, rules, anyone, 0), null);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 0 }, 0, 0);
  assert.notEqual(core.propose(0, rules, anyone, 0), null);
});

test('a new replica that follows before its leader hears of it joins all the same', () => {
  const core = lead();
  for (const id of [2, 3, 9]) core.onFollower({ id, brokerEpoch: 1, endOffset: 10 }, 10, 0);
  assert.equal(core.propose(10, rules, anyone, 0), null, 'it is no replica yet');
  core.onLine(line({ replicas: [1, 2, 3, 9], adding: [9], partitionEpoch: 1 }), 0);
  const proposed = core.propose(10, rules, anyone, 0);
  assert.deepEqual(
    proposed?.map(({ id }) => id),
    [1, 2, 3, 9],
  );
});
