import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LogTail } from './log-tail.ts';
import { TailMemory } from './tail-memory.ts';

interface Kept {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly bytes: Buffer;
}

const BUDGET_BYTES = 4000;

/** What must be in memory: the newest batches of the process, oldest out first. */
class Model {
  readonly logs: Kept[][] = [[], []];
  private readonly order: number[] = [];
  private usedBytes = 0;

  add(log: number, kept: Kept): void {
    this.logs[log]?.push(kept);
    this.order.push(log);
    this.usedBytes += kept.bytes.length;
    while (this.usedBytes > BUDGET_BYTES)
      this.usedBytes -= this.logs[this.order.shift() as number]?.shift()?.bytes.length ?? 0;
  }

  read(log: number, offset: number, bytesMax: number, endOffset: number): Buffer | null {
    const batches = this.logs[log] as Kept[];
    const first = batches[0];
    if (first === undefined || offset < first.baseOffset) return null;
    const taken: Buffer[] = [];
    let byteCount = 0;
    for (const { lastOffset, bytes } of batches) {
      if (lastOffset < offset) continue;
      if (lastOffset >= endOffset) break;
      if (byteCount + bytes.length > bytesMax && taken.length > 0) break;
      taken.push(bytes);
      byteCount += bytes.length;
      if (byteCount > bytesMax) break;
    }
    return Buffer.concat(taken);
  }
}

const step = fc.record({
  log: fc.constantFrom(0, 1),
  records: fc.integer({ min: 1, max: 5 }),
  bytes: fc.integer({ min: 1, max: 900 }),
  ask: fc.record({
    offset: fc.integer({ min: 0, max: 400 }),
    bytesMax: fc.integer({ min: 1, max: 3000 }),
    endOffset: fc.integer({ min: 0, max: 400 }),
  }),
});

test('a tail gives back whole batches in order, and those only that are still in memory', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const memory = new TailMemory(BUDGET_BYTES);
      const tails = [new LogTail(memory), new LogTail(memory)];
      const ends = [0, 0];
      const model = new Model();
      let fill = 0;
      for (const { log, records, bytes, ask } of steps) {
        const source = Buffer.alloc(bytes, ++fill % 256);
        const baseOffset = ends[log] as number;
        const lastOffset = baseOffset + records - 1;
        ends[log] = lastOffset + 1;
        tails[log]?.add({ baseOffset, lastOffset, ...memory.keep(source) });
        model.add(log, { baseOffset, lastOffset, bytes: source });
        const read = tails[log]?.read({ ...ask, atLeastOne: true }) ?? null;
        const expected = model.read(log, ask.offset, ask.bytesMax, ask.endOffset);
        if (expected === null) assert.equal(read, null);
        else {
          assert.deepEqual(Buffer.concat(read?.buffers ?? []), expected);
          assert.equal(read?.byteCount, expected.length);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('batches that lie side by side are one buffer, whatever lies between them is not', () => {
  const memory = new TailMemory(1e6);
  const [tail, other] = [new LogTail(memory), new LogTail(memory)];
  const batch = (baseOffset: number) => ({
    baseOffset,
    lastOffset: baseOffset,
    ...memory.keep(Buffer.alloc(100, baseOffset)),
  });
  for (const offset of [0, 1, 2]) tail.add(batch(offset));
  other.add(batch(0));
  tail.add(batch(3));
  const read = tail.read({ offset: 0, bytesMax: 1e6, endOffset: 10, atLeastOne: false });
  assert.deepEqual(
    read?.buffers.map(({ length }) => length),
    [300, 100],
  );
  assert.equal(read?.slabs.length, 1);
});

test('a batch too large for a slab has memory of its own', () => {
  const memory = new TailMemory(10e6);
  const tail = new LogTail(memory);
  for (const baseOffset of [0, 1])
    tail.add({ baseOffset, lastOffset: baseOffset, ...memory.keep(Buffer.alloc(800_000, 7)) });
  const read = tail.read({ offset: 0, bytesMax: 2e6, endOffset: 2, atLeastOne: false });
  assert.deepEqual(
    read?.buffers.map(({ length }) => length),
    [800_000, 800_000],
  );
});
