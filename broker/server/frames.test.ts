import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameReader, FrameTooLarge } from './frames.ts';

function frame(body: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(body.length);
  return Buffer.concat([head, body]);
}

/** Feeds bytes as a socket would: into the buffer that the reader offers, in pieces of any size. */
function feed(bytes: Buffer, cuts: readonly number[], direct: boolean): string[] {
  const got: string[] = [];
  const reader = new FrameReader(
    { onFrame: (body) => got.push(Buffer.from(body).toString('hex')) },
    1e6,
  );
  let at = 0;
  let i = 0;
  while (at < bytes.length) {
    const want = Math.max(1, cuts[i++ % cuts.length] ?? 1);
    if (direct) {
      const target = reader.next();
      const count = bytes.copy(
        target,
        0,
        at,
        Math.min(bytes.length, at + want, at + target.length),
      );
      at += count;
      reader.onRead(count);
    } else {
      reader.onBytes(bytes.subarray(at, at + want));
      at += want;
    }
  }
  return got;
}

test('frames come out whole and in order however the bytes arrive', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      (bodies, cuts, direct) => {
        const bytes = Buffer.concat(bodies.map(frame));
        assert.deepEqual(
          feed(bytes, cuts, direct),
          bodies.map((body) => Buffer.from(body).toString('hex')),
        );
      },
    ),
    { numRuns: 300 },
  );
});

test('a large frame in small pieces arrives intact', () => {
  const body = Buffer.alloc(700_000, 7);
  assert.deepEqual(feed(frame(body), [1000], true), [body.toString('hex')]);
});

test('an announced size beyond the limit, or below zero, is refused before anything is allocated', () => {
  for (const size of [2_000_000_000, -1, -2_000_000_000]) {
    const reader = new FrameReader({ onFrame() {} }, 1e6);
    const head = Buffer.alloc(4);
    head.writeInt32BE(size);
    assert.throws(() => reader.onBytes(head), FrameTooLarge);
  }
});
