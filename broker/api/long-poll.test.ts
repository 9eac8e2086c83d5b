import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../stdx/clock.ts';
import { Turn } from '../../stdx/turn.ts';
import { type Partition, type ReadWaiter, TURN_PHASES } from '../partition/partition.ts';
import type { ClientConnection } from './handler.ts';
import { readWhenReadable, untilReadable } from './long-poll.ts';

/** A partition that is waited for, a clock, and a connection that can end. */
function stage() {
  const waiters = new Set<ReadWaiter>();
  const timers = new Set<() => void>();
  const turns: (() => void)[] = [];
  const ends = new Map<object, () => void>();
  const clock = {
    after(_delayMs: number, run: () => void) {
      timers.add(run);
      return { [Symbol.dispose]: () => void timers.delete(run) };
    },
    endOfTurn: (run: () => void) => void turns.push(run),
  } as unknown as Clock;
  const partition = {
    waitForMore: (waiter: ReadWaiter) => waiters.add(waiter),
    stopWaiting: (waiter: ReadWaiter) => waiters.delete(waiter),
  } as unknown as Partition;
  const connection = {
    whenClosed: (owner: object, run: () => void) => void ends.set(owner, run),
  } as unknown as ClientConnection;
  const turn = new Turn(clock, TURN_PHASES, (cause) => {
    throw cause;
  });
  return {
    clock,
    connection,
    partition,
    timers,
    turn,
    waiters,
    endTurn: () => turns.splice(0).forEach((run) => run()),
    close: () => ends.forEach((run) => run()),
  };
}

test('a poll ends with its connection: no timer and nobody who waits is left behind', () => {
  const { close, connection, endTurn, partition, timers, turn, waiters } = stage();
  let reads = 0;
  readWhenReadable({ connection, turn }, [partition], 2 ** 31, () => reads++);
  assert.deepEqual([waiters.size, timers.size], [1, 1]);
  close();
  endTurn();
  assert.deepEqual([reads, waiters.size, timers.size], [1, 0, 0]);
  close();
  endTurn();
  assert.equal(reads, 1, 'once');
});

test('what was woken by records is not woken again by the end of its connection', () => {
  const { close, connection, endTurn, partition, timers, turn, waiters } = stage();
  let reads = 0;
  readWhenReadable({ connection, turn }, [partition], 1000, () => reads++);
  for (const waiter of waiters) waiter.onReadable();
  endTurn();
  close();
  endTurn();
  assert.deepEqual([reads, waiters.size, timers.size], [1, 0, 0]);
});

test('who waits with a promise ends with the connection as well', async () => {
  const { clock, close, connection, partition, timers, waiters } = stage();
  const wait = untilReadable({ clock, connection }, [partition], 2 ** 31);
  close();
  await wait;
  assert.deepEqual([waiters.size, timers.size], [0, 0]);
});
