/**
 * What the owner of a cluster does to it, with clients at work and a checker over what they were told.
 * The same suite runs on the embedded API and, with TENURE_TEST_KUBECONFIG, on a real one.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import type { Admin, Kafka } from 'kafkajs';
import kafkajs from 'kafkajs';
import { conditionOf } from '../../kube/conditions.ts';
import {
  annotations,
  type KafkaCluster,
  type KafkaTopic,
  kafkaBrokers,
  kafkaClusters,
  kafkaPartitionMaps,
  kafkaTopics,
} from '../../kube/kafka-objects.ts';
import {
  configMaps,
  type KubeObject,
  persistentVolumeClaims,
  pods,
  type Resource,
  type Secret,
  secrets,
  services,
  statefulSets,
} from '../../kube/objects.ts';
import { parsePage } from '../../kube/partition-line.ts';
import { ROOT } from '../../stdx/root.ts';
import { externalKubeconfig } from '../support/external.ts';
import { kafkaAt, Load } from '../support/load.ts';
import { sleepMs, startTestCluster, type TestCluster, until } from '../support/local.ts';
import { missing, type Outcome, runProgram } from '../support/programs.ts';

const NAMESPACE = 'default';
const NAME = 'my-cluster';
const zone = 'topology.kubernetes.io/zone';

let cluster: TestCluster;
let kafka: Kafka;
let admin: Admin;

before(async () => {
  cluster = await startTestCluster({
    manifests: 'test/e2e/manifests/owned.yaml',
    nodes: [1, 2, 3].map((i) => ({ name: `node-${i}`, labels: { [zone]: `z${i}` } })),
  });
  kafka = kafkaAt([cluster.bootstrap]);
  admin = kafka.admin();
  await admin.connect();
});
after(async () => {
  await admin?.disconnect();
  await cluster?.[Symbol.asyncDispose]();
});

const api = () => cluster.local.api;
function kubectl(...args: string[]): Promise<Outcome> {
  return runProgram('kubectl', args, {
    env: { KUBECONFIG: cluster.kubeconfig },
    timeoutMs: 90_000,
  });
}
async function current(): Promise<KafkaCluster> {
  return (await api().get(kafkaClusters, NAMESPACE, NAME)) as KafkaCluster;
}
const change = (patch: object) =>
  api().patch(kafkaClusters, { namespace: NAMESPACE, name: NAME }, patch);
const annotate = (name: string, value: string | null) =>
  change({ metadata: { annotations: { [name]: value } } });
async function condition(type: string) {
  return conditionOf((await current()).status?.conditions, type);
}
const reasonIs = async (type: string, reason: string) => (await condition(type))?.reason === reason;
async function lines() {
  const { items } = await api().list(kafkaPartitionMaps, { namespace: NAMESPACE });
  return items.flatMap(({ spec }) => parsePage(spec.partitions));
}
async function linesOf(topic: string) {
  return (await lines()).filter((line) => line.topic === topic);
}
async function uids(): Promise<string[]> {
  const { items } = await api().list(pods, { namespace: NAMESPACE });
  return items.map(({ metadata }) => `${metadata.name}/${metadata.uid}`).sort();
}
async function topicOf(name: string): Promise<KafkaTopic> {
  return (await api().get(kafkaTopics, NAMESPACE, name)) as KafkaTopic;
}
function makeTopic(name: string, spec: object, meta: object = {}): Promise<KafkaTopic> {
  return api().create(kafkaTopics, {
    apiVersion: 'kafka.tenure.dev/v1beta1',
    kind: 'KafkaTopic',
    metadata: { name, namespace: NAMESPACE, ...meta },
    spec: { clusterRef: { name: NAME }, ...spec },
  });
}
const patchTopic = (name: string, patch: object) =>
  api().patch(kafkaTopics, { namespace: NAMESPACE, name }, patch);
async function settled(): Promise<void> {
  await until('nothing is left to do', 60_000, async () => {
    const { status, metadata } = await current();
    const of = (type: string) => conditionOf(status?.conditions, type)?.status;
    return (
      status?.observedGeneration === metadata.generation &&
      of('Ready') === 'True' &&
      of('Progressing') === 'False' &&
      of('Degraded') === 'False'
    );
  });
}

test('brokers know their rack from the label of their node, and replicas are spread over racks', async () => {
  const { items } = await api().list(kafkaBrokers, { namespace: NAMESPACE });
  assert.deepEqual(new Set(items.map(({ spec }) => spec.rack)), new Set(['z1', 'z2', 'z3']));
  await makeTopic('racked', { partitions: 6, replicas: 2 });
  await until('it is there', 10_000, async () => (await linesOf('racked')).length === 6);
  const rackOf = new Map(items.map(({ spec }) => [spec.id, spec.rack]));
  for (const { replicas } of await linesOf('racked'))
    assert.equal(new Set(replicas.map((id) => rackOf.get(id))).size, 2);
});

describe('restarts', () => {
  test('all brokers restart under load: no request fails, the controller is last, the status says why', async () => {
    await settled();
    const before = await uids();
    const controller = await cluster.controllerId();
    const load = await Load.start(kafka);
    await annotate(annotations.restart, 'one');
    await until('every pod is new', 90_000, async () => {
      const now = await uids();
      return now.length === 3 && now.every((uid) => !before.includes(uid));
    });
    await settled();
    const { longestMs } = await load.end();
    const restarts = ((await current()).status?.lastRestarts ?? []).slice(0, 3);
    assert.deepEqual(new Set(restarts.map(({ broker }) => broker)).size, 3);
    assert.equal(restarts[0]?.broker, controller, 'newest first: the controller was the last');
    for (const { reason, seconds } of restarts) {
      assert.equal(reason, 'a restart of all brokers was asked for');
      assert.ok((seconds ?? -1) >= 0);
    }
    assert.ok(longestMs < 5_000, `longest wait ${longestMs} ms`);
  });

  test('a plan is shown and waits for approval; an operator that ends half way is no loss', async () => {
    await settled();
    const before = await uids();
    await change({ spec: { updatePolicy: 'Plan' } });
    await annotate(annotations.restart, 'two');
    await until('it is held', 20_000, () => reasonIs('Progressing', 'RestartHeld'));
    const { status } = await current();
    assert.equal(status?.plan?.length, 3);
    assert.match(status?.plan?.[0]?.waitsFor ?? '', /^approval: kubectl .*approve-plan=/);
    assert.deepEqual(await uids(), before, 'nothing has been restarted');
    const load = await Load.start(kafka);
    await annotate(annotations.approve, status?.planId ?? '');
    await until('the first is restarted', 30_000, async () =>
      (await uids()).some((uid) => !before.includes(uid)),
    );
    await cluster.local.restartOperator();
    await until('every pod is new', 90_000, async () => {
      const now = await uids();
      return now.length === 3 && now.every((uid) => !before.includes(uid));
    });
    await load.end();
    await change({ spec: { updatePolicy: null } });
    await settled();
  });

  test('a new operator restarts nothing and writes nothing', async () => {
    await settled();
    const versions = async () => {
      // Brokers write their own objects; these are the operator's.
      const kinds = [pods, statefulSets, services, configMaps, kafkaClusters];
      const lists = await Promise.all(
        (kinds as Resource[]).map((kind) => api().list(kind, { namespace: NAMESPACE })),
      );
      return lists.flatMap(({ items }) =>
        items
          .filter(({ metadata }) => metadata.name.startsWith(NAME))
          .map(
            ({ kind, metadata }: KubeObject) =>
              `${kind}/${metadata.name}@${metadata.resourceVersion}`,
          ),
      );
    };
    const before = await versions();
    await cluster.local.restartOperator();
    await sleepMs(3_000);
    assert.deepEqual(await versions(), before);
  });

  test('outside its maintenance window a cluster is left alone, and says until when', async () => {
    await settled();
    const before = await uids();
    const asked = (await current()).metadata.annotations?.[annotations.restart] ?? null;
    // A minute that is half an hour away, and lasts no longer.
    const minute = (new Date().getUTCMinutes() + 30) % 60;
    await change({
      spec: { maintenanceWindows: [{ schedule: `${minute} * * * *`, durationMinutes: 1 }] },
    });
    await annotate(annotations.restart, 'three');
    await until('it waits', 20_000, async () =>
      /the next maintenance window, which opens at 20/.test(
        (await condition('Progressing'))?.message ?? '',
      ),
    );
    assert.deepEqual(await uids(), before);
    await annotate(annotations.restart, asked);
    await change({ spec: { maintenanceWindows: null } });
    await settled();
    assert.deepEqual(await uids(), before);
  });

  test('a single broker is restarted by an annotation of its pod', async () => {
    await settled();
    const pod = `${NAME}-broker-1`;
    const { metadata } = (await api().get(pods, NAMESPACE, pod)) as KubeObject;
    await api().patch(
      pods,
      { namespace: NAMESPACE, name: pod },
      { metadata: { annotations: { [annotations.restart]: 'now' } } },
    );
    await until('it is new', 30_000, async () => {
      const now = await api().get(pods, NAMESPACE, pod);
      return now !== null && now.metadata.uid !== metadata.uid;
    });
    await settled();
  });

  test('kubectl drain moves a broker to another node within the budget, under load', {
    skip: missing('kubectl'),
  }, async () => {
    await settled();
    const load = await Load.start(kafka);
    const { stderr, code } = await kubectl(
      'drain',
      'node-2',
      '--delete-emptydir-data',
      '--force',
      '--ignore-daemonsets',
      '--timeout=60s',
    );
    assert.equal(code, 0, stderr);
    await settled();
    const nodes = (await api().list(pods, { namespace: NAMESPACE })).items.map(
      ({ spec }) => spec.nodeName,
    );
    assert.ok(!nodes.includes('node-2'), `${nodes}`);
    await kubectl('uncordon', 'node-2');
    await load.end();
  });
});

describe('what others do', () => {
  test('a deleted Service comes back, a changed one is put right', async () => {
    const name = `${NAME}-bootstrap`;
    await api().delete(services, NAMESPACE, name);
    await until(
      'it is back',
      10_000,
      async () => (await api().get(services, NAMESPACE, name)) !== null,
    );
    const map = `${NAME}-client`;
    await api().patch(
      configMaps,
      { namespace: NAMESPACE, name: map },
      { data: { 'bootstrap.servers': 'elsewhere' } },
    );
    await until('it is right again', 10_000, async () => {
      const { data } = (await api().get(configMaps, NAMESPACE, map)) as KubeObject & {
        data?: Record<string, string>;
      };
      return data?.['bootstrap.servers'] !== 'elsewhere';
    });
  });

  test('a paused cluster is left as it is until it goes on', async () => {
    await annotate(annotations.paused, 'true');
    await until('it says so', 10_000, () => reasonIs('ReconciliationPaused', 'Paused'));
    await change({ spec: { template: { pod: { metadata: { labels: { team: 'a' } } } } } });
    await sleepMs(1_000);
    const team = async () =>
      (await api().get(statefulSets, NAMESPACE, `${NAME}-broker`))?.spec.template.metadata?.labels
        ?.team;
    assert.equal(await team(), undefined);
    await annotate(annotations.paused, null);
    await until('it is acted on', 10_000, async () => (await team()) === 'a');
    await until('the brokers follow', 90_000, async () => {
      const { items } = await api().list(pods, { namespace: NAMESPACE });
      return items.length === 3 && items.every(({ metadata }) => metadata.labels?.team === 'a');
    });
    await settled();
  });
});

describe('configuration', () => {
  test('settings that are unknown or impossible show in a condition, and do no harm', async () => {
    const before = (await current()).spec.config ?? {};
    await change({ spec: { config: { 'log.retention.hors': 1, 'num.partitions': 'many' } } });
    await until('the condition names both', 20_000, async () => {
      const { status, message = '' } = (await condition('ConfigValid')) ?? {};
      return (
        status === 'False' &&
        message.includes('spec.config: log.retention.hors is not a broker configuration') &&
        message.includes('spec.config: num.partitions must be a number')
      );
    });
    await admin.createTopics({ topics: [{ topic: 'by-default', replicationFactor: 3 }] });
    assert.equal((await linesOf('by-default')).length, Number(before['num.partitions'] ?? 1));
    await change({ spec: { config: { 'log.retention.hors': null, 'num.partitions': null } } });
    await until('all is well', 20_000, () => reasonIs('ConfigValid', 'Valid'));
  });
});

describe('topics', () => {
  const reason = async (name: string) =>
    conditionOf((await topicOf(name))?.status?.conditions, 'Ready')?.reason;

  test('of two objects with one name the older wins, the other says so', async () => {
    await makeTopic('first', { topicName: 'Shared', partitions: 1, replicas: 2 });
    await until('it is ready', 10_000, async () => (await reason('first')) === 'TopicReady');
    await sleepMs(1_100);
    await makeTopic('second', { topicName: 'Shared', partitions: 5, replicas: 2 });
    await until(
      'it is a conflict',
      10_000,
      async () => (await reason('second')) === 'ResourceConflict',
    );
    assert.equal((await linesOf('Shared')).length, 1);
    await api().delete(kafkaTopics, NAMESPACE, 'first');
    await until('the other takes over', 20_000, async () => (await linesOf('Shared')).length === 5);
    await api().delete(kafkaTopics, NAMESPACE, 'second');
  });

  test('replicas become fewer and more, under load, with the progress in the status', async () => {
    await makeTopic('wide', { partitions: 3, replicas: 3, config: { 'min.insync.replicas': 1 } });
    await until('it is ready', 10_000, async () => (await reason('wide')) === 'TopicReady');
    const load = await Load.on(kafka, 'wide', 3);
    const has = async (count: number) =>
      (await linesOf('wide')).every(
        ({ replicas, isr, adding }) =>
          replicas.length === count && isr.length === count && adding.length === 0,
      );
    await patchTopic('wide', { spec: { replicas: 2 } });
    await until('two replicas each', 30_000, () => has(2));
    await patchTopic('wide', { spec: { replicas: 3 } });
    await until('three replicas each', 30_000, () => has(3));
    await until('the status knows', 20_000, async () => {
      const { status } = await topicOf('wide');
      return status?.observedReplicas === 3 && status.moving === undefined;
    });
    await load.end();
  });

  test('an object that is not managed is not acted on, and its records outlive it', async () => {
    await makeTopic('kept', { partitions: 1, replicas: 3 });
    await until('it is ready', 10_000, async () => (await reason('kept')) === 'TopicReady');
    const producer = kafka.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    await producer.send({ topic: 'kept', acks: -1, messages: [{ value: 'kept' }] });
    await producer.disconnect();
    await patchTopic('kept', { metadata: { annotations: { [annotations.managed]: 'false' } } });
    await patchTopic('kept', { spec: { partitions: 4 } });
    await until(
      'it says so',
      20_000,
      async () =>
        conditionOf((await topicOf('kept')).status?.conditions, 'Unmanaged')?.status === 'True',
    );
    assert.equal((await linesOf('kept')).length, 1);
    await api().delete(kafkaTopics, NAMESPACE, 'kept');
    await until('it is gone', 20_000, async () => (await topicOf('kept')) === null);
    const folder = join(cluster.folder, 'node/volumes', `${NAMESPACE}_data-${NAME}-broker-0/data`);
    await until('its files are kept', 10_000, () =>
      readdirSync(folder).some((name) => name.startsWith('kept-0') && name.endsWith('-stray')),
    );
  });

  test('a setting that is wrong is said; one that is taken away goes back to its default', async () => {
    await makeTopic('wrong', { partitions: 1, replicas: 2, config: { 'retention.ms': 'soon' } });
    await until('it is refused', 10_000, async () => (await reason('wrong')) === 'InvalidConfig');
    await patchTopic('wrong', { spec: { config: { 'retention.ms': 5000 } } });
    await until('it is ready', 10_000, async () => (await reason('wrong')) === 'TopicReady');
    const retention = async () => {
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: 2, name: 'wrong', configNames: ['retention.ms'] }],
      });
      return resources[0]?.configEntries[0]?.configValue;
    };
    await until('it acts', 10_000, async () => (await retention()) === '5000');
    await patchTopic('wrong', { spec: { config: { 'retention.ms': null } } });
    await until('it is reset', 10_000, async () => (await retention()) === '604800000');
  });
});

describe('more and fewer brokers', () => {
  test('two more take their share and go again, empty, under load', async () => {
    await settled();
    const load = await Load.start(kafka);
    await kubectl('scale', 'kafkacluster', NAME, '--replicas=5');
    await until('the new ones hold replicas', 60_000, async () => {
      const all = await lines();
      return [3, 4].every((id) => all.some((line) => line.isr.some((member) => member.id === id)));
    });
    await settled();
    assert.equal((await current()).status?.brokers, '5/5');
    await kubectl('scale', 'kafkacluster', NAME, '--replicas=3');
    await until('three brokers are left', 90_000, async () => (await uids()).length === 3);
    await settled();
    assert.ok((await lines()).every(({ replicas }) => replicas.every((id) => id < 3)));
    const registered = await api().list(kafkaBrokers, { namespace: NAMESPACE });
    await until('nobody remembers the others', 20_000, () => registered.items.length >= 3);
    await load.end();
  });

  test('a scale-down that cannot be is refused with the reason and moves nothing', async () => {
    await kubectl('scale', 'kafkacluster', NAME, '--replicas=2');
    await until('it is refused', 20_000, () => reasonIs('Ready', 'ScaleDownRefused'));
    assert.match((await condition('Ready'))?.message ?? '', /has 3 replicas of each partition/);
    assert.equal((await uids()).length, 3);
    await kubectl('scale', 'kafkacluster', NAME, '--replicas=3');
    await settled();
  });

  test('volumes grow where the storage lets them, and the condition says where it does not', async () => {
    await change({ spec: { storage: { size: '20Gi' } } });
    if (externalKubeconfig !== null) {
      // Volumes that nobody provisions cannot grow.
      await until('the refusal is shown', 20_000, () => reasonIs('StorageReady', 'GrowthRefused'));
    } else {
      await until('they have grown', 20_000, async () => {
        const { items } = await api().list(persistentVolumeClaims, { namespace: NAMESPACE });
        return items
          .filter(({ metadata }) => /broker-[012]$/.test(metadata.name))
          .every(({ status }) => status?.capacity?.storage === '20Gi');
      });
      await until('the condition says so', 20_000, () => reasonIs('StorageReady', 'VolumesReady'));
    }
    await assert.rejects(change({ spec: { storage: { size: '5Gi' } } }), /size must not shrink/);
    await assert.rejects(change({ spec: { storage: null } }), /storage must stay as it is/);
  });
});

describe('listeners', () => {
  test('a second listener is served after a roll, and answers with its own addresses', {
    skip: missing('kcat'),
  }, async () => {
    await settled();
    await change({
      spec: {
        listeners: [
          { name: 'internal', port: 9092, type: 'internal' },
          { name: 'second', port: 9095, type: 'internal' },
          {
            name: 'outside',
            port: 9096,
            type: 'nodeport',
            brokers: [0, 1, 2].map((id) => ({ id, advertisedHost: `b${id}.example.com` })),
          },
        ],
      },
    });
    const host = await cluster.address(0);
    await until('all are restarted', 120_000, async () => {
      const { items } = await api().list(pods, { namespace: NAMESPACE });
      const has = (pod: (typeof items)[number]) =>
        pod.spec.containers[0]?.ports?.some(({ containerPort }) => containerPort === 9096) === true;
      return items.length === 3 && items.every(has);
    });
    await settled();
    const through = async (port: number) => {
      const { stdout } = await runProgram('kcat', ['-L', '-J', '-b', `${host}:${port}`]);
      const { brokers } = JSON.parse(stdout) as { brokers: { name: string }[] };
      return brokers.map(({ name }) => name).sort();
    };
    const own = await through(9092);
    assert.deepEqual(
      await through(9095),
      own.map((one) => one.replace(/:9092$/, ':9095')),
    );
    const { status } = await current();
    const outside = status?.listeners?.find(({ name }) => name === 'outside');
    assert.deepEqual(
      outside?.brokers?.map(({ host: name, port }) => [name, port >= 30_000]),
      [0, 1, 2].map((id) => [`b${id}.example.com`, true]),
    );
    assert.deepEqual(
      await through(9096),
      (outside?.brokers ?? []).map((one) => `${one.host}:${one.port}`).sort(),
    );
  });

  test('Services of a listener that is no more go', async () => {
    await change({ spec: { listeners: null } });
    await until('they are gone', 20_000, async () => {
      const { items } = await api().list(services, { namespace: NAMESPACE });
      return !items.some(({ metadata }) => metadata.name.includes('-outside-'));
    });
    await until('all are restarted', 120_000, async () => {
      const { items } = await api().list(pods, { namespace: NAMESPACE });
      return (
        items.length === 3 &&
        items.every(({ spec }) =>
          spec.containers[0]?.ports?.every(({ containerPort }) => containerPort !== 9096),
        )
      );
    });
    await settled();
  });
});

describe('TLS', () => {
  const secretOf = async (name: string) =>
    (await api().get(secrets, NAMESPACE, name)) as Secret | null;
  const field = (secret: Secret | null, name: string) =>
    Buffer.from(secret?.data?.[name] ?? '', 'base64').toString();
  /** The serial number of the certificate that a broker shows; its names and its issuer are checked. */
  async function shown(host: string, ca: string): Promise<string> {
    const servername = `${NAME}-bootstrap.${NAMESPACE}.svc`;
    const socket = tls.connect({ host, port: 9093, ca, servername });
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  }

  test('clients trust the certificate of the cluster, and a new one is shown without a restart', async () => {
    await settled();
    await change({
      spec: {
        listeners: [
          { name: 'internal', port: 9092, type: 'internal' },
          { name: 'tls', port: 9093, type: 'internal', tls: true },
        ],
      },
    });
    await until('all are restarted', 120_000, async () => {
      const { items } = await api().list(pods, { namespace: NAMESPACE });
      return (
        items.length === 3 &&
        items.every(({ spec }) => spec.volumes?.some(({ name }) => name === 'tls') === true)
      );
    });
    await settled();
    assert.equal((await condition('CertificatesValid'))?.status, 'True');
    const ca = field(await secretOf(`${NAME}-tls`), 'ca.crt');
    assert.equal(field(await secretOf(`${NAME}-ca`), 'ca.crt'), ca);
    const host = await cluster.address(0);
    const first = await shown(host, ca);
    await assert.rejects(shown(host, ''), /self-signed|unable to (get|verify)|issuer/);

    const secure = new kafkajs.Kafka({
      brokers: [`${host}:9093`],
      ssl: { ca: [ca], servername: `${NAME}-bootstrap.${NAMESPACE}.svc` },
      logLevel: kafkajs.logLevel.NOTHING,
    });
    const producer = secure.producer();
    await producer.connect();
    await producer.send({ topic: 'my-topic', messages: [{ value: 'x'.repeat(200_000) }] });

    const before = await uids();
    await api().delete(secrets, NAMESPACE, `${NAME}-tls`);
    // Any change makes the operator look; the Secret is not watched.
    await annotate('example.com/look', 'now');
    await until(
      'there is a new certificate',
      20_000,
      async () => (await secretOf(`${NAME}-tls`)) !== null,
    );
    await until('brokers show it', 30_000, async () => (await shown(host, ca)) !== first);
    await producer.send({ topic: 'my-topic', messages: [{ value: 'connections go on' }] });
    await producer.disconnect();
    assert.deepEqual(await uids(), before);
  });

  test('a Secret that somebody else keeps is waited for, and said to be missing', async () => {
    await change({ spec: { tls: { certificateSecret: 'given' } } });
    await until('the condition says so', 20_000, async () =>
      /Secret given does not exist/.test((await condition('CertificatesValid'))?.message ?? ''),
    );
    const made = await secretOf(`${NAME}-tls`);
    await api().create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'given', namespace: NAMESPACE },
      data: made?.data ?? {},
    });
    await annotate('example.com/look', 'again');
    await until('it is taken', 60_000, () => reasonIs('CertificatesValid', 'Valid'));
    await change({ spec: { tls: null, listeners: null } });
    await until('none has TLS', 120_000, async () => {
      const { items } = await api().list(pods, { namespace: NAMESPACE });
      return (
        items.length === 3 &&
        items.every(({ spec }) => spec.volumes?.every(({ name }) => name !== 'tls') === true)
      );
    });
    await settled();
  });
});

describe('kubectl tenure', () => {
  const plugin = (...args: string[]) =>
    runProgram('node', [join(ROOT, 'cli/bin/kubectl-tenure.mjs'), '-n', NAMESPACE, ...args], {
      env: { KUBECONFIG: cluster.kubeconfig },
    });

  test('status, plan, doctor, restart and drain say and do what they should', async () => {
    await settled();
    const status = await plugin('status');
    assert.equal(status.code, 0, status.stderr);
    assert.match(status.stdout, /3\/3 brokers/);
    assert.match(status.stdout, /Ready +True/);
    assert.match((await plugin('plan', NAME)).stdout, /nothing is to be restarted/);
    const doctor = await plugin('doctor');
    assert.doesNotMatch(doctor.stdout, /^- (Ready|Available|pod)/m);
    const missingOne = await plugin('status', 'nobody');
    assert.equal(missingOne.code, 1);
    assert.match(
      missingOne.stderr,
      /there is no KafkaCluster nobody in namespace default, but my-cluster/,
    );
    await makeTopic('drained', { partitions: 6, replicas: 2 });
    await until('it is there', 10_000, async () => (await linesOf('drained')).length === 6);
    assert.match((await plugin('drain', NAME, '1')).stdout, /broker 1 is being emptied/);
    await until('broker 1 holds none of it', 30_000, async () =>
      (await linesOf('drained')).every(({ replicas }) => !replicas.includes(1)),
    );
    await plugin('drain', NAME, '1', '--undo');
    await until(
      'it may again',
      10_000,
      async () => (await current()).spec.drainBrokers === undefined,
    );
    const [before] = (await uids()).filter((uid) => uid.includes('broker-2'));
    await plugin('restart', NAME, '2');
    await until('broker 2 is new', 60_000, async () => !(await uids()).includes(before ?? ''));
    await settled();
    assert.match(
      (await plugin('status')).stdout,
      /RESTARTED +AT +TOOK +WHY\nbroker 2 +20\S+ +\d+ s/,
    );
  });
});

describe('sleep', () => {
  /** What the client says of a moved leader it does not try again by itself. */
  async function offsets() {
    let found: Awaited<ReturnType<Admin['fetchTopicOffsets']>> = [];
    await until('clients have found the leaders', 10_000, async () => {
      found = await admin.fetchTopicOffsets('my-topic').catch(() => []);
      return found.length > 0;
    });
    return found.sort((a, b) => a.partition - b.partition);
  }

  test('a cluster that sleeps has no pods; it wakes with its records, topics and offsets', async () => {
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic: 'my-topic', messages: [{ value: 'before the night' }] });
    await producer.disconnect();
    const ends = await offsets();
    await admin.disconnect();
    await change({ spec: { hibernated: true } });
    await until('no pod is left', 60_000, async () => (await uids()).length === 0);
    await until('it says so', 10_000, () => reasonIs('Ready', 'Hibernated'));
    const startedMs = performance.now();
    await change({ spec: { hibernated: false } });
    await settled();
    const elapsedMs = performance.now() - startedMs;
    await admin.connect();
    assert.deepEqual(await offsets(), ends);
    assert.ok(elapsedMs < 20_000, `woken after ${Math.round(elapsedMs)} ms`);
  });
});
