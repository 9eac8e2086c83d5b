import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  buildBatch,
  buildTransactionMarker,
  stampBatch,
  TRANSACTIONAL_BIT,
} from '../../proto/kafka/record-batch.ts';
import { crc32c } from '../../stdx/crc32c.ts';
import { ProducerBudget } from './producer-budget.ts';
import { ProducerState } from './producer-state.ts';

const value = Buffer.from('v');
function data(offset: number, producerId: number, producerEpoch = 0, baseSequence = -1): Buffer {
  const b = buildBatch([{ key: null, value }], {
    timestampMs: 1,
    producerId,
    producerEpoch,
    baseSequence,
    attributes: TRANSACTIONAL_BIT,
  });
  stampBatch(b, 0, offset, 0);
  return b;
}
function marker(offset: number, producerId: number, committed: boolean, producerEpoch = 0): Buffer {
  const b = buildTransactionMarker(
    { committed, coordinatorEpoch: 3 },
    { timestampMs: 1, producerId, producerEpoch },
  );
  stampBatch(b, 0, offset, 0);
  return b;
}

test('the first unstable offset is the oldest open one, and an ended one until its marker is committed', () => {
  const state = new ProducerState();
  state.observe(data(10, 1), 0);
  state.observe(data(11, 2), 0);
  assert.equal(state.firstUnstableOffset(12), 10);
  assert.deepEqual(state.observe(marker(12, 1, false), 0), {
    producerId: 1,
    firstOffset: 10,
    lastOffset: 12,
    committed: false,
    lastStableOffset: 11,
  });
  assert.equal(state.firstUnstableOffset(12), 10, 'the marker is not committed yet');
  assert.equal(state.firstUnstableOffset(13), 11);
  assert.equal(state.observe(marker(13, 2, true), 0)?.lastStableOffset, 14);
  assert.equal(state.firstUnstableOffset(14), Infinity);
});

test('a snapshot keeps open transactions, in their order', () => {
  const state = new ProducerState();
  state.observe(data(5, 9), 0);
  state.observe(data(6, 4), 0);
  state.observe(marker(7, 4, true), 0);
  state.observe(data(8, 4), 0);
  const again = new ProducerState();
  assert.ok(again.load(state.toSnapshot()));
  assert.equal(again.firstUnstableOffset(100), 5);
  assert.equal(again.isOpen(4, 0), true);
  again.observe(marker(9, 9, true), 0);
  assert.equal(again.firstUnstableOffset(100), 8);
});

test('producers with an open transaction are not forgotten', () => {
  const state = new ProducerState();
  state.observe(data(0, 1), 0);
  state.expire(1000);
  assert.equal(state.firstUnstableOffset(10), 0);
});

test('markers: older epochs and coordinators are refused, a repeat is harmless', () => {
  const state = new ProducerState();
  state.observe(data(0, 1, 4), 0);
  const of = {
    producerId: 1,
    producerEpoch: 5,
    coordinatorEpoch: 3,
    committed: true,
    transactionVersion: 2,
  };
  assert.equal(state.judgeMarker({ ...of, producerEpoch: 3 }), 'INVALID_PRODUCER_EPOCH');
  assert.equal(state.judgeMarker({ ...of, producerEpoch: 4 }), 'INVALID_PRODUCER_EPOCH');
  assert.equal(
    state.judgeMarker({ ...of, producerEpoch: 3, transactionVersion: 0 }),
    'INVALID_PRODUCER_EPOCH',
    'also of older clients',
  );
  assert.equal(
    state.judgeMarker({ ...of, producerEpoch: 4, transactionVersion: 0 }),
    'append',
    'older clients end a transaction in its own epoch',
  );
  assert.equal(state.judgeMarker(of), 'append');
  state.observe(marker(1, 1, true, 5), 0);
  assert.equal(state.judgeMarker(of), 'duplicate');
  assert.equal(state.judgeMarker({ ...of, coordinatorEpoch: 2 }), 'TRANSACTION_COORDINATOR_FENCED');
  assert.equal(
    state.judgeMarker({ ...of, coordinatorEpoch: 2, transactionVersion: 0 }),
    'TRANSACTION_COORDINATOR_FENCED',
  );
  assert.equal(state.judgeMarker({ ...of, coordinatorEpoch: 4, producerEpoch: 6 }), 'append');
  assert.equal(
    state.judgeMarker({ ...of, producerEpoch: 4 }),
    'INVALID_PRODUCER_EPOCH',
    'a marker of an epoch that is over is no repeat',
  );
  state.observe(data(2, 1, 5), 0);
  assert.equal(state.judgeMarker(of), 'INVALID_PRODUCER_EPOCH', 'it is of the transaction before');
});

test('a producer with an open transaction writes nothing outside of it', () => {
  const state = new ProducerState();
  state.observe(data(0, 1), 0);
  const plain = buildBatch([{ key: null, value }], {
    timestampMs: 1,
    producerId: 1,
    producerEpoch: 0,
    baseSequence: 0,
  });
  assert.deepEqual(state.judge(plain, 0), { kind: 'refuse', error: 'INVALID_TXN_STATE' });
});

test('the marker that begins an epoch ends the sequence before it: 0 comes next, and nothing is a repeat', () => {
  const state = new ProducerState();
  for (let i = 0; i < 6; i++) state.observe(data(i, 1, 4, i), 0);
  const judge = (epoch: number, sequence: number) => {
    const verdict = state.judge(data(0, 1, epoch, sequence), 0);
    return verdict.kind === 'refuse' ? verdict.error : verdict.kind;
  };
  state.observe(marker(6, 1, true, 4), 0);
  assert.deepEqual(
    [judge(4, 6), judge(4, 5), judge(4, 0)],
    ['append', 'duplicate', 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
    'a marker of the same epoch is not in the sequence',
  );
  state.observe(marker(7, 1, true, 5), 0);
  assert.equal(judge(4, 6), 'INVALID_PRODUCER_EPOCH');
  assert.deepEqual(
    [5, 6, 1, 0].map((sequence) => judge(5, sequence)),
    [...Array(3).fill('OUT_OF_ORDER_SEQUENCE_NUMBER'), 'append'],
  );
});

test('a producer that wrote nothing for long is forgotten, and may go on with any sequence', () => {
  const state = new ProducerState();
  state.observe(data(0, 1, 4, 0), 0);
  state.observe(marker(1, 1, true, 4), 0);
  const far = data(2, 1, 4, 77);
  assert.equal(state.judge(far, 0).kind, 'refuse');
  state.expire(1);
  assert.equal(state.judge(far, 0).kind, 'refuse', 'its time is not over');
  state.expire(2);
  assert.equal(state.judge(far, 0).kind, 'append');
});

test('a producer that is silent for long is forgotten, unless its transaction is open', () => {
  const state = new ProducerState();
  state.observe(data(10, 1), 0);
  state.observe(data(11, 2), 0);
  state.observe(marker(12, 2, true), 0);
  state.expire(1_000_000);
  assert.notEqual(state.get(1), null);
  assert.equal(state.get(2), null);
  assert.equal(state.firstUnstableOffset(13), 10);
});

test('the last five batches of a producer are known as repeats, an older one is not', () => {
  const state = new ProducerState();
  const sent = Array.from({ length: 7 }, (_, i) => data(i, 1, 0, i));
  for (const one of sent) state.observe(one, 0);
  assert.deepEqual(
    sent.map((one) => state.judge(one, 0).kind),
    ['refuse', 'refuse', 'duplicate', 'duplicate', 'duplicate', 'duplicate', 'duplicate'],
  );
});

test('an id that a client made up does not count among those that were handed out', () => {
  const state = new ProducerState();
  state.observe(data(10, 4000), 0);
  state.observe(data(11, Number.MAX_SAFE_INTEGER), 0);
  assert.equal(state.idMax, 4000);
  const loaded = new ProducerState();
  loaded.load(state.toSnapshot());
  assert.equal(loaded.idMax, 4000);
});

/** Ids of a flood, each used once. */
function flood(state: ProducerState, from: number, to: number): void {
  for (let i = from; i < to; i++) state.observe(plain(i, 1000 + i), 0);
}
function plain(offset: number, producerId: number): Buffer {
  const b = buildBatch([{ key: null, value }], {
    timestampMs: Number.MAX_SAFE_INTEGER, // Never old: only their number bounds them.
    producerId,
    producerEpoch: 0,
    baseSequence: offset,
  });
  stampBatch(b, 0, offset, 0);
  return b;
}

test('of too many producers those that were silent longest are forgotten, and are like unknown ones', () => {
  const budget = new ProducerBudget(80);
  const state = new ProducerState(budget);
  state.observe(plain(0, 1), 0);
  state.observe(plain(1, 2), 0);
  for (let from = 2; from < 400; from += 20) {
    flood(state, from, from + 19);
    state.observe(plain(from + 19, 2), 0);
    assert.ok(state.producerCount <= 80);
  }
  assert.equal(state.get(1), null);
  assert.notEqual(state.get(2), null, 'who goes on writing is not forgotten');
  assert.equal(state.judge(plain(500, 1), 0).kind, 'append');
  assert.equal(budget.evicted, 382 - state.producerCount);
  assert.equal(state.idMax, 1400, 'which ids were in use stays known');
});

test('a producer with an open transaction is never forgotten for want of room', () => {
  const state = new ProducerState(new ProducerBudget(8));
  for (let i = 0; i < 20; i++) state.observe(data(i, i), 0);
  flood(state, 20, 100);
  assert.equal(state.firstUnstableOffset(100), 0);
  for (let i = 0; i < 20; i++) assert.ok(state.isOpen(i, 0));
  assert.ok(state.producerCount <= 20 + 8);
});

test('two replicas of one log forget the same, also where one of them was started again (property)', () => {
  const step = fc.record({
    id: fc.integer({ min: 0, max: 30 }),
    kind: fc.constantFrom('data', 'commit', 'plain'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.nat(119), (steps, restartAt) => {
      const budget = () => new ProducerBudget(8);
      const leader = new ProducerState(budget());
      let follower = new ProducerState(budget());
      for (const [offset, { id, kind }] of steps.entries()) {
        const bytes =
          kind === 'data'
            ? data(offset, id)
            : kind === 'commit'
              ? marker(offset, id, true, offset)
              : plain(offset, id);
        leader.observe(bytes, 0);
        follower.observe(bytes, 0);
        if (offset !== restartAt) continue;
        const again = new ProducerState(budget());
        assert.ok(again.load(follower.toSnapshot()));
        follower = again;
      }
      assert.deepEqual(new Map(follower.entries()), new Map(leader.entries()));
    }),
  );
});

test('a snapshot of more producers than are remembered, or than an array of a message may have, is loaded', () => {
  const many = new ProducerState(new ProducerBudget(1000));
  flood(many, 0, 500);
  const few = new ProducerState(new ProducerBudget(50));
  assert.ok(few.load(many.toSnapshot()));
  assert.equal(few.producerCount, 50);
  assert.notEqual(few.get(1499), null, 'the newest stay');
  const count = 1_000_001;
  const huge = Buffer.alloc(6 + 4 + count * 46);
  huge.writeInt16BE(1, 0);
  huge.writeInt32BE(count, 6);
  huge.writeUInt32BE(crc32c(huge, 6), 2);
  assert.ok(few.load(huge));
});

test('where all partitions of a broker have too many producers, those that have most give some up', () => {
  const budget = new ProducerBudget(1000, 100);
  const [small, large, larger] = [10, 90, 300].map((count) => {
    const state = new ProducerState(budget);
    flood(state, 0, count);
    return state;
  }) as [ProducerState, ProducerState, ProducerState];
  budget.enforce([larger, small, large]);
  assert.deepEqual(
    [small, large, larger].map(({ producerCount }) => producerCount),
    [10, 45, 45],
  );
  budget.enforce([larger, small, large]);
  assert.equal(budget.evicted, 300);
});
