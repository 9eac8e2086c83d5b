import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PartitionLine } from '../kube/partition-line.ts';
import type { Clock } from '../stdx/clock.ts';
import { Standstill } from './standstill.ts';

/** Timers run when the test says so; what is read of the pages comes when the test says so. */
function setUp() {
  const world = { nowMs: 0, confirmedAtMs: 0 };
  const timers: (() => void)[] = [];
  const real: Clock = {
    nowMs: () => world.nowMs,
    monotonicMs: () => world.nowMs,
    after: (_, run) => {
      timers.push(run);
      return { [Symbol.dispose]() {} };
    },
    every: (_, run) => {
      timers.push(run);
      return { [Symbol.dispose]() {} };
    },
    endOfTurn: () => {},
  };
  const heard: string[] = [];
  const reads: { done: (lines: PartitionLine[]) => void; failed: (cause: Error) => void }[] = [];
  const standstill = new Standstill(real);
  standstill.begin({
    logger: { debug() {}, info() {}, warn() {}, error() {}, child: () => assert.fail() },
    confirmedAtMs: () => world.confirmedAtMs,
    sessionTimeoutMs: () => 9_000,
    readLines: () => new Promise((done, failed) => reads.push({ done, failed })),
    onStoodStill: () => heard.push('stood still'),
    onLookedAgain: () => heard.push('looked again'),
  });
  const settle = async () => {
    for (let i = 0; i < 5; i++) await Promise.resolve();
  };
  /** The loop runs, with a look every `stepMs`. */
  const passMs = (ms: number, stepMs: number) => {
    for (let left = ms; left > 0; left -= stepMs) {
      world.nowMs += stepMs;
      standstill.look();
    }
  };
  return { heard, passMs, reads, settle, standstill, timers, world };
}

test('who stood still for longer than a session leads nothing until it has looked again', async () => {
  const { heard, passMs, reads, settle, standstill } = setUp();
  passMs(20_000, 20_000);
  assert.deepEqual(heard, ['stood still']);
  assert.equal(standstill.question, 1);
  reads[0]?.failed(new Error('the API is away'));
  await settle();
  assert.deepEqual(heard, ['stood still'], 'nothing was seen');
});

test('what was read after the standstill ends the doubt', async () => {
  const { heard, passMs, reads, settle, standstill } = setUp();
  passMs(20_000, 20_000);
  reads[0]?.done([]);
  await settle();
  assert.deepEqual(heard, ['stood still', 'looked again']);
  assert.equal(standstill.question, 0);
});

test('an answer that lay in a socket through another standstill says nothing', async () => {
  const { heard, passMs, reads, settle, standstill } = setUp();
  passMs(20_000, 20_000);
  passMs(20_000, 20_000);
  reads[0]?.done([]);
  await settle();
  assert.deepEqual(heard, ['stood still', 'stood still']);
  assert.equal(
    standstill.question,
    2,
    'what the first question was answered with is too old as well',
  );
  reads[1]?.done([]);
  await settle();
  assert.equal(standstill.question, 0);
});

test('a loop that is late by seconds is no standstill, however long the API is away', () => {
  const { heard, passMs } = setUp();
  passMs(600_000, 2_000);
  assert.deepEqual(heard, []);
});

test('who stood still while its Lease was good could not be replaced', () => {
  const { heard, passMs, world } = setUp();
  passMs(600_000, 2_000);
  world.confirmedAtMs = world.nowMs;
  passMs(7_000, 7_000);
  assert.deepEqual(heard, []);
  passMs(7_000, 7_000);
  assert.deepEqual(heard, ['stood still'], 'by now the Lease may have run out');
});

test('a timer that is due when the process goes on looks first', () => {
  const { heard, standstill, timers, world } = setUp();
  standstill.clock.after(10, () => heard.push('once'));
  standstill.clock.every(10, () => heard.push('again and again'));
  world.nowMs = 20_000;
  for (const run of timers.slice(0, 2)) run();
  assert.deepEqual(heard, ['stood still', 'once', 'again and again']);
});
