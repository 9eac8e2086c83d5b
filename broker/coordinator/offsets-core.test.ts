import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommittedOffset } from './group-records.ts';
import { OffsetsCore } from './offsets-core.ts';

const at = (offset: number): CommittedOffset => ({
  offset,
  leaderEpoch: -1,
  metadata: '',
  commitTimestampMs: 1,
});
const offsetOf = (core: OffsetsCore) => core.get('g', 't', 0)?.offset ?? null;
const inTransaction = (core: OffsetsCore, offset: number) =>
  core.putPending(7, 'g', { topic: 't', partition: 0, value: at(offset) });

test('offsets of a transaction count when it commits, and never when it aborts', () => {
  const core = new OffsetsCore();
  core.put('g', 't', 0, at(1));
  inTransaction(core, 5);
  assert.equal(core.isUnstable('g', 't', 0), true);
  assert.equal(offsetOf(core), 1);
  core.endTransaction(7, false);
  assert.equal(offsetOf(core), 1);
  inTransaction(core, 6);
  core.endTransaction(7, true);
  assert.equal(offsetOf(core), 6);
  assert.equal(core.isUnstable('g', 't', 0), false);
});

test('an offset committed after that of an open transaction stays when the transaction ends', () => {
  const core = new OffsetsCore();
  inTransaction(core, 5);
  core.put('g', 't', 0, at(9));
  core.endTransaction(7, true);
  assert.equal(offsetOf(core), 9);
});

test('what counts is the place in the log, not when the write was answered', () => {
  const core = new OffsetsCore();
  const order = core.nextOrder();
  inTransaction(core, 5);
  core.put('g', 't', 0, at(2), order);
  core.endTransaction(7, true);
  assert.equal(offsetOf(core), 5);
});

test('a tombstone does not undo what was committed after it', () => {
  const core = new OffsetsCore();
  core.put('g', 't', 0, at(1));
  const order = core.nextOrder();
  core.put('g', 't', 0, at(9));
  core.put('g', 't', 0, null, order);
  assert.equal(offsetOf(core), 9);
  core.put('g', 't', 0, null);
  assert.equal(offsetOf(core), null);
});
