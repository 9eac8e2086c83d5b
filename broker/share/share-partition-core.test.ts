import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SharePartitionCore } from './share-partition-core.ts';

const limits = { lockMs: 100, deliveriesMax: 3, locksMax: 20, renews: true };
const open = (startOffset = 0, batches: ReturnType<SharePartitionCore['batches']> = []) =>
  new SharePartitionCore(() => limits, { startOffset, batches });
const take = (core: SharePartitionCore, memberId: string, lastOffset: number, nowMs = 0) => {
  const firstOffset = core.nextOffset();
  return firstOffset === null || firstOffset > lastOffset
    ? []
    : core.acquire(memberId, { firstOffset, lastOffset, recordsMax: Infinity }, nowMs);
};
const ack = (
  core: SharePartitionCore,
  memberId: string,
  firstOffset: number,
  lastOffset: number,
  type = 1,
) => core.acknowledge(memberId, [{ firstOffset, lastOffset, acknowledgeTypes: [type] }], 0);

test('records go to one member at a time, and the start follows what is done', () => {
  const core = open();
  assert.deepEqual(take(core, 'a', 4), [{ firstOffset: 0, lastOffset: 4, deliveryCount: 1 }]);
  assert.deepEqual(take(core, 'b', 4), []);
  assert.equal(ack(core, 'b', 0, 0), 'INVALID_RECORD_STATE');
  assert.equal(ack(core, 'a', 1, 2), 'NONE');
  assert.equal(core.startOffset, 0);
  assert.equal(ack(core, 'a', 0, 0), 'NONE');
  assert.equal(core.startOffset, 3);
});

test('an acknowledgement is taken as a whole or not at all', () => {
  const core = open();
  take(core, 'a', 3);
  const batches = [
    { firstOffset: 0, lastOffset: 1, acknowledgeTypes: [1] },
    { firstOffset: 9, lastOffset: 9, acknowledgeTypes: [1] },
  ];
  assert.equal(core.acknowledge('a', batches, 0), 'INVALID_RECORD_STATE');
  assert.equal(core.startOffset, 0);
  assert.equal(
    core.acknowledge('a', [{ firstOffset: 0, lastOffset: 2, acknowledgeTypes: [1, 2] }], 0),
    'INVALID_REQUEST',
  );
  assert.equal(ack(core, 'a', 0, 0, 9), 'INVALID_REQUEST');
});

test('a range without bounds costs nothing: what is done with is not walked through', () => {
  const core = open(0x7fff_ffff_ffff);
  assert.equal(ack(core, 'a', -0x7fff_ffff_ffff, 0x7fff_ffff_fffe), 'NONE');
  assert.equal(ack(core, 'a', 0, 0x7fff_ffff_ffff_f000), 'INVALID_RECORD_STATE');
});

test('released records come again with a higher count, until they came too often', () => {
  const core = open();
  for (let count = 1; count <= limits.deliveriesMax; count++) {
    assert.deepEqual(take(core, 'a', 0), [{ firstOffset: 0, lastOffset: 0, deliveryCount: count }]);
    assert.equal(ack(core, 'a', 0, 0, 2), 'NONE');
  }
  assert.deepEqual(take(core, 'a', 0), []);
  assert.equal(core.startOffset, 1);
});

test('locks end, are renewed, and what a leaving member never looked at does not count', () => {
  const core = open();
  take(core, 'a', 1, 0);
  assert.equal(core.expireLocks(99), false);
  core.acknowledge('a', [{ firstOffset: 0, lastOffset: 0, acknowledgeTypes: [4] }], 50);
  assert.equal(core.expireLocks(100), true);
  assert.deepEqual(take(core, 'b', 1, 100), [{ firstOffset: 1, lastOffset: 1, deliveryCount: 2 }]);
  assert.equal(core.releaseAll('a'), true);
  assert.deepEqual(take(core, 'c', 1, 100), [{ firstOffset: 0, lastOffset: 0, deliveryCount: 1 }]);
});

test('what a member had whose connection broke comes back at once, and counts as delivered', () => {
  const core = open();
  for (let count = 1; count <= limits.deliveriesMax; count++) {
    assert.deepEqual(take(core, 'a', 0), [{ firstOffset: 0, lastOffset: 0, deliveryCount: count }]);
    assert.equal(core.releaseAll('a', { isGone: true }), true);
  }
  assert.deepEqual(take(core, 'b', 0), [], 'it ended as many readers as it may');
  assert.equal(core.startOffset, 1);
});

test('what compaction took is done with, however much it is', () => {
  const core = open();
  core.skip(0, 7);
  assert.equal(core.nextOffset(), 7, 'nothing was out: the start moves');
  assert.equal(core.acquire('a', { firstOffset: 7, lastOffset: 8, recordsMax: 9 }, 0).length, 1);
  core.skip(9, 12);
  core.acquire('a', { firstOffset: 12, lastOffset: 12, recordsMax: 9 }, 0);
  assert.equal(ack(core, 'a', 7, 8), 'NONE');
  assert.equal(core.startOffset, 12);
  // A hole beyond the window is passed once everything before it is done.
  core.skip(13, 1_000_000_000);
  assert.equal(
    core.acquire('a', { firstOffset: 1e9, lastOffset: 1e9, recordsMax: 9 }, 0).length,
    0,
  );
  assert.equal(ack(core, 'a', 12, 12), 'NONE');
  core.skip(13, 1_000_000_000);
  assert.equal(
    core.acquire('a', { firstOffset: 1e9, lastOffset: 1e9, recordsMax: 9 }, 0).length,
    1,
  );
});

test('released records that compaction took meanwhile are not waited for', () => {
  const core = open();
  core.acquire('a', { firstOffset: 0, lastOffset: 3, recordsMax: 9 }, 0);
  core.releaseAll('a');
  core.skip(0, 2);
  assert.equal(core.startOffset, 2);
  assert.equal(core.nextOffset(), 2);
});

test('no more than the limit is out', () => {
  const core = open();
  take(core, 'a', 1000);
  assert.equal(core.nextOffset(), null);
  ack(core, 'a', 0, 4);
  assert.equal(core.nextOffset(), 20);
});

const step = fc.oneof(
  fc.record({ kind: fc.constant('take' as const), who: fc.nat(2), upTo: fc.nat(40) }),
  fc.record({
    kind: fc.constant('ack' as const),
    who: fc.nat(2),
    type: fc.constantFrom(0, 1, 2, 3),
    count: fc.nat(6),
  }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(80) }),
  fc.record({ kind: fc.constant('failover' as const) }),
  fc.record({ kind: fc.constant('leave' as const), who: fc.nat(2) }),
);

test('never two holders, nothing that is done comes again, everything comes to an end (property)', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
      let core = open();
      let nowMs = 0;
      const held = new Map<number, { who: string; until: number }>();
      const done = new Set<number>();
      const give = (who: string, upTo: number) => {
        for (const { firstOffset, lastOffset } of take(core, who, upTo, nowMs)) {
          for (let offset = firstOffset; offset <= lastOffset; offset++) {
            const holder = held.get(offset);
            assert.ok(
              holder === undefined || holder.until <= nowMs,
              `${offset} is with ${holder?.who}`,
            );
            assert.ok(!done.has(offset), `${offset} is done`);
            held.set(offset, { who, until: nowMs + limits.lockMs });
          }
        }
      };
      for (const one of steps) {
        if (one.kind === 'take') give(`m${one.who}`, one.upTo);
        else if (one.kind === 'wait') {
          nowMs += one.ms;
          core.expireLocks(nowMs);
          for (const [offset, { until }] of held) if (until <= nowMs) held.delete(offset);
        } else if (one.kind === 'failover') {
          core = open(core.startOffset, core.batches());
          held.clear();
        } else if (one.kind === 'leave') {
          core.releaseAll(`m${one.who}`);
          for (const [offset, { who }] of held) if (who === `m${one.who}`) held.delete(offset);
        } else {
          const mine = [...held]
            .filter(([, { who }]) => who === `m${one.who}`)
            .slice(0, one.count + 1);
          for (const [offset] of mine) {
            assert.equal(ack(core, `m${one.who}`, offset, offset, one.type), 'NONE');
            held.delete(offset);
            if (one.type !== 2) done.add(offset);
          }
        }
      }
      for (let round = 0; round < 60 && core.startOffset <= 40; round++) {
        nowMs += limits.lockMs;
        core.expireLocks(nowMs);
        held.clear();
        give('last', 40);
        for (const [offset] of held) assert.equal(ack(core, 'last', offset, offset), 'NONE');
        held.clear();
      }
      assert.equal(core.startOffset, 41);
      assert.deepEqual(core.batches(), []);
    }),
    { numRuns: 400 },
  );
});
