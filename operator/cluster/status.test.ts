import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatefulSet } from '../../kube/objects.ts';
import { clusterOf, lineOf, observedOf, podOf, setOf } from '../../test/support/operator-world.ts';
import { listenerStatuses } from './addresses-core.ts';
import { isContained } from './contained-core.ts';
import { desiredObjects } from './desired/desired.ts';
import { planRacks } from './racks-core.ts';
import { planRoll } from './roll-core.ts';
import { movesOf, planScale } from './scale-core.ts';
import { clusterStatus } from './status.ts';
import { planGrowth, storageState } from './storage-core.ts';

const storage = { ready: true, reason: 'Ephemeral', message: '' };
const statusOf = (observed: ReturnType<typeof observedOf>) =>
  clusterStatus(observed, {
    scale: planScale(observed),
    roll: planRoll(observed),
    storage,
    bootstrap: null,
    isApplying: false,
    certificates: null,
    fault: null,
  });
const conditionIn = (status: ReturnType<typeof statusOf>, type: string) =>
  status.conditions?.find((one) => one.type === type);

test('scaling up is done at once, down as far as the leaving brokers are empty', () => {
  const up = planScale(observedOf({ cluster: clusterOf({ replicas: 5 }) }));
  assert.deepEqual(up, { replicas: 5, refused: null, draining: 0 });
  const lines = [lineOf([3, 1]), lineOf([0, 1], { partition: 4 })];
  const down = observedOf({ statefulSet: setOf(5), lines });
  assert.deepEqual(planScale(down), { replicas: 4, refused: null, draining: 1 });
  assert.deepEqual(planScale({ ...down, lines: [lineOf([0, 1])] }).replicas, 3);
});

test('scaling down below what a topic needs is refused with the topic and what to do', () => {
  const { replicas, refused } = planScale(observedOf({ cluster: clusterOf({ replicas: 2 }) }));
  assert.equal(replicas, 3);
  assert.match(
    refused ?? '',
    /cannot scale down to 2 brokers: topic orders has 3 replicas of each partition, its spec.replicas must be lowered to 2/,
  );
});

test('a cluster that sleeps has no broker, and wakes with all that hold replicas', () => {
  const asleep = observedOf({ cluster: clusterOf({ hibernated: true }) });
  assert.deepEqual(planScale(asleep), { replicas: 0, refused: null, draining: 0 });
  const waking = observedOf({
    cluster: clusterOf({ replicas: 2 }),
    statefulSet: setOf(0),
    lines: [lineOf([4, 1])],
  });
  assert.equal(planScale(waking).replicas, 5);
});

test('a broker that went although it held replicas comes back, is emptied, and goes', () => {
  const gone = observedOf({ lines: [lineOf([4, 1])] });
  assert.deepEqual(planScale(gone), { replicas: 5, refused: null, draining: 1 });
});

test('progress of moves is counted from their beginning, with the time left', () => {
  const moving = [0, 1, 2].map((partition) => lineOf([0, 1], { partition, adding: [1], isr: [0] }));
  const before = { startedAt: '2026-01-01T00:00:00Z', partitions: 12, total: 12, message: '' };
  const observed = observedOf({
    cluster: clusterOf({}, { status: { moves: before } }),
    lines: moving,
    now: '2026-01-01T00:01:00Z',
  });
  assert.deepEqual(movesOf(observed, 0), {
    partitions: 3,
    total: 12,
    startedAt: before.startedAt,
    message: '9 of 12 partitions have moved, about 20 s left',
  });
});

test('status tells what holds, and does not move its times when nothing changed', () => {
  const first = statusOf(observedOf());
  assert.equal(first.brokers, '3/3');
  assert.equal(conditionIn(first, 'Ready')?.status, 'True');
  assert.equal(conditionIn(first, 'Degraded')?.status, 'False');
  const later = observedOf({
    cluster: clusterOf({}, { status: first }),
    now: '2027-01-01T00:00:00Z',
  });
  assert.deepEqual(statusOf(later), first);
});

test('settings that brokers cannot act on show in a condition', () => {
  const brokers = [{ spec: { id: 1, epoch: 1 }, status: { configProblems: ['x is unknown'] } }];
  const status = statusOf(observedOf({ brokers: brokers as never }));
  assert.deepEqual(
    [conditionIn(status, 'ConfigValid')?.status, conditionIn(status, 'ConfigValid')?.message],
    ['False', 'x is unknown'],
  );
});

test('a log directory that failed shows in a condition, with its broker and the reason', () => {
  const brokers = [{ spec: { id: 1, epoch: 1 }, status: { failedLogDirs: ['/b: i/o error'] } }];
  const status = statusOf(observedOf({ brokers: brokers as never }));
  const { message, reason, status: is } = conditionIn(status, 'Degraded') ?? {};
  assert.deepEqual(
    [is, reason, message],
    ['True', 'LogDirectoryFailed', 'broker 1, /b: i/o error'],
  );
});

test('restarts are remembered with their reason and how long they took', () => {
  const pods = [podOf(0, { revision: 'c-broker-old' }), podOf(1), podOf(2)];
  const begun = statusOf(observedOf({ pods }));
  assert.deepEqual(begun.lastRestarts, [
    {
      broker: 0,
      reason: 'its pod template changed',
      podUid: 'pod-0',
      startedAt: '2026-01-01T00:00:00Z',
    },
  ]);
  const after = observedOf({
    cluster: clusterOf({}, { status: begun }),
    pods: [podOf(0, { made: '2026-01-01T00:00:04Z', uid: 'new' }), podOf(1), podOf(2)],
    now: '2026-01-01T00:01:00Z',
  });
  assert.equal(statusOf(after).lastRestarts?.[0]?.seconds, 4);
});

test('the same cluster gives the same objects, all owned by it, none with more rights than it needs', () => {
  const input = {
    cluster: clusterOf(),
    defaults: { image: 'tenure:1', clusterDns: true, brokerLogFormat: 'json', knowsNodes: true },
    replicas: 3,
    live: null,
    mayEvict: true,
    bootstrapServers: 'b:9092',
    peerTls: 'none' as const,
  };
  const objects = desiredObjects(input);
  assert.deepEqual(objects, desiredObjects(input));
  for (const { object } of objects)
    assert.equal(object.metadata.ownerReferences?.[0]?.uid, clusterOf().metadata.uid);
  const role = objects.find(({ object }) => object.kind === 'Role')?.object as unknown as {
    rules: { resources: string[]; verbs: string[] }[];
  };
  for (const { resources, verbs } of role.rules) {
    assert.ok(!resources.includes('secrets'));
    assert.ok(!verbs.includes('*'));
  }
  const set = objects.find(({ object }) => object.kind === 'StatefulSet')
    ?.object as unknown as StatefulSet;
  assert.equal((set.spec.updateStrategy as { type: string }).type, 'OnDelete');
});

test('template overrides are merged: containers and env by name, everything else deeply', () => {
  const cluster = clusterOf({
    template: {
      pod: {
        metadata: { labels: { team: 'a' } },
        priorityClassName: 'high',
        securityContext: { fsGroup: 7 },
        tolerations: [{ key: 'k', operator: 'Exists' }],
      },
      broker: { env: [{ name: 'X', value: 'y' }], readinessProbe: { periodSeconds: 9 } },
    },
  });
  const set = desiredObjects({
    cluster,
    defaults: { image: 'tenure:1', clusterDns: true, brokerLogFormat: 'json', knowsNodes: true },
    replicas: 3,
    live: null,
    mayEvict: true,
    bootstrapServers: '',
    peerTls: 'none',
  }).find(({ object }) => object.kind === 'StatefulSet')?.object as unknown as StatefulSet;
  const { metadata, spec } = set.spec.template;
  assert.equal(metadata?.labels?.team, 'a');
  assert.equal(metadata?.labels?.['app.kubernetes.io/name'], 'kafka');
  assert.equal(spec.priorityClassName, 'high');
  assert.deepEqual(spec.securityContext as { fsGroup: number; runAsNonRoot: boolean }, {
    ...(spec.securityContext as object),
    fsGroup: 7,
    runAsNonRoot: true,
  });
  const [broker] = spec.containers;
  assert.equal(broker?.readinessProbe?.periodSeconds, 9);
  assert.equal(broker?.readinessProbe?.httpGet?.path, '/readyz');
  assert.ok(broker?.env?.some(({ name }) => name === 'X'));
  assert.ok(broker?.env?.some(({ name }) => name === 'TENURE_CLUSTER'));
});

test('listeners outside the cluster: node ports by the node, load balancers by their address', () => {
  const cluster = clusterOf({
    replicas: 1,
    listeners: [
      { name: 'internal', port: 9092, type: 'internal' },
      { name: 'np', port: 9094, type: 'nodeport' },
      {
        name: 'lb',
        port: 9095,
        type: 'loadbalancer',
        brokers: [{ id: 0, advertisedHost: 'b0.example.com' }],
      },
    ],
  });
  const service = (name: string, nodePort: number, ip?: string) => ({
    metadata: { name },
    spec: { ports: [{ port: 1, nodePort }] },
    status: ip === undefined ? {} : { loadBalancer: { ingress: [{ ip }] } },
  });
  const node = { status: { addresses: [{ type: 'InternalIP', address: '10.0.0.7' }] } };
  const statuses = listenerStatuses(
    observedOf({
      cluster,
      pods: [podOf(0, { node: 'n1' })],
      services: [
        service('c-np-0', 30001),
        service('c-lb-0', 30002, '1.2.3.4'),
        service('c-lb-bootstrap', 30003, '1.2.3.5'),
      ] as never,
      nodes: new Map([['n1', node as never]]),
    }),
  );
  assert.deepEqual(statuses, [
    { name: 'internal', type: 'internal', bootstrapServers: 'c-bootstrap.n.svc:9092' },
    {
      name: 'np',
      type: 'nodeport',
      bootstrapServers: '10.0.0.7:30001',
      brokers: [{ id: 0, host: '10.0.0.7', port: 30001 }],
    },
    {
      name: 'lb',
      type: 'loadbalancer',
      bootstrapServers: '1.2.3.5:9095',
      brokers: [{ id: 0, host: 'b0.example.com', port: 9095 }],
    },
  ]);
});

test('volumes grow to what is asked for, and the state says what is in the way', () => {
  const cluster = clusterOf({ storage: { type: 'persistent-claim', size: '20Gi' } });
  const claim = (name: string, size: string, capacity = size) => ({
    metadata: { name },
    spec: { resources: { requests: { storage: size } } },
    status: { phase: 'Bound', capacity: { storage: capacity } },
  });
  const observed = observedOf({
    cluster,
    claims: [claim('a', '10Gi'), claim('b', '20Gi', '10Gi'), claim('c', '20480Mi')] as never,
  });
  assert.deepEqual(
    planGrowth(observed).map(({ claim: { metadata } }) => metadata.name),
    ['a'],
  );
  assert.equal(storageState(observed, new Map()).reason, 'Growing');
  assert.match(
    storageState(observed, new Map([['a', 'forbidden']])).message,
    /volume a cannot grow to 20Gi: forbidden/,
  );
});

test('pods are told the rack of their node, once', () => {
  const cluster = clusterOf({ rack: { topologyKey: 'zone' } });
  const nodes = new Map([['n1', { metadata: { name: 'n1', labels: { zone: 'z1' } } } as never]]);
  const pods = [podOf(0, { node: 'n1' }), podOf(1)];
  const [told] = planRacks(observedOf({ cluster, nodes, pods }));
  assert.deepEqual([told?.pod.metadata.name, told?.rack], ['c-broker-0', 'z1']);
});

test('an applied object is contained in the live one, whatever the API adds', () => {
  const wanted = { spec: { ports: [{ port: 1 }], empty: {} } };
  assert.ok(isContained(wanted, { spec: { ports: [{ port: 1, protocol: 'TCP' }] }, status: {} }));
  assert.ok(!isContained(wanted, { spec: { ports: [{ port: 2 }] } }));
});
