/**
 * ShareFetch (78). Records are given out to one member at a time and must be acknowledged (KIP-932).
 * v2: exact numbers of records, longer locks (KIP-1206, KIP-1222).
 */
import { codeOf, type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import {
  type ShareFetchRequest,
  shareFetchRequest,
  shareFetchResponse,
} from '../../proto/kafka/messages/78-share-fetch.ts';
import { batch, batchesOf } from '../../proto/kafka/record-batch.ts';
import type { Infer, Partially } from '../../proto/kafka/schema.ts';
import type { Slab } from '../log/tail-memory.ts';
import type { Partition } from '../partition/partition.ts';
import type { SharePartition } from '../share/share-partitions.ts';
import { FINAL_EPOCH, type SharedPartition } from '../share/share-sessions.ts';
import { api, type ClientConnection } from './handler.ts';
import { untilReadable } from './long-poll.ts';
import { endpointOf, type Ports } from './ports.ts';
import { firstBytesMax, keepForAnswer, LEAST_READ_BYTES, memoryOf } from './read-memory.ts';
import {
  endWith,
  isTransient,
  leaderHint,
  releaseAll,
  shareOf,
  shareSessions,
  takeAcks,
} from './share-access.ts';

type Response = Infer<typeof shareFetchResponse>;
type PartitionAnswer = Partially<Response['responses'][number]['partitions'][number]>;

/** Released records come back without anything being appended: look again so often. */
const LOOK_AGAIN_MS = 100;
const STRICT = 1;

interface Fetching {
  readonly groupId: string;
  readonly memberId: string;
  readonly request: ShareFetchRequest;
  readonly partitions: readonly SharedPartition[];
  readonly acks: ReadonlyMap<string, ErrorName>;
  readonly connection: ClientConnection;
  /** What was granted of the memory budget for the reads that are under way, and what a batch needs more. */
  granted: number;
  neededBytes: number;
}
interface Outcome {
  readonly of: SharedPartition;
  readonly answer: PartitionAnswer;
  readonly byteCount: number;
  readonly failed: boolean;
  readonly slabs: readonly Slab[];
}
const keyOf = ({ topicId, partition }: SharedPartition) => `${topicId}:${partition}`;

export function shareFetch(ports: Ports) {
  const sessions = shareSessions(ports);
  const { clock, image } = ports;

  const lockMs = (groupId: string) => ports.shares.lockMs(groupId);

  /** Reads what is free in one partition and gives it to the member. */
  const give = async (
    share: SharePartition,
    fetching: Fetching,
    limits: { bytesMax: number; recordsMax: number },
    strict: boolean,
  ) => {
    const { connection, granted, groupId, memberId } = fetching;
    const { core, partition } = share;
    core.onLogStart(partition.log.startOffset);
    const offset = core.nextOffset();
    const endOffset = ports.shares.endOffset(groupId, partition);
    if (offset === null || offset >= endOffset || limits.recordsMax <= 0) return null;
    const pending = partition.read({
      offset,
      bytesMax: limits.bytesMax,
      endOffset,
      atLeastOne: true,
      firstBytesMax: firstBytesMax(connection.memory, granted),
    });
    // No wait between reading and holding: the memory could be used again in between.
    const read = pending instanceof Promise ? await pending : pending;
    fetching.neededBytes = Math.max(fetching.neededBytes, read.neededBytes ?? 0);
    // Nothing is given to a member that is gone: its session ended with its connection.
    if (read.byteCount === 0 || connection.isClosed) return null;
    const buffers: Buffer[] = [];
    const acquired = [];
    let left = limits.recordsMax;
    let next = offset;
    let skipped = false;
    for (const bytes of read.buffers) {
      let end = 0;
      for (const found of batchesOf(bytes)) {
        if (left <= 0) break;
        const firstOffset = batch.baseOffset(bytes, found.at);
        const lastOffset = batch.lastOffset(bytes, found.at);
        const isHidden = ports.shares.isHidden(groupId, partition, bytes, found.at);
        // What was compacted away, and what was aborted, is done with without being given out.
        const until = isHidden ? lastOffset + 1 : firstOffset;
        if (until > next && core.skip(next, until)) skipped = true;
        next = lastOffset + 1;
        end = found.end;
        if (isHidden) continue;
        // Whole batches, unless the member wants exactly as many as it says.
        const recordsMax = strict ? left : Infinity;
        const some = core.acquire(
          memberId,
          { firstOffset, lastOffset, recordsMax },
          clock.monotonicMs(),
        );
        acquired.push(...some);
        for (const one of some) left -= one.lastOffset - one.firstOffset + 1;
      }
      if (end > 0) buffers.push(bytes.subarray(0, end));
    }
    if (skipped) void share.persist();
    if (acquired.length === 0) return null;
    const kept = keepForAnswer(ports.tail, { ...read, buffers });
    const byteCount = buffers.reduce((sum, { length }) => sum + length, 0);
    return { ...kept, acquired, byteCount, memoryBytes: memoryOf(kept) };
  };

  /** The topic may be deleted, or its disk fail, while it is read. */
  const giveOrRefuse = async (...of: Parameters<typeof give>) => {
    try {
      return await give(...of);
    } catch (cause) {
      if (!(cause instanceof KafkaError)) throw cause;
      return cause.error;
    }
  };

  const readAll = async (fetching: Fetching): Promise<Outcome[]> => {
    const { acks, connection, groupId, partitions, request } = fetching;
    const outcomes: Outcome[] = [];
    let bytesMax = Math.min(request.maxBytes, fetching.granted);
    let taken = 0;
    let recordsMax = request.maxRecords;
    for (const of of partitions) {
      const acked = acks.get(keyOf(of));
      const base = {
        partitionIndex: of.partition,
        acknowledgeErrorCode: codeOf(acked ?? 'NONE'),
        records: [],
        acquiredRecords: [],
      };
      const refuse = (error: ErrorName) => {
        const currentLeader = leaderHint(ports, of.topicId, of.partition, error);
        const answer = { ...base, errorCode: codeOf(error), currentLeader };
        outcomes.push({ of, answer, byteCount: 0, failed: error !== 'NONE', slabs: [] });
      };
      const share = await shareOf(ports, groupId, of);
      if (typeof share === 'string') {
        if (isTransient(share) && acked === undefined) continue;
        refuse(isTransient(share) ? 'NONE' : share);
        continue;
      }
      const limits = { bytesMax: Math.max(bytesMax, 1), recordsMax };
      const strict = request.shareAcquireMode === STRICT;
      const given = bytesMax > 0 ? await giveOrRefuse(share, fetching, limits, strict) : null;
      if (typeof given === 'string') {
        refuse(given);
        continue;
      }
      if (given === null) {
        if (acked !== undefined)
          outcomes.push({
            of,
            answer: { ...base, errorCode: 0 },
            byteCount: 0,
            failed: acked !== 'NONE',
            slabs: [],
          });
        continue;
      }
      bytesMax -= Math.max(given.byteCount, given.memoryBytes);
      taken += given.memoryBytes;
      for (const { firstOffset, lastOffset } of given.acquired)
        recordsMax -= lastOffset - firstOffset + 1;
      outcomes.push({
        of,
        answer: {
          ...base,
          errorCode: 0,
          records: given.buffers as never,
          acquiredRecords: given.acquired,
        },
        byteCount: given.byteCount,
        failed: false,
        slabs: given.slabs,
      });
    }
    connection.memory.trim(taken);
    return outcomes;
  };

  /** Waits for room in the memory budget, until the connection ends. */
  const untilGranted = (fetching: Fetching, bytes: number): Promise<void> =>
    new Promise((resolve) => {
      const { connection } = fetching;
      connection.whenClosed(untilGranted, resolve);
      connection.memory.whenGranted(bytes, (granted) => {
        fetching.granted = granted;
        resolve();
      });
    });

  /** Reads with what memory there is; a batch that is larger has its turn with the place for large things. */
  const readWithin = async (fetching: Fetching): Promise<Outcome[]> => {
    const { connection, request } = fetching;
    const wanted = Math.max(request.maxBytes, LEAST_READ_BYTES);
    fetching.granted = connection.memory.grant(wanted, LEAST_READ_BYTES);
    if (fetching.granted === 0) await untilGranted(fetching, LEAST_READ_BYTES);
    fetching.neededBytes = 0;
    const outcomes = await readAll(fetching);
    const { neededBytes } = fetching;
    if (neededBytes === 0 || outcomes.length > 0 || connection.isClosed) return outcomes;
    await untilGranted(fetching, neededBytes);
    return readAll(fetching);
  };

  const replicasOf = function* (partitions: readonly SharedPartition[]): Generator<Partition> {
    for (const { topicId, partition } of partitions) {
      const replica = ports.partition(topicId, partition);
      if (replica !== null) yield replica;
    }
  };

  const poll = async (fetching: Fetching): Promise<Outcome[]> => {
    const { request, partitions, connection } = fetching;
    const deadlineMs = clock.monotonicMs() + Math.max(request.maxWaitMs, 0);
    for (;;) {
      const outcomes = await readWithin(fetching);
      const enough = outcomes.some(({ byteCount, failed }) => byteCount > 0 || failed);
      const waitMs = deadlineMs - clock.monotonicMs();
      if (enough || fetching.acks.size > 0 || waitMs <= 0 || connection.isClosed) return outcomes;
      await untilReadable(
        { clock, connection },
        replicasOf(partitions),
        Math.min(waitMs, LOOK_AGAIN_MS),
      );
    }
  };

  const acknowledge = async (
    groupId: string,
    memberId: string,
    { topics }: ShareFetchRequest,
  ): Promise<Map<string, ErrorName>> => {
    const results = new Map<string, ErrorName>();
    for (const { topicId, partitions } of topics) {
      for (const { partitionIndex, acknowledgementBatches } of partitions) {
        if (acknowledgementBatches.length === 0) continue;
        const of = { topicId, partition: partitionIndex };
        const share = await shareOf(ports, groupId, of);
        const error =
          typeof share === 'string'
            ? share
            : await takeAcks(share, memberId, acknowledgementBatches, clock.monotonicMs());
        results.set(keyOf(of), error);
      }
    }
    return results;
  };

  return api({
    key: 78,
    name: 'ShareFetch',
    request: shareFetchRequest,
    response: shareFetchResponse,
    async handle(request, context) {
      const { connection, listener } = context;
      const groupId = request.groupId ?? '';
      const memberId = request.memberId ?? '';
      const { shareSessionEpoch: epoch } = request;
      const listed = (of: { topicId: string; partitions: readonly number[] }[]) =>
        of.flatMap(({ topicId, partitions }) =>
          partitions.map((partition) => ({ topicId, partition })),
        );
      const added = listed(
        request.topics.map(({ topicId, partitions }) => ({
          topicId,
          partitions: partitions.map(({ partitionIndex }) => partitionIndex),
        })),
      );
      const forgotten = listed(request.forgottenTopicsData);
      const session = sessions.advance(
        { groupId, memberId, connection },
        epoch,
        { added, forgotten },
        clock.monotonicMs(),
      );
      if (typeof session === 'string') return { errorCode: codeOf(session) };
      endWith(ports, connection);
      if (epoch === 0) for (const of of added) ports.shares.refresh(groupId, of);
      const acks = await acknowledge(groupId, memberId, request);
      const partitions = [...session.partitions.values()];
      if (epoch === FINAL_EPOCH) await releaseAll(ports, { groupId, memberId }, partitions);
      // Whoever got something goes to the back, so that all partitions have their turn.
      const outcomes = await poll({
        groupId,
        memberId,
        request: epoch === FINAL_EPOCH ? { ...request, maxWaitMs: 0, maxRecords: 0 } : request,
        partitions,
        acks,
        connection,
        granted: 0,
        neededBytes: 0,
      });
      for (const { of, byteCount } of outcomes) {
        if (byteCount === 0 || !session.partitions.delete(keyOf(of))) continue;
        session.partitions.set(keyOf(of), of);
      }
      const slabs = outcomes.flatMap((outcome) => outcome.slabs);
      if (slabs.length > 0) context.afterwards = () => ports.tail.release(slabs);
      const topics = new Map<string, PartitionAnswer[]>();
      for (const { of, answer } of outcomes) {
        const known = topics.get(of.topicId);
        if (known === undefined) topics.set(of.topicId, [answer]);
        else known.push(answer);
      }
      const leaders = new Set(outcomes.map(({ answer }) => answer.currentLeader?.leaderId ?? -1));
      return {
        errorCode: 0,
        acquisitionLockTimeoutMs: lockMs(groupId),
        responses: [...topics].map(([topicId, answers]) => ({ topicId, partitions: answers })),
        nodeEndpoints: [...leaders].flatMap((id) => {
          const broker = id < 0 ? null : image.broker(id);
          return broker === null ? [] : [endpointOf(ports, broker, listener)];
        }),
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
