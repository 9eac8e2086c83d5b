import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Effects,
  GroupsCore,
  type JoinAnswer,
  type JoinRequest,
  type SyncAnswer,
} from './group-core.ts';
import { readGroupRecord } from './group-records.ts';
import { GroupShard } from './group-shard.ts';

const rules = {
  initialRebalanceDelayMs: 0,
  sessionTimeoutMinMs: 10,
  sessionTimeoutMaxMs: 100_000,
  groupSizeMax: 10,
  offsetMetadataBytesMax: 100,
  offsetsRetentionMs: 1000,
  offsetsRetentionCheckMs: 100,
};

function setUp(more: Partial<typeof rules> = {}) {
  let next = 1;
  const core = new GroupsCore(
    () => ({ ...rules, ...more }),
    () => `id${next++}`,
    () => 1_000_000,
  );
  return core;
}

const request = (memberId = '', more: Partial<JoinRequest> = {}): JoinRequest => ({
  groupId: 'g',
  memberId,
  instanceId: null,
  clientId: 'c',
  clientHost: '/h',
  sessionTimeoutMs: 1000,
  rebalanceTimeoutMs: 2000,
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: Buffer.from('m') }],
  mustKnowId: false,
  canSkipAssignment: false,
  ...more,
});

function answerTo<T extends JoinAnswer | SyncAnswer>(
  { replies }: Effects,
  token: number,
): T | undefined {
  return replies.find((reply) => reply.token === token)?.answer as T | undefined;
}

/** A stable group of one; returns its member. */
function stable(core: GroupsCore, more: Partial<JoinRequest> = {}) {
  let effects = core.join(request('', more), 1, 0);
  if (effects.replies.length === 0) effects = core.expire(0);
  const joined = answerTo<JoinAnswer>(effects, 1) as JoinAnswer;
  const { memberId, generation } = joined;
  core.sync(
    {
      groupId: 'g',
      generation,
      memberId,
      instanceId: more.instanceId ?? null,
      protocolType: null,
      protocol: null,
      assignments: [{ memberId, assignment: Buffer.from('all') }],
    },
    2,
    0,
  );
  return { memberId, generation };
}

test('the first member leads, gets the metadata, and its assignment is written before it is answered', () => {
  const core = setUp();
  const joined = answerTo<JoinAnswer>(core.join(request(), 1, 0), 1);
  assert.equal(joined?.error, 'NONE');
  assert.equal(joined?.leaderId, joined?.memberId);
  assert.equal(joined?.members.length, 1);
  const memberId = joined?.memberId as string;
  const effects = core.sync(
    {
      groupId: 'g',
      generation: 1,
      memberId,
      instanceId: null,
      protocolType: null,
      protocol: null,
      assignments: [{ memberId, assignment: Buffer.from('a') }],
    },
    2,
    0,
  );
  assert.equal(effects.records.length, 1);
  assert.equal(answerTo<SyncAnswer>(effects, 2)?.assignment.toString(), 'a');
});

test('a member without an id is told one first, where the client asks for that', () => {
  const core = setUp();
  const told = answerTo<JoinAnswer>(core.join(request('', { mustKnowId: true }), 1, 0), 1);
  assert.equal(told?.error, 'MEMBER_ID_REQUIRED');
  const joined = answerTo<JoinAnswer>(core.join(request(told?.memberId), 2, 0), 2);
  assert.equal(joined?.error, 'NONE');
});

test('a second member makes the first rejoin, and both get the new generation', () => {
  const core = setUp();
  const { memberId, generation } = stable(core);
  assert.deepEqual(core.join(request('', { clientId: 'd' }), 3, 10).replies, []);
  assert.equal(
    core.heartbeat({ groupId: 'g', generation, memberId, instanceId: null }, 20),
    'REBALANCE_IN_PROGRESS',
  );
  const effects = core.join(request(memberId), 4, 30);
  const [first, second] = [answerTo<JoinAnswer>(effects, 4), answerTo<JoinAnswer>(effects, 3)];
  assert.deepEqual([first?.generation, second?.generation], [2, 2]);
  assert.equal(first?.members.length, 2);
  assert.equal(second?.members.length, 0, 'only the leader sees the members');
  assert.equal(
    core.heartbeat({ groupId: 'g', generation: 1, memberId, instanceId: null }, 40),
    'ILLEGAL_GENERATION',
  );
});

test('a member that does not rejoin in time is left out', () => {
  const core = setUp();
  stable(core, { sessionTimeoutMs: 10_000 });
  core.join(request('', { clientId: 'd', sessionTimeoutMs: 10_000 }), 3, 10);
  assert.equal(core.expire(1000).replies.length, 0);
  const joined = answerTo<JoinAnswer>(core.expire(2010), 3);
  assert.equal(joined?.members.length, 1);
});

test('a silent member is given up after its session, and the empty group is written', () => {
  const core = setUp();
  stable(core);
  assert.equal(core.expire(999).records.length, 0);
  const { records } = core.expire(1001);
  assert.equal(records.length, 1);
  assert.equal(core.groups.get('g')?.state, 'Empty');
});

test('a static member that comes back takes its place without a rebalance, its old self is fenced', () => {
  const core = setUp();
  const { memberId, generation } = stable(core, { instanceId: 'i' });
  const back = answerTo<JoinAnswer>(
    core.join(request('', { instanceId: 'i', canSkipAssignment: true }), 5, 10),
    5,
  );
  assert.equal(back?.error, 'NONE');
  assert.equal(back?.generation, generation);
  assert.equal(back?.skipAssignment, true);
  assert.notEqual(back?.memberId, memberId);
  assert.equal(
    core.heartbeat({ groupId: 'g', generation, memberId, instanceId: 'i' }, 20),
    'FENCED_INSTANCE_ID',
  );
});

test('an empty group waits the initial delay, again for each wave of members', () => {
  const core = setUp({ initialRebalanceDelayMs: 100 });
  assert.deepEqual(core.join(request(), 1, 0).replies, []);
  core.join(request('', { clientId: 'd' }), 2, 50);
  assert.deepEqual(core.expire(100).replies, [], 'a member came during the delay');
  assert.equal(core.expire(200).replies.length, 2);
});

test('members without a common protocol do not meet', () => {
  const core = setUp();
  stable(core);
  const other = core.join(
    request('', { protocols: [{ name: 'sticky', metadata: Buffer.alloc(0) }] }),
    9,
    0,
  );
  assert.equal(answerTo<JoinAnswer>(other, 9)?.error, 'INCONSISTENT_GROUP_PROTOCOL');
});

test('offsets are taken from members of the generation, and from anybody while the group is empty', () => {
  const core = setUp();
  const who = { groupId: 'g', generation: -1, memberId: '', instanceId: null };
  assert.equal(core.judgeCommit(who, 0), 'NONE');
  const { memberId, generation } = stable(core);
  assert.equal(core.judgeCommit(who, 0), 'UNKNOWN_MEMBER_ID');
  assert.equal(
    core.judgeCommit({ ...who, memberId, generation: generation - 1 }, 0),
    'ILLEGAL_GENERATION',
  );
  assert.equal(core.judgeCommit({ ...who, memberId, generation }, 0), 'NONE');
});

test('what is replayed from the log is the group that was written', () => {
  const core = setUp();
  const joined = answerTo<JoinAnswer>(core.join(request(), 1, 0), 1) as JoinAnswer;
  const { memberId } = joined;
  const { records } = core.sync(
    {
      groupId: 'g',
      generation: 1,
      memberId,
      instanceId: null,
      protocolType: null,
      protocol: null,
      assignments: [{ memberId, assignment: Buffer.from('a') }],
    },
    2,
    0,
  );
  const shard = new GroupShard(
    { classic: () => rules } as never,
    () => 'id',
    () => 1_000_000,
    () => () => false,
  );
  for (const record of records) shard.replay(readGroupRecord(record), 0);
  const again = shard.classic;
  assert.equal(again.groups.get('g')?.state, 'Stable');
  assert.equal(
    again.heartbeat({ groupId: 'g', generation: 1, memberId, instanceId: null }, 5),
    'NONE',
  );
});
