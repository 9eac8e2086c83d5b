import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BATCH_HEADER_BYTES,
  batch,
  batchesOf,
  buildBatch,
} from '../../proto/kafka/record-batch.ts';
import { type MemoryDisk, memoryDisk } from '../../stdx/disk-memory.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { compactLog } from './compaction.ts';
import { FileCache } from './file-cache.ts';
import type { NotedLog } from './log-inventory.ts';
import { PartitionLog } from './partition-log.ts';
import { DamagedLog } from './stored-batches.ts';
import { TailMemory } from './tail-memory.ts';

const FOLDER = '/data/t-0';
const config = logConfig({
  segmentBytes: 1200,
  indexIntervalBytes: 200,
  compacts: true,
  minCleanableRatio: 0,
});

function openOn(disk: MemoryDisk, clean: boolean, noted: NotedLog | null = null) {
  const log = new PartitionLog(
    { disk, files: new FileCache(disk, 8), tail: new TailMemory(0) },
    FOLDER,
    config,
  );
  const recovery = log.open({ clean, recoveryPoint: 0, startOffset: 0 }, true, noted);
  return { log, recovery };
}

/** Four segments of batches of three records, in two leader epochs. */
function filled(): MemoryDisk {
  const disk = memoryDisk();
  const { log } = openOn(disk, false);
  for (let i = 0; log.segmentCount < 4 || log.endOffset % 4 !== 0; i++) {
    const keys = [i, i + 1, i + 2].map((n) => ({ key: Buffer.from(`k${n}`), value: null }));
    const records = keys.map((one) => ({ ...one, value: Buffer.from('value '.repeat(5)) }));
    log.append(buildBatch(records, { timestampMs: 1000 + i, producerId: 5, producerEpoch: 0 }), {
      leaderEpoch: i < 12 ? 3 : 4,
    });
    log.writePending();
  }
  log.close();
  return disk;
}

const copyOf = (disk: MemoryDisk): MemoryDisk => {
  const copy = memoryDisk();
  for (const [path, bytes] of disk.files) copy.files.set(path, Buffer.from(bytes));
  return copy;
};

const original = filled();
const logFiles = [...original.files.keys()].filter((path) => path.endsWith('.log')).sort();
const allBytes = Buffer.concat(logFiles.map((path) => original.files.get(path) as Buffer));
const endOffset = openOn(copyOf(original), true).log.endOffset;

interface Damage {
  readonly path: string;
  /** Where the batch begins. */
  readonly batchAt: number;
  readonly at: number;
  readonly flip: number;
  readonly baseOffset: number;
}

/** Every byte of the header of every batch, in closed segments and in the active one. */
function* damages(flips: readonly number[]): Generator<Damage> {
  for (const path of logFiles) {
    const bytes = original.files.get(path) as Buffer;
    for (const { at: batchAt } of batchesOf(bytes))
      for (let i = 0; i < BATCH_HEADER_BYTES; i++)
        for (const flip of flips)
          yield {
            path,
            batchAt,
            at: batchAt + i,
            flip,
            baseOffset: batch.baseOffset(bytes, batchAt),
          };
  }
}

function hurt(disk: MemoryDisk, { path, at, flip }: Damage): void {
  const bytes = disk.files.get(path) as Buffer;
  bytes.writeUInt8(bytes.readUInt8(at) ^ flip, at);
}

const say = ({ path, at, batchAt, flip }: Damage) =>
  `${path} batch at ${batchAt}, byte ${at - batchAt} of it ^ ${flip}`;

/** Reads on from `offset` until the end or an error. */
async function readOn(log: PartitionLog, from: number, bytesMax: number) {
  const buffers: Buffer[] = [];
  let offset = from;
  for (let steps = 0; offset < log.writtenOffset; steps++) {
    assert.ok(steps < 1000, 'a reader gets on');
    try {
      const read = await log.read({
        offset,
        bytesMax,
        endOffset: log.writtenOffset,
        atLeastOne: true,
      });
      assert.notEqual(read.byteCount, 0, `nothing is answered at ${offset} and nothing said`);
      for (const bytes of read.buffers) {
        buffers.push(Buffer.from(bytes));
        for (const { at } of batchesOf(bytes)) offset = batch.lastOffset(bytes, at) + 1;
      }
    } catch (cause) {
      return { bytes: Buffer.concat(buffers), offset, cause };
    }
  }
  return { bytes: Buffer.concat(buffers), offset, cause: null };
}

test('whatever byte of a header is damaged, a reader gets what is good and then an error', async () => {
  for (const damage of damages([0x01, 0x80])) {
    const disk = copyOf(original);
    const { log } = openOn(disk, true);
    hurt(disk, damage);
    for (const bytesMax of [1, 400, 100_000]) {
      const { bytes, offset, cause } = await readOn(log, 0, bytesMax);
      assert.ok(cause instanceof DamagedLog, `${say(damage)}: ${String(cause)}`);
      assert.ok(allBytes.subarray(0, bytes.length).equals(bytes), say(damage));
      assert.ok(offset <= damage.baseOffset, say(damage));
      assert.ok(cause.path === damage.path || offset < damage.baseOffset, say(damage));
    }
    for (const from of [damage.baseOffset, damage.baseOffset + 2]) {
      const { bytes, cause } = await readOn(log, from, 1);
      assert.ok(cause instanceof DamagedLog && bytes.length === 0, `from ${from}: ${say(damage)}`);
    }
  }
});

test('a reader that begins behind damage gets all of what is there', async () => {
  for (const damage of damages([0x40])) {
    const disk = copyOf(original);
    const { log } = openOn(disk, true);
    hurt(disk, damage);
    const next = logFiles
      .map((path) => Number(path.slice(-24, -4)))
      .find((n) => n > damage.baseOffset);
    if (next === undefined) continue;
    const { bytes, cause } = await readOn(log, next, 400);
    assert.equal(cause, null, say(damage));
    assert.ok(allBytes.subarray(allBytes.length - bytes.length).equals(bytes), say(damage));
    assert.equal(batch.baseOffset(bytes), next);
  }
});

test('a log is cut at any offset, or the damage is named', () => {
  for (const damage of damages([0xff])) {
    for (const offset of [damage.baseOffset + 2, damage.baseOffset + 3]) {
      const disk = copyOf(original);
      const { log } = openOn(disk, true);
      hurt(disk, damage);
      try {
        log.truncateTo(offset);
        assert.ok(log.endOffset <= offset && log.endOffset > offset - 3, say(damage));
      } catch (cause) {
        assert.ok(cause instanceof DamagedLog, `${say(damage)}: ${String(cause)}`);
      }
    }
  }
});

test('compaction leaves a damaged log as it is', async () => {
  const rules = (log: PartitionLog) => ({
    nowMs: 1,
    deleteRetentionMs: 0,
    producers: log.producers,
  });
  const limits = { keyBytesMax: 1e9, pause: () => Promise.resolve() };
  for (const damage of damages([0x02])) {
    const disk = copyOf(original);
    const { log } = openOn(disk, true);
    if (damage.path === logFiles.at(-1)) continue;
    hurt(disk, damage);
    const before = Buffer.from(disk.files.get(damage.path) as Buffer);
    const failed = compactLog(log, log.endOffset, rules(log), limits);
    await assert.rejects(failed, DamagedLog, say(damage));
    assert.deepEqual(disk.files.get(damage.path), before, say(damage));
  }
});

/**
 * What nothing else on the disk tells after a stop: which epoch wrote a batch, and which offsets the
 * last one has, for compaction leaves gaps.
 */
function isBeyondAStart({ path, at, batchAt }: Damage): boolean {
  const last = [...batchesOf(original.files.get(path) as Buffer)].at(-1);
  const field = at - batchAt;
  const isLast = path === logFiles.at(-1) && batchAt === last?.at;
  return (field >= 12 && field < 16) || (isLast && field < 8);
}

test('a start after a kill keeps what is good and says that something is damaged', () => {
  for (const damage of damages([0x01, 0x80])) {
    const disk = copyOf(original);
    hurt(disk, damage);
    const { log, recovery } = openOn(disk, false);
    if (isBeyondAStart(damage)) continue;
    assert.equal(recovery.clean, false, say(damage));
    assert.ok(log.endOffset <= endOffset, say(damage));
    assert.ok(log.endOffset >= damage.baseOffset - 3, say(damage));
    assert.ok(
      [...disk.files.keys()].some((path) => path.endsWith('.corrupt')),
      say(damage),
    );
  }
});

test('a start after an orderly stop survives damage at the end, and says so', async () => {
  const active = logFiles.at(-1) as string;
  for (const damage of damages([0x01, 0x80])) {
    if (damage.path !== active) continue;
    const disk = copyOf(original);
    hurt(disk, damage);
    const { log, recovery } = openOn(disk, true);
    const { bytes, cause } = await readOn(log, 0, 400);
    const isNoticed = !recovery.clean || cause instanceof DamagedLog;
    if (isBeyondAStart(damage)) continue;
    assert.ok(isNoticed, say(damage));
    assert.ok(allBytes.subarray(0, bytes.length).equals(bytes), say(damage));
  }
});

test('a write that was cut short anywhere is no damage', () => {
  const active = logFiles.at(-1) as string;
  const bytes = original.files.get(active) as Buffer;
  const last = [...batchesOf(bytes)].at(-1) as { at: number; end: number };
  for (let length = last.at; length < last.end; length++) {
    const disk = copyOf(original);
    disk.files.set(active, Buffer.from(bytes.subarray(0, length)));
    const { log, recovery } = openOn(disk, false);
    assert.equal(recovery.clean, true, `${length - last.at} bytes of the last batch`);
    assert.equal(log.endOffset, batch.baseOffset(bytes, last.at));
  }
});

test('files that are shorter than known are named, and indexes that point to nonsense lead nobody astray', async () => {
  const [first = '', second = ''] = logFiles;
  const cases: [string, (disk: MemoryDisk) => void][] = [
    ['cut', (disk) => disk.files.set(first, (disk.files.get(first) as Buffer).subarray(0, 100))],
    ['gone', (disk) => disk.files.delete(second)],
    ['other', (disk) => disk.files.set(second, Buffer.from(disk.files.get(first) as Buffer))],
  ];
  for (const name of ['.index', '.timeindex', '.txnindex'])
    for (const content of ['x', 'nonsense!nonsense!nonsense!nonsense!nonsense!'.slice(0, 36)])
      cases.push([
        name,
        (disk) => disk.files.set(second.replace('.log', name), Buffer.from(content)),
      ]);
  for (const [name, change] of cases) {
    const disk = copyOf(original);
    const before = openOn(disk, true).log;
    before.close();
    // Nothing is read before somebody wants it.
    const { log } = openOn(disk, true, before.note);
    change(disk);
    const isPart = (disk.files.get(second.replace('.log', '.txnindex'))?.length ?? 0) < 34;
    const { bytes, cause } = await readOn(log, 0, 400);
    if (name === '.index' || name === '.timeindex') {
      // Made anew from the records when it is needed.
      assert.ok(cause === null && bytes.equals(allBytes), name);
    } else if (name === '.txnindex') {
      // There was none; a part of an entry is what a kill leaves.
      const ask = () => log.abortedTransactions(0, log.endOffset);
      if (isPart) assert.deepEqual(ask(), []);
      else assert.throws(ask, DamagedLog);
    } else {
      assert.ok(cause instanceof DamagedLog, name);
      assert.ok(allBytes.subarray(0, bytes.length).equals(bytes), name);
    }
  }
});

test('memory that a damaged length asks for is bounded', async () => {
  const disk = memoryDisk();
  const log = new PartitionLog(
    { disk, files: new FileCache(disk, 8), tail: new TailMemory(0) },
    FOLDER,
    logConfig({ segmentBytes: 64 * 1024 * 1024 }),
  );
  log.open({ clean: false, recoveryPoint: 0, startOffset: 0 });
  for (let i = 0; i < 40; i++) {
    log.append(buildBatch([{ key: null, value: Buffer.alloc(1_000_000) }], { timestampMs: 1 }), {
      leaderEpoch: 0,
    });
    log.writePending();
  }
  log.close();
  const bytes = [...disk.files.entries()].find(([path]) => path.endsWith('.log'))?.[1] as Buffer;
  bytes.writeInt32BE(30 * 1024 * 1024, 8);
  const sizes: number[] = [];
  const open = disk.open.bind(disk);
  disk.open = (path, options) => {
    const file = open(path, options);
    const readAt = file.readAt.bind(file);
    file.readAt = (position, target) => {
      sizes.push(target.length);
      return readAt(position, target);
    };
    return file;
  };
  const again = () =>
    new PartitionLog(
      { disk, files: new FileCache(disk, 8), tail: new TailMemory(0) },
      FOLDER,
      log.config,
    );
  const clean = again();
  clean.open({ clean: true, recoveryPoint: 0, startOffset: 0 }, true, log.note);
  const { cause } = await readOn(clean, 0, 1000);
  assert.ok(cause instanceof DamagedLog);
  assert.equal(again().open({ clean: false, recoveryPoint: 0, startOffset: 0 }).clean, false);
  assert.ok(sizes.length > 3 && Math.max(...sizes) <= 3 * 1024 * 1024, `${Math.max(...sizes)}`);
});
