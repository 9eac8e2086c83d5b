import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaderEpochs } from './leader-epochs.ts';

const epochs = () =>
  new LeaderEpochs([
    { epoch: 1, startOffset: 0 },
    { epoch: 3, startOffset: 10 },
    { epoch: 6, startOffset: 25 },
  ]);

test('an epoch ends where the next known one begins, the last one at the end of the log', () => {
  assert.deepEqual(epochs().endOffsetFor(1, 40), { epoch: 1, endOffset: 10 });
  assert.deepEqual(epochs().endOffsetFor(4, 40), { epoch: 3, endOffset: 25 });
  assert.deepEqual(epochs().endOffsetFor(6, 40), { epoch: 6, endOffset: 40 });
  assert.deepEqual(epochs().endOffsetFor(9, 40), { epoch: 6, endOffset: 40 });
  assert.deepEqual(epochs().endOffsetFor(0, 40), { epoch: -1, endOffset: -1 });
});

test('an epoch that wrote nothing leaves no trace', () => {
  const list = epochs();
  list.assign(7, 40);
  list.assign(8, 40);
  assert.deepEqual(list.all.at(-1), { epoch: 8, startOffset: 40 });
  assert.equal(list.all.length, 4);
});

test('truncation at both ends keeps what is in between, and the file form keeps all', () => {
  const list = epochs();
  list.truncateFromEnd(25);
  list.truncateFromStart(4);
  assert.deepEqual(list.all, [
    { epoch: 1, startOffset: 4 },
    { epoch: 3, startOffset: 10 },
  ]);
  assert.deepEqual(LeaderEpochs.fromText(list.toText())?.all, list.all);
  assert.equal(LeaderEpochs.fromText('0\n5\n1 2\n'), null);
});
