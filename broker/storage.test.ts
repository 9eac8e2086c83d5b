import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildBatch } from '../proto/kafka/record-batch.ts';
import { systemChance } from '../stdx/chance.ts';
import { systemClock } from '../stdx/clock.ts';
import { DiskError } from '../stdx/disk.ts';
import { memoryDisk } from '../stdx/disk-memory.ts';
import { createLogger } from '../stdx/logger.ts';
import { logConfig } from '../test/support/log-config.ts';
import { TailMemory } from './log/tail-memory.ts';
import type { Partition } from './partition/partition.ts';
import { Storage } from './storage.ts';

const quiet = () => {};
const logger = { ...createLogger({ level: 'error', format: 'text' }), warn: quiet, error: quiet };
const id = { topic: 't', partition: 0, topicId: 'AAAA' };
const MARKER = '/d/.kafka_cleanshutdown';

/** A broker's storage with one log that has a record. */
async function stage() {
  const disk = memoryDisk();
  const fatal: string[] = [];
  const make = (incarnation: string) =>
    new Storage(
      {
        clock: systemClock,
        chance: systemChance,
        disk,
        logger,
        tail: new TailMemory(1e6),
        bootId: 'boot',
        processId: 1,
        onFatal: (why) => void fatal.push(why),
      },
      {
        id: 1,
        podName: 'pod',
        advertisedHost: 'host',
        dataFolders: ['/d'],
        openFilesMax: 10,
      },
      incarnation,
    );
  const storage = make('first');
  const directories = await storage.open('cluster');
  directories.noteLife({ epoch: 7, keptSince: 7, incarnation: 'first' });
  const { log } = directories.openLog(id, logConfig());
  const record = { key: null, value: Buffer.from('v') };
  log.append(buildBatch([record], { timestampMs: 1 }), { leaderEpoch: 1 });
  log.writePending();
  const partition = {
    ...id,
    log,
    highWatermark: 1,
    close: quiet,
    abandon: quiet,
  } as unknown as Partition;
  return { disk, fatal, log, make, partition, storage };
}

test('a stop that put everything away says so', async () => {
  const { disk, partition, storage } = await stage();
  await storage.closeLogs([partition], 7);
  assert.equal(disk.exists(MARKER), true);
});

test('no stop is called clean after a write failed', async () => {
  const { disk, log, partition, storage } = await stage();
  log.failure = new Error('EIO');
  await storage.closeLogs([partition], 7);
  assert.equal(disk.exists(MARKER), false);
});

test('no stop is called clean whose last writes failed, or that was told of a failure', async () => {
  const failing = await stage();
  failing.log.flush = () => Promise.reject(new DiskError('/d/t-0', new Error('EIO')));
  await failing.storage.closeLogs([failing.partition], 7);
  assert.equal(failing.disk.exists(MARKER), false);
  const told = await stage();
  await told.storage.closeLogs([told.partition], null);
  assert.equal(told.disk.exists(MARKER), false);
});

test('the marker comes after everything is on stable storage', async () => {
  const { disk, log, partition, storage } = await stage();
  let flushed = false;
  const flush = log.flush.bind(log);
  log.flush = async () => {
    assert.equal(disk.exists(MARKER), false);
    await flush();
    flushed = true;
  };
  await storage.closeLogs([partition], 7);
  assert.equal(flushed, true);
  assert.equal(disk.exists(MARKER), true);
});

test('a folder is had by one process, until it lets go', async () => {
  const { make, partition, storage } = await stage();
  await storage.closeLogs([partition], 7);
  storage[Symbol.dispose]();
  using next = make('second');
  const directories = await next.open('cluster');
  assert.equal(directories.former?.incarnation, 'first');
  assert.equal(directories.keptWrites, true);
});

test('nothing is written in a folder that somebody took over, and the process ends', async (t) => {
  const { disk, fatal, log, make } = await stage();
  disk.locks.clear(); // Another machine.
  using other = make('second');
  await other.open('cluster');
  const before = disk.readBytes('/d/t-0/00000000000000000000.log');
  // As after a pause.
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const nowMs = performance.now();
  t.mock.method(performance, 'now', () => nowMs + 5000);
  const record = { key: null, value: Buffer.from('w') };
  log.append(buildBatch([record], { timestampMs: 1 }), { leaderEpoch: 1 });
  assert.throws(() => log.writePending(), /taken over by process 1 of pod pod at host/);
  assert.deepEqual(disk.readBytes('/d/t-0/00000000000000000000.log'), before);
  assert.equal(fatal.length, 1);
});
