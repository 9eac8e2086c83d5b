import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PartitionLine } from '../../kube/partition-line.ts';
import { loadOf, type Move, placeable, planBalance, resized } from './balance-core.ts';
import type { BrokerView } from './election-core.ts';

const brokersOf = (count: number, racks = 0) =>
  new Map<number, BrokerView>(
    Array.from({ length: count }, (_, id) => [
      id,
      {
        id,
        epoch: 1,
        live: true,
        draining: false,
        keptSince: 1,
        rack: racks === 0 ? null : `r${id % racks}`,
      },
    ]),
  );
const lineOf = (replicas: readonly number[], partition = 0): PartitionLine => ({
  topic: 't',
  topicId: 'x',
  partition,
  leader: { id: replicas[0] ?? 0, epoch: 1 },
  leaderEpoch: 0,
  partitionEpoch: 0,
  replicas,
  isr: replicas.map((id) => ({ id, epoch: 1 })),
  elr: [],
  adding: [],
  removing: [],
});
const plan = (
  lines: readonly PartitionLine[],
  of: { brokers: number; wanted: number; balanced: number | null; racks?: number },
) =>
  planBalance({
    lines,
    brokers: brokersOf(of.brokers, of.racks),
    wanted: of.wanted,
    balanced: of.balanced,
    isPinned: () => false,
    drained: new Set(),
  });
const after = (lines: readonly PartitionLine[], moves: readonly Move[]) =>
  lines.map((line) =>
    lineOf(moves.find((move) => move.line === line)?.target ?? line.replicas, line.partition),
  );

test('nothing moves while the number of brokers stays, and the first number is only noted', () => {
  const lines = [lineOf([0, 1])];
  assert.deepEqual(plan(lines, { brokers: 3, wanted: 3, balanced: 3 }), {
    moves: [],
    balanced: null,
  });
  assert.deepEqual(plan(lines, { brokers: 3, wanted: 3, balanced: null }), {
    moves: [],
    balanced: 3,
  });
});

test('a leaving broker is replaced replica by replica, the others stay where they are', () => {
  const lines = [lineOf([2, 0], 0), lineOf([0, 1], 1)];
  const { moves } = plan(lines, { brokers: 3, wanted: 2, balanced: 3 });
  assert.deepEqual(
    moves.map(({ target }) => target),
    [[1, 0]],
  );
});

test('nobody is emptied where some partition needs more brokers than remain', () => {
  const lines = [lineOf([0, 1, 2], 0), lineOf([2], 1)];
  assert.deepEqual(plan(lines, { brokers: 3, wanted: 2, balanced: 3 }).moves, []);
});

test('new brokers wait for each other before they are filled', () => {
  const lines = Array.from({ length: 9 }, (_, p) => lineOf([p % 3], p));
  assert.deepEqual(plan(lines, { brokers: 4, wanted: 5, balanced: 3 }), {
    moves: [],
    balanced: null,
  });
});

const clusters = fc.record({
  before: fc.integer({ min: 3, max: 6 }),
  more: fc.integer({ min: 1, max: 4 }),
  racks: fc.constantFrom(0, 3),
  width: fc.integer({ min: 1, max: 3 }),
  partitions: fc.integer({ min: 1, max: 60 }),
});
const linesFor = (of: { before: number; width: number; partitions: number }) =>
  Array.from({ length: of.partitions }, (_, p) =>
    lineOf(
      Array.from({ length: of.width }, (_, i) => (p + i) % of.before),
      p,
    ),
  );
const counts = (lines: readonly PartitionLine[], brokers: number) =>
  Array.from(
    { length: brokers },
    (_, id) => lines.filter(({ replicas }) => replicas.includes(id)).length,
  );

test('new brokers get their share, from the fullest, with no move too many', () => {
  fc.assert(
    fc.property(clusters, (of) => {
      const lines = linesFor(of);
      const wanted = of.before + of.more;
      const { moves, balanced } = plan(lines, {
        brokers: wanted,
        wanted,
        balanced: of.before,
        racks: of.racks,
      });
      assert.equal(balanced, wanted);
      const next = after(lines, moves);
      for (const { replicas } of next) assert.equal(new Set(replicas).size, of.width);
      const share = Math.floor((of.partitions * of.width) / wanted);
      const held = counts(next, wanted);
      for (const [id, n] of held.entries()) {
        if (id >= of.before) assert.ok(n <= share, 'a new broker takes its share and no more');
        else if ((counts(lines, wanted)[id] as number) > share) assert.ok(n >= share);
      }
      if (of.racks === 0) for (let id = of.before; id < wanted; id++) assert.equal(held[id], share);
      // Every move brings a replica to a new broker: none goes back and forth.
      for (const { line, target } of moves)
        for (const id of target) assert.ok(line.replicas.includes(id) || id >= of.before);
      const again = planBalance({
        lines: next,
        brokers: brokersOf(wanted, of.racks),
        wanted,
        balanced: of.before,
        isPinned: () => false,
        drained: new Set(),
      });
      assert.deepEqual(again.moves, [], 'what is spread stays, however often it is looked at');
    }),
  );
});

test('whoever leaves is emptied, replicas stay apart, and in no fewer racks than before', () => {
  fc.assert(
    fc.property(clusters, (of) => {
      const total = of.before + of.more;
      const lines = linesFor({ ...of, before: total });
      const { moves } = plan(lines, {
        brokers: total,
        wanted: of.before,
        balanced: total,
        racks: of.racks,
      });
      const racks = (replicas: readonly number[]) => new Set(replicas.map((id) => id % 3)).size;
      for (const [p, { replicas }] of after(lines, moves).entries()) {
        assert.equal(new Set(replicas).size, of.width);
        assert.ok(replicas.every((id) => id < of.before));
        if (of.racks > 0) assert.ok(racks(replicas) >= racks(lines[p]?.replicas ?? []));
      }
    }),
  );
});

test('a topic gets more replicas in free racks, and keeps its leader where it gets fewer', () => {
  const brokers = brokersOf(6, 3);
  const line = { ...lineOf([0, 3]), leader: { id: 3, epoch: 1 } };
  const wider = resized(line, 3, placeable(brokers, 6), loadOf([line]));
  assert.deepEqual([wider?.slice(0, 2), [1, 2, 4, 5].includes(wider?.[2] ?? -1)], [[0, 3], true]);
  assert.deepEqual(resized(line, 1, placeable(brokers, 6), loadOf([line])), [3]);
  assert.equal(resized(line, 7, placeable(brokers, 6), loadOf([line])), null);
});

test('a broker that is to be emptied gives up everything and gets nothing, and the others go on', () => {
  const lines = [lineOf([0, 1], 0), lineOf([2, 0], 1)];
  const { moves } = planBalance({
    lines,
    brokers: brokersOf(4),
    wanted: 4,
    balanced: 4,
    isPinned: () => false,
    drained: new Set([0]),
  });
  for (const { target } of moves) assert.ok(!target.includes(0));
  assert.equal(moves.length, 2);
});
