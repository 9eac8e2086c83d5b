import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API_VERSION, type KafkaTopic } from '../../kube/kafka-objects.ts';
import { partitionKey } from '../../kube/partition-line.ts';
import type { BrokerView } from './election-core.ts';
import { planTopics, resizeOf } from './topic-plan-core.ts';

const brokers = new Map(
  [0, 1, 2].map((id): [number, BrokerView] => [
    id,
    { id, epoch: 1, live: true, draining: false, keptSince: 0, rack: null },
  ]),
);
const topic = (
  name: string,
  more: Partial<KafkaTopic['spec']> = {},
  meta: object = {},
): KafkaTopic => ({
  apiVersion: API_VERSION,
  kind: 'KafkaTopic',
  metadata: {
    name,
    uid: '00000000-0000-4000-8000-00000000000a',
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...meta,
  },
  spec: { clusterRef: { name: 'c' }, ...more },
});
const defaults = {
  partitions: 1,
  replicas: 1,
  brokers: null,
  drained: new Set<number>(),
  internalReplicas: (name: string) => (name === '__consumer_offsets' ? 3 : null),
  internalMinIsr: () => null,
  configFault: ({ spec }: KafkaTopic) => (spec.config?.bad === undefined ? null : 'bad is bad'),
};
const plan = (topics: readonly KafkaTopic[], lines = new Map()) =>
  planTopics(topics, lines, brokers, defaults);

test('replicas and leaders of new partitions are spread evenly', () => {
  const { created } = plan([topic('a', { partitions: 9, replicas: 2 })]);
  assert.equal(created.length, 9);
  for (const id of [0, 1, 2]) {
    assert.equal(created.filter(({ leader }) => leader?.id === id).length, 3);
    assert.equal(created.filter(({ replicas }) => replicas.includes(id)).length, 6);
  }
});

test('more replicas than brokers is a problem with a reason, not a topic', () => {
  const { created, problems } = plan([topic('a', { partitions: 1, replicas: 4 })]);
  assert.equal(created.length, 0);
  assert.match(problems[0]?.message ?? '', /spec\.replicas is 4, but only 3 brokers/);
});

test('of two objects for one Kafka name the older wins', () => {
  const old = topic('a');
  const young = topic(
    'b',
    { topicName: 'a' },
    { uid: '00000000-0000-4000-8000-00000000000b', creationTimestamp: '2026-02-01T00:00:00Z' },
  );
  const { created, problems } = plan([young, old]);
  assert.equal(created.length, 1);
  assert.deepEqual(
    problems.map(({ topic: one, reason }) => [one.metadata.name, reason]),
    [['b', 'ResourceConflict']],
  );
});

test('a topic grows, and never shrinks', () => {
  const three = plan([topic('a', { partitions: 3 })]).created;
  const lines = new Map(three.map((line) => [partitionKey(line.topicId, line.partition), line]));
  assert.deepEqual(
    plan([topic('a', { partitions: 5 })], lines).created.map(({ partition }) => partition),
    [3, 4],
  );
  const shrunk = plan([topic('a', { partitions: 2 })], lines);
  assert.deepEqual([shrunk.created.length, shrunk.problems[0]?.reason], [0, 'NotSupported']);
});

test('racks are kept apart where there are enough of them', () => {
  const racked = new Map(
    [...brokers].map(([id, view]) => [id, { ...view, rack: id === 2 ? 'b' : 'a' }]),
  );
  const { created } = planTopics(
    [topic('a', { partitions: 6, replicas: 2 })],
    new Map(),
    racked,
    defaults,
  );
  for (const { replicas } of created)
    assert.ok(replicas.includes(2), `${replicas} spans both racks`);
});

test('an object that is paused or not managed is not acted on', () => {
  for (const annotations of [
    { 'kafka.tenure.dev/paused': 'true' },
    { 'kafka.tenure.dev/managed': 'false' },
  ])
    assert.deepEqual(plan([topic('a', {}, { annotations })]).created, []);
});

test('a topic whose configuration is wrong is not made; one that is there goes on', () => {
  const wrong = topic('a', { partitions: 2, config: { bad: 1 } });
  const first = plan([wrong]);
  assert.deepEqual([first.created, first.problems[0]?.reason], [[], 'InvalidConfig']);
  const [line] = plan([topic('a')]).created;
  const there = new Map([[`${line?.topicId}:0`, line]]) as never;
  assert.equal(plan([wrong], there).created.length, 1);
});

test('another number of replicas is acted on once it is asked for, and not before', () => {
  const { created } = plan([topic('a', { replicas: 2 })]);
  const lines = new Map(created.map((line) => [`${line.topicId}:${line.partition}`, line]));
  const asked = (replicas: number, status: KafkaTopic['status']) => ({
    ...topic('a', { replicas }),
    status,
  });
  const moves = (of: KafkaTopic) => plan([of], lines).resized;
  assert.equal(moves(asked(3, { resizingTo: 3 }))[0]?.target.length, 3);
  assert.equal(moves(asked(1, { resizingTo: 1 }))[0]?.target.length, 1);
  assert.deepEqual(moves(asked(3, { observedReplicas: 3 })), [], 'what a client did stays');
  const line = created[0] ?? null;
  const resize = (of: KafkaTopic) => resizeOf(of, { line, brokers, defaults });
  assert.equal(resize(asked(3, { observedReplicas: 2 })), 3);
  assert.equal(resize(asked(3, { observedReplicas: 3 })), null);
  assert.equal(resize(asked(3, {})), null, 'a new topic is as it was asked for');
});

test('brokers beyond the number that is wanted get nothing new', () => {
  const { created } = planTopics([topic('a', { partitions: 9 })], new Map(), brokers, {
    ...defaults,
    brokers: 2,
  });
  assert.ok(created.every(({ replicas }) => replicas.every((id) => id < 2)));
});

const away = (...ids: number[]) =>
  new Map([...brokers].map(([id, view]) => [id, { ...view, live: !ids.includes(id) }]));

test('a broker that is away counts: its replicas are placed last and are not in sync yet', () => {
  const wanted = [topic('a', { partitions: 6, replicas: 3 })];
  const { created, problems } = planTopics(wanted, new Map(), away(1), defaults);
  assert.deepEqual([created.length, problems], [6, []]);
  for (const { isr, leader, replicas } of created) {
    assert.equal(replicas[2], 1);
    assert.deepEqual(new Set(isr.map(({ id }) => id)), new Set([0, 2]));
    assert.notEqual(leader?.id, 1);
  }
  const two = planTopics(
    [topic('a', { partitions: 6, replicas: 2 })],
    new Map(),
    away(1),
    defaults,
  );
  assert.ok(two.created.every(({ replicas }) => !replicas.includes(1)));
});

test('one broker must be there, or nothing is made', () => {
  const { created, problems } = planTopics(
    [topic('a', { replicas: 3 })],
    new Map(),
    away(0, 1, 2),
    defaults,
  );
  assert.deepEqual([created, problems[0]?.reason], [[], 'InvalidReplicationFactor']);
  const chosen = topic('a', { assignments: [[1]] });
  const refused = planTopics([chosen], new Map(), away(1), defaults);
  assert.deepEqual([refused.created, refused.problems[0]?.reason], [[], 'InvalidAssignment']);
});

test('an internal topic has what the cluster says it must have, and gets what it lacks', () => {
  const offsets = (replicas: number, status: KafkaTopic['status'] = {}) => ({
    ...topic('offsets', { topicName: '__consumer_offsets', replicas }),
    status,
  });
  const made = plan([offsets(1)]).created;
  assert.equal(made[0]?.replicas.length, 3, 'whatever its object says');

  const line = { ...made[0], replicas: [0, 1] } as (typeof made)[number];
  const resize = (of: KafkaTopic, there = brokers) =>
    resizeOf(of, { line, brokers: there, defaults });
  assert.equal(resize(offsets(2, { observedReplicas: 2 })), 3);
  assert.equal(resize(offsets(2)), 3, 'before its status was written, too');
  const two = new Map([...brokers].slice(0, 2));
  assert.equal(resize(offsets(2, { observedReplicas: 2 }), two), null, 'brokers are missing');
  assert.equal(resize(offsets(3, { observedReplicas: 3 })), null, 'once, not for ever');
  assert.equal(resize(offsets(2, { observedReplicas: 3 })), null, 'a manifest does not undo it');
  assert.equal(
    resize({ ...offsets(2), metadata: { ...topic('x').metadata, deletionTimestamp: 'now' } }),
    null,
  );
});

test('a topic of too many partitions is a problem, and nobody waits for a large one', () => {
  const ids = (n: number) => ({ uid: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}` });
  const huge = topic('huge', { partitions: 100_000 }, ids(1));
  const large = topic('large', { partitions: 10_000 }, ids(2));
  const small = topic(
    'small',
    { partitions: 3 },
    { ...ids(3), creationTimestamp: '2026-02-01T00:00:00Z' },
  );
  const lines = new Map();
  let steps = 0;
  for (let isPartial = true; isPartial; steps++) {
    const step = plan([huge, large, small], lines);
    assert.match(step.problems[0]?.message ?? '', /is 100000.*more than 10000 partitions/);
    assert.equal(step.problems.length, 1);
    assert.ok(step.created.length <= 1003);
    if (steps === 0) assert.equal(step.created[0]?.topic, 'small');
    for (const line of step.created) lines.set(partitionKey(line.topicId, line.partition), line);
    ({ isPartial } = step);
  }
  assert.equal(lines.size, 10_003);
  assert.equal(steps, 10);
  const grown = topic('large', { partitions: 30_000 }, ids(2));
  assert.equal(plan([grown], lines).created.length, 1000, 'it grows in steps');
});

test('many topics at once are made in steps', () => {
  const many = Array.from({ length: 30 }, (_, i) =>
    topic(
      `t${i}`,
      { partitions: 900 },
      { uid: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}` },
    ),
  );
  const { created, isPartial } = plan(many);
  assert.equal(created.length, 10_000);
  assert.equal(isPartial, true);
});
