import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { buildBatch } from '../../proto/kafka/record-batch.ts';
import type { Clock } from '../../stdx/clock.ts';
import { Shards } from './shards.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

test('a log that refuses writes is not loaded again and again without a pause', async () => {
  const timers: (() => void)[] = [];
  const clock = {
    monotonicMs: () => 0,
    after: (_delayMs: number, run: () => void) => {
      timers.push(run);
      return { [Symbol.dispose]() {} };
    },
  } as unknown as Clock;
  let loads = 0;
  const batch = buildBatch([{ key: null, value: Buffer.from('v') }], { timestampMs: 5 });
  const shards: Shards<object> = new Shards({
    clock,
    logger: quiet,
    name: 'things',
    log: {
      partitionCount: () => 1,
      batchBytesMax: () => 1_000_000,
      isLed: () => true,
      read: async function* () {
        loads++;
        yield* [] as Buffer[];
      },
      append: async (): Promise<ErrorName> => 'KAFKA_STORAGE_ERROR',
    } as never,
    create: () => ({}),
    replay: () => {},
    // As where a transaction is to be ended: whoever is loaded writes at once.
    onLoaded: (shard) => void shards.append(shard, batch),
    onUnload: () => {},
  });
  shards.onLeadership(0, 1);
  for (let i = 0; i < 50; i++) await Promise.resolve();
  assert.equal(loads, 1);
  assert.equal(shards.for('key'), 'COORDINATOR_LOAD_IN_PROGRESS');
  timers.shift()?.();
  for (let i = 0; i < 50; i++) await Promise.resolve();
  assert.equal(loads, 2);
  shards.onLeadership(0, null);
  timers.shift()?.();
  for (let i = 0; i < 50; i++) await Promise.resolve();
  assert.equal(loads, 2, 'whoever leads no more loads nothing');
});

test('nothing is answered from what was loaded once the partition is not led any more', async () => {
  let isLed = true;
  const shards: Shards<object> = new Shards({
    clock: { monotonicMs: () => 0 } as unknown as Clock,
    logger: quiet,
    name: 'things',
    log: {
      partitionCount: () => 1,
      batchBytesMax: () => 1_000_000,
      isLed: (_partition: number, leaderEpoch: number) => isLed && leaderEpoch === 1,
      read: async function* () {
        yield* [] as Buffer[];
      },
    } as never,
    create: () => ({}),
    replay: () => {},
    onLoaded: () => {},
    onUnload: () => {},
  });
  shards.onLeadership(0, 1);
  for (let i = 0; i < 50; i++) await Promise.resolve();
  assert.notEqual(typeof shards.for('key'), 'string');
  assert.equal([...shards.loaded()].length, 1);
  // Nobody has come to say so yet.
  isLed = false;
  assert.equal(shards.for('key'), 'NOT_COORDINATOR');
  assert.equal(shards.at(0), null);
  assert.equal([...shards.loaded()].length, 0);
});
