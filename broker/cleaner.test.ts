import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildBatch, TRANSACTIONAL_BIT } from '../proto/kafka/record-batch.ts';
import type { Clock } from '../stdx/clock.ts';
import { memoryDisk } from '../stdx/disk-memory.ts';
import { silentLogger } from '../stdx/logger.ts';
import { logConfig } from '../test/support/log-config.ts';
import { Cleaner } from './cleaner.ts';
import type { BrokerConfig } from './config/config.ts';
import { FileCache } from './log/file-cache.ts';
import type { LogDirectories } from './log/log-directories.ts';
import { PartitionLog } from './log/partition-log.ts';
import { TailMemory } from './log/tail-memory.ts';
import type { Partition } from './partition/partition.ts';
import type { Partitions } from './partition/partitions.ts';

const BACKOFF_MS = 15_000;

test('compaction goes as far as everything is committed and decided, and no further', async () => {
  const disk = memoryDisk();
  const deps = { disk, files: new FileCache(disk, 9), tail: new TailMemory(0) };
  const config = logConfig({
    segmentBytes: 300,
    compacts: true,
    deletes: false,
    minCleanableRatio: 0,
    maxCompactionLagMs: 0,
  });
  const log = new PartitionLog(deps, '/d/t-0', config);
  log.open({ clean: false, recoveryPoint: 0, startOffset: 0 });
  const write = (key: string, attributes: number) => {
    const records = [{ key: Buffer.from(key), value: Buffer.alloc(100, key) }];
    const of = { timestampMs: 1, producerId: 5, producerEpoch: 0, attributes };
    log.append(buildBatch(records, of), { leaderEpoch: 0 });
    log.writePending();
  };
  for (let i = 0; i < 8; i++) write('a', 0);
  const undecided = log.endOffset;
  for (let i = 0; i < 8; i++) write('a', TRANSACTIONAL_BIT);
  let next: () => void = () => {};
  const clock: Clock = {
    nowMs: () => 1_000_000,
    monotonicMs: () => 0,
    after(delayMs, run) {
      if (delayMs === BACKOFF_MS) next = run;
      else setImmediate(run);
      return { [Symbol.dispose]() {} };
    },
    every: () => ({ [Symbol.dispose]() {} }),
    endOfTurn: () => {},
  };
  const partition = {
    topic: 't',
    topicId: 'x',
    partition: 0,
    log,
    damage: null,
    lastStableOffset: undecided,
    onLogError: (cause: unknown) => assert.fail(String(cause)),
  } as unknown as Partition;
  const settings: Record<string, number> = { 'log.cleaner.backoff.ms': BACKOFF_MS };
  using _cleaner = new Cleaner({
    clock,
    logger: silentLogger,
    config: {
      number: (name: string) => settings[name] ?? 1e9,
      flag: () => true,
    } as unknown as BrokerConfig,
    partitions: [partition] as unknown as Partitions,
    directories: { checkpoint() {}, remove() {} } as unknown as LogDirectories,
    fileDeleteDelayMs: () => 0,
  });
  const first = next;
  first();
  for (let i = 0; i < 1000 && next === first; i++) await new Promise(setImmediate);
  assert.notEqual(next, first, 'it has come to an end');
  assert.ok(log.cleanedOffset > 0, 'something was compacted');
  assert.ok(log.cleanedOffset <= undecided, `${log.cleanedOffset} is beyond ${undecided}`);
});
