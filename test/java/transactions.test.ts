/** A transactional Java producer with five requests in flight, on a machine that has more to do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BusyLoops, runBackToBack } from '../support/back-to-back.ts';
import { buildJava, missingJava } from '../support/java.ts';
import { startTestCluster } from '../support/local.ts';

test('transactions back to back end no producer, and none of them waits for long', {
  skip: missingJava(),
}, async (t) => {
  buildJava();
  await using cluster = await startTestCluster();
  using _busy = new BusyLoops(3, 120);
  const found = await runBackToBack(cluster.bootstrap, {
    topic: 'back-to-back',
    transactions: 200,
    secondsMax: 15,
  });
  t.diagnostic(JSON.stringify(found));
  // A producer that has to wait for its own timeout makes three or four.
  assert.ok(found.transactions >= 30, `${found.transactions} transactions in 15 s`);
});
