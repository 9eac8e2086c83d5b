import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorName } from '../../proto/kafka/errors.ts';
import type { Clock } from '../../stdx/clock.ts';
import { TxnCoordinator } from './txn-coordinator.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const ID = 'transfers';
const PARTITIONS = [{ topic: 't', partition: 0 }];
const turns = () => new Promise((resolve) => setImmediate(resolve));

/** A coordinator whose time passes, and whose markers are written, when the test says so. */
async function setUp() {
  let nowMs = 0;
  const timers: { readonly atMs: number; readonly run: () => void }[] = [];
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return {
        [Symbol.dispose]() {
          const at = timers.indexOf(timer);
          if (at >= 0) timers.splice(at, 1);
        },
      };
    },
    every: () => ({ [Symbol.dispose]() {} }),
    endOfTurn: () => {},
  };
  const markers: (() => void)[] = [];
  let written: Promise<unknown> = Promise.resolve();
  const coordinator = new TxnCoordinator({
    clock,
    logger: quiet,
    log: {
      partitionCount: () => 1,
      batchBytesMax: () => 1_000_000,
      isLed: () => true,
      append: async (): Promise<ErrorName> => {
        await written;
        return 'NONE';
      },
      read: async function* () {
        yield* [] as Buffer[];
      },
    },
    rules: () => ({
      timeoutMaxMs: 60_000,
      idExpirationMs: 1e9,
      abortCheckMs: 1e9,
      expiryCheckMs: 1e9,
    }),
    nextProducerId: async () => 7,
    writeMarkers: () => new Promise((done) => markers.push(() => done(true))),
  });
  coordinator.shards.onLeadership(0, 0);
  await turns();
  const { producerId } = await coordinator.initProducer(ID, 1000, null);
  const at = (epoch: number) => ({ producerId, epoch });
  const add = (epoch: number, patienceMs: number) =>
    coordinator.addPartitions(ID, at(epoch), PARTITIONS, { clientVersion: 2, patienceMs });
  return {
    add,
    end: (epoch: number, clientVersion = 2) => coordinator.end(ID, at(epoch), true, clientVersion),
    verify: (partition: number) =>
      coordinator.verify(ID, at(0), [{ topic: 't', partition }]).join(),
    /** Nothing is written to the log before the promise is kept. */
    holdLogUntil: (promise: Promise<unknown>) => {
      written = promise;
    },
    addOther: () =>
      coordinator.addPartitions(ID, at(0), [{ topic: 't', partition: 1 }], {
        clientVersion: 0,
        patienceMs: 0,
      }),
    writeMarkers: () => markers.shift()?.(),
    passMs: (ms: number) => {
      nowMs += ms;
      for (const { atMs, run } of [...timers]) if (atMs <= nowMs) run();
    },
    timers,
  };
}

test('the next transaction of a producer waits for the end of the last one, and goes on at once then', async () => {
  const { add, end, writeMarkers, timers } = await setUp();
  assert.equal(await add(0, 0), 'NONE');
  assert.deepEqual(await end(0), { error: 'NONE', producerId: 7, epoch: 1 });
  assert.equal(await add(1, 0), 'CONCURRENT_TRANSACTIONS', 'who has no patience');
  const answers: ErrorName[] = [];
  for (let i = 0; i < 3; i++) void add(1, 100).then((error) => answers.push(error));
  await turns();
  assert.deepEqual(answers, []);
  writeMarkers();
  await turns();
  assert.deepEqual(answers, ['NONE', 'NONE', 'NONE'], 'no time has passed');
  assert.equal(timers.length, 0);
});

test('patience ends, and a producer that is fenced meanwhile is told so', async () => {
  const { add, end, passMs, writeMarkers, timers } = await setUp();
  assert.equal(await add(0, 0), 'NONE');
  await end(0);
  const late = add(1, 100);
  const old = add(0, 200);
  passMs(100);
  assert.equal(await late, 'CONCURRENT_TRANSACTIONS');
  writeMarkers();
  assert.equal(await old, 'PRODUCER_FENCED');
  assert.equal(timers.length, 0);
});

test('what belongs to a transaction is vouched for while its next step is being written', async () => {
  const { add, addOther, end, holdLogUntil, verify, writeMarkers } = await setUp();
  assert.equal(await add(0, 0), 'NONE');
  const first = Promise.withResolvers<void>();
  holdLogUntil(first.promise);
  const joins = addOther();
  await turns();
  assert.equal(verify(0), 'NONE', 'another partition joins');
  assert.equal(verify(1), 'TRANSACTION_ABORTABLE', 'it is not written down yet');
  first.resolve();
  assert.equal(await joins, 'NONE');
  assert.equal(verify(1), 'NONE');
  const second = Promise.withResolvers<void>();
  holdLogUntil(second.promise);
  const ends = end(0, 0);
  await turns();
  assert.equal(verify(0), 'NONE', 'the end may yet not be written');
  second.resolve();
  assert.equal((await ends).error, 'NONE');
  assert.equal(verify(0), 'CONCURRENT_TRANSACTIONS', 'the end is certain');
  writeMarkers();
  await turns();
  assert.equal(verify(0), 'TRANSACTION_ABORTABLE', 'it is over');
});
