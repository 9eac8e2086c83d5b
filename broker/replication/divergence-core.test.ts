import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LeaderEpochs } from '../log/leader-epochs.ts';
import { cutTarget, partingOf } from './divergence-core.ts';

/** A log by the leader epoch of each of its records. */
function logOf(epochs: readonly number[], startOffset = 0) {
  const known = new LeaderEpochs();
  for (const [offset, epoch] of epochs.entries()) known.assign(epoch, offset);
  return { epochs: known, startOffset, endOffset: epochs.length };
}

/** Cuts the follower until the leader lets it go on; returns what is left of it. */
function settle(leader: readonly number[], follower: readonly number[]): readonly number[] {
  let left = [...follower];
  for (let rounds = 0; rounds < 20; rounds++) {
    const mine = logOf(left);
    const said = { logEndOffset: left.length, lastEpoch: left.at(-1) ?? -1 };
    const parting = partingOf(logOf(leader), said);
    if (parting === null) return left;
    assert.ok('diverging' in parting, 'the leader has its whole log');
    const target = cutTarget(mine, parting.diverging);
    assert.ok(target < left.length, 'each round cuts something');
    left = left.slice(0, target);
  }
  return assert.fail('the logs did not meet');
}

test('a follower that only lacks the newest records cuts nothing', () => {
  assert.deepEqual(settle([0, 0, 1, 1], [0, 0, 1]), [0, 0, 1]);
  assert.deepEqual(settle([0, 0], []), []);
});

test('records of an epoch that the leader never had are cut (KIP-101)', () => {
  assert.deepEqual(settle([0, 0, 2, 2], [0, 0, 1, 1]), [0, 0]);
});

test('records beyond the end of a common epoch are cut, however long both logs are', () => {
  assert.deepEqual(settle([0, 0, 2, 2, 2], [0, 0, 0, 0]), [0, 0]);
  assert.deepEqual(settle([1, 3], [1, 1, 1, 2, 2]), [1]);
});

test('fast changes of leader: it takes a step for each epoch that only one of them has (KIP-279)', () => {
  assert.deepEqual(settle([0, 1, 4, 4, 4], [0, 2, 3, 3]), [0]);
  assert.deepEqual(settle([0, 2, 2, 5], [0, 1, 3, 4]), [0]);
});

test('a follower that ends before the leader begins has to begin anew', () => {
  const leader = logOf([0, 0, 0, 1], 3);
  assert.deepEqual(partingOf(leader, { logEndOffset: 1, lastEpoch: 0 }), { logStartOffset: 3 });
  assert.equal(partingOf(leader, { logEndOffset: 3, lastEpoch: 0 }), null);
});

test('whatever happened, what is left is a beginning of the leader, and nothing common is cut (property)', () => {
  // A record is known by its offset and epoch: two logs agree below the first record that differs.
  const history = fc.array(fc.nat(2), { maxLength: 8 });
  fc.assert(
    fc.property(history, history, history, (common, ours, theirs) => {
      let epoch = 0;
      const grow = (steps: readonly number[], parity: number) =>
        steps.map((step) => {
          epoch += step;
          // One leader for each epoch: the two histories share none.
          return 2 * epoch + parity;
        });
      const shared = grow(common, 0);
      const from = epoch + 1;
      epoch = from;
      const leader = [...shared, ...grow(ours, 0)];
      epoch = from;
      const follower = [...shared, ...grow(theirs, 1)];
      assert.deepEqual(settle(leader, follower), shared.slice(0, follower.length));
    }),
  );
});
