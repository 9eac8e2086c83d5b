import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BATCH_HEADER_BYTES, buildBatch, type NewRecord, recordsOf } from './record-batch.ts';
import { BROKEN, MORE, RecordWalk } from './record-walk.ts';

const NOW = 1_700_000_000_000;
const bytes = fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some));
const record = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  timestampMs: fc.oneof(
    fc.integer({ min: NOW - 100, max: NOW + 100 }),
    fc.maxSafeInteger().filter((ms) => Math.abs(ms) < 2 ** 50),
  ),
  headers: fc.array(fc.record({ key: fc.string(), value: fc.option(bytes) }), { maxLength: 3 }),
});
const recordLists = fc.array(record, { minLength: 1, maxLength: 20 });
const bodyOf = (records: readonly NewRecord[]) =>
  buildBatch(records, { timestampMs: NOW }).subarray(BATCH_HEADER_BYTES);

/** How the records of a body are read when no more than `atHand` bytes are there at first. */
function readAll(body: Buffer, atHand = body.length) {
  const walk = new RecordWalk();
  const read: { at: number; end: number; key: string | null; deltas: number[] }[] = [];
  let at = 0;
  let end = Math.min(atHand, body.length);
  while (at < body.length) {
    const next = walk.read(body, at, end);
    if (next === BROKEN) return { read, fault: walk.fault };
    if (next === MORE) {
      if (at + walk.wanted > body.length) return { read, fault: 'cut' };
      assert.ok(at + walk.wanted > end, 'what is wanted is more than is there');
      end = at + walk.wanted;
      continue;
    }
    assert.ok(next > at && next <= end);
    const { keyAt, keyLength, timestampDelta, offsetDelta } = walk;
    const key = keyLength < 0 ? null : body.toString('latin1', keyAt, keyAt + keyLength);
    read.push({ at, end: next, key, deltas: [timestampDelta, offsetDelta] });
    at = next;
  }
  return { read, fault: null };
}

test('every record that is written is read as it was written, however little of it is at hand', () => {
  fc.assert(
    fc.property(recordLists, fc.nat(400), (records, atHand) => {
      const body = bodyOf(records);
      const { read, fault } = readAll(body, atHand);
      assert.equal(fault, null);
      assert.deepEqual(
        read.map(({ key, deltas }) => [key, ...deltas]),
        records.map(({ key, timestampMs }, i) => [
          key === null ? null : key.toString('latin1'),
          timestampMs - NOW,
          i,
        ]),
      );
      assert.equal(read.at(-1)?.end, body.length);
    }),
  );
});

test('what was changed is read within its bytes, as the plain reader does, or refused', () => {
  fc.assert(
    fc.property(
      recordLists,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (records, changes) => {
        const whole = buildBatch(records, { timestampMs: NOW });
        const body = whole.subarray(BATCH_HEADER_BYTES);
        for (const [at, byte] of changes) body[at % body.length] = byte;
        const { read, fault } = readAll(body);
        if (fault !== null) return;
        whole.writeInt32BE(read.length, 57);
        const plain = [...recordsOf(whole)];
        assert.deepEqual(
          read.map(({ key, deltas }) => [key, deltas[1]]),
          plain.map(({ key, offset }) => [key === null ? null : key.toString('latin1'), offset]),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test('a field that reaches beyond its record breaks it, also where the next record lies there', () => {
  const two = bodyOf([
    { key: Buffer.from('k'), value: Buffer.from('v') },
    { key: Buffer.from('k'), value: Buffer.from('v') },
  ]);
  const size = two.length / 2;
  for (let at = 4; at < size; at++) {
    for (const byte of [size * 2, (size + 3) * 2, 126]) {
      const b = Buffer.from(two);
      const before = b[at];
      b[at] = byte;
      if (before === byte) continue;
      const walk = new RecordWalk();
      const end = walk.read(b, 0, b.length);
      assert.ok(end === BROKEN || end === size, `byte ${at} as ${byte}: ${end}`);
    }
  }
});

test('a record whose length is negative or too short is none', () => {
  const body = bodyOf([{ key: null, value: null }]);
  for (const length of [0, 1, 2, 3, 10, 13]) {
    const b = Buffer.from(body);
    b[0] = length;
    assert.equal(new RecordWalk().read(b, 0, b.length), BROKEN, String(length));
  }
});

test('a length of more bytes than it may have is none', () => {
  const b = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0]);
  assert.equal(new RecordWalk().read(b, 0, b.length), BROKEN);
  assert.equal(new RecordWalk().read(b, 0, 3), MORE);
});
