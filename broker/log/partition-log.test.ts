import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { batch, batchesOf, buildBatch } from '../../proto/kafka/record-batch.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { FileCache } from './file-cache.ts';
import { PartitionLog } from './partition-log.ts';
import { TailMemory } from './tail-memory.ts';

const config = logConfig();

function setUp(tailBytes = 1500) {
  const disk = memoryDisk();
  const open = (known = { clean: false, recoveryPoint: 0, startOffset: 0 }) => {
    const log = new PartitionLog(
      { disk, files: new FileCache(disk, 4), tail: new TailMemory(tailBytes) },
      '/data/t-0',
      config,
    );
    return { log, recovery: log.open(known) };
  };
  return { disk, open };
}

function records(count: number, seed: number): Buffer {
  return buildBatch(
    Array.from({ length: count }, (_, i) => ({
      key: null,
      value: Buffer.from(`${seed}-${i}`.repeat(5)),
    })),
    { timestampMs: 1000 + seed },
  );
}

async function offsetsFrom(log: PartitionLog, from: number, bytesMax = 1e9): Promise<number[]> {
  const { buffers } = await log.read({
    offset: from,
    bytesMax,
    endOffset: log.writtenOffset,
    atLeastOne: true,
  });
  return buffers.flatMap((bytes) =>
    [...batchesOf(bytes)].map(({ at }) => batch.baseOffset(bytes, at)),
  );
}

/** Reads the whole log, batch by batch, however it is spread over segments and memory. */
async function readAll(log: PartitionLog, from: number): Promise<string> {
  const parts: Buffer[] = [];
  let offset = from;
  while (offset < log.writtenOffset) {
    const { buffers } = await log.read({
      offset,
      bytesMax: 300,
      endOffset: log.writtenOffset,
      atLeastOne: true,
    });
    assert.ok(buffers.length > 0, `there is something at ${offset}`);
    for (const bytes of buffers) {
      parts.push(Buffer.from(bytes));
      for (const { at } of batchesOf(bytes)) offset = batch.lastOffset(bytes, at) + 1;
    }
  }
  return Buffer.concat(parts).toString('hex');
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'write' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen-clean' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen-killed' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('truncate' as const),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
);

test('a log is always the batches that were written, through restarts, kills and truncation', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
      const { open } = setUp();
      let { log } = open();
      let written: { base: number; end: number; hex: string }[] = [];
      let pending: typeof written = [];
      let epoch = 1;
      for (const [i, one] of steps.entries()) {
        if (one.kind === 'append') {
          const kept = log.append(records(one.count, i), { leaderEpoch: epoch });
          pending.push({
            base: batch.baseOffset(kept),
            end: batch.lastOffset(kept) + 1,
            hex: kept.toString('hex'),
          });
        } else if (one.kind === 'write') {
          log.writePending();
          written = [...written, ...pending];
          pending = [];
        } else {
          log.writePending();
          written = [...written, ...pending];
          pending = [];
          epoch++;
          if (one.kind === 'truncate') {
            const target = Math.floor(one.part * log.endOffset);
            log.truncateTo(target);
            written = written.filter(({ end }) => end <= target);
          } else {
            if (one.kind === 'reopen-clean') log.close();
            const reopened = open({
              clean: one.kind === 'reopen-clean',
              recoveryPoint: 0,
              startOffset: 0,
            });
            assert.equal(reopened.recovery.clean, true);
            log = reopened.log;
          }
        }
        assert.equal(log.writtenOffset, written.at(-1)?.end ?? 0);
        assert.equal(await readAll(log, 0), written.map(({ hex }) => hex).join(''));
      }
    }),
    { numRuns: 60 },
  );
});

test('a torn tail is cut and counts as clean, a damaged batch does not', () => {
  for (const [damage, clean] of [
    ['torn', true],
    ['flipped', false],
  ] as const) {
    const { disk, open } = setUp();
    const { log } = open();
    for (let i = 0; i < 3; i++) log.append(records(2, i), { leaderEpoch: 1 });
    log.writePending();
    const path = '/data/t-0/00000000000000000000.log';
    const bytes = disk.files.get(path) as Buffer;
    if (damage === 'torn') disk.files.set(path, bytes.subarray(0, bytes.length - 7));
    else bytes[bytes.length - 7] = (bytes[bytes.length - 7] as number) ^ 0xff;
    const { log: again, recovery } = open();
    assert.equal(recovery.clean, clean, damage);
    const kept = [...disk.files.keys()].filter((name) => name.endsWith('.corrupt'));
    assert.equal(kept.length, clean ? 0 : 1, 'damaged bytes are kept aside');
    assert.equal(again.endOffset, 4, damage);
  }
});

test('a full disk fails the write, keeps what was there and takes no more', () => {
  const { disk, open } = setUp();
  const { log } = open();
  log.append(records(2, 1), { leaderEpoch: 1 });
  log.writePending();
  disk.capacityBytes = [...disk.files.values()].reduce((sum, { length }) => sum + length, 0) + 10;
  log.append(records(2, 2), { leaderEpoch: 1 });
  assert.throws(() => log.writePending(), /ENOSPC/);
  assert.equal(log.endOffset, 2);
  assert.ok(log.failure);
  disk.capacityBytes = Infinity;
  const { log: again, recovery } = open();
  assert.equal(again.endOffset, 2);
  assert.equal(recovery.clean, true);
});

test('a read gives whole batches within its limit, and always the first one', async () => {
  const { open } = setUp();
  const { log } = open();
  for (let i = 0; i < 10; i++) log.append(records(1, i), { leaderEpoch: 1 });
  log.writePending();
  assert.deepEqual(await offsetsFrom(log, 3, 1), [3]);
  assert.deepEqual(
    (await log.read({ offset: 3, bytesMax: 1, endOffset: 10, atLeastOne: false })).byteCount,
    0,
  );
  assert.deepEqual(
    (await log.read({ offset: 3, bytesMax: 1e6, endOffset: 3, atLeastOne: true })).byteCount,
    0,
  );
});

test('retention drops the oldest segments, never one above the high watermark', () => {
  const { open } = setUp();
  const { log } = open();
  for (let i = 0; i < 60; i++) {
    log.append(records(3, i), { leaderEpoch: 1 });
    log.writePending();
  }
  const before = log.segmentCount;
  assert.ok(before > 4);
  log.config = { ...config, retentionBytes: 4000 };
  assert.deepEqual(log.retain(0, 0), []);
  assert.ok(log.retain(0, log.endOffset).length > 0);
  assert.ok(log.segmentCount < before);
  assert.ok(log.startOffset > 0);
  assert.ok(log.byteCount >= 4000);
});

test('a producer that repeats a batch after a kill is answered with its first offset', () => {
  const { open } = setUp();
  const { log } = open();
  const first = buildBatch([{ key: null, value: Buffer.from('x') }], {
    timestampMs: 1,
    producerId: 7,
    producerEpoch: 0,
    baseSequence: 0,
  });
  log.append(first, { leaderEpoch: 1 });
  log.writePending();
  const { log: again } = open();
  assert.equal(again.producers.judge(first, 0).kind, 'duplicate');
  const gap = buildBatch([{ key: null, value: Buffer.from('x') }], {
    timestampMs: 1,
    producerId: 7,
    producerEpoch: 0,
    baseSequence: 5,
  });
  assert.deepEqual(again.producers.judge(gap, 0), {
    kind: 'refuse',
    error: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
  });
});

test('segments roll by the time of their records, not by the age of old records', () => {
  const { open } = setUp();
  const { log } = open();
  log.config = { ...config, segmentBytes: 1e6, segmentMs: 1000 };
  const at = (timestampMs: number) =>
    log.append(buildBatch([{ key: null, value: Buffer.from('x') }], { timestampMs }), {
      leaderEpoch: 1,
    });
  for (const timestampMs of [10, 20, 500]) at(timestampMs);
  log.writePending();
  assert.equal(log.segmentCount, 1);
  at(2000);
  log.writePending();
  assert.equal(log.segmentCount, 2);
});

/** Closed segments of which each has a batch of its own leader epoch. */
function inSegments(count: number) {
  const { disk, open } = setUp();
  const { log } = open();
  for (let i = 0; i < count; i++) {
    log.append(records(20, i), { leaderEpoch: i });
    log.writePending();
  }
  return { disk, open, log };
}

test('what is cut from a log is cut from its epochs, in memory and in the file', () => {
  const { open, log } = inSegments(3);
  log.truncateTo(20);
  assert.deepEqual(log.epochs.endOffsetFor(2, log.endOffset), { epoch: 0, endOffset: 20 });
  log.abandon();
  assert.equal(open().log.latestEpoch, 0);
});

test('after a loss of power a log whose first segments are gone says from where on it is none', () => {
  const { disk, open, log } = inSegments(12);
  log.abandon();
  const [first] = disk.list('/data/t-0').filter((name) => name.endsWith('.log'));
  disk.remove(`/data/t-0/${first}`);
  const lossy = { clean: false, lossy: true, recoveryPoint: 0, startOffset: 0 };
  assert.equal(open(lossy).log.missingFrom, 0);
  // The next start knows nothing of a loss, and still hears of it.
  assert.equal(open({ ...lossy, lossy: false } as typeof lossy).log.missingFrom, 0);
});

test('after a loss of power a log that lacks a segment in the middle ends before it', () => {
  const { disk, open, log } = inSegments(12);
  const ends = log.endOffset;
  log.abandon();
  const names = disk.list('/data/t-0').filter((name) => name.endsWith('.log'));
  assert.ok(names.length >= 3, 'there is one in the middle');
  disk.remove(`/data/t-0/${names[1]}`);
  const lossy = { clean: false, lossy: true, recoveryPoint: 0, startOffset: 0 };
  const opened = open(lossy);
  assert.equal(opened.log.endOffset, Number(names[1]?.slice(0, -4)));
  assert.ok(opened.log.endOffset < ends);
  assert.equal(opened.recovery.clean, false);
});

test('a segment whose times are not known is not taken for an old one', () => {
  const { log } = inSegments(12);
  log.config = { ...config, deletes: true, retentionMs: 10_000 };
  log['segments'].first.maxTimestampMs = -1;
  assert.deepEqual(log.retain(10_500, log.endOffset), []);
  assert.equal(log.startOffset, 0);
});
