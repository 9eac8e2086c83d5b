import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../stdx/clock.ts';
import type { Partition } from '../partition/partition.ts';
import { ReplicationThrottle } from './throttle.ts';

const partitionOf = (of: { isr?: number[]; adding?: number[]; named?: string[] }) =>
  ({
    partition: 0,
    rules: { throttledReplicas: of.named === undefined ? null : new Set(of.named) },
    line: { isr: (of.isr ?? []).map((id) => ({ id, epoch: 1 })), adding: of.adding ?? [] },
  }) as unknown as Partition;

test('a replica that moves is held to the rate, and so is one that is named; one in sync never is', () => {
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs } as Clock;
  const throttle = new ReplicationThrottle(clock, () => 1000);
  const moving = partitionOf({ isr: [0], adding: [3] });
  nowMs = 1000;
  assert.equal(throttle.holds(moving, 3), false);
  throttle.onSent(moving, 3, 5000);
  assert.equal(throttle.holds(moving, 3), true);
  assert.equal(throttle.holds(partitionOf({ named: ['0:4'] }), 4), true);
  assert.equal(throttle.holds(partitionOf({}), 4), false, 'nobody named it');
  assert.equal(throttle.holds(partitionOf({ isr: [3], adding: [3] }), 3), false);
  nowMs = 6000;
  assert.equal(throttle.holds(moving, 3), false, 'once it is paid for');
});
