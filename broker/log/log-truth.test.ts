/**
 * A log has one truth: whatever happened to it, it answers what its files say. The files are read here by
 * a reader of their own that knows neither memory nor indexes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  batch,
  batchesOf,
  buildBatch,
  buildTransactionMarker,
  recordsOf,
  TRANSACTIONAL_BIT,
} from '../../proto/kafka/record-batch.ts';
import type { Disk } from '../../stdx/disk.ts';
import { type MemoryDisk, memoryDisk } from '../../stdx/disk-memory.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { compactLog } from './compaction.ts';
import { FileCache } from './file-cache.ts';
import { LogGone } from './log-files.ts';
import type { NotedLog } from './log-inventory.ts';
import type { LogRead, ReadRequest } from './log-reads.ts';
import { PartitionLog } from './partition-log.ts';
import { TailMemory } from './tail-memory.ts';

const FOLDER = '/data/t-0';
const config = logConfig({ segmentBytes: 600, indexIntervalBytes: 100, compacts: true });
const limits = { keyBytesMax: 1e9, pause: () => Promise.resolve() };

interface Stored {
  readonly base: number;
  readonly last: number;
  readonly epoch: number;
  readonly timestampMs: number;
  readonly hex: string;
}

/** What the segment files alone say. */
function storedIn({ files }: MemoryDisk): Stored[] {
  const names = [...files.keys()].filter((name) => /\/\d{20}\.log$/.test(name)).sort();
  return names.flatMap((name) => {
    const bytes = files.get(name) as Buffer;
    return [...batchesOf(bytes)].map(({ at, end }) => ({
      base: batch.baseOffset(bytes, at),
      last: batch.lastOffset(bytes, at),
      epoch: batch.leaderEpoch(bytes, at),
      timestampMs: batch.maxTimestamp(bytes, at),
      hex: bytes.subarray(at, end).toString('hex'),
    }));
  });
}

/** What another thread reads arrives when the test says so, with the bytes of when it was asked for. */
function slowDisk(inner: MemoryDisk) {
  let waiting: (() => void)[] = [];
  const state = { isSlow: false };
  const disk: Disk = {
    ...inner,
    open(path, options) {
      const file = inner.open(path, options);
      return {
        ...file,
        readAtLater(position, target) {
          const bytes = Buffer.alloc(target.length);
          const count = file.readAt(position, bytes);
          const arrive = () => {
            bytes.copy(target);
            return count;
          };
          if (!state.isSlow) return Promise.resolve(arrive());
          return new Promise((done) => waiting.push(() => done(arrive())));
        },
      };
    },
  };
  return {
    disk,
    state,
    arrive() {
      for (const one of waiting) one();
      waiting = [];
    },
  };
}

function setUp(tailBytes: number) {
  const inner = memoryDisk();
  const slow = slowDisk(inner);
  const open = (known: object = {}, noted: NotedLog | null = null) => {
    const log = new PartitionLog(
      { disk: slow.disk, files: new FileCache(slow.disk, 4), tail: new TailMemory(tailBytes) },
      FOLDER,
      config,
    );
    log.open({ clean: false, recoveryPoint: 0, startOffset: 0, ...known }, undefined, noted);
    return log;
  };
  return { inner, slow, open };
}

const hexOf = ({ buffers }: LogRead): string[] =>
  buffers.flatMap((bytes) =>
    [...batchesOf(bytes)].map(({ at, end }) => bytes.subarray(at, end).toString('hex')),
  );

function judge(stored: readonly Stored[], request: ReadRequest, read: LogRead): void {
  const beyond = stored.findIndex(({ last }) => last >= request.endOffset);
  const expected = (beyond < 0 ? stored : stored.slice(0, beyond)).filter(
    ({ last }) => last >= request.offset,
  );
  const got = hexOf(read);
  const what = JSON.stringify(request);
  assert.deepEqual(
    got,
    expected.slice(0, got.length).map(({ hex }) => hex),
    `read ${what}`,
  );
  const first = expected[0];
  const fits = first !== undefined && first.hex.length / 2 <= request.bytesMax;
  if (first !== undefined && (request.atLeastOne || fits))
    assert.ok(got.length > 0, `something is there for ${what}`);
  if (got.length > 1 || !request.atLeastOne)
    assert.ok(read.byteCount <= request.bytesMax, `limit of ${what}`);
}

/** Every answer of the log against the files. */
async function compare(log: PartitionLog, inner: MemoryDisk): Promise<void> {
  const stored = storedIn(inner);
  assert.equal(log.writtenOffset, log.endOffset);
  assert.ok(log.endOffset > (stored.at(-1)?.last ?? -1));
  const edges = new Set(stored.flatMap(({ base, last }) => [base, last, last + 1]));
  for (const offset of [0, ...edges]) {
    for (const bytesMax of [1, 250, 900, 1e6]) {
      for (const endOffset of [log.endOffset, Math.ceil((offset + log.endOffset) / 2)]) {
        const request = { offset, bytesMax, endOffset, atLeastOne: bytesMax !== 250 };
        judge(stored, request, await log.read(request));
      }
    }
  }
  for (const { base, epoch } of stored)
    if (base >= log.startOffset) assert.equal(log.epochs.epochAt(base), epoch, `epoch at ${base}`);
  const newest = Math.max(...stored.map(({ timestampMs }) => timestampMs), -1);
  assert.equal(log.maxTimestamp?.timestampMs ?? -1, newest, 'largest timestamp');
  for (const { timestampMs } of stored) {
    const first = stored.find((one) => one.timestampMs >= timestampMs) as Stored;
    const hint = log.segmentForTimestamp(timestampMs);
    assert.ok(hint !== null, `a record of ${timestampMs}`);
    assert.ok(hint.readFrom <= Math.max(first.last, log.startOffset), `record of ${timestampMs}`);
  }
}

/** Producers by what matters to the next batch. */
const producersOf = ({ producers }: PartitionLog) =>
  [...producers.entries()]
    .map(([id, { epoch, batches, txnFirstOffset }]) => ({
      id,
      epoch,
      last: batches.at(-1)?.lastSequence ?? -1,
      txnFirstOffset,
    }))
    .sort((a, b) => a.id - b.id);

const key = fc.integer({ min: 0, max: 4 });
const part = fc.double({ min: 0, max: 1, noNaN: true });
const step = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      /** 0: no producer. */
      producer: fc.integer({ min: 0, max: 2 }),
      records: fc.array(fc.record({ key, isTombstone: fc.boolean() }), {
        minLength: 1,
        maxLength: 3,
      }),
      isLate: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      producer: fc.integer({ min: 1, max: 2 }),
      committed: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('epoch' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('compact' as const), keepsTombstones: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('truncate' as const), part }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('retain' as const), part }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('deleteRecords' as const), part }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), part }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('reopen' as const),
      how: fc.constantFrom('kill' as const, 'stop' as const, 'inventory' as const),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Life {
  readonly inner: MemoryDisk;
  private readonly slow: ReturnType<typeof slowDisk>;
  private readonly open: ReturnType<typeof setUp>['open'];
  log: PartitionLog;
  private epoch = 0;
  private nowMs = 1000;
  /** What was compacted was committed: nobody cuts below. */
  private committed = 0;

  constructor(tailBytes: number) {
    const { inner, slow, open } = setUp(tailBytes);
    this.inner = inner;
    this.slow = slow;
    this.open = open;
    this.log = open();
  }

  /** Does the step while reads of all of the log are under way, and then compares. */
  async take(one: Step): Promise<void> {
    this.log.writePending();
    this.slow.state.isSlow = true;
    const { log } = this;
    const requests = storedIn(this.inner).map(({ base }) => ({
      offset: base,
      bytesMax: 400,
      endOffset: log.endOffset,
      atLeastOne: true,
    }));
    const reads = requests.map((request) => ({ request, read: log.read(request) }));
    this.slow.state.isSlow = false;
    await this.act(one);
    this.log.writePending();
    this.slow.arrive();
    const stored = storedIn(this.inner);
    for (const { request, read } of reads)
      if (!(read instanceof Promise)) continue;
      else if (log === this.log) judge(stored, request, await read);
      else await assert.rejects(read, LogGone);
    await compare(this.log, this.inner);
    this.compareProducers();
  }

  /** A start that looks at the files knows the same producers. */
  private compareProducers(): void {
    const copy = memoryDisk();
    for (const [name, bytes] of this.inner.files) copy.files.set(name, Buffer.from(bytes));
    const again = new PartitionLog(
      { disk: copy, files: new FileCache(copy, 4), tail: new TailMemory(0) },
      FOLDER,
      config,
    );
    again.open({ clean: false, recoveryPoint: 0, startOffset: this.log.startOffset });
    assert.equal(again.endOffset, this.log.endOffset);
    assert.deepEqual(producersOf(again), producersOf(this.log), 'producers');
  }

  private async act(one: Step): Promise<void> {
    const { log } = this;
    const at = (share: number) => Math.floor(share * log.endOffset);
    this.nowMs += 50;
    switch (one.kind) {
      case 'append':
        return this.append(one);
      case 'end': {
        const of = { producerId: one.producer, producerEpoch: 0, coordinatorEpoch: 0 };
        if (!log.producers.isOpen(one.producer, 0)) return;
        const marker = buildTransactionMarker(
          { ...of, committed: one.committed },
          { ...of, timestampMs: this.nowMs },
        );
        log.append(marker, { leaderEpoch: this.epoch });
        return;
      }
      case 'epoch':
        this.epoch++;
        return;
      case 'compact': {
        this.committed = log.endOffset;
        const until = log.producers.firstUnstableOffset(log.endOffset);
        const rules = {
          nowMs: this.nowMs,
          deleteRetentionMs: one.keepsTombstones ? 1e9 : 0,
          producers: log.producers,
        };
        await compactLog(log, Math.min(until, log.endOffset), rules, limits);
        return;
      }
      case 'truncate':
        return log.truncateTo(Math.max(at(one.part), this.committed));
      case 'retain':
        log.config = { ...config, retentionBytes: Math.floor(one.part * log.byteCount) };
        log.retain(this.nowMs, log.endOffset);
        return;
      case 'deleteRecords':
        return log.advanceStartOffset(at(one.part));
      case 'restart':
        this.committed = 0;
        return log.restartAt(at(one.part));
      case 'reopen':
        return this.reopen(one.how);
    }
  }

  private append({ producer, records, isLate }: Step & { kind: 'append' }): void {
    const known = this.log.producers.get(producer);
    const last = known?.batches.at(-1)?.lastSequence ?? -1;
    const of =
      producer === 0
        ? {}
        : {
            producerId: producer,
            producerEpoch: 0,
            baseSequence: last + 1,
            attributes: TRANSACTIONAL_BIT,
          };
    const built = buildBatch(
      records.map(({ key: name, isTombstone }) => ({
        key: Buffer.from(`k${name}`),
        value: isTombstone ? null : Buffer.from('v'.repeat(30)),
      })),
      { timestampMs: this.nowMs - (isLate ? 300 : 0), ...of },
    );
    this.log.append(built, { leaderEpoch: this.epoch });
  }

  private reopen(how: 'kill' | 'stop' | 'inventory'): void {
    const { log } = this;
    const { startOffset, cleanedOffset } = log;
    if (how !== 'kill') log.close();
    const noted = how === 'inventory' ? log.note : null;
    log.abandon();
    this.log = this.open({ clean: how !== 'kill', startOffset, cleanedOffset }, noted);
  }
}

test('whatever changes a log, it answers what its files say (property)', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0, 1200, 1e6),
      fc.array(step, { minLength: 10, maxLength: 70, size: 'max' }),
      async (tailBytes, steps) => {
        const life = new Life(tailBytes);
        for (const one of steps) await life.take(one);
      },
    ),
    { numRuns: 100 },
  );
});

const put = (log: PartitionLog, records: [string, string | null][], timestampMs = 1000) => {
  const built = buildBatch(
    records.map(([name, value]) => ({
      key: Buffer.from(name),
      value: value === null ? null : Buffer.from(value),
    })),
    { timestampMs },
  );
  log.append(built, { leaderEpoch: 0 });
  log.writePending();
};
const compactAll = (log: PartitionLog) =>
  compactLog(
    log,
    log.endOffset,
    { nowMs: 1e9, deleteRetentionMs: 0, producers: log.producers },
    limits,
  );
const allOf = async (log: PartitionLog) => {
  const found: string[] = [];
  for (let offset = 0; offset < log.endOffset; ) {
    const request = { offset, bytesMax: 1e6, endOffset: log.endOffset, atLeastOne: true };
    const { buffers } = await log.read(request);
    for (const bytes of buffers) {
      for (const { at } of batchesOf(bytes)) {
        offset = batch.lastOffset(bytes, at) + 1;
        for (const { key: name, value } of recordsOf(bytes, at)) found.push(`${name}=${value}`);
      }
    }
    if (buffers.length === 0) break;
  }
  return found;
};

test('a value that was compacted away is not read from memory, and its tombstone neither', async () => {
  const { open } = setUp(1e6);
  const log = open();
  put(log, [['a', 'old'.repeat(100)]]);
  put(log, [['a', null]]);
  put(log, [['b', 'filler'.repeat(100)]]);
  put(log, [['c', 'active']]);
  assert.equal((await allOf(log)).length, 4);
  await compactAll(log);
  assert.deepEqual(await allOf(log), ['a=null', `b=${'filler'.repeat(100)}`, 'c=active']);
  put(log, [['d', 'filler'.repeat(100)]]);
  await compactAll(log);
  assert.deepEqual(
    (await allOf(log)).map((one) => one.split('=')[0]),
    ['b', 'c', 'd'],
  );
});

test('what is left after a cut is as old as its records: retention does not take it for old', () => {
  const { open } = setUp(1e6);
  const log = open();
  put(log, [['a', 'x']], 5000);
  put(log, [['b', 'x']], 6000);
  log.truncateTo(1);
  assert.deepEqual(log.maxTimestamp, { timestampMs: 5000, offset: 0 });
  log.config = { ...config, retentionMs: 1000 };
  log.retain(5500, log.endOffset);
  log.retain(5500, log.endOffset);
  assert.deepEqual([log.startOffset, log.endOffset], [0, 1]);
});

test('a cut beside a compaction: what was cut off does not come back with it', async () => {
  const { open, slow } = setUp(1e6);
  const log = open();
  for (let i = 0; i < 4; i++) put(log, [[`k${i}`, 'x'.repeat(400)]]);
  slow.state.isSlow = true;
  const compacting = compactAll(log);
  log.truncateTo(2);
  slow.state.isSlow = false;
  slow.arrive();
  assert.equal(await compacting, null);
  put(log, [['new', 'y']]);
  assert.deepEqual(
    (await allOf(log)).map((one) => one.split('=')[0]),
    ['k0', 'k1', 'new'],
  );
});

test('a segment that is set aside while it is flushed does not get an empty file in its place', async () => {
  const { open, inner } = setUp(1e6);
  const log = open();
  for (let i = 0; i < 4; i++) put(log, [[`k${i}`, 'x'.repeat(400)]]);
  const flushing = log.flush();
  log.config = { ...config, retentionBytes: 1 };
  assert.ok(log.retain(0, log.endOffset).length > 0);
  await flushing;
  const left = [...inner.files.keys()].filter((name) => name.endsWith('.log'));
  assert.deepEqual(left, [`${FOLDER}/${String(log.startOffset).padStart(20, '0')}.log`]);
  assert.equal(log.recoveryPoint, log.startOffset);
});

test('a kill in the middle of a cut leaves no hole: the newest segments go first', () => {
  const { open, inner } = setUp(0);
  const log = open();
  for (let i = 0; i < 6; i++) put(log, [[`k${i}`, 'x'.repeat(400)]]);
  const bases = () => storedIn(inner).map(({ base }) => base);
  const seen: number[][] = [];
  const rename = inner.rename.bind(inner);
  log.abandon();
  inner.rename = (from, to) => {
    seen.push(bases());
    rename(from, to);
  };
  const again = new PartitionLog(
    { disk: inner, files: new FileCache(inner, 4), tail: new TailMemory(0) },
    FOLDER,
    config,
  );
  again.open({ clean: false, recoveryPoint: 0, startOffset: 0 });
  again.truncateTo(2);
  for (const one of seen) assert.deepEqual(one, [...one.keys()], 'without a hole');
  assert.ok(seen.length > 3);
});
