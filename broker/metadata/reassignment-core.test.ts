import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type PartitionLine, targetReplicas } from '../../kube/partition-line.ts';
import { alterIsr, type BrokerView } from './election-core.ts';
import {
  advanceReassignment,
  cancelReassignment,
  isRefusal,
  startReassignment,
} from './reassignment-core.ts';

const rules = { minInsyncReplicas: 2, uncleanLeaderElection: false };
const brokers = new Map<number, BrokerView>(
  [0, 1, 2, 3, 4, 5].map((id) => [
    id,
    { id, epoch: 1, live: true, draining: false, keptSince: 1, rack: null },
  ]),
);
const member = (id: number) => ({ id, epoch: 1 });
const line = (replicas: number[]): PartitionLine => ({
  topic: 't',
  topicId: 'x',
  partition: 0,
  leader: member(replicas[0] as number),
  leaderEpoch: 3,
  partitionEpoch: 7,
  replicas,
  isr: replicas.map(member),
  elr: [],
  adding: [],
  removing: [],
});
const start = (of: PartitionLine, target: number[]) => {
  const next = startReassignment(of, target, { brokers, allowReplicationFactorChange: true });
  assert.ok(!isRefusal(next), JSON.stringify(next));
  return next;
};
/** Every follower that is a replica catches up, one after the other. */
function settle(of: PartitionLine): PartitionLine {
  let now = advanceReassignment(of, brokers, rules);
  for (const id of [...now.replicas]) {
    if (!now.replicas.includes(id) || now.isr.some((one) => one.id === id) || now.leader === null)
      continue;
    const change = {
      leader: now.leader,
      leaderEpoch: now.leaderEpoch,
      partitionEpoch: now.partitionEpoch,
      isr: [...now.isr, member(id)],
    };
    const joined = alterIsr(now, change, brokers, rules);
    assert.ok(typeof joined !== 'string', String(joined));
    now = advanceReassignment(joined, brokers, rules);
  }
  return now;
}

test('the old replicas stay until all new ones are in sync', () => {
  const moving = start(line([0, 1, 2]), [3, 4, 2]);
  assert.deepEqual(
    [moving.replicas, moving.adding, moving.removing],
    [
      [3, 4, 2, 0, 1],
      [3, 4],
      [0, 1],
    ],
  );
  assert.equal(advanceReassignment(moving, brokers, rules), moving);
  const done = settle(moving);
  assert.deepEqual([done.replicas, done.adding, done.removing], [[3, 4, 2], [], []]);
  assert.ok(done.leader !== null && done.replicas.includes(done.leader.id));
  assert.ok(done.leaderEpoch > moving.leaderEpoch, 'the leader had to change');
});

test('a replica that goes is fenced by a new leader epoch, also where the leader stays', () => {
  const moving = start(line([0, 1, 2]), [0, 1, 3]);
  assert.equal(moving.leaderEpoch, line([0, 1, 2]).leaderEpoch, 'nobody has gone yet');
  const done = settle(moving);
  assert.deepEqual([done.leader?.id, done.replicas], [0, [0, 1, 3]]);
  assert.equal(done.leaderEpoch, moving.leaderEpoch + 1);
});

test('a move is cancelled to where it came from', () => {
  const cancelled = cancelReassignment(start(line([0, 1]), [2, 3]));
  assert.ok(!isRefusal(cancelled));
  assert.deepEqual([cancelled.replicas, cancelled.adding, cancelled.removing], [[0, 1], [], []]);
  assert.ok(isRefusal(cancelReassignment(line([0, 1]))));
});

test('a move is not cancelled where only the new replicas have everything', () => {
  const moving = { ...start(line([0, 1]), [2, 3]), isr: [member(2)], leader: member(2) };
  const cancelled = cancelReassignment(moving);
  assert.ok(isRefusal(cancelled) && cancelled.error === 'INVALID_REPLICA_ASSIGNMENT');
});

test('what cannot be is refused', () => {
  const of = { brokers, allowReplicationFactorChange: true };
  for (const target of [[], [1, 1], [9]])
    assert.ok(isRefusal(startReassignment(line([0]), target, of)));
  const strict = startReassignment(line([0, 1]), [2], {
    brokers,
    allowReplicationFactorChange: false,
  });
  assert.ok(isRefusal(strict) && strict.error === 'INVALID_REPLICATION_FACTOR');
});

test('any sequence of moves ends where the last one says, and never without an in-sync leader (property)', () => {
  const target = fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(
      target,
      fc.array(fc.record({ target, settles: fc.boolean(), cancels: fc.boolean() }), {
        minLength: 1,
        maxLength: 8,
      }),
      (first, moves) => {
        let now = line(first);
        for (const move of moves) {
          now = advanceReassignment(start(now, move.target), brokers, rules);
          if (move.settles) now = settle(now);
          if (move.cancels && now.adding.length + now.removing.length > 0) {
            const cancelled = cancelReassignment(now);
            assert.ok(!isRefusal(cancelled));
            now = advanceReassignment(cancelled, brokers, rules);
          }
          assert.ok(now.isr.length > 0 && now.isr.every(({ id }) => now.replicas.includes(id)));
          assert.ok(
            now.leader !== null && now.isr.some(({ id }) => id === now.leader?.id),
            JSON.stringify(now),
          );
          assert.equal(new Set(now.replicas).size, now.replicas.length);
        }
        const last = (moves.at(-1) as (typeof moves)[number]).target;
        now = settle(advanceReassignment(start(now, last), brokers, rules));
        assert.deepEqual(targetReplicas(now), last);
        assert.deepEqual([now.adding, now.removing], [[], []]);
      },
    ),
    { numRuns: 500 },
  );
});
