/**
 * Volumes are enough: the objects of a cluster are deleted, lost or older, and everything acknowledged is there
 * again, for clients that go on as they were.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AdminClient, parseBootstrap } from '../../client/admin.ts';
import { conditionOf } from '../../kube/conditions.ts';
import {
  type KafkaCluster,
  type KafkaTopic,
  kafkaBrokers,
  kafkaClusterStates,
  kafkaClusters,
  kafkaPartitionMaps,
  kafkaTopics,
} from '../../kube/kafka-objects.ts';
import { type KubeObject, leases, pods, type Resource } from '../../kube/objects.ts';
import { isKubeError } from '../../kube/port.ts';
import { readManifests } from '../../local/manifests.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { ROOT } from '../../stdx/root.ts';
import { externalKubeconfig } from '../support/external.ts';
import { sleepMs, startTestCluster, type TestCluster, until } from '../support/local.ts';
import { missing, runProgram } from '../support/programs.ts';
import { VolumeStory } from '../support/volume-story.ts';

const NAMESPACE = 'default';
const NAME = 'my-cluster';
const IDS = [0, 1, 2];

let cluster: TestCluster;
let story: VolumeStory;
before(async () => {
  cluster = await startTestCluster();
  story = new VolumeStory(cluster.bootstrap);
  await story.begin();
  await story.write('my-topic', 100);
});
after(async () => {
  await story?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

async function deleteAll(resource: Resource): Promise<void> {
  const { api } = cluster.local;
  for (const { metadata } of (await api.list(resource, { namespace: NAMESPACE })).items)
    await api.delete(resource, NAMESPACE, metadata.name).catch((cause: unknown) => {
      if (!isKubeError(cause, 404)) throw cause;
    });
}

/** As a store that lost them: nobody is asked and nobody releases anything. */
async function loseTopics(): Promise<void> {
  const { api } = cluster.local;
  const { items } = await api.list(kafkaTopics, { namespace: NAMESPACE });
  for (const { metadata } of items)
    await api.patch(
      kafkaTopics,
      { namespace: NAMESPACE, name: metadata.name },
      { metadata: { finalizers: null } },
    );
  await deleteAll(kafkaTopics);
}

function killAll(): void {
  for (const id of IDS) process.kill(cluster.pid(id), 'SIGKILL');
}

const readCluster = () =>
  cluster.local.api.get(kafkaClusters, NAMESPACE, NAME) as Promise<KafkaCluster>;
const recovered = async () => conditionOf((await readCluster())?.status?.conditions, 'Recovered');
const topicNamed = (name: string) =>
  cluster.local.api.get(kafkaTopics, NAMESPACE, name) as Promise<KafkaTopic | null>;

async function isWell(): Promise<void> {
  await cluster.local.ready(60_000);
}

/** A producer id that nobody has. */
async function freshProducerId(): Promise<number> {
  using admin = new AdminClient(parseBootstrap(cluster.bootstrap));
  const asked = {
    transactionalId: null,
    transactionTimeoutMs: 0,
    producerId: -1,
    producerEpoch: -1,
  };
  const answer = await admin.broker(0, apis.InitProducerId, 4, asked);
  assert.equal(answer.errorCode, 0);
  return answer.producerId;
}

test('a page that is deleted while the cluster runs is there again', async () => {
  await deleteAll(kafkaPartitionMaps);
  await until('the page is back', 10_000, async () => {
    const { items } = await cluster.local.api.list(kafkaPartitionMaps, { namespace: NAMESPACE });
    return items.length > 0;
  });
  await story.write('my-topic', 10);
  await story.everythingIsThere('my-topic');
});

test('all pages deleted while all brokers restart: nothing comes back empty', async () => {
  const id = (await topicNamed('my-topic'))?.status?.topicId;
  story.keepWriting('my-topic');
  killAll();
  await deleteAll(kafkaPartitionMaps);
  await until('it says that it recovered', 60_000, async () => {
    return (await recovered())?.reason === 'Recovered';
  });
  await isWell();
  await story.stopWriting();
  await story.everythingIsThere('my-topic');
  assert.equal((await topicNamed('my-topic'))?.status?.topicId, id);
});

test('the store is lost and the volumes are kept: topics, settings and ids are as they were', async () => {
  await story.createTopic('My.Kept', { 'retention.ms': '-1', 'cleanup.policy': 'compact' });
  await story.write('my-topic', 50);
  // Volumes note what brokers heard a second or so later.
  await sleepMs(3000);
  const before = {
    clusterId: (await readCluster()).status?.clusterId,
    producerId: await freshProducerId(),
  };
  story.keepWriting('my-topic');
  killAll();
  await loseTopics();
  for (const resource of [kafkaPartitionMaps, kafkaClusterStates, kafkaBrokers, leases])
    await deleteAll(resource as Resource);
  await until('it says that it recovered', 60_000, async () => {
    return (await recovered())?.message.includes('My.Kept') === true;
  });
  await isWell();
  await story.stopWriting();
  await story.everythingIsThere('my-topic');
  const { items } = await cluster.local.api.list(kafkaTopics, { namespace: NAMESPACE });
  const kept = items.find(({ spec }) => spec.topicName === 'My.Kept');
  assert.equal(kept?.spec.config?.['retention.ms'], '-1');
  assert.equal(kept?.spec.config?.['cleanup.policy'], 'compact');
  assert.equal(kept?.spec.partitions, 2);
  assert.equal((await readCluster()).status?.clusterId, before.clusterId);
  assert.ok((await freshProducerId()) > before.producerId);
  const offsets = items.find(({ metadata }) => metadata.name.includes('consumer-offsets'));
  assert.equal(offsets?.spec.config?.['cleanup.policy'], 'compact');
});

test('everything deleted and applied again: volumes are taken over when the owner says so', async () => {
  const { api } = cluster.local;
  const clusterId = (await readCluster()).status?.clusterId;
  await story.write('my-topic', 20);
  story.keepWriting('my-topic');
  // In the order that hurts: the topic goes while its cluster is still there.
  await deleteAll(kafkaTopics);
  await deleteAll(kafkaClusters);
  await until('nothing is left', 60_000, async () => {
    const running = await api.list(pods, { namespace: NAMESPACE });
    const topics = await api.list(kafkaTopics, { namespace: NAMESPACE });
    return running.items.length === 0 && topics.items.length === 0;
  });
  for (const object of readManifests(`${ROOT}/examples/quickstart`)) {
    const resource = (object.kind === 'KafkaCluster' ? kafkaClusters : kafkaTopics) as Resource;
    const metadata = { ...object.metadata, namespace: NAMESPACE };
    await api.create(resource, { ...object, metadata } as KubeObject);
  }
  await until('it says whose volumes they are', 30_000, async () => {
    const condition = await recovered();
    return (
      condition?.reason === 'VolumesOfAnotherCluster' &&
      condition.message.includes(clusterId ?? '?') &&
      condition.message.includes('adoptVolumes')
    );
  });
  const { items } = await api.list(pods, { namespace: NAMESPACE });
  for (const { status } of items)
    assert.equal(status?.containerStatuses?.[0]?.restartCount ?? 0, 0, 'brokers wait, not crash');
  await api.patch(
    kafkaClusters,
    { namespace: NAMESPACE, name: NAME },
    { spec: { recovery: { adoptVolumes: true } } },
  );
  await isWell();
  await story.stopWriting();
  await story.everythingIsThere('my-topic');
  assert.equal((await recovered())?.reason, 'Recovered');
  await until('the id is the one of before', 20_000, async () => {
    return (await readCluster()).status?.clusterId === clusterId;
  });
});

test('a backup of the object brings its volumes with it', async () => {
  const { api } = cluster.local;
  const backup = await readCluster();
  const topic = (await topicNamed('my-topic')) as KafkaTopic;
  await deleteAll(kafkaClusters);
  await until('no broker runs', 60_000, async () => {
    return (await api.list(pods, { namespace: NAMESPACE })).items.length === 0;
  });
  const { name, namespace, labels, annotations } = backup.metadata;
  const { recovery: _, ...spec } = backup.spec;
  await api.create(kafkaClusters, {
    ...backup,
    metadata: { name, namespace, labels, annotations },
    spec,
  } as KafkaCluster);
  await isWell();
  await story.write('my-topic', 10);
  await story.everythingIsThere('my-topic');
  assert.equal((await topicNamed('my-topic'))?.status?.topicId, topic.status?.topicId);
});

test('what kubectl wrote down an hour before is created again: ids and records are those of now', {
  skip: externalKubeconfig === null || missing('kubectl'),
}, async () => {
  const { api } = cluster.local;
  const kubectl = (args: readonly string[], input?: string) =>
    runProgram('kubectl', ['--namespace', NAMESPACE, ...args], {
      env: { KUBECONFIG: cluster.kubeconfig },
      ...(input === undefined ? {} : { input }),
    });
  const backup = JSON.parse(
    (await kubectl(['get', 'kafkaclusters,kafkatopics', '-o', 'json'])).stdout,
  ) as { items: KubeObject[] };
  const ids = async () =>
    (await api.list(kafkaTopics, { namespace: NAMESPACE })).items
      .map(({ metadata, status }) => `${metadata.name} ${status?.topicId}`)
      .sort();
  const before = { ids: await ids(), clusterId: (await readCluster()).status?.clusterId };
  assert.ok(before.ids.length >= 3);
  // An hour goes by.
  await story.write('my-topic', 40);
  await deleteAll(kafkaClusters);
  await until('no broker runs', 60_000, async () => {
    return (await api.list(pods, { namespace: NAMESPACE })).items.length === 0;
  });
  await deleteAll(kafkaTopics);
  await until('nothing is left', 60_000, async () => {
    const clusters = await api.list(kafkaClusters, { namespace: NAMESPACE });
    const topics = await api.list(kafkaTopics, { namespace: NAMESPACE });
    return clusters.items.length + topics.items.length === 0;
  });
  const items = backup.items.map(({ metadata, ...object }) => {
    const { name, namespace, labels, annotations, finalizers } = metadata;
    return { ...object, metadata: { name, namespace, labels, annotations, finalizers } };
  });
  const created = await kubectl(
    ['create', '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
  );
  assert.equal(created.code, 0, created.stderr);
  await isWell();
  await story.write('my-topic', 10);
  await story.everythingIsThere('my-topic');
  await until('topics have their ids', 20_000, async () => {
    return (await ids()).join() === before.ids.join();
  });
  assert.equal((await readCluster()).status?.clusterId, before.clusterId);
});
