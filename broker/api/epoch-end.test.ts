import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaderEpochs } from '../log/leader-epochs.ts';
import { epochEnd } from './epoch-end.ts';

test('the present epoch ends with the log, also where it has written nothing', () => {
  const epochs = new LeaderEpochs([{ epoch: 17, startOffset: 0 }]);
  const partition = { leaderEpoch: 18, log: { epochs, endOffset: 3 } } as never;
  assert.deepEqual(epochEnd(partition, 18), { epoch: 18, endOffset: 3 });
  assert.deepEqual(epochEnd(partition, 17), { epoch: 17, endOffset: 3 });
  assert.deepEqual(epochEnd(partition, 4), { epoch: -1, endOffset: -1 });
});
