import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MemoryBudget, type MemoryShare, type MemoryWaiter } from './memory-budget-core.ts';

const MIB = 1024 * 1024;

function budgetOf(totalBytes = 64 * MIB) {
  const soon: (() => void)[] = [];
  const budget = new MemoryBudget({ totalBytes, largeBytesMax: totalBytes }, (run) =>
    soon.push(run),
  );
  const settle = () => {
    for (let i = 0; i < 10_000; i++) {
      const run = soon.shift();
      if (run === undefined) return;
      run();
    }
    assert.fail('serving never ends');
  };
  return { budget, settle };
}

const CLASSES = ['small', 'frames', 'requests', 'answers', 'replication', 'decompression'] as const;

/** Takes so many bytes in pieces of a class, waiting where there is no room, and keeps them until told. */
class Holder implements MemoryWaiter {
  readonly share: MemoryShare;
  readonly held = new Map<MemoryShare, number>();
  private readonly budget: MemoryBudget;
  private readonly wanted: number;
  isServed = false;

  constructor(budget: MemoryBudget, share: MemoryShare, wanted: number) {
    this.budget = budget;
    this.share = share;
    this.wanted = wanted;
  }
  neededBytes(): number {
    return this.wanted;
  }
  heldBytes(): number {
    return this.held.get(this.share) ?? 0;
  }
  ask(): void {
    if (!this.take(this.share)) this.budget.wait(this);
  }
  private take(share: MemoryShare): boolean {
    if (!share.take(this.wanted, this.held.get(share) ?? 0)) return false;
    this.held.set(share, (this.held.get(share) ?? 0) + this.wanted);
    this.isServed = true;
    return true;
  }
  onRoom(share: MemoryShare): void {
    assert.ok(this.take(share), 'who is told that there is room finds it');
  }
  leave(): void {
    this.budget.giveUp(this);
    for (const [share, byteCount] of this.held) share.release(byteCount);
    this.held.clear();
  }
}

test('never more than the whole, nothing is lost, and whoever waits is served', () => {
  const step = fc.record({
    kind: fc.constantFrom(...CLASSES),
    bytes: fc.oneof(fc.nat(5000), fc.nat(MIB), fc.nat(15 * MIB)),
    leaves: fc.option(fc.nat(30), { freq: 2 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { budget, settle } = budgetOf();
      const holders: Holder[] = [];
      const check = () => {
        assert.ok(budget.usedBytes <= budget.totalBytes);
        for (const { bytesMax, usedBytes } of budget.shares) assert.ok(usedBytes <= bytesMax);
      };
      for (const { bytes, kind, leaves } of steps) {
        const holder = new Holder(budget, budget[kind], bytes);
        holders.push(holder);
        holder.ask();
        check();
        const gone = leaves === null ? undefined : holders[leaves];
        gone?.leave();
        if (gone !== undefined) holders.splice(holders.indexOf(gone), 1);
        settle();
        check();
      }
      // Holders come to their end one after the other; then everybody has had his turn.
      for (let round = 0; round < 200 && holders.length > 0; round++) {
        const done = holders.findIndex(({ isServed }) => isServed);
        assert.ok(done >= 0, 'somebody can always go on');
        holders.splice(done, 1)[0]?.leave();
        settle();
        check();
      }
      assert.equal(holders.length, 0);
      assert.equal(budget.usedBytes, 0);
      assert.equal(budget.waiting, 0);
      for (const share of budget.shares)
        assert.equal(share.freeBytes, Math.min(share.bytesMax, share.freeBytes));
    }),
    { numRuns: 300 },
  );
});

test('no class can take what is kept for another', () => {
  const { budget } = budgetOf();
  for (const greedy of budget.shares) {
    while (greedy.take(Math.max(greedy.roomFor(0), 1), 0));
    for (const other of budget.shares)
      if (other !== greedy)
        assert.ok(other.freeBytes >= Math.min(other.reservedBytes, other.bytesMax));
    greedy.release(greedy.usedBytes);
  }
  assert.equal(budget.usedBytes, 0);
});

test('dozens may take as much as they can, and the next one finds room at once', () => {
  for (const kind of ['frames', 'answers'] as const) {
    const { budget } = budgetOf(384 * MIB);
    const share = budget[kind];
    // One after the other, so that the first ones find all of it free.
    for (let i = 0; i < 64; i++) {
      for (let held = 0; ; ) {
        const more = Math.min(share.roomFor(held), 64 * 1024);
        if (more === 0 || !share.take(more, held)) break;
        held += more;
      }
    }
    assert.ok(share.roomFor(0) >= MIB, `${share.roomFor(0)} bytes of ${kind} for one more`);
  }
});

test('what is too large for its part waits for the one place, in turn', () => {
  const { budget, settle } = budgetOf();
  const large = budget.large.bytesMax;
  const [first, second] = [1, 2].map(() => new Holder(budget, budget.frames, large)) as [
    Holder,
    Holder,
  ];
  first.ask();
  second.ask();
  settle();
  assert.deepEqual([first.isServed, second.isServed], [true, false]);
  // The place is taken; what is small passes by.
  const small = new Holder(budget, budget.frames, 1000);
  small.ask();
  assert.ok(small.isServed);
  first.leave();
  settle();
  assert.ok(second.isServed);
});

test('an overdrawn class gives nothing until it is in credit again', () => {
  const { budget } = budgetOf();
  budget.answers.overdraw(2 * budget.answers.bytesMax);
  assert.equal(budget.answers.freeBytes, 0);
  assert.equal(budget.answers.take(1, 0), false);
  for (const other of budget.shares)
    if (other !== budget.answers) assert.ok(other.freeBytes >= other.reservedBytes);
  budget.answers.release(2 * budget.answers.bytesMax);
  assert.ok(budget.answers.take(1, 0));
});
