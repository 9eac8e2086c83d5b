import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../stdx/clock.ts';
import type { Partition } from '../partition/partition.ts';
import { SharePartitions } from './share-partitions.ts';

test('a view that nobody asked for in ten minutes is dropped, unless somebody has records of it', async () => {
  let nowMs = 0;
  let tick = () => {};
  const never = { [Symbol.dispose]() {} };
  const clock = {
    monotonicMs: () => nowMs,
    every: (_ms: number, run: () => void) => {
      tick = run;
      return never;
    },
  } as unknown as Clock;
  const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
  using shares = new SharePartitions({
    clock,
    logger: quiet,
    store: {
      read: async () => ({ startOffset: 0, batches: [] }),
      write: async () => 'NONE',
    },
    limits: () => ({ lockMs: 1e12, deliveriesMax: 5, locksMax: 100, renews: true }),
    firstOffset: async () => 0,
    readsCommitted: () => false,
  });
  const partition = {
    isLeader: true,
    leaderEpoch: 1,
    topicId: 't',
    partition: 0,
    log: { startOffset: 0 },
  } as unknown as Partition;
  for (let i = 0; i < 100; i++) await shares.get(`group-${i}`, partition);
  const busy = await shares.get('busy', partition);
  assert.ok(typeof busy !== 'string');
  busy.core.acquire('member', { firstOffset: 0, lastOffset: 0, recordsMax: 1 }, nowMs);
  nowMs += 599_000;
  await shares.get('group-7', partition);
  tick();
  assert.equal(shares.count, 101);
  nowMs += 1_000;
  tick();
  assert.equal(shares.count, 2);
});
