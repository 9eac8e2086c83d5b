import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../stdx/clock.ts';
import { Isolation } from './isolation.ts';

function setUp() {
  const world = { nowMs: 0, hasPeers: true, reachesPeer: true, apiAtMs: 0 };
  const heard: boolean[] = [];
  let tick = () => {};
  const clock = {
    monotonicMs: () => world.nowMs,
    every: (_periodMs: number, run: () => void) => {
      tick = run;
      return { [Symbol.dispose]() {} };
    },
  } as unknown as Clock;
  const isolation = new Isolation({
    clock,
    hasPeers: () => world.hasPeers,
    reachesPeer: () => world.reachesPeer,
    apiAnsweredAtMs: () => world.apiAtMs,
    timeoutMs: () => 9_000,
    onChange: (isAlone) => heard.push(isAlone),
  });
  const passMs = (ms: number) => {
    for (let left = ms; left > 0; left -= 500) {
      world.nowMs += 500;
      tick();
    }
  };
  return { heard, isolation, passMs, world };
}

test('alone is who reaches neither the API nor any broker for a session timeout', () => {
  const { heard, isolation, passMs, world } = setUp();
  world.reachesPeer = false;
  passMs(9_000);
  assert.deepEqual(heard, []);
  passMs(1_000);
  assert.deepEqual(heard, [true]);
  world.apiAtMs = world.nowMs;
  passMs(500);
  assert.deepEqual(heard, [true, false]);
  assert.equal(isolation.isAlone, false);
});

test('an API that is away for long is not noticed where brokers reach each other', () => {
  const { heard, passMs } = setUp();
  passMs(300_000);
  assert.deepEqual(heard, []);
});

test('a broker that is the whole cluster is never alone', () => {
  const { heard, passMs, world } = setUp();
  Object.assign(world, { hasPeers: false, reachesPeer: false });
  passMs(300_000);
  assert.deepEqual(heard, []);
});
