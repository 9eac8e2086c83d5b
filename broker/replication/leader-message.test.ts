import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Slab } from '../log/tail-memory.ts';
import { DataFrame } from './leader-message.ts';
import { decodeLeaderMessage } from './services.ts';

const offset = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const slab = new Slab();
let holds = 0;
const memory = {
  hold: () => void holds++,
  release: () => void holds--,
};
const data = fc.record({
  handle: fc.nat(),
  leaderEpoch: fc.nat(),
  highWatermark: offset,
  logStartOffset: offset,
  records: fc.array(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    { maxLength: 4 },
  ),
  slabs: fc.constant([slab]),
});

test('bytes written by hand are what replication.proto says', () => {
  fc.assert(
    fc.property(fc.array(data, { minLength: 1, maxLength: 5 }), (list) => {
      const frame = new DataFrame(list, memory);
      assert.equal(holds, list.length, 'the memory is held while the frame waits');
      const bytes = Buffer.alloc(frame.byteLength + 5);
      assert.equal(frame.copy(bytes, 5), frame.byteLength);
      assert.equal(holds, 0);
      const read = decodeLeaderMessage(bytes.subarray(5));
      assert.deepEqual(
        read.data?.map((one) => ({ ...one })),
        list.map(({ handle, leaderEpoch, highWatermark, logStartOffset, records }) => ({
          handle,
          leaderEpoch,
          highWatermark,
          logStartOffset,
          records: Buffer.concat(records),
        })),
      );
      assert.deepEqual(read.refusal, []);
    }),
  );
});
