import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PartitionLine } from '../../kube/partition-line.ts';
import { buildBatch } from '../../proto/kafka/record-batch.ts';
import { clockOf, Process, Scheduler } from '../../test/sim/scheduler.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { partitionRules, Side } from '../../test/support/replica-pair.ts';
import type { DeletionResult } from '../partition/deletion-waiters.ts';
import { Partitions } from '../partition/partitions.ts';
import type { Frame } from './leader-message.ts';
import { LeaderStream } from './leader-stream.ts';
import { decodeLeaderMessage, type Refusal } from './services.ts';
import { ReplicationThrottle } from './throttle.ts';

const SELF = { id: 1, epoch: 1 };
const FOLLOWER = { id: 2, epoch: 1 };

/** A leader with one record and a follower's stream to it, spoken by hand. */
async function setUp() {
  const scheduler = new Scheduler();
  const clock = clockOf(scheduler, new Process('leader'), { rate: 1, skewMs: 0 });
  const side = new Side(SELF, clock, logConfig());
  const { partition } = side;
  partition.rules = { ...partitionRules, minInsyncReplicas: 2 };
  const line = (more: Partial<PartitionLine> = {}): PartitionLine => ({
    topic: 't',
    topicId: 'x',
    partition: 0,
    leader: SELF,
    leaderEpoch: 0,
    partitionEpoch: 0,
    replicas: [1, 2],
    isr: [SELF, FOLLOWER],
    elr: [],
    adding: [],
    removing: [],
    ...more,
  });
  const settle = () => scheduler.runUntil(scheduler.nowMs + 1);
  partition.applyLine(line(), SELF);
  const record = buildBatch([{ key: null, value: Buffer.from('v') }], { timestampMs: 5 });
  partition.produce(record, { acks: 1, timeoutMs: 100 }, () => {});
  await settle();
  const partitions = new Partitions();
  partitions.add(partition);
  const refusals: Refusal[] = [];
  const standing = { question: 0, confirmed: [] as unknown[], unfollowed: [] as unknown[] };
  const stream = new LeaderStream(
    {
      turn: side.turn,
      logger: { debug() {}, info() {}, warn() {}, error() {}, child: () => assert.fail() },
      partitions,
      memory: side.tail,
      send(frame: Frame) {
        const bytes = Buffer.alloc(frame.byteLength);
        frame.copy(bytes, 0);
        refusals.push(...(decodeLeaderMessage(bytes).refusal ?? []));
      },
      share: { overdraw: () => {}, release: () => {} },
      onSent() {},
      throttle: new ReplicationThrottle(clock, () => Infinity),
      standing: {
        question: () => standing.question,
        onConfirmed: (of) => standing.confirmed.push(of),
        onUnfollowed: (of) => standing.unfollowed.push(of),
      },
    },
    FOLLOWER,
  );
  const subscribe = async (more: object = {}) => {
    const of = { handle: 1, topicId: 'x', partition: 0, leaderEpoch: 0 };
    stream.onMessage({ subscribe: [{ ...of, logEndOffset: 0, lastEpoch: -1, ...more }] });
    await settle();
  };
  return { line, partition, refusals, settle, standing, stream, subscribe };
}

test('what a follower confirms in its leader’s epoch moves the high watermark', async () => {
  const { partition, settle, stream, subscribe } = await setUp();
  await subscribe();
  stream.onMessage({ ack: [{ handle: 1, leaderEpoch: 0, logEndOffset: 1 }] });
  await settle();
  assert.equal(partition.highWatermark, 1);
});

test('what was confirmed to an older leadership counts for nothing in a newer one', async () => {
  const { line, partition, settle, stream, subscribe } = await setUp();
  await subscribe();
  partition.applyLine(line({ leaderEpoch: 1, partitionEpoch: 1 }), SELF);
  stream.onMessage({ ack: [{ handle: 1, leaderEpoch: 0, logEndOffset: 1 }] });
  await settle();
  assert.equal(partition.highWatermark, 0);
  await subscribe({ leaderEpoch: 1 });
  stream.onMessage({ ack: [{ handle: 1, leaderEpoch: 0, logEndOffset: 1 }] });
  await settle();
  assert.equal(partition.highWatermark, 0, 'the same handle, but of the epoch before');
});

test('a follower whose log parts from the leader’s earns nothing by saying how far it is', async () => {
  const { line, partition, refusals, settle, subscribe } = await setUp();
  partition.applyLine(line({ leaderEpoch: 3, partitionEpoch: 1 }), SELF);
  await settle();
  // It has a record of epoch 2, in the place where this log has one of epoch 0.
  await subscribe({ leaderEpoch: 3, logEndOffset: 1, lastEpoch: 2 });
  assert.deepEqual(refusals[0]?.diverging, { epoch: 0, endOffset: 1 });
  assert.equal(partition.highWatermark, 0);
  const [follower] = partition.leaderCore?.progress ?? [];
  assert.deepEqual([follower?.endOffset, follower?.following], [-1, false]);
});

test('a follower that ends before the log start begins anew there, and earns nothing either', async () => {
  const { line, partition, refusals, settle, stream, subscribe } = await setUp();
  await subscribe();
  stream.onMessage({ ack: [{ handle: 1, leaderEpoch: 0, logEndOffset: 1 }] });
  await settle();
  partition.deleteBefore(1);
  partition.applyLine(line({ leaderEpoch: 1, partitionEpoch: 1 }), SELF);
  await subscribe({ leaderEpoch: 1 });
  assert.equal(refusals.at(-1)?.logStartOffset, 1);
  assert.equal(partition.leaderCore?.progress[0]?.endOffset, -1);
});

test('a follower of a newer epoch ends the leadership', async () => {
  const { partition, refusals, subscribe } = await setUp();
  await subscribe({ leaderEpoch: 4 });
  assert.equal(partition.isLeader, false);
  assert.equal(refusals.length, 1);
});

test('who does not know whether it leads hears it only from whom it asked since', async () => {
  const { partition, refusals, standing, subscribe } = await setUp();
  partition.goOffline('NOT_LEADER_OR_FOLLOWER');
  await subscribe();
  assert.equal(refusals.at(-1)?.question, 0);
  standing.question = 2;
  await subscribe();
  assert.equal(refusals.at(-1)?.question, 2);
  await subscribe({ answer: 1 });
  assert.deepEqual(standing.confirmed, [], 'that was asked before the last standstill');
  await subscribe({ answer: 2, leaderEpoch: 1 });
  assert.deepEqual(standing.confirmed, [], 'somebody else may lead in that epoch');
  await subscribe({ answer: 2 });
  assert.deepEqual(standing.confirmed, [partition]);
});

test('only a member of the ISR confirms a leadership', async () => {
  const { line, partition, standing, subscribe } = await setUp();
  partition.applyLine(line({ partitionEpoch: 1, isr: [SELF, { id: 2, epoch: 2 }] }), SELF);
  partition.goOffline('NOT_LEADER_OR_FOLLOWER');
  standing.question = 1;
  await subscribe({ answer: 1 });
  assert.deepEqual(standing.confirmed, []);
});

test('a follower that follows a newer leadership ends the old one by saying so', async () => {
  const { partition, stream, subscribe } = await setUp();
  await subscribe();
  stream.onMessage({ unsubscribe: [1] });
  assert.equal(partition.isLeader, true, 'it may have any reason not to follow');
  await subscribe();
  stream.onMessage({ moved: [{ handle: 1, leaderEpoch: 1 }] });
  assert.equal(partition.isLeader, false);
});

test('who leads by what followers confirmed is told when one follows no more', async () => {
  const { partition, standing, stream, subscribe } = await setUp();
  await subscribe();
  stream.onMessage({ unsubscribe: [1] });
  assert.deepEqual(standing.unfollowed, []);
  standing.question = 1;
  await subscribe();
  stream.close();
  assert.deepEqual(standing.unfollowed, [partition]);
});

test('a deletion is answered when the followers say that their logs start there', async () => {
  const { partition, settle, stream, subscribe } = await setUp();
  const results: DeletionResult[] = [];
  const remove = async () => {
    partition.deleteBefore(1, { timeoutMs: 100, done: (result) => void results.push(result) });
    await settle();
  };
  await subscribe({ logStartOffset: 0 });
  stream.onMessage({ ack: [{ handle: 1, leaderEpoch: 0, logEndOffset: 1 }] });
  await settle();
  await remove();
  assert.deepEqual(results, []);
  stream.onMessage({ ack: [{ handle: 1, leaderEpoch: 0, logEndOffset: 1, logStartOffset: 1 }] });
  await settle();
  assert.deepEqual(results, [{ error: 'NONE', lowWatermark: 1 }]);
  await subscribe({ logEndOffset: 1, lastEpoch: 0, logStartOffset: 0 });
  await remove();
  assert.equal(results.length, 1, 'it has them back');
  // It says nothing of it: a follower of an older version.
  await subscribe({ logEndOffset: 1, lastEpoch: 0 });
  assert.equal(results.length, 2);
});
