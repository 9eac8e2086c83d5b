/**
 * Everything that works on a log races with its end: the topic is deleted, the folder renamed, and often a
 * topic of the same name made at once. Whatever was under way ends with LogGone and touches nothing of
 * the new log.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildBatch } from '../../proto/kafka/record-batch.ts';
import type { Disk } from '../../stdx/disk.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import { nodeDisk } from '../../stdx/disk-node.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { compactLog } from './compaction.ts';
import { FileCache } from './file-cache.ts';
import { LogGone } from './log-files.ts';
import { PartitionLog } from './partition-log.ts';
import { TailMemory } from './tail-memory.ts';

const FOLDER = '/data/t-0';
const ASIDE = '/data/t-0.delete-delete';
const config = logConfig({ segmentBytes: 600, indexIntervalBytes: 100, compacts: true });

/** What another thread does is over when the test says so; handles belong to the file and not to its name. */
function stage() {
  const inner = memoryDisk();
  const isSlow = { reads: false, flushes: false };
  let waiting: (() => void)[] = [];
  const later = <T>(slow: boolean, done: () => T): Promise<T> =>
    slow
      ? new Promise((resolve) => waiting.push(() => resolve(done())))
      : Promise.resolve().then(done);
  const disk: Disk = {
    ...inner,
    open(path, options) {
      // As on a real disk: nothing is made in a folder that is not there.
      if (!inner.exists(path.slice(0, path.lastIndexOf('/')))) inner.open(path, { create: false });
      const file = inner.open(path, options);
      return {
        ...file,
        readAtLater: (position, target) => later(isSlow.reads, () => file.readAt(position, target)),
        flush: () => later(isSlow.flushes, () => undefined),
      };
    },
  };
  const files = new FileCache(disk, 10);
  const tail = new TailMemory(0);
  const open = () => {
    const log = new PartitionLog({ disk, files, tail }, FOLDER, config);
    log.open({ clean: false, recoveryPoint: 0, startOffset: 0 });
    return log;
  };
  const put = (log: PartitionLog, name: string, count = 1) => {
    for (let i = 0; i < count; i++) {
      const record = { key: Buffer.from(`${name}${i}`), value: Buffer.alloc(400, name) };
      log.append(buildBatch([record], { timestampMs: 1000 + i }), { leaderEpoch: 0 });
    }
    log.writePending();
  };
  const log = open();
  put(log, 'a', 6);
  return {
    log,
    put,
    isSlow,
    inner,
    files,
    arrive() {
      isSlow.reads = false;
      isSlow.flushes = false;
      for (const one of waiting) one();
      waiting = [];
    },
    /** The topic goes, and one of the same name comes. */
    replaceTopic() {
      log.abandon();
      inner.rename(FOLDER, ASIDE);
      const fresh = open();
      put(fresh, 'b', 3);
      return fresh;
    },
    /** Everything under the name of the log. */
    under: () =>
      [...inner.files]
        .filter(([path]) => path.startsWith(`${FOLDER}/`))
        .map(([path, bytes]) => [path, bytes.toString('hex')]),
  };
}

const rulesOf = ({ producers }: PartitionLog) => ({ nowMs: 1e9, deleteRetentionMs: 0, producers });
const limits = { keyBytesMax: 1e9, pause: () => Promise.resolve() };
const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await Promise.resolve();
};

const underWay: Record<string, (of: ReturnType<typeof stage>) => Promise<unknown>> = {
  flush: ({ log, isSlow }) => {
    isSlow.flushes = true;
    return log.flush();
  },
  'a flush of an orderly stop': ({ log, isSlow }) => {
    log.close();
    isSlow.flushes = true;
    return log.flush();
  },
  'a read in another thread': ({ log, isSlow }) => {
    isSlow.reads = true;
    return Promise.resolve(
      log.read({ offset: 0, bytesMax: 1e6, endOffset: log.endOffset, atLeastOne: true }),
    );
  },
  'a compaction that reads': ({ log, isSlow }) => {
    isSlow.reads = true;
    return compactLog(log, log.endOffset, rulesOf(log), limits);
  },
  'a compaction that flushes': async ({ log, isSlow }) => {
    isSlow.flushes = true;
    return compactLog(log, log.endOffset, rulesOf(log), limits);
  },
};

for (const [name, begin] of Object.entries(underWay)) {
  test(`the log ends during ${name}: the next log of its name is untouched`, async () => {
    for (const after of [0, 3, 40, 200]) {
      const of = stage();
      const work = begin(of).then(
        () => 'done',
        (cause: unknown) => cause,
      );
      await turns(after);
      const fresh = of.replaceTopic();
      const before = of.under();
      of.arrive();
      assert.ok((await work) instanceof LogGone, String(await work));
      assert.deepEqual(of.under(), before);
      of.put(fresh, 'c', 3);
      const copy = of.under();
      fresh.close();
      assert.equal(fresh.endOffset, 6);
      assert.ok(copy.length > before.length, 'what is written later lies in the new folder');
    }
  });
}

test('a log that has ended refuses whatever would reach its files', () => {
  const of = stage();
  const { log } = of;
  log.append(buildBatch([{ key: null, value: Buffer.from('x') }], { timestampMs: 1 }), {
    leaderEpoch: 0,
  });
  of.replaceTopic();
  const before = of.under();
  assert.equal(log.hasPending, false, 'what was not written is let go');
  const all = { offset: 0, bytesMax: 1e6, endOffset: 6, atLeastOne: true };
  assert.throws(() => log.read(all), LogGone);
  assert.throws(() => log.truncateTo(2), LogGone);
  assert.throws(() => log.restartAt(2), LogGone);
  assert.throws(() => log.abortedTransactions(0, 6), LogGone);
  log.config = { ...config, retentionBytes: 0 };
  assert.throws(() => log.retain(1e9, log.endOffset), LogGone);
  log.append(buildBatch([{ key: null, value: Buffer.from('x') }], { timestampMs: 1 }), {
    leaderEpoch: 0,
  });
  assert.throws(() => log.writePending(), LogGone);
  log.close();
  log.abandon();
  assert.deepEqual(of.under(), before);
});

test('files that lie open when a log ends are closed, and not taken for those of the next one', () => {
  const of = stage();
  assert.ok(of.files.openFiles > 1);
  of.log.abandon();
  assert.equal(of.files.openFiles, 0);
});

test('an orderly stop overtakes a compaction: the inventory says what the files are', async () => {
  const of = stage();
  const { log } = of;
  of.isSlow.flushes = true;
  const compacting = compactLog(log, log.endOffset, rulesOf(log), limits);
  await turns(100);
  log.close();
  const stopped = log.flush();
  const sizes = () =>
    of
      .under()
      .filter(([path]) => /\d\.log$/.test(path as string))
      .map(([, hex]) => hex?.length);
  const before = sizes();
  of.arrive();
  assert.equal(await compacting, null, 'the compaction is given up');
  await stopped;
  assert.deepEqual(sizes(), before);
});

test('on a real disk: three partitions are deleted and made anew while all is under way', async () => {
  const data = mkdtempSync(join(tmpdir(), 'tenure-log-end-'));
  const openFiles = () => readdirSync('/proc/self/fd').length;
  const before = openFiles();
  try {
    const files = new FileCache(nodeDisk, 100);
    const deps = { disk: nodeDisk, files, tail: new TailMemory(0) };
    const segmentBytes = 256 * 1024;
    const value = Buffer.alloc(200_000, 'v');
    const known = { clean: false, recoveryPoint: 0, startOffset: 0 };
    for (let round = 0; round < 6; round++) {
      const old = [0, 1, 2].map((partition) => {
        const folder = join(data, `t-${partition}`);
        const log = new PartitionLog(deps, folder, { ...config, segmentBytes });
        log.open(known);
        for (let i = 0; i < 12; i++) {
          const record = { key: Buffer.from(`${i}`), value };
          log.append(buildBatch([record], { timestampMs: i }), { leaderEpoch: round });
          log.writePending();
        }
        return log;
      });
      const work = old.flatMap((log) => [
        log.flush(),
        // Smaller than a batch: read in two steps.
        ...[0, 3, 6].map(async (offset) =>
          log.read({ offset, bytesMax: 1000, endOffset: log.endOffset, atLeastOne: true }),
        ),
        compactLog(log, log.endOffset, rulesOf(log), limits),
      ]);
      const outcomes = Promise.allSettled(work);
      // The rounds differ in how far the work has come.
      for (let i = 0; i < round; i++) await new Promise((done) => setImmediate(done));
      const fresh = old.map((log, partition) => {
        log.abandon();
        nodeDisk.rename(log.folder, join(data, `t-${partition}.${round}-delete`));
        const next = new PartitionLog(deps, log.folder, config);
        next.open(known);
        next.append(buildBatch([{ key: null, value: Buffer.from('new') }], { timestampMs: 1 }), {
          leaderEpoch: 9,
        });
        next.writePending();
        return next;
      });
      if (round % 2 === 0) rmSync(join(data, `t-0.${round}-delete`), { recursive: true });
      for (const outcome of await outcomes)
        if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof LogGone);
      for (const log of fresh) {
        assert.deepEqual(readdirSync(log.folder), ['00000000000000000000.log']);
        const bytes = readFileSync(join(log.folder, '00000000000000000000.log'));
        assert.equal(bytes.length, log.byteCount);
        log.abandon();
        rmSync(log.folder, { recursive: true });
      }
      assert.equal(openFiles(), before, 'no descriptor is left');
    }
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
});

test('a segment that is closed while another thread flushes is not safe yet', async () => {
  const of = stage();
  const { log, put } = of;
  put(log, 'b');
  const active = log.endOffset - 1;
  of.isSlow.flushes = true;
  const flushed = log.flush();
  put(log, 'c', 6);
  of.arrive();
  await flushed;
  assert.equal(log.recoveryPoint, active, 'its indexes were written after the flush had begun');
  await log.flush();
  assert.ok(log.recoveryPoint > active);
});
