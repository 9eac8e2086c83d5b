import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConnectionMemory } from '../memory/connection-memory.ts';
import { MemoryBudget } from '../memory/memory-budget-core.ts';
import { FrameReader, type FrameSink, FrameTooLarge } from './frames.ts';

function frame(body: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(body.length);
  return Buffer.concat([head, body]);
}

const MIB = 1024 * 1024;
const newBudget = (totalBytes = 64 * MIB) =>
  new MemoryBudget({ totalBytes, largeBytesMax: totalBytes }, () => {});

function readerOf(onFrame: FrameSink['onFrame'], budget = newBudget(), frameBytesMax = 1e6) {
  const memory = new ConnectionMemory(budget);
  return {
    memory,
    reader: new FrameReader({ onFrame }, { frameBytesMax, memory, nowMs: () => 0 }),
  };
}

interface Feeding {
  readonly cuts: readonly number[];
  readonly direct: boolean;
  /** Which offers of a frame are refused. */
  readonly refusals: readonly boolean[];
}

/** Feeds bytes as a socket would: into the buffer that the reader offers, in pieces of any size. */
function feed(bytes: Buffer, { cuts, direct, refusals }: Feeding): string[] {
  const got: string[] = [];
  const budget = newBudget();
  let offers = 0;
  const { memory, reader } = readerOf((body, ownedIn) => {
    if (refusals[offers++ % Math.max(refusals.length, 1)] === true) return false;
    got.push(Buffer.from(body).toString('hex'));
    if (ownedIn !== null) memory.release(ownedIn, body.length);
    return true;
  }, budget);
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
    // A socket may have one read more in it when it is paused; sometimes it is gone on with first.
    if (reader.isStopped && i % 3 !== 0) reader.again();
  }
  for (let turns = 0; reader.isStopped && turns < 1000; turns++) reader.again();
  assert.equal(budget.usedBytes, 0, 'what is done with is given back');
  return got;
}

test('frames come out whole and in order however the bytes arrive', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          { weight: 5, arbitrary: fc.uint8Array({ maxLength: 3000 }) },
          fc.integer({ min: 60_000, max: 400_000 }).map((size) => Buffer.alloc(size, size % 251)),
        ),
        { maxLength: 8 },
      ),
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      fc
        .array(fc.boolean(), { maxLength: 5 })
        .filter((all) => all.length === 0 || all.includes(false)),
      (bodies, cuts, direct, refusals) => {
        const bytes = Buffer.concat(bodies.map(frame));
        assert.deepEqual(
          feed(bytes, { cuts, direct, refusals }),
          bodies.map((body) => Buffer.from(body).toString('hex')),
        );
      },
    ),
    { numRuns: 300 },
  );
});

test('a large frame in small pieces arrives intact', () => {
  const body = Buffer.alloc(700_000, 7);
  assert.deepEqual(feed(frame(body), { cuts: [1000], direct: true, refusals: [] }), [
    body.toString('hex'),
  ]);
});

test('an announced size beyond the limit, or below zero, is refused before anything is allocated', () => {
  for (const size of [2_000_000_000, -1, -2_000_000_000]) {
    const { reader } = readerOf(() => true);
    const head = Buffer.alloc(4);
    head.writeInt32BE(size);
    assert.throws(() => reader.onBytes(head), FrameTooLarge);
  }
});

test('no announced size makes memory: what is charged grows with what has arrived', () => {
  const budget = newBudget();
  const { reader } = readerOf(() => true, budget, 98 * MIB);
  const head = Buffer.alloc(4);
  head.writeInt32BE(98 * MIB);
  reader.onBytes(head);
  assert.ok(budget.usedBytes <= 64 * 1024, `${budget.usedBytes} bytes for four`);
  for (let sent = 4; sent < MIB; sent += 1000) reader.onBytes(Buffer.alloc(1000));
  assert.ok(budget.usedBytes <= 2 * MIB + 256 * 1024, `${budget.usedBytes} bytes for a megabyte`);
  reader.close();
});

test('beyond its part of the memory a frame is not read, and gives back all when its connection ends', () => {
  const budget = newBudget();
  const frames = Array.from({ length: 100 }, () => readerOf(() => true, budget, 16 * MIB));
  const head = Buffer.alloc(4);
  head.writeInt32BE(15 * MIB);
  const piece = Buffer.alloc(64 * 1024);
  for (const { reader } of frames) reader.onBytes(head);
  for (let round = 0; round < 15 * 16; round++)
    for (const { reader } of frames) if (!reader.isStopped) reader.onBytes(piece);
  assert.ok(frames.every(({ reader }) => reader.isStopped && reader.lacksRoom));
  assert.ok(budget.usedBytes <= budget.frames.bytesMax + budget.small.bytesMax);
  assert.ok(budget.frames.roomFor(0) > 0, 'whoever comes next finds room');
  for (const { memory, reader } of frames) {
    reader.close();
    memory.end();
  }
  assert.equal(budget.usedBytes, 0);
});

test('a frame with the place for large things to itself comes to its end', () => {
  const budget = newBudget();
  let size = 0;
  const { reader } = readerOf(
    (body) => {
      size = body.length;
      return true;
    },
    budget,
    15 * MIB,
  );
  const bytes = frame(Buffer.alloc(15 * MIB, 1));
  let at = 0;
  for (; at < bytes.length && !reader.isStopped; at += 50_000)
    reader.onBytes(bytes.subarray(at, at + 50_000));
  assert.ok(reader.lacksRoom);
  reader.finishIn(budget.large);
  assert.ok(!reader.isStopped);
  reader.onBytes(bytes.subarray(at));
  assert.equal(size, 15 * MIB);
});
