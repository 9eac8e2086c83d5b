import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KafkaCluster } from '../../kube/kafka-objects.ts';
import type { Pod, StatefulSet } from '../../kube/objects.ts';
import type { PartitionLine } from '../../kube/partition-line.ts';
import { desiredObjects } from './desired.ts';
import { clusterStatus, type Observed, planRestart, planScale } from './plan.ts';

const cluster = (replicas = 3): KafkaCluster => ({
  apiVersion: 'kafka.tenure.dev/v1beta1',
  kind: 'KafkaCluster',
  metadata: {
    name: 'c',
    namespace: 'n',
    uid: '00000000-0000-4000-8000-000000000001',
    generation: 1,
  },
  spec: { replicas },
});
const pod = (id: number, revision = 'new', ready = true): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: `c-broker-${id}`,
    namespace: 'n',
    labels: { 'controller-revision-hash': revision },
  },
  spec: { containers: [] },
  status: {
    conditions: [
      {
        type: 'Ready',
        status: ready ? 'True' : 'False',
        reason: '',
        message: '',
        lastTransitionTime: '',
      },
    ],
  },
});
const set = (replicas = 3): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'c-broker' },
  spec: { replicas, selector: { matchLabels: {} }, template: { spec: { containers: [] } } },
  status: { updateRevision: 'new' },
});
const line = (replicas: number[], isr = replicas): PartitionLine => ({
  topic: 'orders',
  topicId: 'x',
  partition: 3,
  leader: { id: isr[0] ?? 0, epoch: 1 },
  leaderEpoch: 0,
  partitionEpoch: 0,
  replicas,
  isr: isr.map((id) => ({ id, epoch: 1 })),
  elr: [],
  adding: [],
  removing: [],
});
const observed = (more: Partial<Observed> = {}): Observed => ({
  cluster: cluster(),
  statefulSet: set(),
  pods: [pod(0), pod(1), pod(2)],
  brokers: [],
  lines: [line([0, 1, 2])],
  now: '2026-01-01T00:00:00Z',
  ...more,
});

test('scaling up is done at once, down only as far as leaving brokers hold nothing', () => {
  assert.deepEqual(planScale(observed({ cluster: cluster(5) })), { replicas: 5, refused: null });
  const refused = planScale(observed({ cluster: cluster(1) }));
  assert.equal(refused.replicas, 3);
  assert.match(refused.refused ?? '', /brokers 1 to 2 still hold replicas of 1 partitions/);
  assert.deepEqual(planScale(observed({ cluster: cluster(1), lines: [line([0])] })), {
    replicas: 1,
    refused: null,
  });
});

test('nothing is restarted while every pod is current', () => {
  assert.deepEqual(planRestart(observed(), 0), { kind: 'none' });
});

test('outdated brokers restart one at a time, the controller last', () => {
  const pods = [pod(0, 'old'), pod(1, 'old'), pod(2)];
  const plan = planRestart(observed({ pods }), 0);
  assert.equal(plan.kind === 'restart' && plan.pod.metadata.name, 'c-broker-1');
});

test('a restart waits, and says for which partition or pod', () => {
  const pods = [pod(0, 'old'), pod(1), pod(2)];
  const weak = planRestart(observed({ pods, lines: [line([0, 1, 2], [0, 1])] }), 2);
  assert.equal(
    weak.kind === 'wait' && weak.why,
    'restart of c-broker-0 waits: partition orders-3 has 2 of 3 replicas in sync',
  );
  const down = planRestart(observed({ pods: [pod(0, 'old'), pod(1, 'new', false), pod(2)] }), 2);
  assert.match(down.kind === 'wait' ? down.why : '', /c-broker-1 is not ready/);
  const broken = planRestart(
    observed({ pods: [pod(0, 'old', false), pod(1), pod(2)], lines: [line([0, 1, 2], [1, 2])] }),
    2,
  );
  assert.equal(broken.kind, 'restart', 'a broker that does not serve is not made worse');
});

test('status tells what holds, and does not move its times when nothing changed', () => {
  const scale = { replicas: 3, refused: null };
  const first = clusterStatus(observed(), { scale, restart: { kind: 'none' }, bootstrap: null });
  assert.equal(first.brokers, '3/3');
  assert.equal(first.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  const later = clusterStatus(
    observed({ cluster: { ...cluster(), status: first }, now: '2027-01-01T00:00:00Z' }),
    { scale, restart: { kind: 'none' }, bootstrap: null },
  );
  assert.deepEqual(later, first);
});

test('the same cluster gives the same objects, all owned by it, none with more rights than it needs', () => {
  const defaults = { image: 'tenure:1', clusterDns: true, brokerLogFormat: 'json' };
  const objects = desiredObjects(cluster(), defaults, 3);
  assert.deepEqual(objects, desiredObjects(cluster(), defaults, 3));
  for (const { object } of objects)
    assert.equal(object.metadata.ownerReferences?.[0]?.uid, cluster().metadata.uid);
  const role = objects.find(({ object }) => object.kind === 'Role')?.object as unknown as {
    rules: { resources: string[]; verbs: string[] }[];
  };
  for (const { resources, verbs } of role.rules) {
    assert.ok(!resources.includes('secrets'));
    assert.ok(!verbs.includes('*'));
  }
  const sts = objects.find(({ object }) => object.kind === 'StatefulSet')
    ?.object as unknown as StatefulSet;
  assert.equal((sts.spec.updateStrategy as { type: string }).type, 'OnDelete');
});
