import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildBatch,
  buildTransactionMarker,
  TRANSACTIONAL_BIT,
} from '../../proto/kafka/record-batch.ts';
import { type MemoryDisk, memoryDisk } from '../../stdx/disk-memory.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { FileCache } from './file-cache.ts';
import { PartitionLog } from './partition-log.ts';
import { checkSegment } from './segment-check.ts';
import { DamagedLog } from './stored-batches.ts';
import { TailMemory } from './tail-memory.ts';

const config = logConfig({ segmentBytes: 1500, indexIntervalBytes: 200 });
const atOnce = () => Promise.resolve();

function logOn(disk: MemoryDisk): PartitionLog {
  return new PartitionLog(
    { disk, files: new FileCache(disk, 8), tail: new TailMemory(0) },
    '/data/t-0',
    config,
  );
}

/** A log of transactions, some of them aborted, as an orderly stop left it. */
function stopped() {
  const disk = memoryDisk();
  const log = logOn(disk);
  log.open({ clean: false, recoveryPoint: 0, startOffset: 0 });
  for (let i = 0; log.segmentCount < 4; i++) {
    const of = { timestampMs: 1000 + i, producerId: 5 + (i % 2), producerEpoch: 0 };
    const data = [{ key: null, value: Buffer.from(`${i}`.repeat(20)) }];
    const baseSequence = i >> 1;
    log.append(buildBatch(data, { ...of, baseSequence, attributes: TRANSACTIONAL_BIT }), {
      leaderEpoch: 1,
    });
    log.append(buildTransactionMarker({ committed: i % 3 !== 0, coordinatorEpoch: 1 }, of), {
      leaderEpoch: 1,
    });
    log.writePending();
  }
  log.close();
  return { disk, note: log.note };
}

const { disk: original, note } = stopped();

function open(change: (disk: MemoryDisk) => void = () => {}) {
  const disk = memoryDisk();
  for (const [path, bytes] of original.files) disk.files.set(path, Buffer.from(bytes));
  const log = logOn(disk);
  log.open({ clean: true, recoveryPoint: 0, startOffset: 0 }, true, note);
  change(disk);
  return { disk, log };
}

async function checkAll(log: PartitionLog) {
  const results = [];
  for (const segment of [...log.segmentsNow])
    results.push(await checkSegment(log, segment, atOnce));
  return results;
}

test('what is as it was written is sound', async () => {
  const { log, disk } = open();
  assert.deepEqual(await checkAll(log), ['sound', 'sound', 'sound', 'sound']);
  for (const [path, bytes] of original.files) assert.deepEqual(disk.files.get(path), bytes, path);
});

test('no byte of a segment or of what stands beside it changes unnoticed', async () => {
  const closed = [...original.files.keys()].filter(
    (path) => /\d{20}\.(log|index|timeindex|txnindex)$/.test(path) && !path.includes('.snapshot'),
  );
  assert.ok(closed.some((path) => path.endsWith('.txnindex')));
  const active = Math.max(...closed.map((path) => Number(/(\d{20})\./.exec(path)?.[1])));
  for (const path of closed) {
    const isActive = Number(/(\d{20})\./.exec(path)?.[1]) === active;
    // The active segment's indexes are in memory.
    if (isActive && path.endsWith('index')) continue;
    const { length } = original.files.get(path) as Buffer;
    for (let at = 0; at < length; at++) {
      const { log, disk } = open((of) => {
        const bytes = of.files.get(path) as Buffer;
        bytes.writeUInt8(bytes.readUInt8(at) ^ 0x01, at);
      });
      const found = await checkAll(log).catch((cause: unknown) => cause);
      if (found instanceof DamagedLog) {
        assert.ok(path.endsWith('.log') || path.endsWith('.txnindex'), `${path} ${at}`);
        continue;
      }
      assert.ok(Array.isArray(found) && found.includes('repaired'), `${path} ${at}: ${found}`);
      assert.deepEqual(disk.files.get(path), original.files.get(path), `${path} ${at}`);
    }
  }
});

test('a snapshot that is damaged is removed: a start takes the one before it', async () => {
  const path = [...original.files.keys()].find((one) => one.endsWith('.snapshot')) as string;
  const { log, disk } = open((of) => {
    const bytes = of.files.get(path) as Buffer;
    bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
  });
  assert.ok((await checkAll(log)).includes('repaired'));
  assert.equal(disk.files.has(path), false);
});

test('a transaction index that memory knows is written again', async () => {
  const path = [...original.files.keys()].find((one) => one.endsWith('.txnindex')) as string;
  const { log, disk } = open();
  assert.ok(log.abortedTransactions(0, log.endOffset).length > 0);
  disk.files.set(path, Buffer.from(disk.files.get(path) as Buffer).fill(7, 3, 9));
  assert.ok((await checkAll(log)).includes('repaired'));
  assert.deepEqual(disk.files.get(path), original.files.get(path));
});

test('a segment that is cut meanwhile is nobody’s damage', async () => {
  const { log } = open();
  const [, second] = log.segmentsNow;
  assert.ok(second !== undefined);
  const result = await checkSegment(log, second, () => {
    log.truncateTo(second.baseOffset + 1);
    return Promise.resolve();
  });
  assert.equal(result, 'gone');
});

test('what was appended since a stop is part of what is known', async () => {
  const { log } = open();
  const of = { timestampMs: 5000, producerId: 5, producerEpoch: 1 };
  const data = [{ key: null, value: Buffer.from('v') }];
  log.append(buildBatch(data, { ...of, baseSequence: 0, attributes: TRANSACTIONAL_BIT }), {
    leaderEpoch: 1,
  });
  log.append(buildTransactionMarker({ committed: false, coordinatorEpoch: 1 }, of), {
    leaderEpoch: 1,
  });
  log.writePending();
  assert.deepEqual(await checkAll(log), ['sound', 'sound', 'sound', 'sound']);
});
