import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeApi } from '../../kube/port.ts';
import { KafkaError } from '../../proto/kafka/errors.ts';
import { systemClock } from '../../stdx/clock.ts';
import { MetadataImage } from './image.ts';
import type { Metadata } from './metadata.ts';
import { TopicAdmin } from './topic-admin.ts';

/** A cluster object of one, changed by merge patches; every patch is noted. */
function clusterObject(spec: object) {
  const object = { metadata: { name: 'c', resourceVersion: '1' }, spec: { replicas: 3, ...spec } };
  const merge = (into: Record<string, unknown>, patch: object): Record<string, unknown> => {
    for (const [key, value] of Object.entries(patch)) {
      if (value === null) delete into[key];
      else if (typeof value === 'object' && !Array.isArray(value))
        into[key] = merge({ ...((into[key] ?? {}) as object) }, value as object);
      else into[key] = value;
    }
    return into;
  };
  let patches = 0;
  const api = {
    get: async () => structuredClone(object) as never,
    patch: async (_: unknown, _of: unknown, { spec: change }: { spec: object }) => {
      patches++;
      object.spec = merge({ ...object.spec }, change) as never;
      return object as never;
    },
  } as unknown as KubeApi;
  const metadata = { image: new MetadataImage() } as Metadata;
  return {
    admin: new TopicAdmin({ api, clock: systemClock, metadata, namespace: 'n', cluster: 'c' }),
    bytes: () => JSON.stringify(object).length,
    patches: () => patches,
  };
}

const violates = (words: RegExp) => (got: unknown) =>
  got instanceof KafkaError && got.error === 'POLICY_VIOLATION' && words.test(got.message);

test('clients fill a KafkaCluster up to a bound, and can take away again what they put there', async () => {
  const { admin, bytes } = clusterObject({});
  const setting = { 'consumer.session.timeout.ms': '45000' };
  const name = (i: number) => `${i}-`.padEnd(250, 'x');
  let refused = 0;
  for (let i = 0; i < 1500 && refused === 0; i++) {
    await admin.changeGroupConfig(name(i), setting).catch((cause: unknown) => {
      assert.ok(violates(/262144 bytes/)(cause), `${cause}`);
      refused = i;
    });
  }
  assert.ok(refused > 500 && bytes() < 300_000);
  const quota = [{ user: 'u', config: { producer_byte_rate: '1' } }];
  await assert.rejects(
    admin.changeQuotas(() => Array(10).fill(quota[0])),
    violates(/must go first/),
  );
  await admin.changeGroupConfig(name(0), { 'consumer.session.timeout.ms': null });
  await admin.changeGroupConfig(name(1), { 'consumer.session.timeout.ms': null });
  await admin.changeGroupConfig('one more', setting);
});

test('names and values have bounds of their own', async () => {
  const { admin, patches } = clusterObject({});
  await assert.rejects(
    admin.changeGroupConfig('g'.repeat(30_000), { 'consumer.session.timeout.ms': '45000' }),
    violates(/255 bytes, it has 30000/),
  );
  await assert.rejects(
    admin.changeClusterConfig({ 'replica.selector.class': 'x'.repeat(40_000) }),
    violates(/replica.selector.class must not be longer than 32768 bytes/),
  );
  const long = { 'leader.replication.throttled.replicas': '1:2,'.repeat(10_000) };
  await assert.rejects(admin.create({ name: 'orders', config: long }), violates(/32768 bytes/));
  const many = Array.from({ length: 10_000 }, () => [1, 2, 3, 4, 5, 6]);
  await assert.rejects(
    admin.create({ name: 'orders', config: {}, assignments: many }),
    violates(/50000 replicas/),
  );
  assert.equal(patches(), 0);
});

test('the settings of a topic have a bound together', async () => {
  const { admin, patches } = clusterObject({});
  const value = 'x'.repeat(32_000);
  const topicObject = (config: Record<string, string>) =>
    ({ metadata: { name: 'orders' }, spec: { clusterRef: { name: 'c' }, config } }) as never;
  const of = topicObject({ a: value, b: value });
  await assert.rejects(admin.changeTopicConfig(of, { c: value }), violates(/65536 bytes/));
  await admin.changeTopicConfig(of, { a: null, c: value });
  assert.equal(patches(), 1);
});

test('changes that come at once are all made, in the order in which they came', async () => {
  const { admin, patches } = clusterObject({});
  const names = Array.from({ length: 20 }, (_, i) => `group-${i}`);
  await Promise.all(names.map((name) => admin.changeGroupConfig(name, { a: '1' })));
  assert.equal(patches(), 20);
});
