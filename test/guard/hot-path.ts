/**
 * What one request costs the hot path in things that can be counted: bytes of the JavaScript heap, those
 * of them that stay when the request is over, bytes of buffers, promises, timers, writes to the file. Runs in a process of its own, by the interpreter alone
 * and without a garbage collection meanwhile, so that the counts are the same on every machine and day.
 * Prints them as JSON.
 */
import { memoryUsage } from 'node:process';
import { promiseHooks } from 'node:v8';
import { produce } from '../../broker/api/00-produce.ts';
import { fetch } from '../../broker/api/01-fetch.ts';
import type { Ports } from '../../broker/api/ports.ts';
import { BrokerConfig, topicRules } from '../../broker/config/config.ts';
import { FileCache } from '../../broker/log/file-cache.ts';
import type { LogRead } from '../../broker/log/log-reads.ts';
import { PartitionLog } from '../../broker/log/partition-log.ts';
import { TailMemory } from '../../broker/log/tail-memory.ts';
import { ConnectionMemory } from '../../broker/memory/connection-memory.ts';
import { MemoryBudget } from '../../broker/memory/memory-budget-core.ts';
import { MetadataImage } from '../../broker/metadata/image.ts';
import { Partition, TURN_PHASES } from '../../broker/partition/partition.ts';
import { DataFrame } from '../../broker/replication/leader-message.ts';
import type { Connection } from '../../broker/server/connection.ts';
import { Dispatch } from '../../broker/server/dispatch.ts';
import { Quotas } from '../../broker/server/quotas.ts';
import type { KafkaPartitionMap } from '../../kube/kafka-objects.ts';
import { formatPage, type PartitionLine } from '../../kube/partition-line.ts';
import { Writer } from '../../proto/kafka/cursor.ts';
import { produceRequest } from '../../proto/kafka/messages/00-produce.ts';
import { fetchRequest } from '../../proto/kafka/messages/01-fetch.ts';
import { requestHeader } from '../../proto/kafka/messages/headers.ts';
import { buildBatch } from '../../proto/kafka/record-batch.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Disk, DiskFile } from '../../stdx/disk.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import type { Logger } from '../../stdx/logger.ts';
import { Turn } from '../../stdx/turn.ts';

const TOPIC_ID = 'AAAAAAAAQACAAAAAAAAAAQ';
const REQUESTS = 2000;
const PER_TURN = 10;

const counts = { timers: 0, writes: 0, promises: 0 };
const ends: (() => void)[] = [];
const ignore = () => {};
const nothing: Disposable = { [Symbol.dispose]() {} };
const clock: Clock = {
  nowMs: () => 1_700_000_000_000,
  monotonicMs: () => 1000,
  after() {
    counts.timers++;
    return nothing;
  },
  every: () => nothing,
  endOfTurn: (run) => void ends.push(run),
};
const turn = new Turn(clock, TURN_PHASES, (cause) => {
  throw cause;
});
const endTurn = () => {
  for (let run = ends.pop(); run !== undefined; run = ends.pop()) run();
};
const silent: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silent,
};

/** A disk that takes writes and keeps nothing: what is read comes from memory. */
function sink(): Disk {
  const file = (path: string): DiskFile => ({
    path,
    writeAt() {
      counts.writes++;
    },
    readAt: () => 0,
    readAtLater: async () => 0,
    byteCount: () => 0,
    truncate() {},
    flush: async () => {},
    close() {},
  });
  return { ...memoryDisk(), open: (path) => file(path), writeFile() {}, replaceFile() {} };
}

const self = { id: 0, epoch: 1 };
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
const tail = new TailMemory(8 * 1024 * 1024);
const rules = topicRules({}, {});
const disk = sink();
const log = new PartitionLog({ disk, files: new FileCache(disk, 10), tail }, '/t-0', rules.log);
log.open({ clean: true, recoveryPoint: 0, startOffset: 0 });
const partition = new Partition(
  {
    clock,
    turn,
    mayLead: () => true,
    isApiAway: () => false,
    onDamage: () => {},
    onStorageFailure: (_, cause) => void fail(cause),
  },
  { topic: 't', topicId: TOPIC_ID, partition: 0 },
  log,
  0,
  rules.partition,
);
function fail(cause: unknown): never {
  throw cause;
}
partition.applyLine(line, self);
endTurn();

const image = new MetadataImage();
image.setPage('page', {
  spec: { partitions: formatPage([line]) },
} as unknown as KafkaPartitionMap);

const ports = {
  self: 0,
  clock,
  turn,
  image,
  config: new BrokerConfig(() => ({})),
  partition: () => partition,
  traffic: {
    onProduced: ignore,
    onProduceFailed: ignore,
    onProduceRequest: ignore,
    onFetched: ignore,
    onFetchFailed: ignore,
    onFetchRequest: ignore,
  },
  tail,
} as unknown as Ports;
const dispatch = new Dispatch({
  turn,
  look: ignore,
  clock,
  logger: silent,
  apis: new Map([
    [0, produce(ports)],
    [1, fetch(ports)],
  ]),
  observer: { onRequest: ignore },
  quotas: new Quotas({ clock, isUsed: () => false, limit: () => Number.POSITIVE_INFINITY }),
});
const memory = new ConnectionMemory(
  new MemoryBudget({ totalBytes: 256 * 1024 * 1024, largeBytesMax: 64 * 1024 * 1024 }, ignore),
);
const connection = {
  peer: '127.0.0.1',
  listener: 'internal',
  id: 1,
  memory,
  usedMs: 0,
  usedAtMs: 0,
} as unknown as Connection;

function frameOf(key: number, version: number, write: (w: Writer) => void): Buffer {
  const w = new Writer(256);
  requestHeader.write(w, 2, {
    requestApiKey: key,
    requestApiVersion: version,
    correlationId: 1,
    clientId: 'guard',
  } as never);
  write(w);
  return Buffer.concat(w.finish());
}

function produceFrame(valueBytes: number, records: number): Buffer {
  const value = Buffer.alloc(valueBytes, 'x');
  const batch = buildBatch(
    Array.from({ length: records }, () => ({ key: null, value })),
    { timestampMs: 1_700_000_000_000 },
  );
  const partitionData = [{ index: 0, records: batch }];
  const body = { acks: -1, timeoutMs: 1000, topicData: [{ name: 't', partitionData }] };
  return frameOf(0, 9, (w) => produceRequest.write(w, 9, body as never));
}

const fetchFrame = (fetchOffset: number) =>
  frameOf(1, 12, (w) =>
    fetchRequest.write(w, 12, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 1_000_000,
      topics: [
        { topic: 't', partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 100_000 }] },
      ],
    } as never),
  );

let answered = 0;
let answeredBytes = 0;
function request(frame: Buffer): void {
  dispatch.onRequest(connection, frame, false, (answer, whenSent) => {
    if (answer === null) throw new Error('a request must be answered');
    answered++;
    memory.trim(0);
    for (const { length } of answer as readonly Buffer[]) answeredBytes += length;
    whenSent?.();
  });
}

const collect = () => (globalThis as unknown as { gc: () => void }).gc();

/** Counts for each request; the first ones, in which things are made once, are left out. */
async function measure(frame: Buffer, run: (frame: Buffer) => void = request) {
  const perform = async (count: number) => {
    for (let i = 0; i < count; i++) {
      run(frame);
      if (i % PER_TURN < PER_TURN - 1) continue;
      endTurn();
      await Promise.resolve();
    }
  };
  await perform(200);
  collect();
  Object.assign(counts, { timers: 0, writes: 0, promises: 0 });
  const before = memoryUsage();
  const answeredBefore = answered;
  await perform(REQUESTS);
  const after = memoryUsage();
  collect();
  const kept = memoryUsage();
  if (run === request && answered - answeredBefore !== REQUESTS)
    throw new Error(`${answered - answeredBefore} of ${REQUESTS} requests were answered`);
  const each = (value: number) => Math.round((value / REQUESTS) * 100) / 100;
  return {
    heapBytes: Math.round((after.heapUsed - before.heapUsed) / REQUESTS),
    keptBytes: Math.max(Math.round((kept.heapUsed - before.heapUsed) / REQUESTS), 0),
    bufferBytes: Math.round((after.arrayBuffers - before.arrayBuffers) / REQUESTS),
    promises: each(counts.promises),
    timers: each(counts.timers),
    writes: each(counts.writes),
  };
}

promiseHooks.onInit(() => {
  counts.promises++;
});
const small = produceFrame(100, 1);
const large = produceFrame(1024, 16);
const results: Record<string, Awaited<ReturnType<typeof measure>>> = {};
results['produce, one record of 100 bytes'] = await measure(small);
results['produce, 16 records of 1 KiB'] = await measure(large);
const tailFetch = fetchFrame(log.endOffset - 16);
results['fetch, one batch at the tail'] = await measure(tailFetch);
if (answeredBytes < REQUESTS * large.length) throw new Error('fetches must give their batch');
const nothingNew = fetchFrame(log.endOffset);
results['fetch, nothing new'] = await measure(nothingNew);
const target = Buffer.alloc(64 * 1024);
results['replicate, one batch to one follower'] = await measure(target, () => {
  const { buffers, slabs } = log.read({
    offset: log.endOffset - 16,
    bytesMax: 100_000,
    endOffset: log.endOffset,
    atLeastOne: true,
  }) as LogRead;
  const data = { handle: 1, leaderEpoch: 0, highWatermark: 1, logStartOffset: 0 };
  new DataFrame([{ ...data, records: buffers, slabs }], tail).copy(target, 5);
});
process.stdout.write(`${JSON.stringify(results)}\n`);
