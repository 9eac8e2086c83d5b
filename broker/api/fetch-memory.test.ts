/** Fetch against a log in files of memory, with a budget that is smaller than what is asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KafkaPartitionMap } from '../../kube/kafka-objects.ts';
import { formatPage, type PartitionLine } from '../../kube/partition-line.ts';
import { buildBatch } from '../../proto/kafka/record-batch.ts';
import { systemClock } from '../../stdx/clock.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import { Later } from '../../stdx/later.ts';
import { Turn } from '../../stdx/turn.ts';
import { BrokerConfig, topicRules } from '../config/config.ts';
import { FileCache } from '../log/file-cache.ts';
import { PartitionLog } from '../log/partition-log.ts';
import { TailMemory } from '../log/tail-memory.ts';
import { ConnectionMemory } from '../memory/connection-memory.ts';
import { MemoryBudget } from '../memory/memory-budget-core.ts';
import { MetadataImage } from '../metadata/image.ts';
import { Partition, TURN_PHASES } from '../partition/partition.ts';
import { fetch } from './01-fetch.ts';
import type { Ports } from './ports.ts';

const MIB = 1024 * 1024;
const TOPIC_ID = 'AAAAAAAAQACAAAAAAAAAAQ';
const self = { id: 0, epoch: 1 };

/** A partition with batches of these sizes, none of them in the tail's memory. */
async function serve(batchBytes: readonly number[]) {
  const fail = (cause: unknown) => {
    throw cause;
  };
  const turn = new Turn(systemClock, TURN_PHASES, fail);
  const tail = new TailMemory(MIB);
  const rules = topicRules({ 'max.message.bytes': String(64 * MIB) }, {});
  const disk = memoryDisk();
  const log = new PartitionLog({ disk, files: new FileCache(disk, 10), tail }, '/t-0', rules.log);
  log.open({ clean: true, recoveryPoint: 0, startOffset: 0 });
  const partition = new Partition(
    {
      clock: systemClock,
      turn,
      mayLead: () => true,
      isApiAway: () => false,
      onDamage: fail,
      onStorageFailure: (_, cause) => fail(cause),
    },
    { topic: 't', topicId: TOPIC_ID, partition: 0 },
    log,
    0,
    rules.partition,
  );
  const line: PartitionLine = {
    topic: 't',
    topicId: TOPIC_ID,
    partition: 0,
    leader: self,
    leaderEpoch: 0,
    partitionEpoch: 0,
    replicas: [0],
    isr: [self],
    elr: [],
    adding: [],
    removing: [],
  };
  partition.applyLine(line, self);
  for (const bytes of batchBytes) {
    const batch = buildBatch([{ key: null, value: Buffer.alloc(bytes, 'x') }], { timestampMs: 5 });
    await new Promise<void>((resolve) =>
      partition.produce(batch, { acks: 1, timeoutMs: 1000 }, ({ error }) => {
        assert.equal(error, 'NONE');
        resolve();
      }),
    );
  }
  const image = new MetadataImage();
  image.setPage('page', {
    spec: { partitions: formatPage([line]) },
  } as unknown as KafkaPartitionMap);
  const ignore = () => {};
  return fetch({
    self: 0,
    clock: systemClock,
    turn,
    image,
    config: new BrokerConfig(() => ({})),
    partition: () => partition,
    traffic: { onFetched: ignore, onFetchFailed: ignore, onFetchRequest: ignore },
    tail,
  } as unknown as Ports);
}

interface Fetched {
  readonly bytes: number;
  /** To be called when the answer was sent. */
  readonly sent: () => void;
}

/** Asks as a connection would, and charges the answer until it is sent. */
function ask(api: Awaited<ReturnType<typeof serve>>, budget: MemoryBudget, fetchOffset = 0) {
  const memory = new ConnectionMemory(budget);
  let isClosed = false;
  const ends = new Map<object, () => void>();
  let whenSent = () => {};
  const request = {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 50 * MIB,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    rackId: '',
    topics: [
      {
        topic: 't',
        partitions: [
          {
            partition: 0,
            fetchOffset,
            partitionMaxBytes: 50 * MIB,
            currentLeaderEpoch: -1,
            lastFetchedEpoch: -1,
          },
        ],
      },
    ],
    forgottenTopicsData: [],
  };
  const result = api.handle(
    request as never,
    {
      apiVersion: 11,
      listener: 'internal',
      whenSent: (run: () => void) => {
        whenSent = run;
      },
      connection: {
        get isClosed() {
          return isClosed;
        },
        whenClosed: (owner: object, run: () => void) => void ends.set(owner, run),
        memory,
        keepRequest: () => {},
      },
    } as never,
  );
  const finish = (response: {
    responses: { partitions: { errorCode: number; records: Buffer[] }[] }[];
  }): Fetched => {
    const partition = response.responses[0]?.partitions[0];
    assert.equal(partition?.errorCode ?? 0, 0);
    const bytes = (partition?.records ?? []).reduce((sum, { length }) => sum + length, 0);
    const share = memory.answer(bytes);
    return {
      bytes,
      sent: () => {
        memory.release(share, bytes);
        whenSent();
      },
    };
  };
  const answered = new Promise<Fetched>((resolve, reject) => {
    if (result instanceof Later) result.whenSettled((r) => resolve(finish(r as never)), reject);
    else resolve(finish(result as never));
  });
  const close = () => {
    isClosed = true;
    memory.end();
    for (const run of ends.values()) run();
  };
  return { answered, close };
}

const budgetOf = (totalBytes: number) =>
  new MemoryBudget({ totalBytes, largeBytesMax: totalBytes }, (run) => systemClock.endOfTurn(run));

test('many who fetch at once read no more than there is memory for, and all get their records', async () => {
  const api = await serve(Array.from({ length: 60 }, () => 512 * 1024));
  const budget = budgetOf(32 * MIB);
  let most = 0;
  const look = setInterval(() => {
    most = Math.max(most, budget.usedBytes);
  }, 0);
  const all = Array.from({ length: 40 }, () => ask(api, budget));
  let got = 0;
  await Promise.all(
    all.map(async ({ answered }) => {
      const { bytes, sent } = await answered;
      most = Math.max(most, budget.usedBytes);
      assert.ok(bytes >= 512 * 1024, 'at least a batch');
      await new Promise((resolve) => setTimeout(resolve, 5));
      got++;
      sent();
    }),
  );
  clearInterval(look);
  assert.equal(got, 40);
  assert.ok(most <= budget.totalBytes, `${most} bytes at most`);
  assert.equal(budget.usedBytes, 0);
});

test('a batch that is larger than its part is read alone, in turn', async () => {
  const api = await serve([8 * MIB, 1000]);
  const budget = budgetOf(32 * MIB);
  const all = Array.from({ length: 5 }, () => ask(api, budget));
  for (const { answered } of all) {
    const { bytes, sent } = await answered;
    assert.ok(bytes >= 8 * MIB);
    assert.ok(budget.usedBytes <= 2 * 8 * MIB + MIB, `${budget.usedBytes} bytes`);
    sent();
  }
  assert.equal(budget.usedBytes, 0);
});

test('who leaves while he waits for memory is not read for', async () => {
  const api = await serve(Array.from({ length: 20 }, () => 512 * 1024));
  const budget = budgetOf(32 * MIB);
  const { answers, large } = budget;
  const taken = answers.freeBytes;
  answers.overdraw(taken);
  large.overdraw(1);
  const { answered, close } = ask(api, budget);
  let isAnswered = false;
  answered.then(
    () => {
      isAnswered = true;
    },
    () => {},
  );
  assert.equal(budget.waiting, 1);
  close();
  assert.equal(budget.waiting, 0);
  answers.release(taken);
  large.release(1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(isAnswered, false);
  assert.equal(budget.usedBytes, 0);
});
