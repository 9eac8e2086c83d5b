import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { annotations } from '../../kube/kafka-objects.ts';
import { clusterOf, lineOf, observedOf, podOf, setOf } from '../../test/support/operator-world.ts';
import { mayEvict, planRoll } from './roll-core.ts';
import { windowState } from './windows-core.ts';

const old = 'c-broker-old';
const begun = (plan: ReturnType<typeof planRoll>) =>
  plan.due.filter(({ waitsFor }) => waitsFor === null).map(({ id }) => id);
const waits = (plan: ReturnType<typeof planRoll>) => plan.due.map(({ waitsFor }) => waitsFor);

test('nothing is restarted while every pod is current', () => {
  assert.deepEqual(planRoll(observedOf()).due, []);
});

test('outdated brokers restart one at a time, the controller last', () => {
  const pods = [podOf(0, { revision: old }), podOf(1, { revision: old }), podOf(2)];
  const plan = planRoll(observedOf({ pods, controllerId: 0 }));
  assert.deepEqual(begun(plan), [1]);
  assert.deepEqual(
    plan.due.map(({ id }) => id),
    [1, 0],
  );
});

test('the reason says what differs', () => {
  const pods = [podOf(0, { revision: old, image: 'tenure:0' }), podOf(1), podOf(2)];
  assert.equal(planRoll(observedOf({ pods })).due[0]?.reason, 'its image changes to tenure:1');
});

test('a restart waits, and says for which partition or pod', () => {
  const pods = [podOf(0, { revision: old }), podOf(1), podOf(2)];
  const weak = observedOf({ pods, lines: [lineOf([0, 1, 2], { isr: [0, 1] })] });
  assert.deepEqual(waits(planRoll(weak)), ['partition orders-3 has 2 of 3 replicas in sync']);
  const strict = clusterOf({ config: { 'min.insync.replicas': 2 } });
  assert.deepEqual(waits(planRoll({ ...weak, cluster: strict })), [
    'partition orders-3 would drop below min.insync.replicas 2: it has 2 of 3 replicas in sync',
  ]);
  const down = observedOf({
    pods: [podOf(0, { revision: old }), podOf(1, { ready: false }), podOf(2)],
  });
  assert.deepEqual(waits(planRoll(down)), ['c-broker-1 is not ready']);
  const moving = observedOf({ pods, lines: [lineOf([0, 1, 2], { adding: [2], isr: [0, 1] })] });
  assert.deepEqual(waits(planRoll(moving)), ['partition orders-3 is moving to other brokers']);
});

test('a member of the ISR from before its broker came back does not count as caught up', () => {
  const pods = [podOf(0, { revision: old }), podOf(1), podOf(2)];
  const brokers = [{ spec: { id: 2, epoch: 2 } }] as never;
  assert.deepEqual(waits(planRoll(observedOf({ pods, brokers }))), [
    'partition orders-3 has 2 of 3 replicas in sync',
  ]);
});

test('a broker that does not serve is not made worse by a restart', () => {
  const pods = [podOf(0, { revision: old, ready: false }), podOf(1), podOf(2)];
  const plan = planRoll(observedOf({ pods, lines: [lineOf([0, 1, 2], { isr: [1, 2] })] }));
  assert.deepEqual(begun(plan), [0]);
});

test('brokers that share no partition restart together, a third of them at most', () => {
  const pods = [0, 1, 2, 3, 4, 5].map((id) => podOf(id, { revision: old }));
  const lines = [lineOf([0, 2, 4]), lineOf([1, 3, 5], { partition: 4 })];
  const cluster = clusterOf({ replicas: 6 });
  const plan = planRoll(
    observedOf({ cluster, pods, lines, statefulSet: setOf(6), controllerId: 5 }),
  );
  assert.deepEqual(begun(plan), [0, 1]);
});

test('whatever the cluster looks like, no partition loses two replicas to restarts', () => {
  const shape = fc.record({
    lines: fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 8 }), { minLength: 1, maxLength: 3 })),
    outdated: fc.uniqueArray(fc.integer({ min: 0, max: 8 })),
    controllerId: fc.integer({ min: -1, max: 8 }),
  });
  fc.assert(
    fc.property(shape, ({ lines, outdated, controllerId }) => {
      const pods = Array.from({ length: 9 }, (_, id) =>
        podOf(id, outdated.includes(id) ? { revision: old } : {}),
      );
      const all = lines.map((replicas, partition) => lineOf(replicas, { partition }));
      const cluster = clusterOf({ replicas: 9 });
      const now = begun(planRoll(observedOf({ cluster, pods, lines: all, controllerId })));
      assert.ok(outdated.length === 0 || now.length > 0, 'a sound cluster always goes on');
      assert.ok(now.length <= 3);
      for (const { replicas } of all)
        assert.ok(replicas.filter((id) => now.includes(id)).length <= 1);
      if (now.includes(controllerId)) assert.equal(now.length, 1);
    }),
  );
});

test('with updatePolicy Plan nothing begins before the plan is approved of', () => {
  const pods = [podOf(0, { revision: old }), podOf(1), podOf(2)];
  const cluster = clusterOf({ updatePolicy: 'Plan' });
  const held = planRoll(observedOf({ pods, cluster }));
  assert.equal(held.planId, 'new');
  assert.match(waits(held)[0] ?? '', /^approval: kubectl -n n annotate .*approve-plan=new$/);
  const approved = clusterOf(
    { updatePolicy: 'Plan' },
    { annotations: { [annotations.approve]: 'new' } },
  );
  assert.deepEqual(begun(planRoll(observedOf({ pods, cluster: approved }))), [0]);
});

test('restarts wait for a maintenance window, and the plan says until when', () => {
  const pods = [podOf(0, { revision: old }), podOf(1), podOf(2)];
  const cluster = clusterOf({
    maintenanceWindows: [{ schedule: '0 2 * * *', durationMinutes: 60 }],
  });
  const shut = planRoll(observedOf({ pods, cluster, now: '2026-01-01T12:00:00Z' }));
  assert.deepEqual(waits(shut), [
    'the next maintenance window, which opens at 2026-01-02T02:00:00Z',
  ]);
  assert.equal(shut.lookAgainAt, '2026-01-02T02:00:00Z');
  assert.deepEqual(
    begun(planRoll(observedOf({ pods, cluster, now: '2026-01-01T02:59:00Z' }))),
    [0],
  );
});

test('windows know time zones, and say what is wrong with a schedule', () => {
  const berlin = [{ schedule: '0 2 * * *', durationMinutes: 30, timeZone: 'Europe/Berlin' }];
  assert.equal(windowState(berlin, '2026-01-01T01:10:00Z').open, true);
  assert.equal(windowState(berlin, '2026-07-01T01:10:00Z').open, false);
  assert.throws(
    () => windowState([{ schedule: 'a b c d e', durationMinutes: 1 }], '2026-01-01T00:00:00Z'),
    /maintenance window "a b c d e" \(UTC\) must be five fields of cron/,
  );
});

test('evictions are allowed only while every replica is in sync', () => {
  assert.equal(mayEvict(observedOf()), true);
  assert.equal(mayEvict(observedOf({ lines: [lineOf([0, 1, 2], { isr: [0, 1] })] })), false);
  assert.equal(mayEvict(observedOf({ lines: [lineOf([0], { isr: [] })] })), true);
});
