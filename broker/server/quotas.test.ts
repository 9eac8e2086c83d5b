import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../stdx/clock.ts';
import { Quotas } from './quotas.ts';

function setUp(limit: number) {
  let nowMs = 5_000;
  const never = { [Symbol.dispose]: () => undefined };
  const clock = { monotonicMs: () => nowMs, every: () => never } as unknown as Clock;
  const quotas = new Quotas({ clock, limit: () => limit, isUsed: () => limit !== Infinity });
  return {
    quotas,
    charge: (bytes: number) => quotas.charge('producer_byte_rate', 'c', bytes),
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

test('a client below its rate is never held', () => {
  const { charge, wait } = setUp(1000);
  for (let i = 0; i < 60; i++) {
    assert.equal(charge(900), 0);
    wait(1000);
  }
});

test('a client that waits as it is told comes to its rate', () => {
  const { charge, wait } = setUp(1000);
  let sent = 0;
  let elapsedMs = 0;
  while (elapsedMs < 120_000) {
    sent += 4000;
    const heldMs = charge(4000);
    wait(heldMs + 10);
    elapsedMs += heldMs + 10;
  }
  const rate = sent / (elapsedMs / 1000);
  assert.ok(rate > 700 && rate < 1300, `${rate.toFixed(0)} bytes a second`);
});

test('without quotas nothing is counted', () => {
  assert.equal(setUp(Infinity).charge(1e9), 0);
});

test('of more client ids than can be counted those known longest are forgotten', () => {
  const { quotas } = setUp(1000);
  for (let i = 0; i < 50_000; i++) quotas.charge('producer_byte_rate', `client-${i}`, 1);
  assert.equal(quotas.count, 10_000);
});
