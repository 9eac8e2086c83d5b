import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addPartitions,
  completed,
  type Decision,
  EPOCH_MAX,
  endTransaction,
  fenced,
  hasExpired,
  hasTimedOut,
  initProducer,
  newTransaction,
  producerAfter,
  verifyPartition,
} from './txn-core.ts';
import { readTransactionRecord, type Transaction, transactionRecord } from './txn-records.ts';

const fresh = newTransaction('t', { producerId: 7, timeoutMs: 1000, nowMs: 0 });
const init = (txn: Transaction, expected: { producerId: number; epoch: number } | null = null) =>
  initProducer(txn, { timeoutMs: 1000, expected, newProducerId: 99, nowMs: 1 });
const next = (decision: Decision | ReturnType<typeof initProducer>): Transaction => {
  assert.ok(decision.kind === 'write' || decision.kind === 'fence', JSON.stringify(decision));
  return decision.next;
};
const error = (decision: Decision | ReturnType<typeof initProducer>) =>
  decision.kind === 'refuse' ? decision.error : decision.kind;
const add = (txn: Transaction, partition = 0, clientVersion = 2) =>
  addPartitions(txn, {
    producer: { producerId: txn.producerId, epoch: txn.epoch },
    partitions: [{ topic: 'a', partition }],
    clientVersion,
    nowMs: 5,
  });
const end = (
  txn: Transaction,
  committed: boolean,
  clientVersion = 2,
  producer = { producerId: txn.producerId, epoch: txn.epoch },
) => endTransaction(txn, { producer, committed, clientVersion, newProducerId: 99, nowMs: 9 });
const started = next(init(fresh));
const ongoing = next(add(started));

test('a producer begins with epoch 0, and each beginning after that takes the next one', () => {
  assert.deepEqual(producerAfter(started), { producerId: 7, epoch: 0 });
  assert.equal(next(init(started)).epoch, 1);
});

test('a producer that names the epoch it has may bump it, again if the answer was lost', () => {
  const bumped = next(init(started, { producerId: 7, epoch: 0 }));
  assert.equal(bumped.epoch, 1);
  assert.equal(next(init(bumped, { producerId: 7, epoch: 0 })).epoch, 1);
  const twice = next(init(bumped, { producerId: 7, epoch: 1 }));
  assert.equal(error(init(twice, { producerId: 7, epoch: 0 })), 'PRODUCER_FENCED');
  assert.equal(error(init(twice, { producerId: 8, epoch: 2 })), 'PRODUCER_FENCED');
});

test('a producer whose epochs run out gets a new id', () => {
  const old = { ...started, epoch: EPOCH_MAX - 1 };
  const rotated = next(init(old));
  assert.deepEqual(producerAfter(rotated), { producerId: 99, epoch: 0 });
  assert.equal(rotated.previousProducerId, 7);
});

test('beginning while a transaction is open aborts it in a newer epoch', () => {
  const decision = init(ongoing);
  assert.equal(decision.kind, 'fence');
  assert.deepEqual([next(decision).state, next(decision).epoch], ['PrepareAbort', 1]);
  assert.equal(error(init(next(decision))), 'CONCURRENT_TRANSACTIONS');
});

test('partitions join the open transaction of the producer that has the epoch', () => {
  assert.equal(ongoing.state, 'Ongoing');
  assert.equal(add(ongoing).kind, 'done');
  assert.deepEqual([...(next(add(ongoing, 1)).partitions.get('a') ?? [])], [0, 1]);
  const stale = {
    producer: { producerId: 7, epoch: -1 },
    partitions: [],
    clientVersion: 2,
    nowMs: 0,
  };
  assert.equal(error(addPartitions(ongoing, stale)), 'PRODUCER_FENCED');
  const other = { ...stale, producer: { producerId: 8, epoch: 0 } };
  assert.equal(error(addPartitions(ongoing, other)), 'INVALID_PRODUCER_ID_MAPPING');
  const at = { producerId: 7, epoch: 0 };
  assert.equal(verifyPartition(ongoing, at, { topic: 'a', partition: 0 }), 'NONE');
  assert.equal(verifyPartition(ongoing, at, { topic: 'a', partition: 1 }), 'TRANSACTION_ABORTABLE');
  assert.equal(verifyPartition(started, at, { topic: 'a', partition: 0 }), 'TRANSACTION_ABORTABLE');
});

test('every end bumps the epoch, and a repeated one is answered as the first', () => {
  const prepared = next(end(ongoing, true));
  assert.deepEqual([prepared.state, prepared.epoch], ['PrepareCommit', 1]);
  assert.equal(error(add(prepared)), 'CONCURRENT_TRANSACTIONS');
  const done = completed(prepared, 10);
  assert.equal(done.state, 'CompleteCommit');
  const before = { producerId: 7, epoch: 0 };
  assert.equal(end(done, true, 2, before).kind, 'done');
  assert.equal(error(end(done, false, 2, before)), 'INVALID_TXN_STATE');
  // The next one, with nothing added: a commit of nothing is a mistake, an abort is not.
  assert.equal(error(end(done, true)), 'INVALID_TXN_STATE');
  assert.equal(next(end(done, false)).epoch, 2);
  // After a failover the record alone must tell as much.
  const record = transactionRecord(done);
  const again = readTransactionRecord({ ...record, offset: 0, timestampMs: 0 })?.txn;
  assert.equal(end(again as Transaction, true, 2, before).kind, 'done');
});

test('older clients keep their epoch and are answered the same when they repeat', () => {
  const prepared = next(end(ongoing, false, 0));
  assert.equal(prepared.epoch, 0);
  const done = completed(prepared, 10);
  assert.equal(end(done, false, 0).kind, 'done');
  assert.equal(error(end(done, true, 0)), 'INVALID_TXN_STATE');
  assert.equal(error(end(started, true, 0)), 'INVALID_TXN_STATE');
});

test('the last epoch of an id ends with a new id for the next transaction', () => {
  const last = { ...ongoing, epoch: EPOCH_MAX - 1 };
  const prepared = next(end(last, true));
  assert.equal(prepared.epoch, EPOCH_MAX);
  assert.deepEqual(producerAfter(prepared), { producerId: 99, epoch: 0 });
  const done = completed(prepared, 10);
  assert.deepEqual([done.producerId, done.epoch, done.previousProducerId], [99, 0, 7]);
  assert.equal(end(done, true, 2, { producerId: 7, epoch: EPOCH_MAX - 1 }).kind, 'done');
});

test('a fenced producer can neither commit nor take the new epoch', () => {
  const aborted = completed(fenced(ongoing, 9), 10);
  assert.equal(error(end(aborted, true, 2, { producerId: 7, epoch: 0 })), 'PRODUCER_FENCED');
});

test('time: open transactions have a limit, idle ids are forgotten', () => {
  assert.equal(hasTimedOut(ongoing, 1005), false);
  assert.equal(hasTimedOut(ongoing, 1006), true);
  assert.equal(hasTimedOut(started, 9999), false);
  assert.equal(hasExpired(started, 100, 101), true);
  assert.equal(hasExpired(ongoing, 100, 99_999), false);
});

test('a record holds everything that another coordinator needs', () => {
  for (const txn of [started, ongoing, next(end(ongoing, true)), fenced(ongoing, 3)]) {
    const found = readTransactionRecord({ ...transactionRecord(txn), offset: 0, timestampMs: 0 });
    assert.ok(found?.txn);
    const { lastEpoch, ...rest } = found.txn;
    const { lastEpoch: before, ...expected } = txn;
    assert.deepEqual(rest, expected);
    if (txn.state === 'PrepareCommit') assert.equal(lastEpoch, before);
  }
});
