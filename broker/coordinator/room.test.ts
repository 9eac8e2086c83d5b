/** What clients can make coordinators remember, and what they can make them write at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { batch } from '../../proto/kafka/record-batch.ts';
import { systemChance } from '../../stdx/chance.ts';
import type { Clock } from '../../stdx/clock.ts';
import { GroupCoordinator } from './group-coordinator.ts';
import type { JoinRequest } from './group-core.ts';
import { PENDING_MAX, TRANSACTIONAL_IDS_MAX } from './room-core.ts';
import type { CoordinatorLog } from './shards.ts';
import { ShareStateCoordinator } from './share-state.ts';
import { TxnCoordinator } from './txn-coordinator.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const never = { [Symbol.dispose]() {} };
const settled = () => new Promise((done) => setImmediate(done));
const BATCH_BYTES = 100_000;

/** Takes batches up to a size, as a partition does. */
function logOf() {
  const refused: number[] = [];
  const log: CoordinatorLog = {
    partitionCount: () => 1,
    isLed: () => true,
    batchBytesMax: () => BATCH_BYTES,
    append: async (_partition, bytes): Promise<ErrorName> => {
      if (bytes.length <= BATCH_BYTES) return 'NONE';
      refused.push(batch.byteCount(bytes));
      return 'MESSAGE_TOO_LARGE';
    },
    read: async function* () {
      yield* [] as Buffer[];
    },
  };
  return { log, refused };
}

function clockAt(now: { ms: number }): Clock {
  return {
    nowMs: () => now.ms,
    monotonicMs: () => now.ms,
    after: () => never,
    every: () => never,
    endOfTurn: (run) => setImmediate(run),
  };
}

async function groupsWith(groupsMax: number, groupSizeMax = 10_000) {
  const { log, refused } = logOf();
  const timeouts = { sessionTimeoutMs: 10_000, groupSizeMax };
  const coordinator = new GroupCoordinator({
    log,
    groupsMax,
    clock: clockAt({ ms: 0 }),
    chance: systemChance,
    logger: quiet,
    rules: {
      classic: () => ({
        initialRebalanceDelayMs: 0,
        sessionTimeoutMinMs: 10,
        sessionTimeoutMaxMs: 100_000,
        groupSizeMax,
        offsetMetadataBytesMax: 4096,
        offsetsRetentionMs: 1000,
        offsetsRetentionCheckMs: 100,
      }),
      consumer: () => ({ ...timeouts, assignors: ['uniform'], migration: 'disabled' }),
      share: () => timeouts,
      streams: () => null as never,
    },
    topics: { version: 1, byName: () => null, names: () => [], nameOf: () => null },
  });
  coordinator.shards.onLeadership(0, 1);
  await settled();
  return { coordinator, refused };
}

const joinOf = (groupId: string, metadata: Buffer, mustKnowId = false): JoinRequest => ({
  groupId,
  memberId: '',
  instanceId: null,
  clientId: 'c',
  clientHost: '/h',
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 10_000,
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata }],
  mustKnowId,
  canSkipAssignment: false,
});
const NOBODY = { memberId: '', generation: -1, instanceId: null, knowsEpochs: true };
const offset = (partition: number, metadata = '') => ({
  topic: 't',
  partition,
  offset: 1,
  leaderEpoch: -1,
  metadata,
});
const consumerOf = (groupId: string, topicNames: string[]) => ({
  groupId,
  memberId: 'm',
  memberEpoch: 0,
  instanceId: null,
  rackId: null,
  clientId: 'c',
  clientHost: '/h',
  rebalanceTimeoutMs: 1000,
  topicNames,
  topicRegex: null,
  serverAssignor: null,
  owned: new Map(),
});

test('a broker has no more than so many groups, of all protocols, and those that there are go on', async () => {
  const { coordinator } = await groupsWith(3);
  const join = async (id: string) => (await coordinator.join(joinOf(id, Buffer.alloc(1)))).error;
  const commit = async (groupId: string) =>
    (await coordinator.commit({ ...NOBODY, groupId }, [offset(0)]))[0];
  const share = { memberId: 'm', memberEpoch: 0, rackId: null, clientId: 'c', clientHost: '/h' };
  assert.equal(await join('a'), 'NONE');
  assert.equal(await commit('b'), 'NONE');
  assert.equal((await coordinator.consumerHeartbeat(consumerOf('d', ['t']))).error, 'NONE');
  assert.equal(coordinator.groupCount, 3);
  assert.equal(await join('e'), 'POLICY_VIOLATION');
  assert.equal(await commit('e'), 'POLICY_VIOLATION');
  const consumer = await coordinator.consumerHeartbeat(consumerOf('e', ['t']));
  assert.deepEqual(
    [consumer.error, /groups/.test(consumer.message ?? '')],
    ['POLICY_VIOLATION', true],
  );
  const shared = await coordinator.shareHeartbeat({ ...share, groupId: 'e', topicNames: ['t'] });
  assert.equal(shared.error, 'POLICY_VIOLATION');
  assert.equal(await coordinator.ensureShare('e'), 'POLICY_VIOLATION');
  assert.equal(coordinator.groupCount, 3);
  assert.equal(await commit('b'), 'NONE');
  assert.equal(await coordinator.deleteGroup('b'), 'NONE');
  assert.equal(await commit('e'), 'NONE', 'one that is deleted makes room');
});

test('member ids that nobody comes back for are handed out up to a number', async () => {
  const { coordinator } = await groupsWith(10);
  const ask = () => coordinator.join(joinOf('g', Buffer.alloc(1), true));
  for (let i = 0; i < PENDING_MAX; i++) assert.equal((await ask()).error, 'MEMBER_ID_REQUIRED');
  assert.equal((await ask()).error, 'GROUP_MAX_SIZE_REACHED');
});

test('nothing that a client says makes a coordinator write more at once than the log takes', async () => {
  const { coordinator, refused } = await groupsWith(100);
  const half = Buffer.alloc(BATCH_BYTES * 0.5);
  const first = await coordinator.join(joinOf('g', half));
  assert.equal(first.error, 'NONE');
  assert.equal((await coordinator.join(joinOf('g', half))).error, 'GROUP_MAX_SIZE_REACHED');
  const assign = (byteCount: number) =>
    coordinator.sync({
      groupId: 'g',
      generation: first.generation,
      memberId: first.memberId,
      instanceId: null,
      protocolType: null,
      protocol: null,
      assignments: [{ memberId: first.memberId, assignment: Buffer.alloc(byteCount) }],
    });
  assert.equal((await assign(BATCH_BYTES * 0.5)).error, 'INVALID_REQUEST');
  assert.equal((await assign(BATCH_BYTES * 0.3)).error, 'NONE');
  const many = Array.from({ length: 50 }, (_, i) => offset(i, 'x'.repeat(4000)));
  const errors = await coordinator.commit({ ...NOBODY, groupId: 'o' }, many);
  assert.deepEqual([...new Set(errors)], ['INVALID_COMMIT_OFFSET_SIZE']);
  const names = Array.from({ length: 5000 }, (_, i) => `a-topic-of-a-name-${i}`);
  const { error } = await coordinator.consumerHeartbeat(consumerOf('c', names));
  assert.equal(error, 'INVALID_REQUEST');
  assert.deepEqual(refused, [], 'a refused batch makes the whole shard begin again');
});

test('of too many transactional ids those idle for longest are forgotten, never one with a transaction', async () => {
  const now = { ms: 0 };
  const { log } = logOf();
  let next = 0;
  const coordinator = new TxnCoordinator({
    clock: clockAt(now),
    logger: quiet,
    log,
    rules: () => ({
      timeoutMaxMs: 1e9,
      idExpirationMs: 1e9,
      abortCheckMs: 1e9,
      expiryCheckMs: 1e9,
    }),
    nextProducerId: async () => next++,
    writeMarkers: async () => true,
  });
  coordinator.shards.onLeadership(0, 0);
  await settled();
  const init = (id: string) => coordinator.initProducer(id, 1000, null);
  const begin = async (id: string) => {
    const { producerId, epoch } = await init(id);
    const of = { clientVersion: 2, patienceMs: 0 };
    await coordinator.addPartitions(id, { producerId, epoch }, [{ topic: 't', partition: 0 }], of);
  };
  await begin('open');
  for (let i = 1; i < TRANSACTIONAL_IDS_MAX; i++) await init(`id-${i}`);
  assert.equal((await init('one more')).error, 'POLICY_VIOLATION', 'all of them may be in use');
  now.ms += 60_000;
  assert.equal((await init('one more')).error, 'NONE');
  assert.equal(coordinator.evicted, TRANSACTIONAL_IDS_MAX / 20);
  assert.equal(coordinator.describe('id-1'), null);
  assert.equal(coordinator.describe('open')?.state, 'Ongoing');
  assert.notEqual(coordinator.describe(`id-${TRANSACTIONAL_IDS_MAX - 1}`), null);
});

test('states of share groups have a bound; those that there are go on, and one that is deleted makes room', async () => {
  const { log } = logOf();
  const states = new ShareStateCoordinator({ log, clock: clockAt({ ms: 0 }), logger: quiet }, 2);
  states.shards.onLeadership(0, 0);
  await settled();
  const key = (groupId: string) => ({ groupId, topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partition: 0 });
  const write = (groupId: string) => states.write(key(groupId), 0, { startOffset: 0, batches: [] });
  assert.deepEqual(
    [await write('a'), await write('b'), await write('c'), await write('a')],
    ['NONE', 'NONE', 'POLICY_VIOLATION', 'NONE'],
  );
  await states.write(key('b'), 0, null);
  assert.equal(await write('c'), 'NONE');
});

test('a group of any protocol has no more members than its setting says', async () => {
  const { coordinator } = await groupsWith(10, 2);
  const join = async () => (await coordinator.join(joinOf('classic', Buffer.alloc(1)))).error;
  // The first one is answered at once, the second waits for it to join again.
  assert.equal(await join(), 'NONE');
  void join();
  assert.equal(await join(), 'GROUP_MAX_SIZE_REACHED');
  const consumer = async (memberId: string) =>
    (await coordinator.consumerHeartbeat({ ...consumerOf('consumer', ['t']), memberId })).error;
  const ids = ['a', 'b', 'c'];
  const expected = ['NONE', 'NONE', 'GROUP_MAX_SIZE_REACHED'];
  assert.deepEqual([await consumer('a'), await consumer('b'), await consumer('c')], expected);
  const member = { memberEpoch: 0, rackId: null, clientId: 'c', clientHost: '/h' };
  const shared = [];
  for (const memberId of ids) {
    const request = { ...member, groupId: 'share', memberId, topicNames: ['t'] };
    shared.push((await coordinator.shareHeartbeat(request)).error);
  }
  assert.deepEqual(shared, expected);
});

test('the text that is committed with an offset has a length', async () => {
  const { coordinator } = await groupsWith(10);
  const errors = await coordinator.commit({ ...NOBODY, groupId: 'g' }, [
    offset(0, 'x'.repeat(4097)),
    offset(1, 'x'.repeat(4096)),
  ]);
  assert.deepEqual(errors, ['OFFSET_METADATA_TOO_LARGE', 'NONE']);
});
