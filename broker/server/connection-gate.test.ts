import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import type { Clock } from '../../stdx/clock.ts';
import { ConnectionGate } from './connection-gate.ts';
import type { ConnectionRules } from './connection-limits-core.ts';

/** A clock whose timers run as time is moved on. */
function handClock() {
  let nowMs = 0;
  const timers = new Map<() => void, number>();
  const clock = {
    monotonicMs: () => nowMs,
    after: (ms: number, run: () => void) => {
      timers.set(run, nowMs + ms);
      return { [Symbol.dispose]: () => void timers.delete(run) };
    },
  } as unknown as Clock;
  const pass = (ms: number) => {
    const untilMs = nowMs + ms;
    for (;;) {
      const due = [...timers].filter(([, at]) => at <= untilMs).sort((a, b) => a[1] - b[1])[0];
      if (due === undefined) break;
      timers.delete(due[0]);
      nowMs = Math.max(nowMs, due[1]);
      due[0]();
    }
    nowMs = untilMs;
  };
  return { clock, pass };
}

function stage(of: Partial<ConnectionRules>) {
  const { clock, pass } = handClock();
  const rules: ConnectionRules = {
    max: Infinity,
    maxPerIp: Infinity,
    maxOf: new Map(),
    creationRate: Infinity,
    creationRateOf: () => Infinity,
    ...of,
  };
  const gate = new ConnectionGate(clock, () => rules);
  const enter = (ip = '10.0.0.1') => {
    const one = { destroyed: false, isIn: false, leave: () => {} };
    const socket = {
      remoteAddress: ip,
      get destroyed() {
        return one.destroyed;
      },
      destroy: () => void (one.destroyed = true),
      on: () => {},
      off: () => {},
    } as unknown as Socket;
    gate.enter(socket, (leave) => Object.assign(one, { isIn: true, leave }));
    return one;
  };
  return { gate, enter, pass };
}

test('at max.connections others wait for somebody to leave, in their order, up to a number', () => {
  const { gate, enter, pass } = stage({ max: 2 });
  const [a, b, c, d] = [enter(), enter(), enter(), enter()];
  assert.deepEqual(
    [a, b, c, d].map(({ isIn }) => isIn),
    [true, true, false, false],
  );
  a.leave();
  a.leave();
  pass(0);
  assert.deepEqual([c.isIn, d.isIn, gate.count, gate.waiting], [true, false, 2, 1]);
  const more = Array.from({ length: 2000 }, () => enter());
  assert.equal(gate.waiting, 1024);
  assert.equal(more.filter(({ destroyed }) => destroyed).length, 2000 - 1023);
  gate[Symbol.dispose]();
  assert.ok(d.destroyed, 'who waits at the end is closed');
});

test('one of too many from an address is closed, however it writes the address', () => {
  const { gate, enter } = stage({ maxPerIp: 1 });
  const [a, b, c] = [enter('10.0.0.1'), enter('::ffff:10.0.0.1'), enter('10.0.0.2')];
  assert.deepEqual(
    [a, b, c].map(({ isIn, destroyed }) => isIn && !destroyed),
    [true, false, true],
  );
  assert.equal(gate.refused, 1);
});

test('one from an address that is too quick is closed after a while, unread', () => {
  const { enter, pass } = stage({ creationRateOf: () => 1 });
  const all = Array.from({ length: 12 }, () => enter());
  const last = all.at(-1);
  assert.deepEqual([last?.isIn, last?.destroyed], [false, false]);
  pass(1000);
  assert.equal(last?.destroyed, true);
});

test('above max.connection.creation.rate connections come in one after the other', () => {
  const { enter, pass } = stage({ creationRate: 2 });
  const all = Array.from({ length: 100 }, () => enter());
  const inside = () => all.filter(({ isIn }) => isIn).length;
  const first = inside();
  assert.ok(first <= 25, `${first}`);
  pass(10_000);
  assert.ok(inside() > first && inside() < 50, `${inside()}`);
});
