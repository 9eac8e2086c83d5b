import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
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
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 10 }, 0);
  assert.equal(core.advance(10, rules), false);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 7 }, 0);
  assert.equal(core.advance(10, rules), true);
  assert.equal(core.highWatermark, 7);
});

test('a follower outside the ISR does not hold the high watermark back', () => {
  const core = lead(line({ isr: [member(1), member(2)] }));
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 10 }, 0);
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
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 20 }, 0);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 6 }, 0);
  assert.deepEqual(core.propose(20, rules, anyone, 0), [member(1), member(2), member(3)]);
  core.advance(20, rules);
  assert.equal(core.highWatermark, 6);
});

test('progress of an earlier life of a broker counts for nothing', () => {
  const core = lead();
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 10 }, 0);
  core.onFollower({ id: 3, brokerEpoch: 2, endOffset: 10 }, 0);
  assert.equal(core.advance(10, rules), false, 'broker 3 is in the ISR as epoch 1 only');
  core.onLine(line({ partitionEpoch: 1, isr: [member(1), member(2), member(3, 2)] }), 0);
  assert.equal(core.advance(10, rules), true);
});

test('what an earlier life of a broker said arrives late and counts for nothing', () => {
  const core = lead(line({ isr: [member(1), member(2), member(3, 2)] }));
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 10 }, 0);
  core.onFollower({ id: 3, brokerEpoch: 2, endOffset: 4 }, 0);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 10 }, 0);
  core.advance(10, rules);
  assert.equal(core.highWatermark, 4);
});

test('nobody joins the ISR below the start of the leader epoch or the high watermark', () => {
  const core = lead(line({ isr: [member(1), member(2)] }), 8, 4);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 7 }, 0);
  assert.equal(core.propose(8, rules, anyone, 0), null);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 8 }, 0);
  assert.equal(
    core.propose(8, rules, () => false, 0),
    null,
    'a fenced or draining broker may not join',
  );
  assert.notEqual(core.propose(8, rules, anyone, 0), null);
});

test('who has the start of the epoch but not all that is committed does not join', () => {
  const core = lead(line({ isr: [member(1), member(2)] }), 8, 8);
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 20 }, 0);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 10 }, 0);
  core.advance(20, rules);
  assert.equal(core.highWatermark, 20);
  assert.equal(core.propose(20, rules, anyone, 0), null);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 20 }, 0);
  assert.notEqual(core.propose(20, rules, anyone, 0), null);
});

test('a proposal stands until somebody has decided: nobody who is in it is forgotten for another one', () => {
  const core = lead(line({ isr: [member(1), member(2)] }), 5, 5);
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 9 }, 0);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 6 }, 0);
  assert.notEqual(core.propose(9, rules, anyone, 0), null);
  core.onWritten(9, 0, rules);
  // Both are late now, and the leader would be alone.
  assert.equal(core.propose(20, rules, anyone, 5_000), null, 'the first one may be in force');
  core.advance(20, rules);
  assert.equal(core.highWatermark, 6);
  core.onProposalRefused();
  assert.deepEqual(core.propose(20, rules, anyone, 5_000), [member(1), member(3)]);
});

test('a follower that lags too long is proposed out, and stays in force until the page says so', () => {
  const core = lead();
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 10 }, 900);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 4 }, 900);
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
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 0 }, 0);
  core.onFollowerGone(3, 1, 0);
  assert.equal(core.propose(0, rules, anyone, 0), null);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 0 }, 0);
  assert.notEqual(core.propose(0, rules, anyone, 0), null);
});

test('a new replica that follows before its leader hears of it joins all the same', () => {
  const core = lead();
  for (const id of [2, 3, 9]) core.onFollower({ id, brokerEpoch: 1, endOffset: 10 }, 0);
  assert.equal(core.propose(10, rules, anyone, 0), null, 'it is no replica yet');
  core.onLine(line({ replicas: [1, 2, 3, 9], adding: [9], partitionEpoch: 1 }), 0);
  const proposed = core.propose(10, rules, anyone, 0);
  assert.deepEqual(
    proposed?.map(({ id }) => id),
    [1, 2, 3, 9],
  );
});

/** Followers 2 and 3 have everything; nothing was written for long. */
function idle(forMs: number) {
  const core = lead();
  for (const id of [2, 3]) core.onFollower({ id, brokerEpoch: 1, endOffset: 10 }, 0);
  core.onWritten(0, 0, rules);
  assert.equal(core.propose(10, rules, anyone, forMs), null);
  return core;
}

test('after an idle minute the first write changes no ISR: who lacks nothing is caught up', () => {
  const core = idle(60_000);
  core.onWritten(10, 60_000, rules);
  assert.equal(core.propose(20, rules, anyone, 60_001), null);
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 20 }, 60_002);
  assert.equal(core.propose(20, rules, anyone, 61_000), null, 'the time to take it is not over');
  assert.deepEqual(core.propose(20, rules, anyone, 61_001), [member(1), member(2)]);
});

test('who stopped following while all was idle is out with the first write', () => {
  const core = idle(30_000);
  core.onFollowerGone(3, 1, 30_000);
  assert.equal(core.propose(10, rules, anyone, 60_000), null, 'it lacks nothing');
  core.onWritten(10, 60_000, rules);
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 20 }, 60_001);
  assert.deepEqual(core.propose(20, rules, anyone, 60_001), [member(1), member(2)]);
});

test('a member whose broker was restarted has its time from then on', () => {
  const core = idle(60_000);
  core.onFollowerGone(3, 1, 60_000);
  const isr = [member(1), member(2), member(3, 2)];
  core.onLine(line({ partitionEpoch: 1, isr }), 60_500);
  assert.equal(core.propose(10, rules, anyone, 61_400), null);
  assert.deepEqual(core.propose(10, rules, anyone, 61_501), [member(1), member(2)]);
});

test('a follower that keeps up is in sync, however late its confirmations are and many on the way', () => {
  const core = lead();
  const lateMs = 10;
  for (const id of [2, 3]) core.onFollower({ id, brokerEpoch: 1, endOffset: 0 }, 0);
  for (let nowMs = 0; nowMs < 5000; nowMs++) {
    core.onWritten(nowMs, nowMs, rules);
    const confirmed = Math.max(nowMs - lateMs, 0);
    for (const id of [2, 3]) core.onFollower({ id, brokerEpoch: 1, endOffset: confirmed }, nowMs);
    assert.equal(core.propose(nowMs + 1, rules, anyone, nowMs), null);
  }
});

test('a follower is as late as the first record that it lacks is old, or since it follows no more', () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 1500 }) }),
    fc.record({ kind: fc.constant('write' as const), count: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant('confirm' as const), percent: fc.integer({ min: 0, max: 100 }) }),
    fc.record({ kind: fc.constant('gone' as const) }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 120 }), (events) => {
      const core = lead(line({ replicas: [1, 2], isr: [member(1), member(2)] }));
      const writtenAtMs: number[] = [];
      let nowMs = 0;
      let goneAtMs: number | null = null;
      let has = 0;
      core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 0 }, 0);
      for (const what of events) {
        if (what.kind === 'pass') nowMs += what.ms;
        else if (what.kind === 'write') {
          core.onWritten(writtenAtMs.length, nowMs, rules);
          for (let i = 0; i < what.count; i++) writtenAtMs.push(nowMs);
        } else if (what.kind === 'confirm') {
          has += Math.round(((writtenAtMs.length - has) * what.percent) / 100);
          core.onFollower({ id: 2, brokerEpoch: 1, endOffset: has }, nowMs);
          goneAtMs = null;
        } else {
          core.onFollowerGone(2, 1, nowMs);
          goneAtMs ??= nowMs;
        }
        const isr = core.propose(writtenAtMs.length, rules, () => false, nowMs);
        core.onProposalRefused();
        const lacked = writtenAtMs[has];
        const lateMs: number =
          lacked === undefined ? -1 : nowMs - Math.min(lacked, goneAtMs ?? nowMs);
        const { replicaLagTimeMaxMs: max } = rules;
        if (lateMs > max) assert.deepEqual(isr, [member(1)], `${lateMs} ms late`);
        // Times are known to a sixteenth.
        if (lateMs <= max - max / 16) assert.equal(isr, null, `${lateMs} ms late`);
      }
    }),
    { numRuns: 1000 },
  );
});

test('records are deleted for good when all who may lead next let them go', () => {
  const core = lead(line({ isr: [member(1), member(2)], elr: [member(3)] }), 50, 50);
  assert.equal(core.lowestLogStart(40), 0, 'nobody has said anything');
  const say = (id: number, brokerEpoch: number, logStartOffset: number) => {
    core.onFollower({ id, brokerEpoch, endOffset: 50 }, 0);
    core.onFollowerLogStart({ id, brokerEpoch, logStartOffset });
    return core.lowestLogStart(40);
  };
  assert.equal(say(2, 1, 45), 0, 'broker 3 may lead once the others are gone');
  assert.equal(say(3, 1, 30), 30);
  assert.equal(say(3, 1, Infinity), 40, 'who never says it is not waited for');
  core.onFollower({ id: 2, brokerEpoch: 2, endOffset: 50 }, 0);
  assert.equal(core.lowestLogStart(40), 0, 'it may have lost what it said in its life before');
  core.onFollowerLogStart({ id: 2, brokerEpoch: 1, logStartOffset: 45 });
  assert.equal(core.lowestLogStart(40), 0, 'that was said in the life before');
});

test('nobody joins the ISR with records that were deleted', () => {
  const core = lead(line({ isr: [member(1), member(2)] }), 50, 50);
  core.onFollower({ id: 2, brokerEpoch: 1, endOffset: 50 }, 0);
  core.onFollowerLogStart({ id: 2, brokerEpoch: 1, logStartOffset: 40 });
  core.onDeleted(40);
  core.onFollower({ id: 3, brokerEpoch: 1, endOffset: 50 }, 0);
  core.onFollowerLogStart({ id: 3, brokerEpoch: 1, logStartOffset: 39 });
  assert.equal(core.propose(50, rules, anyone, 0), null);
  core.onFollowerLogStart({ id: 3, brokerEpoch: 1, logStartOffset: 40 });
  assert.deepEqual(core.propose(50, rules, anyone, 0), [member(1), member(2), member(3)]);
  core.onDeleted(45);
  assert.equal(core.lowestLogStart(45), 40, 'who was proposed is waited for');
});
