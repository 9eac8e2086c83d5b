import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedMessage } from './cursor.ts';
import { BATCH_HEADER_BYTES, buildBatch, recordsOf } from './record-batch.ts';

/** A batch that says it has many records, and whose first one does not go forward. */
function trap(lengthByte: number): Buffer {
  const b = buildBatch([{ key: null, value: Buffer.from('v') }], { timestampMs: 1 });
  b.writeInt32BE(0x7fff_ffff, 57);
  b[BATCH_HEADER_BYTES] = lengthByte;
  return b;
}

test('records that do not go forward are malformed, however many there are said to be', () => {
  // Varints: -1, 0, and a record that is too short to be one.
  for (const lengthByte of [1, 0, 4])
    assert.throws(() => [...recordsOf(trap(lengthByte))], MalformedMessage);
});

test('records end where their batch does', () => {
  const b = buildBatch([{ key: null, value: Buffer.from('v') }], { timestampMs: 1 });
  assert.equal([...recordsOf(b)].length, 1);
  b.writeInt32BE(1000, 57);
  assert.throws(() => [...recordsOf(b)], MalformedMessage);
});
