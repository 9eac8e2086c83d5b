import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DiskError } from '../../stdx/disk.ts';
import { type MemoryDisk, memoryDisk } from '../../stdx/disk-memory.ts';
import { seal } from './sealed-text.ts';
import { readSteady, writeSteady } from './steady-file.ts';

const PATH = '/d/f';
const text = fc.string({ unit: 'binary', maxLength: 300 });

function written(...texts: string[]): MemoryDisk {
  const disk = memoryDisk();
  for (const one of texts) writeSteady(disk, PATH, one);
  return disk;
}

/** The disk stops for good after so many bytes that are written over others. */
function stopsAfter(disk: MemoryDisk, byteCount: number): MemoryDisk {
  let left = byteCount;
  return {
    ...disk,
    overwrite(path, position, bytes) {
      const some = bytes.subarray(0, Math.min(left, bytes.length));
      left -= some.length;
      if (some.length > 0) disk.overwrite(path, position, some);
      if (some.length < bytes.length)
        throw new DiskError(path, Object.assign(new Error('stopped'), { code: 'EIO' }));
    },
  };
}

test('it says what was written last', () => {
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 6 }), (texts) => {
      assert.equal(readSteady(written(...texts), PATH), texts.at(-1));
    }),
  );
});

test('where writing stops at any byte, it says what it said or what it was to say, and takes the next', () => {
  fc.assert(
    fc.property(text, text, fc.nat(9000), (before, after, byteCount) => {
      const disk = written('older', before);
      try {
        writeSteady(stopsAfter(disk, byteCount), PATH, after);
      } catch (cause) {
        assert.ok(cause instanceof DiskError);
      }
      assert.ok([before, after].includes(readSteady(disk, PATH) as string));
      writeSteady(disk, PATH, 'next');
      assert.equal(readSteady(disk, PATH), 'next');
    }),
    { numRuns: 500 },
  );
});

test('whatever byte becomes another one, it says what it said; in both places it says nothing', () => {
  const disk = written('older', 'now');
  const bytes = disk.readBytes(PATH) as Buffer;
  const half = bytes.length / 2;
  const other = (...at: number[]) => {
    const changed = Buffer.from(bytes);
    for (const i of at) changed[i] = (changed[i] as number) ^ 4;
    disk.files.set(PATH, changed);
    return readSteady(disk, PATH);
  };
  for (let at = 0; at < bytes.length; at++) assert.equal(other(at), 'now', `byte ${at}`);
  for (let at = 0; at < half; at++) assert.equal(other(at, half + at), undefined, `byte ${at}`);
});

test('writing it again takes no room', () => {
  const disk = written('x'.repeat(3000));
  disk.capacityBytes = 0;
  const before = disk.byteCount(PATH);
  const full = { ...disk, replaceFile: () => assert.fail('a file is made anew') };
  for (const one of ['y'.repeat(4000), '', 'z']) writeSteady(full, PATH, one);
  assert.equal(readSteady(disk, PATH), 'z');
  assert.equal(disk.byteCount(PATH), before);
});

test('a text that is too long for it gets a larger file', () => {
  const long = 'l'.repeat(5000);
  const disk = written('short', long);
  assert.equal(readSteady(disk, PATH), long);
  writeSteady(disk, PATH, 'short');
  assert.equal(readSteady(disk, PATH), 'short');
});

test('a file of an earlier version is read, and made anew by the first write', () => {
  const disk = memoryDisk();
  disk.files.set(PATH, seal('old'));
  assert.equal(readSteady(disk, PATH), 'old');
  writeSteady(disk, PATH, 'new');
  assert.equal(readSteady(disk, PATH), 'new');
  assert.equal(readSteady(memoryDisk(), PATH), null);
});

test('who wrote last of two who write at once is the same for everybody', () => {
  const disk = written('nobody');
  const [first, second] = [written('nobody'), written('nobody')];
  writeSteady(first, PATH, 'first');
  writeSteady(second, PATH, 'second');
  const half = disk.byteCount(PATH) / 2;
  // Each has one of the two places.
  const both = [first, second].map((one, i) =>
    (one.readBytes(PATH) as Buffer).subarray(i * half, (i + 1) * half),
  );
  disk.files.set(PATH, Buffer.concat(both));
  assert.equal(readSteady(disk, PATH), 'second');
});
