import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildBatch } from '../proto/kafka/record-batch.ts';
import type { Clock } from '../stdx/clock.ts';
import type { Disk } from '../stdx/disk.ts';
import { DiskError } from '../stdx/disk.ts';
import { memoryDisk } from '../stdx/disk-memory.ts';
import { createLogger } from '../stdx/logger.ts';
import { Turn } from '../stdx/turn.ts';
import { logConfig } from '../test/support/log-config.ts';
import { Housekeeping } from './housekeeping.ts';
import { FileCache } from './log/file-cache.ts';
import { LogDirectories } from './log/log-directories.ts';
import { ProducerBudget } from './log/producer-budget.ts';
import { TailMemory } from './log/tail-memory.ts';
import { Partition, TURN_PHASES } from './partition/partition.ts';
import { Partitions } from './partition/partitions.ts';

const FLUSH_CHECK_MS = 2_000;
const CHECKPOINT_MS = 30_000;

/** Two partitions with much to write back; the disk flushes when the test says so. */
function stage() {
  const inner = memoryDisk();
  const flushes: { done: () => void; fail: (cause: unknown) => void }[] = [];
  const flushed = new Set<string>();
  const disk: Disk = {
    ...inner,
    open(path, options) {
      if (!inner.exists(path.slice(0, path.lastIndexOf('/')))) inner.open(path, { create: false });
      const flush = () => {
        flushed.add(path.slice(0, path.lastIndexOf('/')));
        return new Promise<void>((done, fail) => void flushes.push({ done, fail }));
      };
      return { ...inner.open(path, options), flush };
    },
  };
  const timers = new Map<number, () => void>();
  const clock: Clock = {
    nowMs: () => 5000,
    monotonicMs: () => 5000,
    after: (ms, run) => (timers.set(ms, run), { [Symbol.dispose]() {} }),
    every: (ms, run) => (timers.set(ms, run), { [Symbol.dispose]() {} }),
    endOfTurn: () => {},
  };
  const logger = { ...createLogger({ level: 'error', format: 'text' }), error: () => {} };
  const directories = new LogDirectories(
    { disk, files: new FileCache(disk, 10), tail: new TailMemory(0), logger },
    ['/data'],
    'boot',
  );
  const partitions = new Partitions();
  const failures: unknown[] = [];
  const turn = new Turn(clock, TURN_PHASES, () => {});
  const made = [0, 1].map((partition) => {
    const id = { topic: 't', topicId: 'x', partition };
    const { log } = directories.openLog(id, logConfig({ segmentBytes: 1e9 }));
    const of = new Partition(
      {
        clock,
        turn,
        mayLead: () => true,
        isApiAway: () => false,
        onDamage: () => {},
        onStorageFailure: (_, cause) => void failures.push(cause),
      },
      id,
      log,
      0,
      { producerExpirationMs: 1e9 } as never,
    );
    const record = { key: null, value: Buffer.from('x') };
    log.append(buildBatch([record], { timestampMs: 1 }), { leaderEpoch: 0 });
    log.writePending();
    Object.defineProperty(log, 'dirtyBytes', { value: 1e9 });
    partitions.add(of);
    return of;
  }) as [Partition, Partition];
  const housekeeping = new Housekeeping({
    clock,
    logger,
    partitions,
    directories,
    budget: new ProducerBudget(),
    retentionPeriodMs: () => 1,
    fileDeleteDelayMs: () => 7,
  });
  return {
    made,
    flushes,
    flushed,
    failures,
    housekeeping,
    inner,
    tick: (ms: number) => timers.get(ms)?.(),
    /** The topic is deleted. */
    drop: (partition: Partition) => {
      partition.abandon();
      partitions.remove(partition);
      directories.setAside(partition, partition.log, 'delete');
    },
  };
}
const settle = () => new Promise((done) => setImmediate(done));

test('a topic that is deleted while it is written back is no failure of the disk', async () => {
  const { made, flushes, flushed, failures, tick, drop } = stage();
  tick(FLUSH_CHECK_MS);
  drop(made[0]);
  for (let i = 0; i < 6; i++) {
    for (const { done } of flushes.splice(0)) done();
    await settle();
  }
  assert.deepEqual(failures, []);
  assert.ok(flushed.has('/data/t-1'), 'the other one is written back all the same');
  tick(CHECKPOINT_MS);
  tick(1);
});

test('what another thread meets after the end says nothing of the disk, before it does', async () => {
  const { made, flushes, failures, tick, drop } = stage();
  const refused = () =>
    new DiskError('/data/t-0', Object.assign(new Error('EIO'), { code: 'EIO' }));
  tick(FLUSH_CHECK_MS);
  drop(made[0]);
  flushes.splice(0)[0]?.fail(refused());
  await settle();
  assert.deepEqual(failures, []);
  flushes.splice(0)[0]?.fail(refused());
  await settle();
  assert.equal(failures.length, 1);
  assert.deepEqual(made[1].role, { kind: 'offline', why: 'KAFKA_STORAGE_ERROR' });
  assert.ok(made[1].log.failure instanceof DiskError);
});

test('a bug in housekeeping is thrown, and no partition blamed for it', () => {
  const { made, failures, tick } = stage();
  made[0].log.retain = () => {
    throw new TypeError('a bug');
  };
  assert.throws(() => tick(1), /a bug/);
  assert.deepEqual(failures, []);
});
