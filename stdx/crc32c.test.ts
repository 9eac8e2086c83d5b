import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c, crc32cPortable } from './crc32c.ts';

test('the checksum of "123456789" is the one that the standard names', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
});

test('native and portable forms agree on every range', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), fc.nat(100), (bytes, start) => {
      const buffer = Buffer.from(bytes);
      const from = Math.min(start, buffer.length);
      assert.equal(crc32c(buffer, from), crc32cPortable(buffer, from, buffer.length));
    }),
  );
});
