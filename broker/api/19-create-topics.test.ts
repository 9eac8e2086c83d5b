import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '../../proto/kafka/errors.ts';
import { systemClock } from '../../stdx/clock.ts';
import { Turn } from '../../stdx/turn.ts';
import { createTopics } from './19-create-topics.ts';
import { createPartitions } from './37-create-partitions.ts';
import type { Ports } from './ports.ts';

const made: string[] = [];
const ports = {
  turn: new Turn(systemClock, 1, () => assert.fail()),
  config: { number: () => 5 },
  image: {
    stayingBrokers: () => [{}, {}, {}],
    clusterConfig: {},
    topic: () => ({ partitions: Array(10) }),
    topicObjectNamed: () => ({}),
  },
  admin: {
    refuseExisting: async () => {},
    create: async ({ name }: { name: string }) => {
      made.push(name);
      return { metadata: { name, uid: '00000000-0000-4000-8000-000000000001' }, spec: {} };
    },
    setPartitions: async (_: unknown, count: number) => void made.push(`${count}`),
    waitForPartitions: async () => {},
  },
} as unknown as Ports;
const context = {
  apiVersion: 7,
  admitMutations: () => true,
  connection: { usedMs: 0, usedAtMs: 0 },
} as never;
const topic = (name: string, numPartitions: number) => ({
  name,
  numPartitions,
  replicationFactor: 1,
  assignments: [],
  configs: [],
});
const POLICY_VIOLATION = codeOf('POLICY_VIOLATION');

test('the topics of a request have a bound of partitions together, and none of them is made above it', async () => {
  const ask = async (...counts: number[]) => {
    const topics = counts.map((count, i) => topic(`t${i}`, count));
    const request = { topics, timeoutMs: 1000, validateOnly: false };
    const answer = await createTopics(ports).handle(request as never, context);
    return (answer as { topics: { errorCode: number }[] }).topics.map(({ errorCode }) => errorCode);
  };
  assert.deepEqual(await ask(6000, 4001), [POLICY_VIOLATION, POLICY_VIOLATION]);
  assert.deepEqual(await ask(9996, -1), [POLICY_VIOLATION, POLICY_VIOLATION]);
  assert.deepEqual(made, []);
  assert.deepEqual(await ask(9995, -1), [0, 0]);
  assert.deepEqual(made.splice(0), ['t0', 't1']);
});

test('the same holds for topics that grow', async () => {
  const ask = async (...counts: number[]) => {
    const topics = counts.map((count, i) => ({ name: `t${i}`, count, assignments: null }));
    const request = { topics, timeoutMs: 1000, validateOnly: false };
    const answer = await createPartitions(ports).handle(request as never, context);
    return (answer as { results: { errorCode: number }[] }).results.map((one) => one.errorCode);
  };
  assert.deepEqual(await ask(6010, 4011), [POLICY_VIOLATION, POLICY_VIOLATION]);
  assert.deepEqual(made, []);
  assert.deepEqual(await ask(6010, 4010), [0, 0]);
});
