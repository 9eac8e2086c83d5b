import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../../stdx/crc32c.ts';
import { decodeProducers, encodeProducers } from './producer-snapshot.ts';
import { type Producer, type ProducerBatch, sequencePlus } from './sequence-core.ts';

const size = fc.integer({ min: 1, max: 0x7fff_ffff });
/** Distances to the batch before; compaction may have taken some in between. */
const steps = fc.array(
  fc.record({ gap: fc.integer({ min: 0, max: 2 ** 33 }), count: size, lost: fc.nat(0x7fff_0000) }),
  { maxLength: 5 },
);
const producer = fc
  .record({
    firstSequence: fc.nat(0x7fff_ffff),
    firstOffset: fc.nat(2 ** 40),
    steps,
    epoch: fc.integer({ min: 0, max: 0x7fff }),
    lastTimestampMs: fc.integer({ min: -1, max: 2 ** 45 }),
    coordinatorEpoch: fc.integer({ min: -1, max: 0x7fff_ffff }),
    txnFirstOffset: fc.integer({ min: -1, max: 2 ** 45 }),
    seenAt: fc.integer({ min: -1, max: 2 ** 34 - 1 }),
  })
  .map(({ firstSequence, firstOffset, steps: list, ...rest }): Producer => {
    let [sequence, offset] = [firstSequence, firstOffset];
    const batches: ProducerBatch[] = [];
    for (const { gap, count, lost } of list) {
      const baseSequence = sequencePlus(sequence, lost);
      const baseOffset = offset + gap;
      const lastSequence = sequencePlus(baseSequence, count - 1);
      batches.push({ baseSequence, lastSequence, baseOffset, lastOffset: baseOffset + count - 1 });
      sequence = sequencePlus(lastSequence, 1);
      offset = baseOffset + count;
    }
    return { ...rest, batches };
  });
const producers = fc
  .uniqueArray(fc.tuple(fc.nat(2 ** 50), producer), { selector: ([id]) => id, maxLength: 8 })
  .map((list) => new Map(list));

test('a snapshot gives back every producer with all of its batches (property)', () => {
  fc.assert(
    fc.property(producers, (before) => {
      assert.deepEqual(decodeProducers(encodeProducers(before)), before);
    }),
  );
});

test('a flipped bit or a cut is noticed (property)', () => {
  fc.assert(
    fc.property(producers, fc.nat(), fc.nat(7), fc.boolean(), (before, where, bit, cut) => {
      const bytes = encodeProducers(before);
      const at = where % bytes.length;
      if (cut) return assert.equal(decodeProducers(bytes.subarray(0, at)), null);
      bytes[at] = (bytes[at] as number) ^ (1 << bit);
      assert.equal(decodeProducers(bytes), null);
    }),
  );
});

const BATCHES = [0, 1, 2].map((i) => ({
  baseSequence: i * 2,
  lastSequence: i * 2 + 1,
  baseOffset: 10 + i * 5,
  lastOffset: 11 + i * 5,
}));
const one: Producer = {
  epoch: 2,
  batches: BATCHES,
  lastTimestampMs: 9,
  coordinatorEpoch: 4,
  txnFirstOffset: 10,
  seenAt: 21,
};

/** Kafka's entries alone, with their checksum. */
function kafkaPart(snapshot: Buffer): Buffer {
  const bytes = Buffer.from(snapshot.subarray(0, 6 + 4 + 46));
  bytes.writeUInt32BE(crc32c(bytes, 6), 2);
  return bytes;
}

test('what Kafka reads is its own format: the last batch of each producer', () => {
  const bytes = encodeProducers(new Map([[77, one]]));
  assert.equal(bytes.readInt16BE(0), 1);
  assert.equal(bytes.readUInt32BE(2), crc32c(bytes, 6), 'its checksum covers the whole file');
  const r = bytes.subarray(6);
  assert.equal(r.readInt32BE(0), 1);
  assert.equal(Number(r.readBigInt64BE(4)), 77);
  assert.equal(r.readInt16BE(12), 2);
  assert.equal(r.readInt32BE(14), 5, 'last sequence');
  assert.equal(Number(r.readBigInt64BE(18)), 21, 'last offset');
  assert.equal(r.readInt32BE(26), 1, 'offset delta');
  assert.equal(Number(r.readBigInt64BE(30)), 9);
  assert.equal(r.readInt32BE(38), 4);
  assert.equal(Number(r.readBigInt64BE(42)), 10);
});

test('a snapshot of Kafka, or of an older version, gives the last batch', () => {
  const found = decodeProducers(kafkaPart(encodeProducers(new Map([[77, one]]))));
  assert.deepEqual(found, new Map([[77, { ...one, batches: BATCHES.slice(-1) }]]));
});
