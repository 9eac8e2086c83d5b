/**
 * Every bit of every file of a log directory is flipped once, after an orderly stop and after a kill: a start
 * then finds exactly what was there, or it knows that it does not.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  batch,
  buildBatch,
  buildTransactionMarker,
  TRANSACTIONAL_BIT,
} from '../../proto/kafka/record-batch.ts';
import { type MemoryDisk, memoryDisk } from '../../stdx/disk-memory.ts';
import { createLogger } from '../../stdx/logger.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { FileCache } from './file-cache.ts';
import { LogDirectories } from './log-directories.ts';
import type { Kept } from './log-directory.ts';
import type { LogRead } from './log-reads.ts';
import type { PartitionLog } from './partition-log.ts';
import { TailMemory } from './tail-memory.ts';

const logger = { ...createLogger({ level: 'error', format: 'text' }), warn: () => {} };
const config = logConfig({ segmentBytes: 700, indexIntervalBytes: 100 });
const topics = [
  { topic: 'plain', partition: 0, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' },
  { topic: 'trans-actions', partition: 0, topicId: 'BBBBBBBBBBBBBBBBBBBBBB' },
];
const EPOCH = 7;
/** 1 takes half a minute; with 7 every eighth bit of a file and every bit of a byte has its turn. */
const STRIDE = 7;
const life = { epoch: EPOCH, keptSince: 3, incarnation: 'life' };

function open(disk: MemoryDisk) {
  const deps = { disk, files: new FileCache(disk, 100), tail: new TailMemory(0), logger };
  const directories = new LogDirectories(deps, ['/d'], 'boot');
  directories.claim({ clusterId: 'cluster', nodeId: 1, newId: () => 'directory' });
  return directories;
}

function fill(log: PartitionLog, isTransactional: boolean): void {
  let sequence = 0;
  for (let i = 0; i < 14; i++) {
    const producer = { timestampMs: 1000 + i, producerId: 5 + (i % 2), producerEpoch: 1 };
    const record = { key: Buffer.from(`k${i}`), value: Buffer.alloc(30, `v${i}`) };
    const attributes = isTransactional ? TRANSACTIONAL_BIT : 0;
    log.append(buildBatch([record], { ...producer, baseSequence: sequence, attributes }), {
      leaderEpoch: 1 + Math.floor(i / 5),
    });
    if (i % 2 === 1) sequence++;
    if (isTransactional && i % 2 === 1)
      for (const producerId of [5, 6])
        log.append(
          buildTransactionMarker(
            { committed: i % 4 === 1, coordinatorEpoch: 2 },
            { ...producer, producerId },
          ),
          { leaderEpoch: 1 + Math.floor(i / 5) },
        );
    log.writePending();
  }
}

/** A directory as a stop or a kill left it. */
async function written(isOrderly: boolean): Promise<MemoryDisk> {
  const disk = memoryDisk();
  const directories = open(disk);
  directories.noteLife(life);
  const kept: Kept[] = topics.map((id, i) => {
    const { log } = directories.openLog(id, config);
    fill(log, i === 1);
    return { ...id, log, highWatermark: log.endOffset };
  });
  for (const { log } of kept) await log.flush();
  (kept[0] as Kept).log.advanceStartOffset(3);
  directories.checkpoint(kept);
  for (const { topic, topicId, partition } of kept)
    directories.noteLine(
      {
        topic,
        topicId,
        partition,
        leader: { id: 1, epoch: EPOCH },
        leaderEpoch: 3,
        partitionEpoch: 4,
        replicas: [1],
        isr: [{ id: 1, epoch: EPOCH }],
        elr: [],
        adding: [],
        removing: [],
      },
      'digest',
    );
  directories.saveLinesNow();
  if (!isOrderly) return disk;
  for (const { log } of kept) log.close();
  for (const { log } of kept) await log.flush();
  directories.checkpoint(kept);
  directories.markClean(EPOCH, kept);
  return disk;
}

async function contentOf(log: PartitionLog): Promise<string[]> {
  const found: string[] = [];
  for (let offset = log.startOffset; offset < log.endOffset; ) {
    const request = { offset, bytesMax: 1, endOffset: log.endOffset, atLeastOne: true };
    const { buffers } = (await log.read(request)) as LogRead;
    const bytes = Buffer.concat(buffers as Buffer[]);
    assert.ok(bytes.length > 0, `nothing at ${offset}`);
    found.push(bytes.toString('base64'));
    const last = Number(bytes.readBigInt64BE(0)) + bytes.readInt32BE(23) + 1;
    assert.ok(last > offset, `no progress at ${offset}`);
    offset = last;
  }
  return found;
}

async function stateOf(log: PartitionLog) {
  const { endOffset, startOffset, epochs, producers } = log;
  const content = await contentOf(log);
  return {
    endOffset,
    startOffset,
    epochs: epochs.all,
    // A scan remembers more of a producer's batches than a snapshot, and the times of all of them.
    producers: [...producers.entries()].map(([id, { batches, ...of }]) => {
      const { baseSequence, lastSequence, lastOffset } = batches.at(-1) ?? {};
      return { id, ...of, baseSequence, lastSequence, lastOffset };
    }),
    aborted: log
      .abortedTransactions(startOffset, endOffset)
      .map(({ firstOffset, lastOffset, lastStableOffset, producerId }) => [
        producerId,
        firstOffset,
        lastOffset,
        lastStableOffset,
      ]),
    content,
    newest: log.maxTimestamp,
    isSearchable: isSearchable(log, content),
  };
}

/** Whether who looks for a time begins to read at or before the first record of it. */
function isSearchable(log: PartitionLog, content: readonly string[]): boolean {
  const batches = content.map((text) => Buffer.from(text, 'base64'));
  return batches.every((of) => {
    const timestampMs = Number(of.readBigInt64BE(35));
    const first = batches.find((one) => Number(one.readBigInt64BE(35)) >= timestampMs) as Buffer;
    const found = log.segmentForTimestamp(timestampMs);
    return found !== null && found.readFrom <= Number(first.readBigInt64BE(0));
  });
}

interface Start {
  /** The broker may claim that it has all that it had. */
  readonly keeps: boolean;
  readonly scannedBytes: number;
  readonly states: readonly { highWatermark: number; state: Awaited<ReturnType<typeof stateOf>> }[];
}

/** What a broker does at a start, up to where it says what it has. */
async function start(disk: MemoryDisk): Promise<Start | string> {
  let directories: LogDirectories;
  try {
    directories = open(disk);
  } catch (cause) {
    return (cause as Error).message;
  }
  const { keptWrites, former } = directories;
  let isClean = keptWrites && former?.epoch === EPOCH && former.keptSince === 3;
  let scannedBytes = 0;
  const states: Start['states'][number][] = [];
  const present = directories.present();
  if (directories.damaged.length > 0) isClean = false;
  for (const id of topics) {
    const isThere = present.some(({ topicId }) => topicId === id.topicId);
    try {
      const { log, highWatermark, recovery } = directories.openLog(id, config);
      isClean &&= recovery.clean && (isThere || log.endOffset > 0);
      scannedBytes += recovery.scannedBytes;
      states.push({ highWatermark, state: await stateOf(log) });
    } catch (cause) {
      assert.ok(
        !(cause instanceof TypeError || cause instanceof RangeError),
        (cause as Error).stack,
      );
      isClean = false;
    }
  }
  return { keeps: isClean, scannedBytes, states };
}

const copyOf = (disk: MemoryDisk): MemoryDisk => {
  const copy = memoryDisk();
  for (const [path, bytes] of disk.files) copy.files.set(path, Buffer.from(bytes));
  copy.makeFolder('/d');
  return copy;
};

/** What a start makes of every flipped bit of the files that are asked for; those that are taken for a truth. */
async function flipAll(disk: MemoryDisk, asks: (path: string) => boolean, stride: number) {
  const whole = (await start(copyOf(disk))) as Start;
  assert.equal(whole.keeps, true);
  const counts = { same: 0, lost: 0, refused: 0 };
  const wrong: string[] = [];
  let files = 0;
  for (const [path, bytes] of disk.files) {
    if (!asks(path)) continue;
    // Most of that one is blank.
    const step = path.endsWith('/tenure-directory.json') ? 13 * stride : stride;
    for (let bit = files++ % stride; bit < bytes.length * 8; bit += step) {
      const damaged = copyOf(disk);
      const flipped = damaged.files.get(path) as Buffer;
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      const found = await start(damaged);
      if (typeof found === 'string') counts.refused++;
      else if (!found.keeps) counts.lost++;
      else if (JSON.stringify(found.states) === JSON.stringify(whole.states)) counts.same++;
      else wrong.push(`${path} bit ${bit}`);
    }
  }
  return { counts, wrong, whole };
}

for (const isOrderly of [true, false])
  test(`no flipped bit is taken for a truth: after ${isOrderly ? 'an orderly stop' : 'a kill'}`, async (t) => {
    // What lies in batches is covered by their own checksums, and by those who read them.
    const disk = await written(isOrderly);
    const { counts, whole, wrong } = await flipAll(disk, (path) => !path.endsWith('.log'), STRIDE);
    t.diagnostic(JSON.stringify(counts));
    assert.equal(whole.scannedBytes > 0, !isOrderly);
    assert.deepEqual(wrong, []);
  });

test('no flipped bit in a batch that a scan reads costs a record unnoticed', async (t) => {
  const disk = await written(false);
  for (const { topic } of topics) {
    const active = [...disk.files.keys()].filter(
      (path) => path.startsWith(`/d/${topic}-0/`) && path.endsWith('.log'),
    );
    const path = active.sort().at(-1) as string;
    const { counts, wrong } = await flipAll(disk, (one) => one === path, 3);
    t.diagnostic(JSON.stringify(counts));
    // Base offset and leader epoch are outside of the sum, and follow only from the batches around them.
    const bytes = disk.files.get(path) as Buffer;
    let last = 0;
    while (last + batch.byteCount(bytes, last) < bytes.length) last += batch.byteCount(bytes, last);
    const isEpoch = (at: number, of: number) => at >= of + 12 && at < of + 16;
    const canTell = (at: number) =>
      !isEpoch(at, 0) && !isEpoch(at, last) && (at < last || at >= last + 8);
    const missed = wrong.map((of) => Number(of.split(' ').at(-1)) >> 3);
    assert.deepEqual(missed.filter(canTell), []);
  }
});
