/** Record batches that Apache Kafka wrote: headers, checksums and records as it says they are. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { batch, batchFault, recordsOf, stampBatch } from '../../proto/kafka/record-batch.ts';

const file = new URL(
  '../../../shared/kafka-protocol/vectors/record-batches.jsonl',
  import.meta.url,
);
const skip = existsSync(file) ? false : 'the golden record batches are not beside this checkout';

test('every field of every golden batch is read as Kafka reads it', { skip }, () => {
  let checked = 0;
  for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
    const of = JSON.parse(line);
    const bytes = Buffer.from(of.hex, 'hex');
    assert.equal(batchFault(bytes, 0, bytes.length), null, of.name);
    assert.equal(batch.baseOffset(bytes), of.baseOffset, of.name);
    assert.equal(batch.lastOffset(bytes), of.lastOffset, of.name);
    assert.equal(batch.crc(bytes), of.crc, of.name);
    assert.equal(batch.count(bytes), of.count, of.name);
    assert.equal(Number(batch.producerId(bytes)), Number(of.producerId), of.name);
    assert.equal(batch.baseSequence(bytes), of.baseSequence, of.name);
    if (of.codec === 'none' && of.controlType === undefined && of.records.length > 0) {
      const records = [...recordsOf(bytes)];
      assert.deepEqual(
        records.map((r) => [
          r.offset,
          r.key?.toString('base64') ?? null,
          r.value?.toString('base64') ?? null,
        ]),
        of.records.map((r: { offset: number; key: string; value: string }) => [
          r.offset,
          r.key,
          r.value,
        ]),
        of.name,
      );
    }
    stampBatch(bytes, 0, 123456789012, 42);
    assert.equal(
      batchFault(bytes, 0, bytes.length),
      null,
      'offset and epoch lie outside the checksum',
    );
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
    assert.equal(batchFault(bytes, 0, bytes.length), 'crc', of.name);
    checked++;
  }
  assert.ok(checked > 50);
});
