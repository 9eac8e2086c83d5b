import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PartitionLine } from '../../kube/partition-line.ts';
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { buildBatch, TRANSACTIONAL_BIT } from '../../proto/kafka/record-batch.ts';
import type { Clock } from '../../stdx/clock.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import { Turn } from '../../stdx/turn.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { FileCache } from '../log/file-cache.ts';
import { PartitionLog } from '../log/partition-log.ts';
import { TailMemory } from '../log/tail-memory.ts';
import type { ProduceResult } from './ack-waiters.ts';
import { Partition, TURN_PHASES } from './partition.ts';
import { Verifications } from './verifications.ts';

const ID = 7;

/** A partition with one replica, a producer, and a transaction coordinator that answers when told. */
function setUp() {
  const ends: (() => void)[] = [];
  const clock: Clock = {
    nowMs: () => 5,
    monotonicMs: () => 5,
    after: () => ({ [Symbol.dispose]() {} }),
    every: () => ({ [Symbol.dispose]() {} }),
    endOfTurn: (run) => void ends.push(run),
  };
  const turn = new Turn(clock, TURN_PHASES, (cause) => {
    throw cause;
  });
  const disk = memoryDisk();
  const deps = { disk, files: new FileCache(disk, 9), tail: new TailMemory(0) };
  const log = new PartitionLog(deps, '/d/t-0', logConfig({ segmentBytes: 1e6 }));
  log.open({ clean: false, recoveryPoint: 0, startOffset: 0 });
  const partition = new Partition(
    {
      clock,
      turn,
      mayLead: () => true,
      isApiAway: () => false,
      onDamage: () => {},
      onStorageFailure: (_, cause) => assert.fail(String(cause)),
    },
    { topic: 't', topicId: 'x', partition: 0 },
    log,
    0,
    {
      minInsyncReplicas: 1,
      replicaLagTimeMaxMs: 1000,
      maxMessageBytes: 1e6,
      segmentBytes: 1e6,
      logAppendTime: false,
      timestampBeforeMaxMs: 1e15,
      timestampAfterMaxMs: 1e15,
      throttledReplicas: null,
      isCompacted: false,
      codec: null,
      compressionLevel: 0,
      unpackedBytesMax: 1e8,
      producerExpirationMs: 1e9,
    },
  );
  const line: PartitionLine = {
    topic: 't',
    topicId: 'x',
    partition: 0,
    leader: { id: 1, epoch: 1 },
    leaderEpoch: 0,
    partitionEpoch: 0,
    replicas: [1],
    isr: [{ id: 1, epoch: 1 }],
    elr: [],
    adding: [],
    removing: [],
  };
  const lead = (leaderEpoch: number) =>
    partition.applyLine({ ...line, leaderEpoch, partitionEpoch: leaderEpoch }, { id: 1, epoch: 1 });
  lead(0);
  const settle = (run: (done: (result: ProduceResult) => void) => void): ErrorName => {
    let answer: ErrorName | null = null;
    run(({ error }) => void (answer = error));
    for (let end = ends.shift(); end !== undefined; end = ends.shift()) end();
    assert.ok(answer !== null, 'it is answered within the turn');
    return answer;
  };
  const asked: ((error: ErrorName) => void)[] = [];
  const ask = () => new Promise<ErrorName>((resolve) => asked.push(resolve));
  return {
    partition,
    lead,
    /** How often the coordinator was asked and has not answered. */
    get unanswered() {
      return asked.length;
    },
    answer: (error: ErrorName) => asked.shift()?.(error),
    /** As the Produce API does it; resolves with the answer to the client. */
    async send(epoch: number, baseSequence: number, { ownEpoch } = { ownEpoch: true }) {
      const records = Array.from({ length: 5 }, () => ({ key: null, value: Buffer.from('v') }));
      const bytes = buildBatch(records, {
        timestampMs: 5,
        producerId: ID,
        producerEpoch: epoch,
        baseSequence,
        attributes: TRANSACTIONAL_BIT,
      });
      const of = { producerId: ID, epoch, baseSequence, ownEpoch };
      const error = await partition.verifications.verify(of, 5, ask);
      if (error !== 'NONE') return error;
      const request = { acks: -1, timeoutMs: 100, mustBeVerified: true };
      return settle((done) => partition.produce(bytes, request, done));
    },
    end(producerEpoch: number, transactionVersion = 2) {
      const marker = { producerId: ID, producerEpoch, coordinatorEpoch: 0, committed: true };
      return settle((done) =>
        partition.endTransaction({ ...marker, transactionVersion }, 100, done),
      );
    },
  };
}

type Stage = ReturnType<typeof setUp>;

async function answered(
  stage: Stage,
  result: Promise<ErrorName>,
  error: ErrorName = 'NONE',
): Promise<ErrorName> {
  stage.answer(error);
  return result;
}

for (const [where, before] of [
  ['a fresh partition', async () => {}],
  [
    'a partition with an earlier transaction',
    async (stage: Stage) => {
      for (const sequence of [0, 5])
        assert.equal(await answered(stage, stage.send(0, sequence)), 'NONE');
      assert.equal(stage.end(1), 'NONE');
    },
  ],
] as const) {
  for (const ownEpoch of [true, false]) {
    const how = ownEpoch ? 'in an epoch of its own' : 'verified only';
    test(`a batch does not overtake the one before it, which the coordinator refused for now: ${where}, ${how}`, async () => {
      const stage = setUp();
      await before(stage);
      const epoch = 1;
      const first = stage.send(epoch, 0, { ownEpoch });
      assert.equal(
        await answered(stage, first, 'CONCURRENT_TRANSACTIONS'),
        'CONCURRENT_TRANSACTIONS',
      );
      const at = stage.partition.log.endOffset;
      const second = stage.send(epoch, 5, { ownEpoch });
      assert.equal(await answered(stage, second), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
      assert.equal(stage.partition.log.endOffset, at, 'nothing is appended');
      for (const sequence of [0, 5, 10])
        assert.equal(await stage.send(epoch, sequence, { ownEpoch }), 'NONE');
      assert.equal(stage.unanswered, 0, 'what was answered once holds until a marker comes');
    });
  }
}

test('the lowest sequence counts, in whatever order the batches come', async () => {
  const stage = setUp();
  const how = { ownEpoch: false };
  for (const sequence of [10, 5, 15])
    await answered(stage, stage.send(1, sequence, how), 'COORDINATOR_NOT_AVAILABLE');
  assert.equal(await answered(stage, stage.send(1, 10, how)), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
  for (const sequence of [5, 10, 15]) assert.equal(await stage.send(1, sequence, how), 'NONE');
});

test('batches that wait for one answer are appended in the order in which they came', async () => {
  const stage = setUp();
  const sent = [0, 5, 10].map((sequence) => stage.send(0, sequence));
  assert.equal(stage.unanswered, 1);
  stage.answer('NONE');
  assert.deepEqual(await Promise.all(sent), ['NONE', 'NONE', 'NONE']);
});

test('batches stay in order when the marker of the last transaction comes between them', async () => {
  const stage = setUp();
  assert.equal(await answered(stage, stage.send(0, 0)), 'NONE');
  const sent = [0, 5].map((sequence) => stage.send(1, sequence));
  assert.equal(stage.end(1), 'NONE');
  sent.push(stage.send(1, 10));
  stage.answer('NONE');
  await new Promise((resolve) => setImmediate(resolve));
  sent.push(stage.send(1, 15));
  assert.equal(stage.unanswered, 1, 'asked again, once for all of them');
  stage.answer('NONE');
  assert.deepEqual(await Promise.all(sent), ['NONE', 'NONE', 'NONE', 'NONE']);
  assert.equal(await stage.send(1, 20), 'NONE');
});

test('batches hear of the answer in the order in which they came, whatever comes in between (property)', async () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.constant('send' as const) },
    { weight: 3, arbitrary: fc.constant('answer' as const) },
    { weight: 1, arbitrary: fc.constant('refuse' as const) },
    { weight: 1, arbitrary: fc.constant('marker' as const) },
    { weight: 1, arbitrary: fc.constant('lead' as const) },
    { weight: 2, arbitrary: fc.constant('pause' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const stage = setUp();
      const [order, all]: [number[], Promise<void>[]] = [[], []];
      let leaderEpoch = 0;
      for (const [i, one] of steps.entries()) {
        const take = () => void order.push(i);
        if (one === 'send') all.push(stage.send(1, 5 * all.length).then(take, take));
        else if (one === 'answer') stage.answer('NONE');
        else if (one === 'refuse') stage.answer('CONCURRENT_TRANSACTIONS');
        else if (one === 'marker') stage.end(1, 0);
        else if (one === 'lead') stage.lead(++leaderEpoch);
        else await new Promise((resolve) => setImmediate(resolve));
      }
      while (order.length < all.length) {
        stage.answer('NONE');
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      );
    }),
    { numRuns: 300 },
  );
});

test('a marker makes an answer that is under way void, and so does another leadership', async () => {
  for (const disturb of [(stage: Stage) => void stage.end(1, 0), (stage: Stage) => stage.lead(1)]) {
    const stage = setUp();
    const sent = stage.send(1, 0);
    disturb(stage);
    stage.answer('NONE');
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(stage.unanswered, 1, 'the coordinator is asked again');
    assert.equal(await answered(stage, sent, 'TRANSACTION_ABORTABLE'), 'TRANSACTION_ABORTABLE');
    assert.equal(stage.partition.log.producers.isOpen(ID, 1), false);
  }
});

test('records whose transaction ended between the answer and the append are refused', () => {
  const { partition } = setUp();
  const bytes = buildBatch([{ key: null, value: Buffer.from('v') }], {
    timestampMs: 5,
    producerId: ID,
    producerEpoch: 0,
    baseSequence: 0,
    attributes: TRANSACTIONAL_BIT,
  });
  const request = { acks: -1, timeoutMs: 100, mustBeVerified: true };
  let answer: ErrorName = 'NONE';
  partition.produce(bytes, request, ({ error }) => void (answer = error));
  assert.equal(answer, 'INVALID_TXN_STATE');
});

test('a fenced producer neither gets in nor takes away what is known of the one that fenced it', async () => {
  const stage = setUp();
  const first = stage.send(2, 0, { ownEpoch: false });
  await answered(stage, first, 'CONCURRENT_TRANSACTIONS');
  const zombie = stage.send(1, 40, { ownEpoch: false });
  assert.equal(await answered(stage, zombie, 'PRODUCER_FENCED'), 'PRODUCER_FENCED');
  const second = stage.send(2, 5, { ownEpoch: false });
  assert.equal(await answered(stage, second), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
});

test('a made-up epoch that the coordinator refuses does not stand in the way of the right one', async () => {
  const stage = setUp();
  assert.equal(await answered(stage, stage.send(999, 0), 'PRODUCER_FENCED'), 'PRODUCER_FENCED');
  assert.equal(await answered(stage, stage.send(1, 0)), 'NONE');
});

test('markers of older epochs and of older coordinators are refused, and void nothing', async () => {
  const stage = setUp();
  assert.equal(await answered(stage, stage.send(3, 0)), 'NONE');
  assert.equal(stage.end(2, 0), 'INVALID_PRODUCER_EPOCH');
  assert.equal(stage.end(2), 'INVALID_PRODUCER_EPOCH');
  assert.equal(stage.end(4), 'NONE');
  assert.equal(
    await answered(stage, stage.send(4, 0), 'CONCURRENT_TRANSACTIONS'),
    'CONCURRENT_TRANSACTIONS',
  );
  assert.equal(await answered(stage, stage.send(4, 5)), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
  assert.equal(stage.end(3, 0), 'INVALID_PRODUCER_EPOCH');
  assert.equal(await stage.send(4, 0), 'NONE', 'nobody is asked again');
});

test('who never comes back for an answer is forgotten in the end', async () => {
  const stage = setUp();
  await answered(stage, stage.send(0, 0, { ownEpoch: false }), 'NOT_COORDINATOR');
  stage.partition.verifications.expire(5);
  assert.equal(
    await answered(stage, stage.send(0, 5, { ownEpoch: false })),
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
  );
  stage.partition.verifications.expire(6);
  assert.equal(await answered(stage, stage.send(0, 5, { ownEpoch: false })), 'NONE');
});

test('producers that are being verified are bounded in number, however many ids a client makes up', async () => {
  const verifications = new Verifications(() => false);
  const of = (producerId: number) => ({ producerId, epoch: 0, baseSequence: 0, ownEpoch: true });
  for (let id = 0; id < 60_000; id++)
    await verifications.verify(of(id), 0, async () => 'COORDINATOR_NOT_AVAILABLE');
  assert.equal(verifications.count, 50_000);
});
