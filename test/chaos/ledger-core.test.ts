import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  judgeAcknowledged,
  judgeProcessed,
  judgeReader,
  judgeTransactions,
  type ReadRecord,
  type Told,
  type View,
} from './ledger-core.ts';

const view = (...committed: ReadRecord[]): View => ({ committed, uncommitted: committed });
const acked = (offset: number, value: string, life = 0): Told => ({
  kind: 'acked',
  life,
  partition: 0,
  offset,
  value,
});
const txn = (outcome: 'committed' | 'aborted' | 'unknown', ...values: string[]): Told => ({
  kind: 'txn',
  outcome,
  values,
});
const read = (assignment: number, ...records: ReadRecord[]): Told => ({
  kind: 'read',
  assignment,
  records,
});
const words = (anomalies: readonly string[]) => anomalies.map((one) => one.split(':')[0]);

test('what was acknowledged is where it was acknowledged, once and in order', () => {
  const there = view([0, 0, 'a'], [0, 1, 'b']);
  assert.deepEqual(judgeAcknowledged([acked(0, 'a'), acked(1, 'b')], there), []);
  assert.deepEqual(words(judgeAcknowledged([acked(0, 'a'), acked(2, 'c')], there)), ['lost write']);
  assert.deepEqual(words(judgeAcknowledged([acked(5, 'a')], there)), ['moved']);
  assert.deepEqual(words(judgeAcknowledged([acked(1, 'b'), acked(0, 'a')], there)), ['order']);
  assert.deepEqual(judgeAcknowledged([acked(1, 'b', 0), acked(0, 'a', 1)], there), []);
  assert.deepEqual(words(judgeAcknowledged([], view([0, 0, 'a'], [0, 1, 'a']))), ['duplicate']);
  const dead: Told = { kind: 'died', error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' };
  assert.deepEqual(words(judgeAcknowledged([dead], there)), ['a producer died']);
});

test('transactions are whole, there if they were committed, and not if they were aborted', () => {
  const there = view([0, 0, 'a'], [1, 0, 'b']);
  assert.deepEqual(judgeTransactions([txn('committed', 'a', 'b'), txn('aborted', 'x')], there), []);
  assert.deepEqual(judgeTransactions([txn('unknown', 'a', 'b'), txn('unknown', 'x')], there), []);
  assert.deepEqual(words(judgeTransactions([txn('unknown', 'a', 'x')], there)), [
    'torn transaction',
  ]);
  assert.deepEqual(words(judgeTransactions([txn('committed', 'x')], there)), ['lost transaction']);
  assert.deepEqual(words(judgeTransactions([txn('aborted', 'a')], there)), ['aborted read']);
});

test('a reader reads on from where it is, and what it read stays', () => {
  const there = view([0, 0, 'a'], [0, 3, 'b'], [0, 4, 'c']);
  assert.deepEqual(
    judgeReader([read(1, [0, 0, 'a'], [0, 3, 'b']), read(1, [0, 4, 'c'])], there),
    [],
  );
  assert.deepEqual(words(judgeReader([read(1, [0, 0, 'a'], [0, 4, 'c'])], there)), ['skip']);
  assert.deepEqual(words(judgeReader([read(1, [0, 4, 'c'], [0, 3, 'b'])], there)), ['went back']);
  assert.deepEqual(judgeReader([read(1, [0, 4, 'c']), read(2, [0, 0, 'a'])], there), []);
  assert.deepEqual(words(judgeReader([read(1, [0, 0, 'z'])], there)), ['unseen']);
});

test('each record is processed once', () => {
  const input = view([0, 0, 'a'], [0, 1, 'b']);
  assert.deepEqual(judgeProcessed(input, view([0, 0, '0:0'], [0, 1, '0:1'])), []);
  assert.deepEqual(words(judgeProcessed(input, view([0, 0, '0:0']))), ['not processed']);
  assert.deepEqual(
    words(judgeProcessed(input, view([0, 0, '0:0'], [0, 1, '0:1'], [0, 2, '0:1']))),
    ['duplicate'],
  );
});
