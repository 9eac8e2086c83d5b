import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KafkaBroker } from '../../kube/kafka-objects.ts';
import type { Lease, Pod } from '../../kube/objects.ts';
import type { KubeApi } from '../../kube/port.ts';
import type { Clock } from '../../stdx/clock.ts';
import { Liveness } from './liveness.ts';
import { hasEnded } from './pod-evidence.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

function setUp() {
  const present = new Set<number>();
  const changes = { count: 0 };
  let tick = () => {};
  const clock = {
    monotonicMs: () => 0,
    every: (_periodMs: number, run: () => void) => {
      tick = run;
      return { [Symbol.dispose]() {} };
    },
  } as unknown as Clock;
  const brokers = [0, 1].map(
    (id) =>
      ({
        spec: { id, epoch: 3, incarnation: `life-${id}`, keptSince: 1, podUid: `pod-${id}` },
      }) as unknown as KafkaBroker,
  );
  const leases = [0, 1].map(
    (id) =>
      ({
        metadata: { name: `c-broker-${id}`, resourceVersion: '1' },
        spec: { holderIdentity: `${id}/life-${id}`, leaseTransitions: 3 },
      }) as unknown as Lease,
  );
  const liveness = new Liveness(
    {
      api: {} as KubeApi,
      clock,
      logger: quiet,
      brokers: () => brokers,
      isPresent: (id) => present.has(id),
      sessionTimeoutMs: () => 9_000,
      onChange: () => changes.count++,
    },
    { namespace: 'default', cluster: 'c' },
    leases,
  );
  const live = () => [...liveness.view().values()].filter((one) => one.live).map(({ id }) => id);
  return { changes, live, liveness, present, tick: () => tick() };
}

test('a broker whose pod has ended is fenced at once, unless a stream to it stands', () => {
  const { changes, live, liveness, present, tick } = setUp();
  assert.deepEqual(live(), [0, 1]);
  liveness.onPodEnded('pod-1');
  assert.deepEqual(live(), [0]);
  assert.equal(changes.count, 1);
  present.add(0);
  liveness.onPodEnded('pod-0');
  assert.deepEqual(live(), [0], 'gRPC says otherwise');
  present.delete(0);
  tick();
  assert.deepEqual(live(), [], 'and then no longer');
});

test('a container that runs again is no evidence any more', () => {
  const { live, liveness, present, tick } = setUp();
  present.add(1);
  liveness.onPodEnded('pod-1');
  liveness.onPodRuns('pod-1');
  present.delete(1);
  tick();
  assert.deepEqual(live(), [0, 1]);
});

test('a pod has ended when its phase or its container says so', () => {
  const pod = (status: Pod['status']) => ({ status }) as Pod;
  const container = (state: object) => ({ name: 'broker', ready: false, restartCount: 0, state });
  assert.equal(hasEnded(pod({ phase: 'Failed' })), true);
  assert.equal(
    hasEnded(pod({ phase: 'Running', containerStatuses: [container({ terminated: {} })] })),
    true,
  );
  assert.equal(
    hasEnded(pod({ phase: 'Running', containerStatuses: [container({ running: {} })] })),
    false,
  );
  assert.equal(hasEnded(pod({ phase: 'Pending' })), false);
});
