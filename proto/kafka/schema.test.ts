import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MalformedMessage } from './cursor.ts';
import { apis } from './messages/index.ts';

test('random bytes are refused as malformed or understood, for every request in every version', () => {
  for (const { request } of Object.values(apis)) {
    for (let version = request.versions[0]; version <= request.versions[1]; version++) {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
          try {
            request.decode(Buffer.from(bytes), version);
          } catch (cause) {
            assert.ok(cause instanceof MalformedMessage, `${request.name} v${version}: ${cause}`);
          }
        }),
        { numRuns: 20 },
      );
    }
  }
});

test('an array that claims a billion elements costs nothing', () => {
  const bytes = Buffer.alloc(20);
  bytes.writeInt32BE(1_000_000_000, 0);
  assert.throws(() => apis.Metadata.request.decode(bytes, 4), MalformedMessage);
});
