import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PartitionLine } from '../../kube/partition-line.ts';
import { KafkaError } from '../../proto/kafka/errors.ts';
import { buildBatch, stampBatch, TRANSACTIONAL_BIT } from '../../proto/kafka/record-batch.ts';
import type { Clock } from '../../stdx/clock.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import { Turn } from '../../stdx/turn.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { FileCache } from '../log/file-cache.ts';
import { PartitionLog } from '../log/partition-log.ts';
import { TailMemory } from '../log/tail-memory.ts';
import type { ProduceResult } from './ack-waiters.ts';
import type { DeletionResult } from './deletion-waiters.ts';
import { Partition, TURN_PHASES } from './partition.ts';

/** A partition whose turns end when the test says so. */
function setUp(isr = [1, 2]) {
  const ends: (() => void)[] = [];
  let nowMs = 0;
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after: () => ({ [Symbol.dispose]() {} }),
    every: () => ({ [Symbol.dispose]() {} }),
    endOfTurn: (run) => void ends.push(run),
  };
  const turn = new Turn(clock, TURN_PHASES, (cause) => {
    throw cause;
  });
  const endTurn = () => {
    for (let run = ends.shift(); run !== undefined; run = ends.shift()) run();
  };
  const disk = memoryDisk();
  // A tail of no bytes: every read goes to the disk.
  const log = new PartitionLog(
    { disk, files: new FileCache(disk, 9), tail: new TailMemory(0) },
    '/d/t-0',
    logConfig({ segmentBytes: 1e6, indexIntervalBytes: 4096 }),
  );
  log.open({ clean: false, recoveryPoint: 0, startOffset: 0 });
  const failures: unknown[] = [];
  const api = { isAway: false, mayLead: true };
  const rules = {
    minInsyncReplicas: 2,
    replicaLagTimeMaxMs: 1000,
    maxMessageBytes: 1e6,
    segmentBytes: 1e6,
    logAppendTime: false,
    timestampBeforeMaxMs: 1e15,
    timestampAfterMaxMs: 1e15,
    throttledReplicas: null,
    isCompacted: false,
    codec: null,
    compressionLevel: 0,
    unpackedBytesMax: 1e8,
    producerExpirationMs: 1e9,
  };
  const partition = new Partition(
    {
      clock,
      turn,
      mayLead: () => api.mayLead,
      isApiAway: () => api.isAway,
      onDamage: () => {},
      onStorageFailure: (_, cause) => void failures.push(cause),
    },
    { topic: 't', topicId: 'x', partition: 0 },
    log,
    0,
    rules,
  );
  const line = (more: Partial<PartitionLine> = {}): PartitionLine => ({
    topic: 't',
    topicId: 'x',
    partition: 0,
    leader: { id: 1, epoch: 1 },
    leaderEpoch: 0,
    partitionEpoch: 0,
    replicas: [1, 2],
    isr: isr.map((id) => ({ id, epoch: 1 })),
    elr: [],
    adding: [],
    removing: [],
    ...more,
  });
  partition.applyLine(line(), { id: 1, epoch: 1 });
  endTurn();
  const produce = (acks: number) => {
    const results: ProduceResult[] = [];
    partition.produce(
      buildBatch([{ key: null, value: Buffer.from('v') }], { timestampMs: 5 }),
      { acks, timeoutMs: 100 },
      (result) => results.push(result),
    );
    return results;
  };
  return {
    partition,
    line,
    endTurn,
    produce,
    disk,
    failures,
    api,
    passMs: (ms: number) => void (nowMs += ms),
  };
}

test('acks=1 is answered when the record is written, acks=all when the in-sync replicas have it', () => {
  const { partition, endTurn, produce } = setUp();
  const one = produce(1);
  const all = produce(-1);
  assert.equal(one.length, 0, 'nothing is answered before the end of the turn');
  endTurn();
  assert.deepEqual([one[0]?.error, one[0]?.baseOffset], ['NONE', 0]);
  assert.equal(all.length, 0);
  partition.onFollowerProgress({ id: 2, brokerEpoch: 1, endOffset: 2 });
  endTurn();
  assert.deepEqual([all[0]?.error, all[0]?.baseOffset], ['NONE', 1]);
});

test('too small an ISR refuses acks=all before anything is appended', () => {
  const { partition, produce } = setUp([1]);
  assert.equal(produce(-1)[0]?.error, 'NOT_ENOUGH_REPLICAS');
  assert.equal(partition.log.endOffset, 0);
});

test('who waits is told when leadership is lost, and when time is up', () => {
  const { partition, line, endTurn, produce, passMs } = setUp();
  const late = produce(-1);
  endTurn();
  passMs(101);
  partition.expireWaiters();
  assert.equal(late[0]?.error, 'REQUEST_TIMED_OUT');
  const lost = produce(-1);
  endTurn();
  partition.applyLine(line({ leader: { id: 2, epoch: 1 }, leaderEpoch: 1, partitionEpoch: 1 }), {
    id: 1,
    epoch: 1,
  });
  assert.equal(lost[0]?.error, 'NOT_LEADER_OR_FOLLOWER');
  assert.equal(produce(1)[0]?.error, 'NOT_LEADER_OR_FOLLOWER');
});

test('an older line changes nothing, a line for another life of this broker is no leadership', () => {
  const { partition, line } = setUp();
  partition.applyLine(line({ partitionEpoch: 4 }), { id: 1, epoch: 1 });
  partition.applyLine(line({ leader: { id: 2, epoch: 1 }, leaderEpoch: 1, partitionEpoch: 3 }), {
    id: 1,
    epoch: 1,
  });
  assert.equal(partition.isLeader, true);
  partition.applyLine(line({ leader: { id: 1, epoch: 2 }, leaderEpoch: 1, partitionEpoch: 5 }), {
    id: 1,
    epoch: 1,
  });
  assert.equal(partition.isLeader, false);
});

test('a refused write fails the producer, takes the partition offline and is reported', () => {
  const { partition, endTurn, produce, disk, failures } = setUp();
  disk.failingPath = '.log';
  const result = produce(1);
  endTurn();
  assert.equal(result[0]?.error, 'KAFKA_STORAGE_ERROR');
  assert.equal(failures.length, 1);
  assert.deepEqual(partition.role, { kind: 'offline', why: 'KAFKA_STORAGE_ERROR' });
});

test('a bug in a write is no failure of the disk: it ends the turn', () => {
  const { partition, endTurn, produce, failures } = setUp();
  produce(1);
  partition.log.writePending = () => {
    throw new TypeError('a bug');
  };
  assert.throws(endTurn, /a bug/);
  assert.throws(() => partition.onLogError(new TypeError('a bug')), /a bug/);
  assert.deepEqual(failures, []);
});

test('a replica that is given up: who waits is told, who reads meets the end of the log, the disk is fine', async () => {
  const { partition, endTurn, produce, failures } = setUp();
  produce(1);
  endTurn();
  const waiting = [produce(1), produce(-1)];
  const marker = {
    producerId: 7,
    producerEpoch: 0,
    coordinatorEpoch: 0,
    committed: true,
    transactionVersion: 1,
  };
  const markers: ProduceResult[] = [];
  partition.endTransaction(marker, 100, (result) => markers.push(result));
  partition.abandon();
  endTurn();
  for (const answers of [...waiting, markers])
    assert.deepEqual(
      answers.map(({ error }) => error),
      ['NOT_LEADER_OR_FOLLOWER'],
    );
  partition.endTransaction(marker, 100, (result) => markers.push(result));
  assert.equal(markers[1]?.error, 'UNKNOWN_TOPIC_OR_PARTITION');
  assert.equal(produce(1)[0]?.error, 'UNKNOWN_TOPIC_OR_PARTITION');
  const request = { offset: 0, bytesMax: 100, endOffset: 1, atLeastOne: true };
  const isGone = (cause: unknown) =>
    cause instanceof KafkaError && cause.error === 'UNKNOWN_TOPIC_OR_PARTITION';
  assert.throws(() => partition.read(request), isGone);
  await assert.rejects(partition.readCopy(request), isGone);
  partition.truncateTo(0);
  partition.restartAt(5);
  partition.deleteBefore(1);
  partition.close();
  partition.expireWaiters();
  endTurn();
  assert.deepEqual(failures, []);
});

test('a refused read does the same', () => {
  const { partition, endTurn, produce, disk, failures } = setUp();
  produce(1);
  endTurn();
  disk.unreadablePath = '.log';
  assert.throws(
    () => partition.read({ offset: 0, bytesMax: 100, endOffset: 1, atLeastOne: true }),
    /disk refused the read/,
  );
  assert.equal(failures.length, 1);
  assert.equal(partition.role.kind, 'offline');
});

test('a proposal that was refused lets the high watermark go on, and the producer be answered', () => {
  const { partition, line, endTurn, produce } = setUp();
  partition.applyLine(line({ partitionEpoch: 1, replicas: [1, 2, 3] }), { id: 1, epoch: 1 });
  partition.onFollowerProgress({ id: 2, brokerEpoch: 1, endOffset: 0 });
  partition.onFollowerProgress({ id: 3, brokerEpoch: 1, endOffset: 0 });
  const all = produce(-1);
  endTurn();
  const core = partition.leaderCore;
  assert.equal(
    core?.propose(partition.log.writtenOffset, partition.rules, () => true, 0)?.length,
    3,
  );
  partition.onFollowerProgress({ id: 2, brokerEpoch: 1, endOffset: 1 });
  endTurn();
  assert.equal(all.length, 0, 'whoever is proposed may be in the ISR already');
  partition.onProposalRefused();
  endTurn();
  assert.equal(all[0]?.error, 'NONE');
});

test('acks=all is refused early where a follower is away and the ISR cannot change', () => {
  const { api, endTurn, partition, produce } = setUp();
  partition.onFollowerProgress({ id: 2, brokerEpoch: 1, endOffset: 0 });
  api.isAway = true;
  const committed = produce(-1);
  endTurn();
  partition.onFollowerProgress({ id: 2, brokerEpoch: 1, endOffset: 1 });
  endTurn();
  assert.equal(committed[0]?.error, 'NONE', 'with everybody there nothing is noticed');
  partition.onFollowerGone(2, 1);
  assert.equal(produce(-1)[0]?.error, 'NOT_ENOUGH_REPLICAS');
  assert.equal(partition.log.endOffset, 1, 'nothing piles up');
  api.isAway = false;
  assert.deepEqual(produce(-1), [], 'the controller will decide');
});

test('who leads again in the same epoch still minds the member that it proposed', () => {
  const { endTurn, line, partition, produce } = setUp([1]);
  partition.rules = { ...partition.rules, minInsyncReplicas: 1 };
  partition.onFollowerProgress({ id: 2, brokerEpoch: 1, endOffset: 0 });
  const proposed = partition.leaderCore?.propose(0, partition.rules, () => true, 0);
  assert.deepEqual(
    proposed?.map(({ id }) => id),
    [1, 2],
  );
  partition.goOffline('NOT_LEADER_OR_FOLLOWER');
  partition.applyLine(line({ isr: [{ id: 1, epoch: 1 }] }), { id: 1, epoch: 1 });
  const results = produce(-1);
  endTurn();
  assert.equal(results.length, 0, 'it may be in the ISR already: it must have the record');
  partition.onFollowerProgress({ id: 2, brokerEpoch: 1, endOffset: 1 });
  endTurn();
  assert.equal(results[0]?.error, 'NONE');
});

test('a follower calls committed only what is in its file', () => {
  const { endTurn, line, partition } = setUp();
  const leader = { id: 2, epoch: 1 };
  partition.applyLine(line({ leader, leaderEpoch: 1, partitionEpoch: 1 }), { id: 1, epoch: 1 });
  const bytes = buildBatch([{ key: null, value: Buffer.from('v') }], { timestampMs: 5 });
  assert.equal(partition.appendFromLeader(bytes, 1), null);
  partition.followLeader(1, 0);
  assert.equal(partition.highWatermark, 0, 'the write may still fail');
  endTurn();
  assert.equal(partition.highWatermark, 1);
});

test('a follower takes records of the epoch that it follows, and of no other', () => {
  const { endTurn, line, partition } = setUp();
  const leader = { id: 2, epoch: 1 };
  const bytes = buildBatch([{ key: null, value: Buffer.from('v') }], { timestampMs: 5 });
  assert.notEqual(partition.appendFromLeader(bytes, 0), null, 'it leads');
  partition.applyLine(line({ leader, leaderEpoch: 2, partitionEpoch: 1 }), { id: 1, epoch: 1 });
  for (const epoch of [1, 3]) assert.notEqual(partition.appendFromLeader(bytes, epoch), null);
  endTurn();
  assert.equal(partition.log.endOffset, 0);
  assert.equal(partition.appendFromLeader(bytes, 2), null);
  assert.equal(partition.log.endOffset, 1);
});

test('a follower takes all of what its leader sends, or says that it is damaged', () => {
  const leader = { id: 2, epoch: 1 };
  const batches = [0, 1, 2].map((i) => {
    const bytes = buildBatch([{ key: null, value: Buffer.from('v') }], { timestampMs: 5 });
    stampBatch(bytes, 0, i, 1);
    return bytes;
  });
  const whole = Buffer.concat(batches);
  for (let at = 0; at < whole.length; at++) {
    const { line, partition } = setUp();
    partition.applyLine(line({ leader, leaderEpoch: 1, partitionEpoch: 1 }), { id: 1, epoch: 1 });
    const damaged = Buffer.from(whole);
    damaged.writeUInt8(damaged.readUInt8(at) ^ 0x80, at);
    const fault = partition.appendFromLeader(damaged, 1);
    // A later offset may be one that compaction left a gap before; an epoch below may be an old one.
    const field = at % (whole.length / 3);
    if (field >= 8 && field !== 12) assert.notEqual(fault, null, `byte ${at}`);
    if (fault === null) assert.ok(partition.log.endOffset >= 3);
  }
});

test('no log starts beyond what is committed', () => {
  const { endTurn, line, partition, produce } = setUp();
  produce(1);
  endTurn();
  assert.throws(() => partition.deleteBefore(1), /nothing is committed there/);
  assert.equal(partition.log.startOffset, 0);
  const leader = { id: 2, epoch: 1 };
  partition.applyLine(line({ leader, leaderEpoch: 1, partitionEpoch: 1 }), { id: 1, epoch: 1 });
  partition.followLeader(0, 1);
  assert.equal(partition.log.startOffset, 0);
  partition.followLeader(1, 1);
  assert.equal(partition.log.startOffset, 1);
});

test('a log start that comes with the records is followed once they are in the file', () => {
  const { endTurn, line, partition } = setUp();
  const leader = { id: 2, epoch: 1 };
  partition.applyLine(line({ leader, leaderEpoch: 1, partitionEpoch: 1 }), { id: 1, epoch: 1 });
  const bytes = buildBatch([{ key: null, value: Buffer.from('v') }], { timestampMs: 5 });
  assert.equal(partition.appendFromLeader(bytes, 1), null);
  partition.followLeader(1, 1);
  assert.equal(partition.log.startOffset, 0);
  endTurn();
  assert.equal(partition.log.startOffset, 1, 'nobody says it a second time');
});

test('a batch that overlaps with what a replica has is refused, not left out', () => {
  const { endTurn, line, partition } = setUp();
  const leader = { id: 2, epoch: 1 };
  partition.applyLine(line({ leader, leaderEpoch: 1, partitionEpoch: 1 }), { id: 1, epoch: 1 });
  const record = { key: null, value: Buffer.from('v') };
  assert.equal(partition.appendFromLeader(buildBatch([record], { timestampMs: 5 }), 1), null);
  const longer = buildBatch([record, record], { timestampMs: 5 });
  assert.match(partition.appendFromLeader(longer, 1) ?? '', /begins before the end/);
  endTurn();
  assert.equal(partition.log.endOffset, 1);
});

test('a line that names it makes no leader of who must not lead now', () => {
  const { api, line, partition, produce } = setUp();
  api.mayLead = false;
  partition.applyLine(line({ partitionEpoch: 1 }), { id: 1, epoch: 1 });
  assert.equal(partition.isLeader, false);
  assert.equal(produce(1)[0]?.error, 'NOT_LEADER_OR_FOLLOWER');
  api.mayLead = true;
  partition.applyLine(line({ partitionEpoch: 1 }), { id: 1, epoch: 1 });
  assert.equal(partition.isLeader, true);
});

test('who leads on in a newer epoch still answers what producers wait for', () => {
  const { endTurn, line, partition, produce } = setUp();
  const results = produce(-1);
  endTurn();
  partition.applyLine(line({ leaderEpoch: 1, partitionEpoch: 1 }), { id: 1, epoch: 1 });
  endTurn();
  assert.equal(results.length, 0);
  partition.onFollowerProgress({ id: 2, brokerEpoch: 1, endOffset: 1 });
  endTurn();
  assert.equal(results[0]?.error, 'NONE');
});

test('who deletes records waits for its followers until its time is up or the leadership ends', () => {
  const { endTurn, line, partition, passMs, produce } = setUp();
  const results: DeletionResult[] = [];
  const remove = () => {
    partition.deleteBefore(1, { timeoutMs: 100, done: (result) => void results.push(result) });
    endTurn();
  };
  produce(1);
  endTurn();
  partition.onFollowerProgress({ id: 2, brokerEpoch: 1, endOffset: 1 });
  endTurn();
  remove();
  passMs(99);
  partition.expireWaiters();
  assert.equal(results.length, 0);
  passMs(1);
  partition.expireWaiters();
  assert.deepEqual(results, [{ error: 'REQUEST_TIMED_OUT', lowWatermark: -1 }]);
  remove();
  const leader = { id: 2, epoch: 1 };
  partition.applyLine(line({ leader, leaderEpoch: 1, partitionEpoch: 1 }), { id: 1, epoch: 1 });
  assert.deepEqual(results[1], { error: 'NOT_LEADER_OR_FOLLOWER', lowWatermark: -1 });
  remove();
  assert.deepEqual(results[2], results[1], 'who does not lead does not answer for others');
});

test('what a coordinator writes in a transaction of a producer has no sequence; of a client it is refused', () => {
  const { partition, endTurn } = setUp();
  const errors: string[] = [];
  for (const trusted of [true, false]) {
    const of = { timestampMs: 5, producerId: 7, producerEpoch: 0, attributes: TRANSACTIONAL_BIT };
    partition.produce(
      buildBatch([{ key: null, value: Buffer.from('v') }], of),
      { acks: 1, timeoutMs: 100, trusted },
      ({ error }) => errors.push(error),
    );
    endTurn();
  }
  assert.deepEqual(errors, ['NONE', 'INVALID_RECORD']);
});
