import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeApi } from '../../kube/port.ts';
import { KubeError, KubeUnreachable } from '../../kube/port.ts';
import { KafkaError } from '../../proto/kafka/errors.ts';
import { systemClock } from '../../stdx/clock.ts';
import { MetadataImage } from './image.ts';
import type { Metadata } from './metadata.ts';
import { objectNameFor, TopicAdmin } from './topic-admin.ts';

function adminOver(api: Partial<KubeApi>): TopicAdmin {
  const metadata = { image: new MetadataImage() } as Metadata;
  return new TopicAdmin({
    api: api as KubeApi,
    clock: systemClock,
    metadata,
    namespace: 'n',
    cluster: 'c',
  });
}
const topic = { name: 'orders', config: {} };

test('whatever the API answers, a client is told an error of Kafka', async () => {
  const answers: [unknown, string][] = [
    [new KubeUnreachable('gone'), 'REQUEST_TIMED_OUT'],
    [new KubeError(422, 'Invalid', 'x'), 'INVALID_REQUEST'],
    [new KubeError(403, 'Forbidden', 'x'), 'POLICY_VIOLATION'],
    [new KubeError(404, 'NotFound', 'the namespace is gone'), 'UNKNOWN_SERVER_ERROR'],
  ];
  for (const [cause, error] of answers) {
    const refuses = adminOver({ create: () => Promise.reject(cause) });
    await assert.rejects(
      refuses.create(topic),
      (got: unknown) => got instanceof KafkaError && got.error === error,
    );
  }
  const vanishes = adminOver({
    create: () => Promise.reject(new KubeError(409, 'AlreadyExists', 'x')),
    get: () => Promise.reject(new KubeUnreachable('gone')),
  });
  await assert.rejects(
    vanishes.create(topic),
    (got: unknown) => got instanceof KafkaError && got.error === 'REQUEST_TIMED_OUT',
  );
});

test('a Kafka name that Kubernetes does not allow gets a name of its own', () => {
  assert.equal(objectNameFor('orders.v1'), 'orders.v1');
  const names = ['Orders', 'orders_', '__consumer_offsets', 'a..b', '_'].map(objectNameFor);
  for (const name of names) assert.match(name, /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/);
  assert.equal(new Set(names).size, names.length);
});

test('who makes a topic while it is being found out which there are waits for that', async () => {
  const metadata = { image: new MetadataImage() } as Metadata;
  let isRecovering = true;
  Object.defineProperty(metadata.image, 'isRecovering', { get: () => isRecovering });
  let nowMs = 0;
  const clock = {
    ...systemClock,
    monotonicMs: () => nowMs,
    after(delayMs: number, run: () => void) {
      setImmediate(() => {
        nowMs += delayMs;
        if (nowMs >= 2_000) isRecovering = false;
        run();
      });
      return { [Symbol.dispose]() {} };
    },
  };
  const made: string[] = [];
  const api = {
    create: async (_: unknown, object: { metadata: { name: string } }) => {
      made.push(object.metadata.name);
      return object;
    },
  } as unknown as KubeApi;
  const admin = new TopicAdmin({ api, clock, metadata, namespace: 'n', cluster: 'c' });
  await admin.create(topic);
  assert.deepEqual([made, nowMs >= 2_000], [['orders'], true]);
  isRecovering = true;
  nowMs = -1e9;
  await assert.rejects(
    admin.create({ ...topic, name: 'later' }),
    (cause: unknown) => cause instanceof KafkaError && cause.error === 'NOT_CONTROLLER',
  );
});
