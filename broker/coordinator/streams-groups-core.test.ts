import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Assignment, NOTHING } from './assignment.ts';
import type { TopicsView } from './consumer-groups-core.ts';
import { readGroupRecord } from './group-records.ts';
import type { RecordPair } from './record-pair.ts';
import { streamsStateOf } from './streams-group.ts';
import {
  StreamsGroupsCore,
  type StreamsHeartbeat,
  type StreamsRules,
} from './streams-groups-core.ts';
import { listsOf, roles } from './streams-tasks.ts';
import { STATUS, type Topology } from './streams-topology-core.ts';

const rules: StreamsRules = {
  sessionTimeoutMs: 1000,
  groupSizeMax: 20,
  initialRebalanceDelayMs: 0,
  standbyReplicas: 1,
  rackAwareTags: [],
};
const topology: Topology = {
  epoch: 3,
  subtopologies: [
    {
      subtopologyId: '0',
      sourceTopics: ['in'],
      sourceTopicRegex: [],
      stateChangelogTopics: [{ name: 'c', partitions: 0, replicationFactor: 0, topicConfigs: [] }],
      repartitionSinkTopics: [],
      repartitionSourceTopics: [],
      copartitionGroups: [],
    },
  ],
};
const topicsOf = (sizes: Record<string, number>, version: number): TopicsView => ({
  version,
  byName: (name) => (sizes[name] === undefined ? null : { id: name, partitions: sizes[name] }),
  names: () => Object.keys(sizes),
  nameOf: (id) => id,
});
const newCore = (of: Partial<StreamsRules> = {}) =>
  new StreamsGroupsCore(
    () => ({ ...rules, ...of }),
    () => 1,
    () => () => false,
  );
const request = (memberId: string, over: Partial<StreamsHeartbeat> = {}): StreamsHeartbeat => ({
  groupId: 'g',
  memberId,
  memberEpoch: 0,
  endpointEpoch: -1,
  instanceId: null,
  rackId: null,
  clientId: 'c',
  clientHost: '/h',
  rebalanceTimeoutMs: 5000,
  topology,
  owned: NOTHING,
  processId: memberId.slice(0, 2),
  userEndpoint: null,
  clientTags: [],
  taskOffsets: null,
  taskEndOffsets: null,
  shutdownApplication: false,
  knowsMissingTags: true,
  ...over,
});
const later = (memberId: string, memberEpoch: number, owned: Assignment | null) =>
  request(memberId, {
    memberEpoch,
    owned,
    topology: null,
    processId: null,
    rebalanceTimeoutMs: -1,
  });

interface Client {
  epoch: number;
  owned: Assignment;
}
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('beat' as const),
      who: fc.nat(5),
      lost: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), who: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(900) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('failover' as const) }) },
);

test('no task is active twice, no process opens a state twice, and the group settles (property)', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
      const topics = topicsOf({ in: 5, c: 5 }, 1);
      let core = newCore();
      const log: RecordPair[] = [];
      let nowMs = 0;
      const clients = new Map<string, Client>();
      const beat = (id: string, lost: boolean) => {
        const client = clients.get(id) ?? { epoch: 0, owned: NOTHING };
        clients.set(id, client);
        const of = client.epoch === 0 ? request(id) : later(id, client.epoch, client.owned);
        const { answer, records } = core.heartbeat(of, topics, nowMs);
        log.push(...records);
        if (lost) return;
        if (answer.error !== 'NONE') {
          assert.match(answer.error, /FENCED_MEMBER_EPOCH|UNKNOWN_MEMBER_ID|GROUP_ID_NOT_FOUND/);
          Object.assign(client, { epoch: 0, owned: NOTHING });
          return;
        }
        client.epoch = answer.memberEpoch;
        if (answer.assignment !== null) client.owned = answer.assignment;
      };
      const check = () => {
        const active = new Set<string>();
        const states = new Set<string>();
        for (const [id, { epoch, owned }] of clients) {
          const known = core.groups.get('g')?.members.get(id);
          if (known === undefined || known.progress.epoch !== epoch) continue;
          const lists = listsOf(owned);
          for (const role of roles) {
            for (const { partitions } of lists[role]) {
              for (const partition of partitions) {
                const state = `${id.slice(0, 2)} ${partition}`;
                assert.ok(!states.has(state), `${state} is open once`);
                states.add(state);
                if (role !== 'active') continue;
                assert.ok(!active.has(`${partition}`), `task ${partition} is active once`);
                active.add(`${partition}`);
              }
            }
          }
        }
        return active.size;
      };
      // Two threads a process: p0-0, p0-1, p1-0, …
      const idOf = (who: number) => `p${who >> 1}-${who & 1}`;
      for (const one of steps) {
        if (one.kind === 'beat') beat(idOf(one.who), one.lost);
        else if (one.kind === 'leave') {
          const id = idOf(one.who);
          if (!clients.delete(id)) continue;
          log.push(...core.heartbeat(later(id, -1, null), topics, nowMs).records);
        } else if (one.kind === 'wait') {
          nowMs += one.ms;
          log.push(...core.expire(topics, nowMs));
        } else {
          core = newCore();
          for (const pair of log) core.replay(readGroupRecord(pair) as never, nowMs);
        }
        check();
      }
      for (let round = 0; round < 14; round++) {
        for (const id of clients.keys()) beat(id, false);
        check();
      }
      const group = core.groups.get('g');
      if (group === undefined || clients.size === 0 || group.members.size !== clients.size) return;
      assert.equal(streamsStateOf(group), 'Stable');
      assert.equal(check(), 5, 'every task runs');
    }),
    { numRuns: 300 },
  );
});

test('missing internal topics are told and asked for; tasks come when they are there', () => {
  const core = newCore();
  const { answer } = core.heartbeat(request('p0-0'), topicsOf({ in: 2 }, 1), 0);
  assert.deepEqual(
    answer.topicsToCreate.map(({ name, partitions }) => [name, partitions]),
    [['c', 2]],
  );
  assert.equal(answer.status[0]?.statusCode, STATUS.missingInternalTopics);
  const there = topicsOf({ in: 2, c: 2 }, 2);
  const next = core.heartbeat(later('p0-0', answer.memberEpoch, NOTHING), there, 1).answer;
  assert.deepEqual(next.status, []);
  assert.deepEqual(listsOf(next.assignment ?? NOTHING).active, [
    { subtopologyId: '0', partitions: [0, 1] },
  ]);
});

test('the first members come together before anything is assigned', () => {
  const core = newCore({ initialRebalanceDelayMs: 100 });
  const topics = topicsOf({ in: 2, c: 2 }, 1);
  const first = core.heartbeat(request('p0-0'), topics, 0).answer;
  assert.equal(first.status[0]?.statusCode, STATUS.assignmentDelayed);
  assert.equal(first.memberEpoch, 1);
  core.heartbeat(request('p1-0'), topics, 50);
  core.expire(topics, 100);
  const tasks = ['p0-0', 'p1-0'].map((id) => {
    const { answer } = core.heartbeat(later(id, 1, NOTHING), topics, 110);
    return listsOf(answer.assignment ?? NOTHING).active.flatMap(({ partitions }) => partitions);
  });
  assert.deepEqual(
    tasks.flat().sort((a, b) => a - b),
    [0, 1],
  );
  assert.ok(tasks.every(({ length }) => length === 1));
});

test('a static member that comes back keeps its tasks', () => {
  const core = newCore();
  const topics = topicsOf({ in: 2, c: 2 }, 1);
  const instanceId = 'i';
  const { memberEpoch } = core.heartbeat(request('p0-0', { instanceId }), topics, 0).answer;
  const again = request('p0-1', { instanceId });
  assert.equal(core.heartbeat(again, topics, 1).answer.error, 'UNRELEASED_INSTANCE_ID');
  core.heartbeat({ ...later('p0-0', -2, null), instanceId }, topics, 2);
  const back = core.heartbeat(again, topics, 3).answer;
  assert.equal(back.error, 'NONE');
  assert.equal(listsOf(back.assignment ?? NOTHING).active[0]?.partitions.length, 2);
  const old = core.heartbeat({ ...later('p0-0', memberEpoch, null), instanceId }, topics, 4).answer;
  assert.equal(old.error, 'FENCED_INSTANCE_ID');
});

test('one member can shut the whole application down; what it was is forgotten with the last', () => {
  const core = newCore();
  const topics = topicsOf({ in: 2, c: 2 }, 1);
  const { memberEpoch } = core.heartbeat(request('p0-0'), topics, 0).answer;
  core.heartbeat({ ...later('p0-0', memberEpoch, null), shutdownApplication: true }, topics, 1);
  const { status } = core.heartbeat(request('p1-0'), topics, 2).answer;
  assert.ok(status.some(({ statusCode }) => statusCode === STATUS.shutdownApplication));
  for (const id of ['p0-0', 'p1-0']) core.heartbeat(later(id, -1, null), topics, 3);
  assert.deepEqual(core.heartbeat(request('p2-0'), topics, 4).answer.status, []);
});

test('interactive queries hear who has which partitions, when that changes', () => {
  const core = newCore();
  const topics = topicsOf({ in: 2, c: 2 }, 1);
  const userEndpoint = { host: 'h', port: 7 };
  const first = core.heartbeat(request('p0-0', { userEndpoint }), topics, 0).answer;
  assert.deepEqual([...(first.endpoints?.[0]?.active ?? [])], [['in', new Set([0, 1])]]);
  const beat = { ...later('p0-0', first.memberEpoch, null), endpointEpoch: first.endpointEpoch };
  assert.equal(core.heartbeat(beat, topics, 1).answer.endpoints, null);
});

test('a new coordinator hands out no empty assignment before it looked at the topics', () => {
  const topics = topicsOf({ in: 2, c: 2 }, 1);
  let core = newCore();
  const log: RecordPair[] = [];
  const beat = (of: StreamsHeartbeat) => {
    const { answer, records } = core.heartbeat(of, topics, 0);
    log.push(...records);
    return answer;
  };
  const { memberEpoch } = beat(request('p0-0'));
  beat(request('p1-0'));
  beat(later('p1-0', -1, null));
  core = newCore();
  for (const pair of log) core.replay(readGroupRecord(pair) as never, 0);
  core.expire(topics, 1);
  assert.equal(core.groups.get('g')?.target.get('p0-0')?.get('active 0')?.size, 2);
  assert.notEqual(beat(later('p0-0', memberEpoch, null)).error, 'UNKNOWN_MEMBER_ID');
});

test('a streams group has no more members than its setting says', () => {
  const core = newCore({ groupSizeMax: 2 });
  const topics = topicsOf({ in: 2 }, 1);
  const errors = ['a', 'b', 'c'].map(
    (memberId) => core.heartbeat(request(memberId), topics, 0).answer.error,
  );
  assert.deepEqual(errors, ['NONE', 'NONE', 'GROUP_MAX_SIZE_REACHED']);
});
