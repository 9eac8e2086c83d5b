import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KafkaBroker } from '../../kube/kafka-objects.ts';
import type { Lease, Pod } from '../../kube/objects.ts';
import type { KubeApi } from '../../kube/port.ts';
import type { Clock } from '../../stdx/clock.ts';
import { isMass, Liveness } from './liveness.ts';
import { hasEnded } from './pod-evidence.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

function setUp(count = 2) {
  const present = new Set<number>();
  const accepting = new Set<number>();
  const changes = { count: 0 };
  let tick = () => {};
  let nowMs = 0;
  const clock = {
    monotonicMs: () => nowMs,
    every: (_periodMs: number, run: () => void) => {
      tick = run;
      return { [Symbol.dispose]() {} };
    },
  } as unknown as Clock;
  const ids = Array.from({ length: count }, (_, id) => id);
  const brokers = ids.map(
    (id) =>
      ({
        spec: { id, epoch: 3, incarnation: `life-${id}`, keptSince: 1, podUid: `pod-${id}` },
      }) as unknown as KafkaBroker,
  );
  const leases = ids.map(
    (id) =>
      ({
        metadata: { name: `c-broker-${id}`, resourceVersion: '1' },
        spec: { holderIdentity: `${id}/life-${id}`, leaseTransitions: 3 },
      }) as unknown as Lease,
  );
  const liveness = new Liveness(
    {
      api: {
        get: async (_: unknown, _namespace: string, name: string) =>
          leases.find(({ metadata }) => metadata.name === name) ?? null,
      } as unknown as KubeApi,
      clock,
      logger: quiet,
      brokers: () => brokers,
      isPresent: (id) => present.has(id),
      accepts: async ({ spec }) => accepting.has(spec.id),
      sessionTimeoutMs: () => 9_000,
      onChange: () => changes.count++,
    },
    { namespace: 'default', cluster: 'c' },
    leases,
  );
  const live = () => [...liveness.view().values()].filter((one) => one.live).map(({ id }) => id);
  /** The controller looks so often, after so long each time. */
  const look = async (times: number, elapsedMs = 500) => {
    for (let i = 0; i < times; i++) {
      nowMs += elapsedMs;
      tick();
      // Everything that is asked is answered by promises alone.
      await new Promise((done) => setImmediate(done));
    }
  };
  const renew = (id: number, resourceVersion: string) => {
    const { metadata, spec } = leases[id] as Lease;
    leases[id] = { metadata: { ...metadata, resourceVersion }, spec } as Lease;
    liveness.onLease(leases[id]);
  };
  return { accepting, changes, live, liveness, look, present, renew, tick: () => tick() };
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

test('one that is silent for a session timeout is fenced, unless a stream to it stands', async () => {
  const { accepting, live, look, present } = setUp(3);
  present.add(0).add(1);
  accepting.add(2);
  await look(18);
  assert.deepEqual(live(), [0, 1, 2]);
  await look(1);
  assert.deepEqual(live(), [0, 1], 'that its system accepts connections does not help it');
});

test('load alone fences no majority: many that are silent at once are left alone while they are there', async () => {
  const { accepting, live, look, present, renew } = setUp(3);
  present.add(0);
  accepting.add(1).add(2);
  await look(200);
  assert.deepEqual(live(), [0, 1, 2]);
  renew(1, '2');
  await look(10);
  assert.deepEqual(live(), [0, 1], 'once the other one is heard of it is only one');
  const many = setUp(3);
  many.present.add(0);
  await many.look(200);
  assert.deepEqual(many.live(), [0], 'nobody listens there any more');
});

test('those that fall silent one after another are many, too', async () => {
  const { accepting, live, look, present } = setUp(3);
  present.add(0).add(1);
  accepting.add(1).add(2);
  await look(20);
  assert.deepEqual(live(), [0, 1]);
  present.delete(1);
  await look(200);
  assert.deepEqual(live(), [0, 1]);
});

test('a controller that stood still itself fences nobody for it', async () => {
  const { live, look, present } = setUp(3);
  present.add(0).add(1);
  await look(3, 20_000);
  assert.deepEqual(live(), [0, 1, 2]);
  await look(20);
  assert.deepEqual(live(), [0, 1]);
});

test('many are more than a third, and more than one', () => {
  const most = [1, 2, 3, 4, 5, 6, 7, 9].map((brokers) => {
    let silent = 0;
    while (!isMass(silent + 1, brokers)) silent++;
    return silent;
  });
  assert.deepEqual(most, [1, 1, 1, 1, 1, 2, 2, 3]);
});
