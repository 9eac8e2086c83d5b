import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BATCH_HEADER_BYTES,
  batch,
  batchFault,
  buildBatch,
  crcOf,
  type NewRecord,
} from '../../proto/kafka/record-batch.ts';
import { judgeBatch } from './produce-core.ts';
import { judgePlainRecords, RECORD_FAULTS_MAX, RecordsCheck } from './records-core.ts';

const NOW = 1_700_000_000_000;
const HOUR_MS = 3_600_000;
const rules = {
  isCompacted: false,
  logAppendTime: false,
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: HOUR_MS,
  codec: null,
  compressionLevel: 0,
  unpackedBytesMax: 1e8,
  maxMessageBytes: 1e6,
  segmentBytes: 1e9,
};
const some = (count: number): NewRecord[] =>
  Array.from({ length: count }, (_, i) => ({ key: Buffer.from(`k${i}`), value: Buffer.from('v') }));
const plainBatch = (records: readonly NewRecord[]) => buildBatch(records, { timestampMs: NOW });
/** What Kafka's two looks at a batch come to here. */
const judged = (b: Buffer, more: Partial<typeof rules> = {}) => {
  const of = { ...rules, ...more };
  return judgeBatch(b, of) ?? judgePlainRecords(b, of, NOW);
};
const sealed = (b: Buffer) => {
  b.writeUInt32BE(crcOf(b), 17);
  return b;
};

test('what a producer builds is taken as it is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), (count) => {
      const b = plainBatch(some(count));
      const before = Buffer.from(b);
      assert.equal(judged(b), null);
      assert.ok(b.equals(before));
    }),
  );
});

test('a batch with any one byte changed is refused, or is as whole as it was', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (where, flip) => {
      const b = plainBatch(some(5));
      // Where a batch begins, whom it is from and what its checksum is are judged elsewhere.
      const at = 21 + (where % (b.length - 21));
      b[at] = (b[at] as number) ^ flip;
      sealed(b);
      const length = b.length;
      if (judged(b) !== null) return;
      assert.equal(b.length, length);
      assert.equal(batchFault(b, 0, b.length), null, 'its checksum fits');
      assert.equal(batch.count(b), 5);
      assert.equal(batch.lastOffsetDelta(b), 4);
      assert.equal(judged(b), null, 'what was taken is taken again');
    }),
    { numRuns: 2000 },
  );
});

test('a batch cannot say that it has more or fewer records than are in it', () => {
  for (const count of [-1, 0, 1, 2, 4, 1000, 0x7fff_ffff]) {
    const b = plainBatch(some(3));
    b.writeInt32BE(count - 1, 23);
    b.writeInt32BE(count, 57);
    assert.equal(judged(sealed(b))?.error, 'INVALID_RECORD', String(count));
  }
});

test('nothing may lie behind the last record', () => {
  const b = plainBatch(some(3));
  const longer = Buffer.concat([b, Buffer.from([12, 0, 0, 6, 1, 1, 0])]);
  longer.writeInt32BE(longer.length - 12, 8);
  assert.equal(judged(sealed(longer))?.error, 'INVALID_RECORD');
});

test('the offsets of records count from 0 on, and who does not is named', () => {
  const [first, second] = [plainBatch(some(1)), plainBatch(some(2))];
  const body = first.subarray(BATCH_HEADER_BYTES);
  const twice = Buffer.concat([second.subarray(0, BATCH_HEADER_BYTES), body, body]);
  twice.writeInt32BE(twice.length - 12, 8);
  const refusal = judged(sealed(twice));
  assert.equal(refusal?.error, 'INVALID_RECORD');
  assert.deepEqual(
    refusal !== null && 'faults' in refusal && refusal.faults.map((one) => one.batchIndex),
    [1],
  );
});

test('records that are wrong are told by their number, no more than a hundred of them', () => {
  const records = [...some(2), { key: null, value: null }, ...some(1), { key: null, value: null }];
  const few = judgePlainRecords(plainBatch(records), { ...rules, isCompacted: true }, NOW);
  assert.equal(few?.error, 'INVALID_RECORD');
  assert.deepEqual(
    few?.faults.map(({ batchIndex }) => batchIndex),
    [2, 4],
  );
  const many = Array.from({ length: 1000 }, () => ({ key: null, value: null }));
  const { faults = [] } =
    judgePlainRecords(plainBatch(many), { ...rules, isCompacted: true }, NOW) ?? {};
  assert.equal(faults.length, RECORD_FAULTS_MAX);
});

test('every timestamp counts, not the largest alone, and that one is set right', () => {
  const at = (...times: number[]) =>
    plainBatch(times.map((timestampMs) => ({ key: null, value: null, timestampMs })));
  const late = judged(at(NOW, NOW + 2 * HOUR_MS, NOW));
  assert.equal(late?.error, 'INVALID_TIMESTAMP');
  assert.deepEqual(
    late !== null && 'faults' in late && late.faults.map((one) => one.batchIndex),
    [1],
  );
  const early = judged(at(5, NOW), { timestampBeforeMaxMs: HOUR_MS });
  assert.equal(early?.error, 'INVALID_TIMESTAMP');
  assert.equal(judged(at(-1, -1)), null, 'no time at all is none that is wrong');
  const b = at(NOW - 1, NOW + 5);
  b.writeBigInt64BE(3n, 35);
  assert.equal(judged(sealed(b)), null);
  assert.equal(batch.maxTimestamp(b), NOW + 5);
  assert.equal(batchFault(b, 0, b.length), null);
});

test('a time that is no time is refused, whatever comes before or after it', () => {
  for (const base of [2n ** 63n - 1n, -(2n ** 63n), 2n ** 60n]) {
    const b = plainBatch(some(1));
    b.writeBigInt64BE(base, 27);
    const refusal = judged(sealed(b), { timestampAfterMaxMs: Number.MAX_SAFE_INTEGER });
    assert.equal(refusal?.error, 'INVALID_TIMESTAMP', String(base));
  }
});

test('where the broker’s time counts it is set, and no producer may say that it was', () => {
  const append = { ...rules, logAppendTime: true };
  const b = plainBatch(some(2));
  assert.equal(judgePlainRecords(b, append, NOW + 7), null);
  assert.equal(batch.maxTimestamp(b), NOW + 7);
  assert.equal(batch.attributes(b) & 8, 8);
  assert.equal(judgePlainRecords(b, append, NOW + 7)?.error, 'INVALID_TIMESTAMP');
  const claimed = buildBatch(some(2), { timestampMs: NOW, attributes: 8 });
  assert.equal(judgePlainRecords(claimed, rules, NOW), null);
  assert.equal(batch.attributes(claimed) & 8, 0, 'here it does not');
});

test('records are judged alike in one piece and in many', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }),
      fc.array(fc.nat(40), { minLength: 1, maxLength: 20 }),
      (changes, pieces) => {
        const b = plainBatch(some(6));
        for (const [at, byte] of changes)
          b[BATCH_HEADER_BYTES + (at % (b.length - BATCH_HEADER_BYTES))] = byte;
        const whole = judgePlainRecords(Buffer.from(b), rules, NOW);
        const check = new RecordsCheck();
        check.begin(b, 0, rules, NOW);
        let from = BATCH_HEADER_BYTES;
        let end = from;
        for (let i = 0; end < b.length && !check.isBroken; i++) {
          end = Math.min(b.length, end + (pieces[i % pieces.length] ?? 0) + 1);
          from = check.take(b, from, end);
        }
        assert.deepEqual(check.finish(b.length - from), whole);
      },
    ),
    { numRuns: 500 },
  );
});
