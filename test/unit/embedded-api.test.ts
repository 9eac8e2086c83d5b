import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EmbeddedApi } from '../../kube/embedded/api.ts';
import type { Kind } from '../../kube/embedded/kinds.ts';
import { Store } from '../../kube/embedded/store.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { KubeError } from '../../kube/port.ts';
import { crds } from '../../operator/api/crds.ts';
import { systemChance } from '../../stdx/chance.ts';
import { systemClock } from '../../stdx/clock.ts';

function setUp() {
  const store = new Store(':memory:');
  const api = new EmbeddedApi({ store, clock: systemClock, chance: systemChance });
  const kind = (group: string, version: string, plural: string) =>
    api.kind(group, version, plural) as Kind;
  for (const crd of crds)
    api.create(
      kind('apiextensions.k8s.io', 'v1', 'customresourcedefinitions'),
      '',
      crd as unknown as KubeObject,
      {},
    );
  return {
    api,
    store,
    topics: kind('kafka.tenure.dev', 'v1beta1', 'kafkatopics'),
    clusters: kind('kafka.tenure.dev', 'v1beta1', 'kafkaclusters'),
    configMaps: kind('', 'v1', 'configmaps'),
  };
}

const topic = (name: string, spec: object = {}) =>
  ({
    apiVersion: 'kafka.tenure.dev/v1beta1',
    kind: 'KafkaTopic',
    metadata: { name },
    spec: { clusterRef: { name: 'c' }, partitions: 3, ...spec },
  }) as KubeObject & { spec: any };
const fails = (status: number, text: RegExp) => (cause: unknown) =>
  cause instanceof KubeError && cause.status === status && text.test(cause.message);

test('a write with an old resourceVersion conflicts, one that changes nothing writes nothing', () => {
  const { api, topics } = setUp();
  const first = api.create(topics, 'default', topic('t'), {});
  const second = api.replace(
    topics,
    'default',
    't',
    { ...first, spec: { ...topic('t').spec, partitions: 4 } } as KubeObject,
    null,
    {},
  );
  assert.throws(
    () =>
      api.replace(
        topics,
        'default',
        't',
        { ...first, spec: topic('t').spec } as KubeObject,
        null,
        {},
      ),
    fails(409, /has been modified/),
  );
  assert.equal(second.metadata.generation, 2);
  const same = api.patch(topics, 'default', 't', 'merge', { spec: { partitions: 4 } }, null, {});
  assert.equal(same.metadata.resourceVersion, second.metadata.resourceVersion);
});

test('status and spec are written apart, and only the spec has generations', () => {
  const { api, topics } = setUp();
  api.create(topics, 'default', { ...topic('t'), status: { partitions: 9 } } as KubeObject, {});
  const before = api.get(topics, 'default', 't') as any;
  assert.equal(before.status, undefined);
  const after = api.patch(
    topics,
    'default',
    't',
    'merge',
    { status: { partitions: 3 }, spec: { partitions: 99 } },
    'status',
    {},
  ) as any;
  assert.deepEqual(
    [after.status.partitions, after.spec.partitions, after.metadata.generation],
    [3, 3, 1],
  );
});

test('rules of the CRDs are judged when an object is applied', () => {
  const { api, topics, clusters } = setUp();
  api.create(topics, 'default', topic('t', { topicName: 'T', replicas: 3 }), {});
  const patch = (spec: object) => () =>
    api.patch(topics, 'default', 't', 'merge', { spec }, null, {});
  assert.throws(patch({ partitions: 2 }), fails(422, /partitions must not shrink/));
  assert.throws(patch({ partitions: 10_004 }), fails(422, /more than 10000 at once/));
  assert.throws(patch({ topicName: 'U' }), fails(422, /topicName must not change/));
  assert.throws(patch({ topicName: null }), fails(422, /topicName must not change/));
  assert.throws(patch({ clusterRef: { name: 'd' } }), fails(422, /clusterRef must not change/));
  assert.throws(
    patch({ config: { 'min.insync.replicas': '4' } }),
    fails(422, /must not be above replicas/),
  );
  assert.throws(
    patch({ partitions: 'many' }),
    fails(422, /spec\.partitions: Invalid value: "many"/),
  );
  patch({ partitions: 5, config: { 'min.insync.replicas': 3 } })();
  const cluster = {
    apiVersion: 'kafka.tenure.dev/v1beta1',
    kind: 'KafkaCluster',
    metadata: { name: 'c' },
    spec: { replicas: 3, storage: { type: 'persistent-claim' } },
  };
  assert.throws(
    () => api.create(clusters, 'default', cluster as KubeObject, {}),
    fails(422, /size must be set/),
  );
});

test('server-side apply owns what it names, drops what it no longer names, and leaves the rest alone', () => {
  const { api, topics } = setUp();
  const apply = (manager: string, spec: object, force = false) =>
    api.patch(
      topics,
      'default',
      't',
      'apply',
      { apiVersion: 'kafka.tenure.dev/v1beta1', kind: 'KafkaTopic', metadata: { name: 't' }, spec },
      null,
      { fieldManager: manager, force },
    ) as any;
  apply('a', {
    clusterRef: { name: 'c' },
    partitions: 3,
    config: { 'retention.ms': '1', 'segment.bytes': '2' },
  });
  apply('b', { config: { 'max.message.bytes': '3' } });
  const after = apply('a', {
    clusterRef: { name: 'c' },
    partitions: 3,
    config: { 'retention.ms': '1' },
  });
  assert.deepEqual(after.spec.config, { 'retention.ms': '1', 'max.message.bytes': '3' });
  assert.throws(
    () => apply('b', { config: { 'retention.ms': '9' } }),
    fails(409, /conflict with "a"/),
  );
  assert.equal(
    apply('b', { config: { 'retention.ms': '9' } }, true).spec.config['retention.ms'],
    '9',
  );
  const again = apply('b', { config: { 'retention.ms': '9' } }, true);
  assert.equal(
    apply('b', { config: { 'retention.ms': '9' } }, true).metadata.resourceVersion,
    again.metadata.resourceVersion,
  );
});

test('a finalizer keeps an object until it is taken off', () => {
  const { api, topics } = setUp();
  api.create(
    topics,
    'default',
    { ...topic('t'), metadata: { name: 't', finalizers: ['x/y'] } } as KubeObject,
    {},
  );
  const dying = api.delete(topics, 'default', 't', {});
  assert.ok(dying?.metadata.deletionTimestamp);
  api.patch(topics, 'default', 't', 'merge', { metadata: { finalizers: null } }, null, {});
  assert.throws(() => api.get(topics, 'default', 't'), fails(404, /not found/));
});

test('what an object owned goes with it', () => {
  const { api, configMaps } = setUp();
  const map = (name: string, owner?: KubeObject) =>
    api.create(
      configMaps,
      'default',
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          name,
          ...(owner
            ? {
                ownerReferences: [
                  {
                    apiVersion: 'v1',
                    kind: 'ConfigMap',
                    name: owner.metadata.name,
                    uid: owner.metadata.uid ?? '',
                  },
                ],
              }
            : {}),
        },
      } as KubeObject,
      {},
    );
  const parent = map('parent');
  map('grandchild', map('child', parent));
  map('other');
  api.delete(configMaps, 'default', 'parent', {});
  assert.deepEqual(
    api.list(configMaps, 'default', () => true).map(({ metadata }) => metadata.name),
    ['other'],
  );
});

test('versions go on after a restart, and a watch from before it must list again', () => {
  const { store } = setUp();
  const { version } = store;
  assert.ok(store.since(version));
  assert.equal(store.since(0), null);
});

test('strategic merge changes one container and keeps the other', () => {
  const { api } = setUp();
  const deployments = api.kind('apps', 'v1', 'deployments') as Kind;
  const spec = {
    selector: {},
    template: {
      spec: {
        containers: [
          { name: 'a', image: '1' },
          { name: 'b', image: '1' },
        ],
      },
    },
  };
  api.create(
    deployments,
    'default',
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec,
    } as unknown as KubeObject,
    {},
  );
  const after = api.patch(
    deployments,
    'default',
    'd',
    'strategic',
    { spec: { template: { spec: { containers: [{ name: 'b', image: '2' }] } } } },
    null,
    {},
  ) as any;
  assert.deepEqual(after.spec.template.spec.containers, [
    { name: 'a', image: '1' },
    { name: 'b', image: '2' },
  ]);
});
