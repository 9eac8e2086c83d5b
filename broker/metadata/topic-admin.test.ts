import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type KafkaTopic, topicIdOf } from '../../kube/kafka-objects.ts';
import type { KubeApi } from '../../kube/port.ts';
import { KubeError, KubeUnreachable } from '../../kube/port.ts';
import { KafkaError } from '../../proto/kafka/errors.ts';
import { systemClock } from '../../stdx/clock.ts';
import { MetadataImage } from './image.ts';
import type { Metadata, MetadataListener } from './metadata.ts';
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

describe('a name that a deletion frees', () => {
  const object = (uid: string, deletionTimestamp?: string) =>
    ({
      metadata: {
        name: 'orders',
        namespace: 'n',
        uid,
        ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      },
      spec: { clusterRef: { name: 'c' } },
    }) as KafkaTopic;
  const UID = '00000000-0000-4000-8000-000000000001';
  const NEXT = '00000000-0000-4000-8000-000000000002';

  /** An API with one object of that name, and a broker that is told of it when the test says so. */
  function world(first: KafkaTopic) {
    let stored: KafkaTopic | null = first;
    const image = new MetadataImage();
    const listeners = new Set<MetadataListener>();
    const metadata = {
      image,
      listen(listener: MetadataListener) {
        listeners.add(listener);
        return { [Symbol.dispose]: () => listeners.delete(listener) };
      },
    } as unknown as Metadata;
    const api = {
      async create() {
        if (stored !== null) throw new KubeError(409, 'AlreadyExists', 'x');
        stored = object(NEXT);
        return stored;
      },
      get: async () => stored,
    } as unknown as KubeApi;
    const admin = new TopicAdmin({
      api,
      clock: systemClock,
      metadata,
      namespace: 'n',
      cluster: 'c',
    });
    const tell = (topic: KafkaTopic, present: boolean) => {
      image.setTopicObject(topic, present);
      for (const listener of listeners) listener.onTopic?.(topic, present);
    };
    const store = (topic: KafkaTopic | null) => {
      stored = topic;
    };
    tell(first, true);
    return { admin, tell, store };
  }
  const already = (cause: unknown) =>
    cause instanceof KafkaError && cause.error === 'TOPIC_ALREADY_EXISTS';

  test('is waited for by who deletes until the object is gone too', async () => {
    const dying = object(UID, '2026-01-01T00:00:00Z');
    const { admin, tell } = world(dying);
    let isGone = false;
    const gone = admin.waitUntilGone(topicIdOf(dying), 5_000).then(() => {
      isGone = true;
    });
    await new Promise((done) => setTimeout(done, 20));
    assert.equal(isGone, false);
    tell(dying, false);
    await gone;
  });

  test('is waited for by who makes the topic anew, and no longer than asked', async () => {
    const dying = object(UID, '2026-01-01T00:00:00Z');
    const { admin, tell, store } = world(dying);
    await assert.rejects(admin.create(topic), already);
    await assert.rejects(admin.create(topic, 60), already);
    const made = admin.create(topic, 5_000);
    await new Promise((done) => setTimeout(done, 70));
    store(null);
    tell(dying, false);
    assert.equal((await made).metadata.uid, NEXT);
  });

  test('is free though this broker has not heard of it yet', async () => {
    const { admin, store } = world(object(UID));
    await assert.rejects(admin.create(topic, 5_000), already);
    store(null);
    assert.equal((await admin.create(topic, 5_000)).metadata.uid, NEXT);
  });
});
