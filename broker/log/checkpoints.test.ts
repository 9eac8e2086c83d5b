import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildBatch } from '../../proto/kafka/record-batch.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import { createLogger } from '../../stdx/logger.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { FileCache } from './file-cache.ts';
import { LogDirectories } from './log-directories.ts';
import type { PartitionLog } from './partition-log.ts';
import { TailMemory } from './tail-memory.ts';

const logger = createLogger({ level: 'error', format: 'text' });
const config = logConfig({ segmentBytes: 600 });

/** One log directory through the lives of its broker, which is always killed. */
function stage() {
  const disk = memoryDisk();
  const start = () => {
    const files = new FileCache(disk, 100);
    const deps = { disk, files, tail: new TailMemory(0), logger };
    const directories = new LogDirectories(deps, ['/data'], 'boot');
    directories.present();
    const open = (topicId: string, partition = 0) => {
      const id = { topic: 't', topicId, partition };
      const { log, highWatermark } = directories.openLog(id, config);
      return { ...id, log, highWatermark };
    };
    return { directories, open };
  };
  return { disk, start };
}

function put(log: PartitionLog, count: number): void {
  for (let i = 0; i < count; i++) {
    const record = { key: null, value: Buffer.alloc(400, 'x') };
    log.append(buildBatch([record], { timestampMs: 1 }), { leaderEpoch: 0 });
    log.writePending();
  }
}

test('a topic made anew knows nothing of the offsets of the one that had its name', () => {
  const { start } = stage();
  const { directories, open } = start();
  const old = [0, 1].map((partition) => open('old', partition));
  for (const { log } of old) {
    put(log, 8);
    log.advanceStartOffset(6);
    log.cleanedOffset = 5;
    log.recoveryPoint = 7;
  }
  directories.checkpoint(old.map((one) => ({ ...one, highWatermark: 8 })));
  for (const one of old) {
    one.log.abandon();
    directories.setAside(one, one.log, 'delete');
  }
  for (const partition of [0, 1]) put(open('new', partition).log, 3);
  // Killed before the next checkpoint.
  const again = start();
  for (const partition of [0, 1]) {
    const { log, highWatermark } = again.open('new', partition);
    assert.deepEqual(
      [log.startOffset, log.endOffset, log.cleanedOffset, log.recoveryPoint, highWatermark],
      [0, 3, 0, 0, 0],
    );
  }
});

test('what is written after a cut is not called safe by an earlier recovery point', async () => {
  for (const cut of [
    (log: PartitionLog) => log.truncateTo(3),
    (log: PartitionLog) => log.restartAt(2),
  ]) {
    const { start } = stage();
    const { directories, open } = start();
    const before = open('x');
    put(before.log, 8);
    await before.log.flush();
    assert.equal(before.log.recoveryPoint, 7);
    directories.checkpoint([before]);
    cut(before.log);
    const { recoveryPoint } = before.log;
    assert.ok(recoveryPoint < 4);
    put(before.log, 8);
    assert.equal(start().open('x').log.recoveryPoint, recoveryPoint);
  }
});

test('a name that nothing is written down under costs nothing to begin', () => {
  const { disk, start } = stage();
  const { directories, open } = start();
  directories.checkpoint([open('a')]);
  let writes = 0;
  const replaceFile = disk.replaceFile.bind(disk);
  disk.replaceFile = (path, content) => {
    writes++;
    replaceFile(path, content);
  };
  for (let partition = 1; partition < 50; partition++) open('a', partition);
  assert.equal(writes, 0);
});

test('what is known of a log that is not open yet is still known after the others were written down', () => {
  const { start } = stage();
  const first = start();
  const both = [0, 1].map((partition) => first.open('x', partition));
  for (const { log } of both) {
    put(log, 8);
    log.advanceStartOffset(6);
  }
  first.directories.checkpoint(both.map((one) => ({ ...one, highWatermark: 7 })));
  const second = start();
  second.directories.checkpoint([{ ...second.open('x', 0), highWatermark: 8 }]);
  const third = start();
  const found = [0, 1].map((partition) => third.open('x', partition));
  assert.deepEqual(
    found.map(({ highWatermark, log }) => [log.startOffset, highWatermark]),
    [
      [6, 8],
      [6, 7],
    ],
  );
  // One that has ended is told of no more.
  const [old] = found;
  old?.log.abandon();
  if (old !== undefined) third.directories.setAside(old, old.log, 'delete');
  third.directories.checkpoint(found.slice(1));
  const fourth = start();
  assert.deepEqual([fourth.open('x', 0).highWatermark, fourth.open('x', 1).highWatermark], [0, 7]);
});
