import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { BATCH_HEADER_BYTES, buildBatch, crcOf } from '../proto/kafka/record-batch.ts';
import { ThreadEnded, WorkerThreads } from '../stdx/worker-threads.ts';
import type { RecordsVerdict } from './partition/packed-core.ts';

const program = new URL('./records-worker.ts', import.meta.url);
const rules = {
  isCompacted: false,
  logAppendTime: false,
  timestampBeforeMaxMs: 1e15,
  timestampAfterMaxMs: 1e15,
  codec: null,
  compressionLevel: 0,
  unpackedBytesMax: 1e8,
};

function job(count: number) {
  const records = Array.from({ length: count }, () => ({ key: null, value: Buffer.from('v') }));
  const plain = buildBatch(records, { timestampMs: 5 });
  const body = zstdCompressSync(plain.subarray(BATCH_HEADER_BYTES));
  const bytes = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES + body.length);
  plain.copy(bytes, 0, 0, BATCH_HEADER_BYTES);
  body.copy(bytes, BATCH_HEADER_BYTES);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeInt16BE(4, 21);
  bytes.writeUInt32BE(crcOf(bytes), 17);
  return { bytes, rules, nowMs: 5 };
}

test('threads judge what they are given, whoever asks, and the bytes come back', async () => {
  const threads = new WorkerThreads({ program, countMax: 2 });
  const owners = [{}, {}, {}];
  const verdicts = await Promise.all(
    Array.from({ length: 30 }, (_, i) => {
      const one = job(1 + i * 100);
      const before = Buffer.from(one.bytes);
      return threads
        .run(one, [one.bytes.buffer], owners[i % 3] as object)
        .then((verdict) => ({ verdict: verdict as RecordsVerdict, before }));
    }),
  );
  for (const { verdict, before } of verdicts) {
    assert.ok(verdict.kind === 'ok');
    assert.equal(verdict.maxTimestamp, 5);
    assert.ok(Buffer.from(verdict.bytes).equals(before));
  }
  await threads.close();
});

test('a thread that ends takes only its own job with it', async () => {
  const threads = new WorkerThreads({ program, countMax: 1 });
  const good = job(10);
  const bad = threads.run({ bytes: null }, [], {});
  const next = threads.run(good, [good.bytes.buffer], {});
  await assert.rejects(bad, ThreadEnded);
  assert.equal(((await next) as RecordsVerdict).kind, 'ok');
  await threads.close();
});
