import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rawRecords, rebuildBatch } from '../../proto/kafka/batch-body.ts';
import { codecs, loadCodecs } from '../../proto/kafka/compression.ts';
import {
  batch,
  batchesOf,
  batchFault,
  buildBatch,
  buildTransactionMarker,
  CONTROL_BIT,
  crcOf,
  recordsOf,
  TRANSACTIONAL_BIT,
  transactionEndOf,
} from '../../proto/kafka/record-batch.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { compactLog } from './compaction.ts';
import { FileCache } from './file-cache.ts';
import { PartitionLog } from './partition-log.ts';
import { TailMemory } from './tail-memory.ts';
import type { AbortedTransaction } from './transaction-index.ts';

const config = logConfig({
  segmentBytes: 500,
  deletes: false,
  compacts: true,
  minCleanableRatio: 0,
  deleteRetentionMs: 100,
});
const limits = { keyBytesMax: 1e9, pause: () => Promise.resolve() };

function openOn(disk: ReturnType<typeof memoryDisk>, clean = false) {
  const log = new PartitionLog(
    { disk, files: new FileCache(disk, 4), tail: new TailMemory(0) },
    '/data/t-0',
    config,
  );
  log.open({ clean, recoveryPoint: 0, startOffset: 0 });
  return log;
}

interface Seen {
  readonly offset: number;
  readonly key: string;
  readonly value: string | null;
}

/** Which batches of an answer are of aborted transactions: the way Kafka's consumers tell. */
function abortedFilter(aborted: readonly AbortedTransaction[]) {
  const ahead = [...aborted].sort((x, y) => x.firstOffset - y.firstOffset);
  const now = new Set<number>();
  return (bytes: Buffer, at: number): boolean => {
    const producerId = batch.producerId(bytes, at);
    while (ahead.length > 0 && ahead[0]!.firstOffset <= batch.lastOffset(bytes, at))
      now.add(ahead.shift()!.producerId);
    const attributes = batch.attributes(bytes, at);
    if ((attributes & CONTROL_BIT) === 0)
      return (attributes & TRANSACTIONAL_BIT) !== 0 && now.has(producerId);
    if (transactionEndOf(bytes, at)?.committed === false) now.delete(producerId);
    return false;
  };
}

/** What a reader of committed records sees, or of all. */
async function readAll(
  log: PartitionLog,
  { committed, bytesMax }: { committed: boolean; bytesMax: number },
): Promise<Seen[]> {
  const seen: Seen[] = [];
  let offset = log.startOffset;
  while (offset < log.writtenOffset) {
    const { buffers } = await log.read({
      offset,
      bytesMax,
      endOffset: log.writtenOffset,
      atLeastOne: true,
    });
    if (buffers.length === 0) break;
    const before = offset;
    for (const bytes of buffers)
      for (const { at } of batchesOf(bytes)) offset = batch.lastOffset(bytes, at) + 1;
    const isAborted = abortedFilter(log.abortedTransactions(before, offset));
    for (const bytes of buffers) {
      for (const { at, end } of batchesOf(bytes)) {
        assert.equal(batchFault(bytes, at, end), null);
        const hidden = isAborted(bytes, at) && committed;
        if ((batch.attributes(bytes, at) & CONTROL_BIT) !== 0) continue;
        if (hidden || batch.count(bytes, at) === 0) continue;
        const plain = rebuildBatch(bytes, at, rawRecords(bytes, at), { codec: 'none', level: 0 });
        for (const record of recordsOf(plain)) {
          seen.push({
            offset: record.offset,
            key: String(record.key),
            value: record.value === null ? null : String(record.value),
          });
        }
      }
    }
    assert.ok(offset > before, 'reading goes on');
  }
  return seen;
}

const readCommitted = (log: PartitionLog, bytesMax = 700) =>
  readAll(log, { committed: true, bytesMax });

const latestOf = (seen: readonly Seen[]) => new Map(seen.map((one) => [one.key, one]));

const records = (maxLength: number) =>
  fc.array(
    fc.record({
      key: fc.integer({ min: 0, max: 6 }),
      value: fc.option(fc.integer(), { freq: 4 }),
    }),
    { minLength: 1, maxLength },
  );
const producerId = fc.integer({ min: 1, max: 3 });
// A marker goes after three runs that had something to do, if no unclean start made the index anew.
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('plain' as const),
      records: records(5),
      codec: fc.constantFrom(...codecs),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('txn' as const), producerId, records: records(3) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      producerId,
      committed: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('compact' as const),
      waitMs: fc.integer({ min: 0, max: 200 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('reopen' as const), clean: fc.boolean() }),
  },
);

test('compaction keeps the latest of every key, offsets, transactions and sequences (property)', async () => {
  await loadCodecs();
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 40, maxLength: 160, size: 'max' }),
      fc.constantFrom(700, 100_000),
      fc.constantFrom(0, 100),
      async (steps, bytesMax, deleteRetentionMs) => {
        const disk = memoryDisk();
        let log = openOn(disk);
        let nowMs = 1000;
        const sequences = new Map<number, number>();
        const written = new Map<number, string>();
        /** What a reader would have seen had nothing ever been compacted. */
        let full: Seen[] = [];
        const open = new Map<number, Seen[]>();
        /** Offsets of aborted records. */
        const undone = new Set<number>();
        const check = async () => {
          const stable = log.producers.firstUnstableOffset(log.endOffset);
          const seen = (await readCommitted(log, bytesMax)).filter(({ offset }) => offset < stable);
          for (const { offset } of seen)
            assert.ok(!undone.has(offset), 'no aborted record is seen');
          for (const { offset, value } of seen) assert.equal(String(value), written.get(offset));
          const expected = latestOf(full.filter(({ offset }) => offset < stable));
          const actual = latestOf(seen);
          for (const [key, { value, offset }] of expected) {
            if (value !== null) assert.deepEqual(actual.get(key), { key, value, offset });
            else assert.ok((actual.get(key)?.value ?? null) === null, `${key} is deleted`);
          }
        };
        for (const one of steps) {
          switch (one.kind) {
            case 'plain':
            case 'txn': {
              const producer =
                one.kind === 'txn'
                  ? {
                      producerId: one.producerId,
                      producerEpoch: 0,
                      baseSequence: sequences.get(one.producerId) ?? 0,
                      attributes: TRANSACTIONAL_BIT,
                    }
                  : {};
              const built = buildBatch(
                one.records.map(({ key, value }) => ({
                  key: Buffer.from(`k${key}`),
                  value: value === null ? null : Buffer.from(`${value}`.padEnd(20, 'x')),
                })),
                { timestampMs: nowMs, ...producer },
              );
              const codec = one.kind === 'plain' ? one.codec : 'none';
              const bytes = rebuildBatch(built, 0, rawRecords(built), { codec, level: 3 });
              const base = log.endOffset;
              log.append(bytes, { leaderEpoch: 0 });
              log.writePending();
              const seen = one.records.map(({ key, value }, i) => ({
                offset: base + i,
                key: `k${key}`,
                value: value === null ? null : `${value}`.padEnd(20, 'x'),
              }));
              for (const { offset, value } of seen) written.set(offset, String(value));
              if (one.kind === 'plain') full.push(...seen);
              else {
                open.set(one.producerId, [...(open.get(one.producerId) ?? []), ...seen]);
                sequences.set(
                  one.producerId,
                  (sequences.get(one.producerId) ?? 0) + one.records.length,
                );
              }
              break;
            }
            case 'end': {
              if (!open.has(one.producerId)) break;
              const marker = buildTransactionMarker(
                { committed: one.committed, coordinatorEpoch: 0 },
                { timestampMs: nowMs, producerId: one.producerId, producerEpoch: 0 },
              );
              log.append(marker, { leaderEpoch: 0 });
              log.writePending();
              if (one.committed) full.push(...(open.get(one.producerId) ?? []));
              else for (const { offset } of open.get(one.producerId) ?? []) undone.add(offset);
              full = full.sort((a, b) => a.offset - b.offset);
              open.delete(one.producerId);
              break;
            }
            case 'compact': {
              nowMs += one.waitMs;
              const until = Math.min(
                log.endOffset,
                log.producers.firstUnstableOffset(log.endOffset),
              );
              await compactLog(
                log,
                until,
                { nowMs, deleteRetentionMs, producers: log.producers },
                limits,
              );
              await check();
              break;
            }
            case 'reopen': {
              const cleaned = log.cleanedOffset;
              if (one.clean) log.close();
              else log.abandon();
              log = openOn(disk, one.clean);
              log.cleanedOffset = cleaned;
            }
          }
          nowMs++;
        }
        await check();
        for (const [producerId, next] of sequences) {
          const last = log.producers.get(producerId)?.batches.at(-1);
          assert.equal(last?.lastSequence, next - 1, 'the last sequence of a producer is known');
        }
      },
    ),
    { numRuns: 200 },
  );
});

function writeTransaction(
  log: PartitionLog,
  of: { key: string; sequence: number; committed: boolean; nowMs: number },
) {
  const { key, sequence, committed, nowMs } = of;
  const producer = { timestampMs: nowMs, producerId: 7, producerEpoch: 0 };
  const data = buildBatch([{ key: Buffer.from(key), value: Buffer.from(`${committed}`) }], {
    ...producer,
    baseSequence: sequence,
    attributes: TRANSACTIONAL_BIT,
  });
  log.append(data, { leaderEpoch: 0 });
  log.append(buildTransactionMarker({ committed, coordinatorEpoch: 0 }, producer), {
    leaderEpoch: 0,
  });
  log.writePending();
}

test('an abort marker that is compacted away takes its entry of the transaction index along', async () => {
  const disk = memoryDisk();
  let log = openOn(disk);
  writeTransaction(log, { key: 'undone', sequence: 0, committed: false, nowMs: 1000 });
  for (let i = 1; i <= 20; i++)
    writeTransaction(log, { key: `done${i}`, sequence: i, committed: true, nowMs: 1000 });
  for (let i = 0; i < 4; i++) {
    write(
      log,
      Array.from({ length: 30 }, (_, n): [string, string] => [`f${n}`, 'x'.repeat(60)]),
      2000 + i,
    );
    const rules = { nowMs: 3000 + i, deleteRetentionMs: 0, producers: log.producers };
    assert.notEqual(await compactLog(log, log.endOffset, rules, limits), null);
  }
  log.close();
  log = openOn(disk, true);
  const keysOf = (seen: readonly Seen[]) =>
    new Set(seen.map(({ key }) => key).filter((key) => key.includes('done')));
  const expected = new Set(Array.from({ length: 20 }, (_, i) => `done${i + 1}`));
  const all = await readAll(log, { committed: false, bytesMax: 100_000 });
  assert.deepEqual(keysOf(all), expected);
  assert.deepEqual(keysOf(await readCommitted(log, 100_000)), expected);
  assert.deepEqual(log.abortedTransactions(0, log.endOffset), []);
});

test('wherever a swap is interrupted, the next start has no entry without its marker', async () => {
  const started = memoryDisk();
  const prepared = openOn(started);
  const filler = Array.from({ length: 30 }, (_, n): [string, string] => [`f${n}`, 'x'.repeat(60)]);
  writeTransaction(prepared, { key: 'a', sequence: 0, committed: false, nowMs: 1000 });
  writeTransaction(prepared, { key: 'b', sequence: 1, committed: true, nowMs: 1000 });
  const rules = { nowMs: 3000, deleteRetentionMs: 0, producers: prepared.producers };
  // The next run is the one that drops the marker.
  for (let i = 0; i < 2; i++) {
    write(prepared, filler, 2000);
    await compactLog(prepared, prepared.endOffset, rules, limits);
  }
  assert.equal(prepared.abortedTransactions(0, prepared.endOffset).length, 1);
  write(prepared, filler, 2000);
  prepared.close();
  for (let stopAt = 1; ; stopAt++) {
    const disk = memoryDisk();
    for (const [path, bytes] of started.files) disk.files.set(path, Buffer.from(bytes));
    const log = openOn(disk, true);
    const rename = disk.rename.bind(disk);
    let left = stopAt;
    disk.rename = (from, to) => {
      if (left-- === 1) throw new Error('killed');
      rename(from, to);
    };
    const done = await compactLog(log, log.endOffset, rules, limits).then(
      () => true,
      () => false,
    );
    disk.rename = rename;
    log.abandon();
    const again = openOn(disk, true);
    const seen = new Set((await readCommitted(again, 100_000)).map(({ key }) => key));
    assert.ok(!seen.has('a'), `killed after ${stopAt - 1} renames`);
    assert.ok(seen.has('b'), `killed after ${stopAt - 1} renames`);
    again.abandon();
    if (!done) continue;
    assert.ok(stopAt > 5, 'there are several steps');
    return;
  }
});

function write(log: PartitionLog, entries: readonly [string, string | null][], nowMs: number) {
  for (const [key, value] of entries) {
    const bytes = buildBatch(
      [{ key: Buffer.from(key), value: value === null ? null : Buffer.from(value) }],
      { timestampMs: nowMs },
    );
    log.append(bytes, { leaderEpoch: 0 });
    log.writePending();
  }
}

test('a tombstone stays for a while and then goes, with everything before it', async () => {
  const disk = memoryDisk();
  const log = openOn(disk);
  const filler = Array.from({ length: 40 }, (_, i): [string, string] => [`f${i}`, 'x'.repeat(60)]);
  write(log, [['a', '1'], ['b', '2'], ['a', null], ...filler], 1000);
  const rules = { nowMs: 2000, deleteRetentionMs: 100, producers: log.producers };
  await compactLog(log, log.endOffset, rules, limits);
  const after = (await readCommitted(log)).filter(({ key }) => key === 'a' || key === 'b');
  assert.deepEqual(
    after.map(({ key, value, offset }) => [key, value, offset]),
    [
      ['b', '2', 1],
      ['a', null, 2],
    ],
  );
  write(log, filler, 3000);
  await compactLog(log, log.endOffset, { ...rules, nowMs: 2099 }, limits);
  assert.ok(
    (await readCommitted(log)).some(({ key }) => key === 'a'),
    'still there',
  );
  write(log, filler, 3000);
  await compactLog(log, log.endOffset, { ...rules, nowMs: 2100 }, limits);
  assert.ok(!(await readCommitted(log)).some(({ key }) => key === 'a'), 'gone');
});

test('batches that cannot be unpacked stay as they are, are told of, and hold nothing else up', async () => {
  const log = openOn(memoryDisk());
  const filler = Array.from({ length: 40 }, (_, i): [string, string] => [`f${i}`, 'x'.repeat(60)]);
  write(log, [['a', '1'], ...filler], 1000);
  const broken = log.endOffset;
  for (const codec of [0, 1, 2, 3, 4]) {
    const garbage = buildBatch([{ key: null, value: Buffer.alloc(30, 0x77) }], {
      timestampMs: 1000,
    });
    garbage.fill(0x99, 61);
    garbage.writeInt16BE(codec, 21);
    garbage.writeUInt32BE(crcOf(garbage), 17);
    log.append(garbage, { leaderEpoch: 0 });
    log.writePending();
  }
  write(log, [['a', '2'], ...filler, ...filler], 1000);
  const rules = { nowMs: 2000, deleteRetentionMs: 100, producers: log.producers };
  let steps = 0;
  const counted = { ...limits, pause: async () => void steps++ };
  const result = await compactLog(log, log.endOffset, rules, counted);
  assert.equal(result?.unreadable, 5);
  assert.equal(result.firstUnreadableOffset, broken);
  assert.ok(result.recordsDropped >= 41, `${result.recordsDropped} records went`);
  assert.ok(log.cleanedOffset > broken);
  let batches = 0;
  for (let offset = broken; offset < log.writtenOffset; ) {
    const { writtenOffset: endOffset } = log;
    const { buffers } = await log.read({ offset, bytesMax: 1e6, endOffset, atLeastOne: true });
    for (const bytes of buffers)
      for (const { at, end } of batchesOf(bytes)) {
        assert.equal(batchFault(bytes, at, end), null);
        if (bytes[at + 61] === 0x99) batches++;
        offset = batch.lastOffset(bytes, at) + 1;
      }
  }
  assert.equal(batches, 5);
});

test('a large batch is gone over in steps, with others served between them', async () => {
  const log = openOn(memoryDisk());
  const many = Array.from({ length: 100_000 }, (_, i) => ({
    key: Buffer.from(`k${i % 10}`),
    value: Buffer.from('v'),
  }));
  const built = buildBatch(many, { timestampMs: 1000 });
  const bytes = rebuildBatch(built, 0, rawRecords(built), { codec: 'zstd', level: 3 });
  log.append(bytes, { leaderEpoch: 0 });
  log.writePending();
  write(log, [['other', '1']], 1000);
  log['roll'](log.endOffset, log.producers.toSnapshot());
  let steps = 0;
  const pause = async (byteCount: number) => void (steps += byteCount === 0 ? 1 : 0);
  const rules = { nowMs: 2000, deleteRetentionMs: 100, producers: log.producers };
  const result = await compactLog(log, log.endOffset, rules, { ...limits, pause });
  assert.equal(result?.recordsKept, 11);
  assert.ok(steps >= 6, `${steps} steps`);
});

test('a log ends with a batch, whatever compaction removes: a copy of it ends at the same offset', async () => {
  const log = openOn(memoryDisk());
  write(log, [['a', '1']], 1000);
  write(log, [['a', null]], 1000);
  const { endOffset } = log;
  log['roll'](endOffset, log.producers.toSnapshot());
  const rules = { deleteRetentionMs: 100, producers: log.producers };
  for (const nowMs of [2000, 9000, 20_000]) {
    log.cleanedOffset = 0;
    await compactLog(log, endOffset, { ...rules, nowMs }, limits);
  }
  assert.deepEqual(await readCommitted(log), []);
  const copy = openOn(memoryDisk());
  const { buffers } = await log.read({ offset: 0, bytesMax: 1e6, endOffset, atLeastOne: true });
  for (const bytes of buffers)
    for (const { at, end } of batchesOf(bytes)) copy.append(bytes.subarray(at, end), null);
  copy.writePending();
  assert.equal(copy.endOffset, endOffset);
});

test('keys that do not fit into memory are left for the next run', async () => {
  const log = openOn(memoryDisk());
  const many = Array.from({ length: 60 }, (_, i): [string, string] => [`k${i}`, 'x'.repeat(60)]);
  write(log, [...many, ...many], 1000);
  const rules = { nowMs: 2000, deleteRetentionMs: 100, producers: log.producers };
  let runs = 0;
  while ((await compactLog(log, log.endOffset, rules, { ...limits, keyBytesMax: 1500 })) !== null)
    runs++;
  assert.ok(runs > 2, `${runs} runs`);
  const latest = latestOf(await readCommitted(log));
  assert.equal(latest.size, 60);
  for (const { offset } of latest.values()) assert.ok(offset >= 60);
});

test('a damaged segment is left as it is: no new checksum is written over the damage', async () => {
  const disk = memoryDisk();
  const log = openOn(disk);
  const again = Array.from({ length: 40 }, (_, i): [string, string] => [`k${i % 3}`, `${i}`]);
  write(log, again, 1000);
  const rules = { nowMs: 2000, deleteRetentionMs: 100, producers: log.producers };
  const [path, bytes] = [...disk.files].find(([name]) => name.endsWith('.log')) as [string, Buffer];
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(flipped.length - 3) ^ 1, flipped.length - 3);
  for (const damaged of [flipped, Buffer.from(bytes).fill(0, bytes.length - 30)]) {
    disk.files.set(path, damaged);
    const before = new Map([...disk.files].map(([name, own]) => [name, Buffer.from(own)]));
    await assert.rejects(compactLog(log, log.endOffset, rules, limits), /is damaged at byte/);
    for (const [name, own] of before) assert.deepEqual(disk.files.get(name), own, name);
  }
  disk.files.set(path, bytes);
  assert.notEqual(await compactLog(log, log.endOffset, rules, limits), null);
});

test('what a loss of power took from a log is noticed: its middle, and its beginning', () => {
  const filled = () => {
    const disk = memoryDisk();
    const log = openOn(disk);
    write(
      log,
      Array.from({ length: 40 }, (_, i): [string, string] => [`k${i}`, 'x'.repeat(40)]),
      1,
    );
    const files = [...disk.files.keys()].filter((path) => path.endsWith('.log'));
    return { disk, files };
  };
  const reopen = (disk: ReturnType<typeof memoryDisk>, lossy: boolean) => {
    const log = new PartitionLog(
      { disk, files: new FileCache(disk, 4), tail: new TailMemory(0) },
      '/data/t-0',
      config,
    );
    log.open({ clean: false, lossy, recoveryPoint: 0, startOffset: 0 });
    return log;
  };
  const middle = filled();
  const [, second = ''] = middle.files;
  const cutAt = Number(second.slice(-24, -4));
  middle.disk.remove(second);
  assert.equal(reopen(middle.disk, true).endOffset, cutAt);
  const beginning = filled();
  beginning.disk.remove(beginning.files[0] as string);
  assert.equal(reopen(beginning.disk, true).missingFrom, 0);
  assert.equal(reopen(beginning.disk, false).missingFrom, 0, 'the next start knows it as well');
  const log = reopen(beginning.disk, false);
  log.restartAt(0);
  assert.equal(reopen(beginning.disk, false).missingFrom, null);
  assert.equal(log.endOffset, 0);
});
