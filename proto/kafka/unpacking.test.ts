import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { gzipSync, constants as zlib, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { xxhash32 } from '../../stdx/xxhash32.ts';
import { type Codec, CorruptCompression, compress, loadCodecs } from './compression.ts';
import { TooMuchUnpacked, UnpackedWindow, unpack } from './unpacking.ts';

before(loadCodecs);
const packers = ['gzip', 'snappy', 'lz4', 'zstd'] as const satisfies readonly Codec[];
const PLENTY = 64 * 1024 * 1024;

function unpackAll(codec: Codec, body: Buffer, bytesMax = PLENTY): Buffer {
  const window = new UnpackedWindow();
  const unpacking = unpack(codec, body, bytesMax);
  const parts: Buffer[] = [];
  try {
    while (unpacking.more(window)) {
      parts.push(Buffer.from(window.bytes.subarray(window.start, window.end)));
      window.start = window.end;
    }
  } finally {
    unpacking.close();
  }
  return Buffer.concat(parts);
}

/** Text that repeats itself, near and far, with what does not compress between. */
const texts = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((some) => Buffer.from(some)),
      fc.tuple(fc.nat(255), fc.nat(70_000)).map(([byte, count]) => Buffer.alloc(count, byte)),
      fc
        .tuple(fc.string({ minLength: 1, maxLength: 20 }), fc.nat(3000))
        .map(([word, times]) => Buffer.from(word.repeat(times))),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts));

for (const codec of packers) {
  test(`${codec}: what was packed is unpacked`, () => {
    fc.assert(
      fc.property(texts, (text) => {
        assert.ok(unpackAll(codec, compress(codec, text, 3)).equals(text));
      }),
      { numRuns: 60 },
    );
  });

  test(`${codec}: data that was cut short is refused, and data with something behind it`, () => {
    const packed = compress(codec, Buffer.from('some words, some more words, '.repeat(100)), 3);
    for (let end = 0; end < packed.length; end++) {
      // The empty framing of snappy is one of no blocks.
      if (codec === 'snappy' && end === 16) continue;
      assert.throws(() => unpackAll(codec, packed.subarray(0, end)), CorruptCompression, `${end}`);
    }
    for (const rest of [[0], [1], [0, 0, 0, 0], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]])
      assert.throws(
        () => unpackAll(codec, Buffer.concat([packed, Buffer.from(rest)])),
        CorruptCompression,
        String(rest),
      );
  });

  test(`${codec}: changed data is refused or unpacked within its bound, and the next is as before`, () => {
    const text = Buffer.from(
      'a text that says little, little, little, and says it again. '.repeat(50),
    );
    const packed = compress(codec, text, 3);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(packed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (changes) => {
          const changed = Buffer.from(packed);
          for (const [at, byte] of changed.length > 0 ? changes : []) changed[at] = byte;
          try {
            assert.ok(unpackAll(codec, changed, 10_000).length <= 10_000);
          } catch (cause) {
            assert.ok(cause instanceof CorruptCompression, String(cause));
          }
          assert.ok(unpackAll(codec, packed).equals(text));
        },
      ),
      { numRuns: 300 },
    );
  });

  test(`${codec}: garbage is refused`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), (garbage) => {
        try {
          assert.ok(unpackAll(codec, Buffer.from(garbage), 100_000).length <= 100_000);
        } catch (cause) {
          assert.ok(cause instanceof CorruptCompression, String(cause));
        }
      }),
      { numRuns: 500 },
    );
  });

  test(`${codec}: a bomb is refused when the bound is reached, with little memory`, () => {
    const bomb = compress(codec, Buffer.alloc(32 * 1024 * 1024), 3);
    const window = new UnpackedWindow();
    const unpacking = unpack(codec, bomb, 1024 * 1024);
    assert.throws(() => {
      while (unpacking.more(window)) window.start = window.end;
    }, TooMuchUnpacked);
    unpacking.close();
    assert.ok(window.bytes.length < 6 * 1024 * 1024, `${window.bytes.length} bytes of memory`);
  });
}

test('snappy without framing, which other clients send', () => {
  const words = Buffer.from('words '.repeat(20));
  const framed = compress('snappy', words, 0);
  assert.ok(unpackAll('snappy', framed.subarray(20)).equals(words));
});

test('a snappy block is not believed what it says it unpacks to', () => {
  for (const head of [
    [0xff, 0xff, 0xff, 0xff, 0x0f],
    [0x80, 0x80, 0x80, 0xd0, 0x05],
  ])
    assert.throws(
      () => unpackAll('snappy', Buffer.from([...head, 0, 0]), 2 ** 40),
      CorruptCompression,
    );
});

test('several members of gzip and several frames of zstd are one body', () => {
  const [a, b] = [Buffer.from('one '.repeat(30)), Buffer.from('two '.repeat(30_000))];
  const both = Buffer.concat([a, b]);
  assert.ok(unpackAll('gzip', Buffer.concat([gzipSync(a), gzipSync(b)])).equals(both));
  assert.ok(
    unpackAll('zstd', Buffer.concat([zstdCompressSync(a), zstdCompressSync(b)])).equals(both),
  );
});

test('zstd of every window, with and without checksum and size', () => {
  const text = Buffer.from('a word and a number: 17; '.repeat(20_000));
  for (const windowLog of [10, 17, 23])
    for (const checksum of [0, 1])
      for (const size of [0, 1]) {
        const params = {
          [zlib.ZSTD_c_windowLog]: windowLog,
          [zlib.ZSTD_c_checksumFlag]: checksum,
          [zlib.ZSTD_c_contentSizeFlag]: size,
        };
        const packed = zstdCompressSync(text, { params });
        assert.ok(unpackAll('zstd', packed).equals(text));
        if (checksum === 0) continue;
        packed[packed.length - 1] = (packed.at(-1) as number) ^ 1;
        assert.throws(() => unpackAll('zstd', packed), CorruptCompression);
      }
});

/** A frame as Go's clients write it: checksums of blocks and content, and the size. */
function lz4Frame(content: Buffer, flags: number, change: (b: Buffer) => void = () => {}): Buffer {
  const block = content;
  const size = Buffer.alloc((flags & 8) !== 0 ? 8 : 0);
  if (size.length > 0) size.writeBigUInt64LE(BigInt(content.length));
  const head = Buffer.concat([Buffer.from([0x04, 0x22, 0x4d, 0x18, flags, 0x40]), size]);
  const sum = (bytes: Buffer) => {
    const b = Buffer.alloc(4);
    b.writeUInt32LE(xxhash32(bytes));
    return b;
  };
  const length = Buffer.alloc(4);
  length.writeUInt32LE(0x8000_0000 + block.length);
  const frame = Buffer.concat([
    head,
    Buffer.from([(xxhash32(head, 4) >>> 8) & 0xff]),
    length,
    block,
    ...((flags & 0x10) !== 0 ? [sum(block)] : []),
    Buffer.alloc(4),
    ...((flags & 4) !== 0 ? [sum(content)] : []),
  ]);
  change(frame);
  return frame;
}

test('LZ4 frames with checksums and sizes are unpacked, and refused where those are wrong', () => {
  const content = Buffer.from('what does not compress at all');
  for (const extra of [0, 4, 8, 0x10, 0x1c]) {
    const flags = 0x60 | extra;
    assert.ok(unpackAll('lz4', lz4Frame(content, flags)).equals(content), `flags ${flags}`);
  }
  for (const extra of [4, 0x10])
    assert.throws(
      () =>
        unpackAll(
          'lz4',
          lz4Frame(content, 0x60 | extra, (b) => {
            b[25] = (b[25] as number) ^ 1;
          }),
        ),
      CorruptCompression,
    );
  // Blocks that need those before them: Kafka's own reader refuses them.
  assert.throws(() => unpackAll('lz4', lz4Frame(content, 0x40)), CorruptCompression);
});

test('a checksum of pieces is that of the whole', () => {
  // From the specification of xxHash.
  assert.equal(xxhash32(Buffer.alloc(0)), 0x02cc5d05);
  assert.equal(xxhash32(Buffer.from('Nobody inspects the spammish repetition')), 0xe2293b2f);
});
