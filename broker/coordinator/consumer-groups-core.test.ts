import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Assignment,
  assignmentOf,
  has,
  isEqual,
  listOf,
  NOTHING,
  sizeOf,
} from './assignment.ts';
import { range, type TopicSizes, uniform } from './assignors-core.ts';
import { type ConsumerGroup, stateOf } from './consumer-group.ts';
import {
  ConsumerGroupsCore,
  type ConsumerHeartbeat,
  type TopicsView,
} from './consumer-groups-core.ts';
import { readGroupRecord } from './group-records.ts';
import type { RecordPair } from './record-pair.ts';

const rules = {
  sessionTimeoutMs: 1000,
  heartbeatIntervalMs: 100,
  groupSizeMax: 20,
  assignors: ['uniform', 'range'],
  migration: 'bidirectional' as const,
};
const idOf = (name: string) => Buffer.from(name.padEnd(16, '.')).toString('base64url');

function topicsOf(sizes: Record<string, number>, version: number): TopicsView {
  return {
    version,
    byName: (name) =>
      sizes[name] === undefined ? null : { id: idOf(name), partitions: sizes[name] },
    names: () => Object.keys(sizes),
    nameOf: (id) => Object.keys(sizes).find((name) => idOf(name) === id) ?? null,
  };
}
const newCore = () =>
  new ConsumerGroupsCore(
    () => rules,
    () => 1,
    (pattern) => (name) => new RegExp(`^(${pattern})$`).test(name),
  );

/** A client: it owns what it was told last, and says so when it changed. */
class Client {
  readonly memberId: string;
  readonly topicNames: readonly string[];
  epoch = 0;
  owned: Assignment = NOTHING;
  constructor(memberId: string, topicNames: readonly string[]) {
    this.memberId = memberId;
    this.topicNames = topicNames;
  }
  request(memberEpoch = this.epoch): ConsumerHeartbeat {
    return {
      groupId: 'g',
      memberId: this.memberId,
      memberEpoch,
      instanceId: null,
      rackId: null,
      clientId: 'c',
      clientHost: '/h',
      rebalanceTimeoutMs: 5000,
      topicNames: this.topicNames,
      topicRegex: null,
      serverAssignor: null,
      owned: memberEpoch === 0 ? NOTHING : this.owned,
    };
  }
}

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('join' as const),
      who: fc.nat(7),
      topics: fc.subarray(['a', 'b', 'c'], { minLength: 1 }),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('beat' as const),
      who: fc.nat(7),
      lost: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), who: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(900) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('grow' as const),
      topic: fc.constantFrom('a', 'b', 'c'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('failover' as const) }) },
);

test('no partition ever has two readers, and the group settles with all of them read (property)', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
      let core = newCore();
      const log: RecordPair[] = [];
      const sizes: Record<string, number> = { a: 4, b: 3, c: 1 };
      let version = 1;
      let nowMs = 0;
      const clients = new Map<string, Client>();
      const beat = (client: Client, lost: boolean) => {
        const { answer, records } = core.heartbeat(
          client.request(),
          topicsOf(sizes, version),
          nowMs,
        );
        log.push(...records);
        if (lost) return;
        if (answer.error === 'NONE') {
          client.epoch = answer.memberEpoch;
          if (answer.assignment !== null) client.owned = answer.assignment;
        } else {
          assert.ok(
            ['FENCED_MEMBER_EPOCH', 'UNKNOWN_MEMBER_ID', 'GROUP_ID_NOT_FOUND'].includes(
              answer.error,
            ),
            answer.error,
          );
          client.epoch = 0;
          client.owned = NOTHING;
        }
      };
      const check = () => {
        const readers = new Map<string, string>();
        for (const client of clients.values()) {
          const known = core.groups.get('g')?.members.get(client.memberId);
          // Whoever was removed may not know it yet; its commits are refused.
          if (known === undefined || known.progress.epoch !== client.epoch) continue;
          for (const { topicId, partitions } of listOf(client.owned)) {
            for (const partition of partitions) {
              const key = `${topicId}:${partition}`;
              assert.equal(readers.get(key), undefined, `${key} has one reader`);
              readers.set(key, client.memberId);
            }
          }
        }
      };
      for (const one of steps) {
        if (one.kind === 'join') {
          const id = `m${one.who}`;
          if (!clients.has(id)) clients.set(id, new Client(id, one.topics));
          beat(clients.get(id) as Client, false);
        } else if (one.kind === 'beat') {
          const client = clients.get(`m${one.who}`);
          if (client !== undefined) beat(client, one.lost);
        } else if (one.kind === 'leave') {
          const client = clients.get(`m${one.who}`);
          if (client === undefined) continue;
          clients.delete(client.memberId);
          log.push(...core.heartbeat(client.request(-1), topicsOf(sizes, version), nowMs).records);
        } else if (one.kind === 'wait') {
          nowMs += one.ms;
          log.push(...core.expire(topicsOf(sizes, version), nowMs));
        } else if (one.kind === 'grow') {
          sizes[one.topic] = (sizes[one.topic] ?? 0) + 1;
          version++;
        } else {
          core = newCore();
          for (const pair of log) {
            const record = readGroupRecord(pair);
            assert.ok(record.kind.startsWith('consumer-'));
            core.replay(record as never, nowMs);
          }
        }
        check();
      }
      for (let round = 0; round < 12; round++) {
        for (const client of clients.values()) beat(client, false);
        check();
      }
      const group = core.groups.get('g');
      if (clients.size === 0 || group === undefined) return;
      // Members whose leaving was lost with their client hold partitions until their session ends.
      if (group.members.size === clients.size) {
        assert.equal(stateOf(group), 'Stable');
        for (const [name, count] of Object.entries(sizes)) {
          if (![...clients.values()].some(({ topicNames }) => topicNames.includes(name))) continue;
          for (let p = 0; p < count; p++) {
            const readers = [...clients.values()].filter(({ owned }) => has(owned, idOf(name), p));
            assert.equal(readers.length, 1, `${name}-${p} is read`);
          }
        }
      }
    }),
    { numRuns: 300 },
  );
});

const specOf = (id: number, topics: readonly string[], previous: Assignment = NOTHING) => ({
  memberId: `m${id}`,
  instanceId: null,
  topics: new Set(topics),
  previous,
});

test('uniform: even for equal subscriptions, and nothing moves that need not (property)', () => {
  fc.assert(
    fc.property(
      fc.nat(30),
      fc.nat(20),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 9 }),
      (a, b, before, after) => {
        const topics: TopicSizes = new Map([
          ['a', a],
          ['b', b],
        ]);
        const first = uniform(
          Array.from({ length: before }, (_, i) => specOf(i, ['a', 'b'])),
          topics,
        );
        const members = Array.from({ length: after }, (_, i) =>
          specOf(i, ['a', 'b'], first.get(`m${i}`) ?? NOTHING),
        );
        const second = uniform(members, topics);
        const counts = [...second.values()].map((one) => sizeOf(one));
        assert.equal(
          counts.reduce((x, y) => x + y, 0),
          a + b,
        );
        assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join());
        if (before === after)
          for (const [id, one] of second) assert.ok(isEqual(one, first.get(id) ?? NOTHING));
        else {
          const share = Math.floor((a + b) / Math.max(before, after));
          for (let i = 0; i < Math.min(before, after); i++) {
            const kept = sizeOf(
              new Map(
                [...(second.get(`m${i}`) ?? [])].map(([topic, ids]) => [
                  topic,
                  new Set([...ids].filter((p) => has(first.get(`m${i}`) ?? NOTHING, topic, p))),
                ]),
              ),
            );
            assert.ok(
              kept >= Math.min(share, sizeOf(first.get(`m${i}`) ?? NOTHING)),
              `m${i} keeps its share`,
            );
          }
        }
      },
    ),
  );
});

test('uniform: different subscriptions get every partition read by somebody who wants it', () => {
  const topics: TopicSizes = new Map([
    ['a', 6],
    ['b', 2],
  ]);
  const result = uniform([specOf(1, ['a']), specOf(2, ['a', 'b']), specOf(3, ['b'])], topics);
  assert.deepEqual(
    [...result.values()].map(sizeOf).sort((a, b) => a - b),
    [2, 3, 3],
  );
  for (const { topicId } of listOf(result.get('m1') ?? NOTHING)) assert.equal(topicId, 'a');
});

test('range: neighbours, the same member first for every topic', () => {
  const result = range(
    [specOf(2, ['a', 'b']), specOf(1, ['a', 'b'])],
    new Map([
      ['a', 3],
      ['b', 2],
    ]),
  );
  assert.deepEqual(listOf(result.get('m1') ?? NOTHING), [
    { topicId: 'a', partitions: [0, 1] },
    { topicId: 'b', partitions: [0] },
  ]);
});

test('a member that keeps what it must give up is removed in time', () => {
  const core = newCore();
  const topics = topicsOf({ a: 2 }, 1);
  const [one, two] = [new Client('one', ['a']), new Client('two', ['a'])];
  const beat = (client: Client, nowMs: number) => {
    const { answer } = core.heartbeat(client.request(), topics, nowMs);
    client.epoch = answer.memberEpoch;
    client.owned = answer.assignment ?? client.owned;
    return answer;
  };
  beat(one, 0);
  beat(two, 10);
  const told = core.heartbeat(one.request(), topics, 20).answer;
  assert.equal(sizeOf(told.assignment ?? NOTHING), 1, 'it is told to give one up');
  assert.equal(sizeOf(beat(two, 30).assignment ?? NOTHING), 0, 'the other one waits');
  // It reports, but goes on owning both.
  for (let nowMs = 500; nowMs < 5000; nowMs += 500) {
    core.heartbeat(
      {
        ...one.request(told.memberEpoch),
        owned: assignmentOf([{ topicId: idOf('a'), partitions: [0, 1] }]),
      },
      topics,
      nowMs,
    );
    beat(two, nowMs);
  }
  assert.deepEqual(core.expire(topics, 5000), []);
  assert.ok(core.expire(topics, 5100).length > 0);
  assert.equal(sizeOf(beat(two, 5200).assignment ?? NOTHING), 2);
  assert.equal((core.groups.get('g') as ConsumerGroup).members.size, 1);
});

test('of the patterns that a member asks for one after the other only the last one is kept', () => {
  const core = newCore();
  const topics = topicsOf({ a: 1 }, 1);
  const member = new Client('m', []);
  const join = { ...member.request(0), topicNames: [], topicRegex: 'a.*' };
  assert.equal(core.heartbeat(join, topics, 0).answer.error, 'NONE');
  for (let i = 0; i < 50; i++)
    core.heartbeat({ ...join, memberEpoch: 0, topicRegex: `a{${i + 1}}` }, topics, 0);
  assert.ok((core.groups.get('g')?.patterns.size ?? 0) <= 2);
});
