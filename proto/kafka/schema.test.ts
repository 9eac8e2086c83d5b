import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { plainFrame } from '../../test/support/hostile-frames.ts';
import { MalformedMessage, Reader, TooManyAtOnce, Unencodable, Writer } from './cursor.ts';
import { apis } from './messages/index.ts';
import { message, sentence, string } from './schema.ts';

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

const name = message({ name: 'Name', versions: [0, 1], flexibleSince: 1 }, { name: string });
const framed = (bytes: Buffer, version: number) => {
  const size = version === 0 ? Buffer.alloc(2) : Buffer.alloc(3);
  if (version === 0) size.writeInt16BE(bytes.length);
  else {
    const length = bytes.length + 1;
    size.set([(length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14]);
  }
  return Buffer.concat(version === 0 ? [size, bytes] : [size, bytes, Buffer.from([0])]);
};

test('every string that can be read can be written, whatever its bytes are', () => {
  const pattern = fc.oneof(
    fc.constantFrom(
      [0xff],
      [0xed, 0xa0, 0x80],
      [0xf0, 0x9f],
      [0x61],
      [0],
      [0xf0, 0x9f, 0x98, 0x80],
    ),
    fc.array(fc.nat(255), { minLength: 1, maxLength: 6 }),
  );
  const byteCount = fc.oneof(fc.nat(40), fc.constantFrom(10_922, 10_923, 32_766, 32_767));
  let refused = 0;
  fc.assert(
    fc.property(pattern, byteCount, fc.nat(1), (bytes, length, version) => {
      const content = Buffer.alloc(length, Buffer.from(bytes));
      let read: { name: string };
      try {
        read = name.decode(framed(content, version), version);
      } catch (cause) {
        assert.ok(cause instanceof MalformedMessage);
        refused++;
        return;
      }
      assert.deepEqual(name.decode(name.encode(read, version), version), read);
    }),
    { numRuns: 2_000 },
  );
  assert.ok(refused > 50);
});

test('a name that is too long is not written, and of a sentence as much as fits', () => {
  const said = message({ name: 'Said', versions: [0, 0] }, { why: sentence });
  const long = '\u{1f600}'.repeat(0x7fff);
  assert.throws(() => name.encode({ name: long }, 0), Unencodable);
  const { why } = said.decode(said.encode({ why: long }, 0), 0);
  assert.ok(long.startsWith(why.slice(0, -1)));
  assert.ok(Buffer.byteLength(why) > 0x7fff / 4);
});

function run<T>(steps: Generator<void, T>): { value: T; count: number } {
  for (let count = 0; ; count++) {
    const step = steps.next();
    if (step.done === true) return { value: step.value, count };
  }
}

test('in steps every request is read and written as at once', () => {
  for (const { request } of Object.values(apis)) {
    for (let version = request.versions[0]; version <= request.versions[1]; version++) {
      const bytes = plainFrame({ key: 0, request }, version);
      const from = bytes.indexOf('ready') + 5 + (request.isFlexible(version) ? 1 : 0);
      const body = bytes.subarray(from);
      const atOnce = request.decode(body, version) as object;
      const { value } = run(
        request.readInSteps(new Reader(body), version) as Generator<void, object>,
      );
      assert.deepEqual(value, atOnce);
      const w = new Writer();
      run(request.writeInSteps(w, version, value as never));
      assert.deepEqual(w.toBuffer(), request.encode(value as never, version));
    }
  }
});

test('many elements are read and written in many steps, or not at all where that is too many', () => {
  const { request } = apis.Metadata;
  const topics = Array.from({ length: 10_000 }, (_, i) => ({ name: `t${i}` }));
  const w = new Writer();
  const written = run(request.writeInSteps(w, 8, { topics }));
  const bytes = w.toBuffer();
  const read = run(request.readInSteps(new Reader(bytes), 8));
  assert.ok(written.count > 300 && read.count > 300);
  assert.deepEqual(read.value, request.decode(bytes, 8));
  const reader = new Reader(bytes);
  reader.elementsLeft = 9_999;
  assert.throws(() => request.read(reader, 8), TooManyAtOnce);
  const writer = new Writer();
  writer.elementsLeft = 9_999;
  assert.throws(() => request.write(writer, 8, { topics }), TooManyAtOnce);
});
