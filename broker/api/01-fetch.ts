/**
 * Fetch (1). v7 sessions; v12 diverging epochs; v13 topic ids; v16 tells who leads instead
 * (KIP-951). v11 names the consumer's rack, and followers serve it (KIP-392). Long polls are parked on their partitions and woken by an append of the same turn.
 */
import { codeOf, type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import {
  type FetchRequest,
  fetchRequest,
  fetchResponse,
} from '../../proto/kafka/messages/01-fetch.ts';
import { batch, batchesOf } from '../../proto/kafka/record-batch.ts';
import type { Infer, Partially } from '../../proto/kafka/schema.ts';
import { Later } from '../../stdx/later.ts';
import { bytesBeside, type LogRead, NOTHING } from '../log/log-reads.ts';
import { memoryForReading, type Slab } from '../log/tail-memory.ts';
import type { Partition } from '../partition/partition.ts';
import { epochEnd } from './epoch-end.ts';
import { type FetchPartition, FetchSessions, keyOf } from './fetch-sessions.ts';
import { api, type ClientConnection } from './handler.ts';
import { readWhenReadable } from './long-poll.ts';
import { endpointOf, type Ports } from './ports.ts';
import {
  firstBytesMax,
  keepForAnswer,
  LEAST_READ_BYTES,
  MOST_READ_BYTES,
  memoryOf,
} from './read-memory.ts';

type Response = Infer<typeof fetchResponse>;
type PartitionAnswer = Partially<Response['responses'][number]['partitions'][number]>;

interface Result {
  readonly of: FetchPartition;
  readonly topic: string;
  readonly topicId: string;
  readonly answer: PartitionAnswer;
  readonly byteCount: number;
  readonly failed: boolean;
  /** Held until the answer is sent or the result is dropped. */
  readonly slabs: readonly Slab[];
  /** What of the memory budget it takes. */
  readonly memoryBytes: number;
}

interface Fetching {
  readonly apiVersion: number;
  readonly request: FetchRequest;
  readonly connection: ClientConnection;
  readonly partitions: Map<string, FetchPartition>;
  readonly bytesMax: number;
  /** What the last reads take of the memory budget, at most where they are not over yet. */
  takenBytes: number;
  /** Much more cannot be had in one go, whatever the client would wait for. */
  isFull: boolean;
  /** Where a batch is larger than what was granted: what it takes. */
  neededBytes: number;
}

/** From here on clients can be sent to a follower, and followers serve them. */
const FOLLOWER_VERSION = 11;

/** Batches are whole, however little a client asks for. */
function wantedFor({ bytesMax }: Fetching): number {
  return Math.min(Math.max(bytesMax, LEAST_READ_BYTES), MOST_READ_BYTES);
}

export function fetch(ports: Ports) {
  const sessions = new FetchSessions(() =>
    ports.config.number('max.incremental.fetch.session.cache.slots'),
  );
  const { image } = ports;

  const resolve = (
    { topic, topicId, partition }: FetchPartition,
    apiVersion: number,
  ): { name: string; id: string; replica: Partition | null; error: ErrorName } => {
    const known = apiVersion >= 13 ? image.topicById(topicId) : image.topic(topic);
    if (known === null)
      return {
        name: topic,
        id: topicId,
        replica: null,
        error: apiVersion >= 13 ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION',
      };
    const replica = ports.partition(known.id, partition);
    if (replica !== null) return { name: known.name, id: known.id, replica, error: 'NONE' };
    const error =
      known.partitions[partition] === undefined
        ? 'UNKNOWN_TOPIC_OR_PARTITION'
        : 'NOT_LEADER_OR_FOLLOWER';
    return { name: known.name, id: known.id, replica: null, error };
  };

  /** Why a fetch from this replica cannot be served, or null. Source: KIP-320. */
  const refusal = (
    replica: Partition,
    of: FetchPartition,
    apiVersion: number,
  ): ErrorName | null => {
    const follows = replica.role.kind === 'follower' && apiVersion >= FOLLOWER_VERSION;
    if (!replica.isLeader && !follows)
      return replica.role.kind === 'offline' && replica.role.why === 'KAFKA_STORAGE_ERROR'
        ? 'KAFKA_STORAGE_ERROR'
        : 'NOT_LEADER_OR_FOLLOWER';
    if (of.currentLeaderEpoch >= 0 && of.currentLeaderEpoch < replica.leaderEpoch)
      return 'FENCED_LEADER_EPOCH';
    if (of.currentLeaderEpoch > replica.leaderEpoch) return 'UNKNOWN_LEADER_EPOCH';
    const { startOffset, endOffset } = replica.log;
    if (of.fetchOffset >= startOffset && of.fetchOffset <= endOffset) return null;
    // A follower may only not have it yet: nobody is to begin anew for that (KIP-392).
    return follows ? 'OFFSET_NOT_AVAILABLE' : 'OFFSET_OUT_OF_RANGE';
  };

  const failure = (of: FetchPartition, name: string, id: string, error: ErrorName): Result => {
    ports.traffic.onFetchFailed(name);
    const line = image.line(id, of.partition);
    const unknown = error === 'UNKNOWN_TOPIC_ID' || error === 'UNKNOWN_TOPIC_OR_PARTITION';
    const moved = error === 'NOT_LEADER_OR_FOLLOWER' || error === 'FENCED_LEADER_EPOCH';
    const currentLeader =
      moved && line !== null
        ? { currentLeader: { leaderId: line.leader?.id ?? -1, leaderEpoch: line.leaderEpoch } }
        : {};
    return {
      of,
      topic: name,
      topicId: id,
      answer: {
        partitionIndex: of.partition,
        errorCode: codeOf(error),
        highWatermark: -1,
        abortedTransactions: unknown ? [] : null,
        records: [],
        ...currentLeader,
      },
      byteCount: 0,
      failed: true,
      slabs: [],
      memoryBytes: 0,
    };
  };

  /** What a reader of committed records must skip in what it is given. */
  const abortedIn = (replica: Partition, { fetchOffset }: FetchPartition, read: LogRead) => {
    const last = read.buffers.at(-1);
    if (last === undefined) return [];
    let endOffset = fetchOffset;
    for (const { at } of batchesOf(last)) endOffset = batch.lastOffset(last, at) + 1;
    return replica
      .ask((log) => log.abortedTransactions(fetchOffset, endOffset))
      .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }));
  };

  const success = (
    of: FetchPartition,
    replica: Partition,
    read: LogRead,
    readCommitted: boolean,
  ): Result => {
    const { buffers, byteCount, slabs } = keepForAnswer(ports.tail, read);
    const abortedTransactions = readCommitted ? abortedIn(replica, of, read) : null;
    return {
      of,
      topic: replica.topic,
      topicId: replica.topicId,
      answer: {
        partitionIndex: of.partition,
        errorCode: 0,
        highWatermark: replica.highWatermark,
        lastStableOffset: replica.lastStableOffset,
        logStartOffset: replica.log.startOffset,
        abortedTransactions,
        records: buffers,
      },
      byteCount,
      failed: false,
      slabs,
      memoryBytes: memoryOf(read),
    };
  };

  /** A replica in the consumer's rack that has what it asks for; null: this one serves (KIP-392). */
  const nearerReplica = (
    replica: Partition,
    of: FetchPartition,
    rackId: string,
    apiVersion: number,
  ): number | null => {
    const core = replica.leaderCore;
    if (core === null || rackId === '' || apiVersion < FOLLOWER_VERSION) return null;
    if (!ports.config.text('replica.selector.class').endsWith('RackAwareReplicaSelector'))
      return null;
    if (image.broker(ports.self)?.rack === rackId) return null;
    const near = core.line.isr.find(({ id, epoch }) => {
      const broker = image.broker(id);
      if (broker === null || broker.fenced || broker.rack !== rackId) return false;
      return core.progress.some(
        (one) => one.id === id && one.brokerEpoch === epoch && one.endOffset >= of.fetchOffset,
      );
    });
    return near === undefined || near.id === ports.self ? null : near.id;
  };

  const release = (results: readonly Result[]): void => {
    for (const { slabs } of results) ports.tail.release(slabs);
  };

  /** Reads every partition once, in order, within the byte limits and the memory that was granted for it. */
  const readAll = (fetching: Fetching, granted: number): Result[] | Promise<Result[]> => {
    const { apiVersion, connection, partitions, request } = fetching;
    const bytesMax = Math.min(fetching.bytesMax, granted);
    const results: (Result | Promise<Result>)[] = [];
    let left = bytesMax;
    let later = false;
    fetching.neededBytes = 0;
    for (const of of partitions.values()) {
      const { name, id, replica, error } = resolve(of, apiVersion);
      const refused = replica === null ? error : refusal(replica, of, apiVersion);
      if (replica === null || refused !== null) {
        results.push(failure(of, name, id, refused ?? 'UNKNOWN_SERVER_ERROR'));
        continue;
      }
      const { log } = replica;
      const readCommitted = request.isolationLevel === 1;
      if (apiVersion >= 12 && of.lastFetchedEpoch >= 0) {
        const end = epochEnd(replica, of.lastFetchedEpoch);
        if (end.epoch < of.lastFetchedEpoch || end.endOffset < of.fetchOffset) {
          const diverged = success(of, replica, NOTHING, readCommitted);
          results.push({
            ...diverged,
            answer: { ...diverged.answer, divergingEpoch: end },
            failed: true,
          });
          continue;
        }
      }
      const nearer = nearerReplica(replica, of, request.rackId, apiVersion);
      if (nearer !== null) {
        const sent = success(of, replica, NOTHING, readCommitted);
        results.push({
          ...sent,
          answer: { ...sent.answer, preferredReadReplica: nearer },
          failed: true,
        });
        continue;
      }
      const limit = Math.min(of.bytesMax, left);
      if (limit <= 0 && left !== bytesMax) {
        results.push(success(of, replica, NOTHING, readCommitted));
        continue;
      }
      const endOffset = readCommitted ? replica.lastStableOffset : replica.highWatermark;
      const ask = {
        offset: of.fetchOffset,
        bytesMax: Math.max(limit, 0),
        endOffset,
        atLeastOne: left === bytesMax,
        firstBytesMax: firstBytesMax(connection.memory, granted),
      };
      const refuse = (cause: unknown) => {
        if (!(cause instanceof KafkaError)) throw cause;
        // Deleted meanwhile: as it is called by those who ask now.
        const { error: now } = resolve(of, apiVersion);
        return failure(of, name, id, now === 'NONE' ? cause.error : now);
      };
      try {
        const read = replica.read(ask);
        if (read instanceof Promise) {
          later = true;
          left -= memoryForReading(ask.bytesMax + bytesBeside(log.config));
          // What was judged before the wait may be otherwise after it.
          const settle = (done: LogRead) => {
            const refusedNow = refusal(replica, of, apiVersion);
            if (refusedNow !== null) return failure(of, name, id, refusedNow);
            fetching.neededBytes = Math.max(fetching.neededBytes, done.neededBytes ?? 0);
            return success(of, replica, done, readCommitted);
          };
          results.push(read.then(settle).catch(refuse));
        } else {
          fetching.neededBytes = Math.max(fetching.neededBytes, read.neededBytes ?? 0);
          const result = success(of, replica, read, readCommitted);
          left -= result.memoryBytes;
          results.push(result);
        }
      } catch (cause) {
        results.push(refuse(cause));
      }
    }
    fetching.takenBytes = bytesMax - left;
    fetching.isFull = left < bytesMax / 2;
    return later ? Promise.all(results) : (results as Result[]);
  };

  const memoryTakenBy = (results: readonly Result[]): number => {
    let sum = 0;
    for (let i = 0; i < results.length; i++) sum += (results[i] as Result).memoryBytes;
    return sum;
  };

  /** What must be granted before anything can be read; 0 where something was, or nothing is there. */
  const neededFor = (results: readonly Result[], { neededBytes }: Fetching): number => {
    for (let i = 0; i < results.length && neededBytes > 0; i++) {
      const { byteCount, failed } = results[i] as Result;
      if (failed || byteCount > 0) return 0;
    }
    return neededBytes;
  };

  const replicasOf = function* ({ partitions, apiVersion }: Fetching): Generator<Partition> {
    for (const of of partitions.values()) {
      const { replica } = resolve(of, apiVersion);
      if (replica !== null) yield replica;
    }
  };

  const isEnough = (results: readonly Result[], { isFull, request }: Fetching): boolean => {
    let byteCount = 0;
    for (const result of results) {
      if (result.failed) return true;
      byteCount += result.byteCount;
    }
    return byteCount >= request.minBytes || (isFull && byteCount > 0);
  };

  /** Reads until there is enough or the time is over; what was too little is let go while it waits. */
  const poll = (fetching: Fetching): Result[] | Later<Result[]> => {
    const { connection, partitions, request } = fetching;
    const granted = connection.memory.grant(wantedFor(fetching), LEAST_READ_BYTES);
    if (granted === 0) return pollLater(fetching, null);
    const first = readAll(fetching, granted);
    connection.memory.trim(fetching.takenBytes);
    if (first instanceof Promise || neededFor(first, fetching) > 0)
      return pollLater(fetching, first);
    if (request.maxWaitMs <= 0 || partitions.size === 0 || isEnough(first, fetching)) return first;
    return pollLater(fetching, first);
  };

  const pollLater = (
    fetching: Fetching,
    first: Result[] | Promise<Result[]> | null,
  ): Later<Result[]> => {
    const { connection, request } = fetching;
    const { memory } = connection;
    const deadlineMs = ports.clock.monotonicMs() + Math.max(request.maxWaitMs, 0);
    const done = new Later<Result[]>();
    const read = (granted: number): void => {
      try {
        const results = readAll(fetching, granted);
        memory.trim(fetching.takenBytes);
        judge(results);
      } catch (cause) {
        done.fail(cause);
      }
    };
    const ask = (): void => {
      if (connection.isClosed) return done.settle([]);
      const granted = memory.grant(wantedFor(fetching), LEAST_READ_BYTES);
      if (granted > 0) read(granted);
      else memory.whenGranted(LEAST_READ_BYTES, read);
    };
    const judge = (results: Result[] | Promise<Result[]>): void => {
      if (results instanceof Promise) {
        results.then(judge).catch((cause: unknown) => done.fail(cause));
        return;
      }
      const needed = neededFor(results, fetching);
      if (needed > 0 && !connection.isClosed) {
        release(results);
        return memory.whenGranted(needed, read);
      }
      memory.trim(memoryTakenBy(results));
      const waitMs = deadlineMs - ports.clock.monotonicMs();
      if (waitMs <= 0 || connection.isClosed || isEnough(results, fetching))
        return done.settle(results);
      release(results);
      memory.trim(0);
      readWhenReadable({ connection, turn: ports.turn }, replicasOf(fetching), waitMs, ask);
    };
    if (first === null) ask();
    else judge(first);
    return done;
  };

  /** Groups results by topic; an incremental answer leaves out what the client knows already. */
  const respond = (
    results: readonly Result[],
    fetch: { sessionId: number; incremental: boolean; listener: string },
  ): Partially<Response> => {
    const { incremental, sessionId } = fetch;
    const topics = new Map<
      string,
      { topic: string; topicId: string; partitions: PartitionAnswer[] }
    >();
    let leaders: Set<number> | null = null;
    for (const { of, topic, topicId, answer, byteCount, failed } of results) {
      const told =
        of.toldHighWatermark === answer.highWatermark && of.toldLogStart === answer.logStartOffset;
      of.toldHighWatermark = answer.highWatermark ?? -1;
      of.toldLogStart = answer.logStartOffset ?? -1;
      ports.traffic.onFetched(topic, byteCount);
      if (incremental && told && !failed && byteCount === 0) continue;
      if (failed) of.toldHighWatermark = Number.NaN;
      const leader = answer.currentLeader?.leaderId ?? -1;
      if (leader >= 0) (leaders ??= new Set()).add(leader);
      let entry = topics.get(topicId || topic);
      if (entry === undefined) {
        entry = { topic, topicId, partitions: [] };
        topics.set(topicId || topic, entry);
        ports.traffic.onFetchRequest(topic);
      }
      entry.partitions.push(answer);
    }
    const nodeEndpoints = [...(leaders ?? [])].flatMap((id) => {
      const broker = image.broker(id);
      return broker === null ? [] : [endpointOf(ports, broker, fetch.listener)];
    });
    return { errorCode: 0, sessionId, responses: [...topics.values()], nodeEndpoints };
  };

  /** Partitions that gave something go to the back, so that all get their turn. */
  const rotate = (partitions: Map<string, FetchPartition>, results: readonly Result[]): void => {
    for (const { of, byteCount } of results) {
      if (byteCount === 0) continue;
      const key = keyOf(of.topic, of.topicId, of.partition);
      if (!partitions.delete(key)) continue;
      partitions.set(key, of);
    }
  };

  return api({
    key: 1,
    name: 'Fetch',
    request: fetchRequest,
    response: fetchResponse,
    handle(request: FetchRequest, context) {
      const { apiVersion, connection, listener } = context;
      const plan = sessions.plan(request, apiVersion, ports.clock.monotonicMs());
      if (plan.kind === 'error') return { errorCode: codeOf(plan.error), sessionId: 0 };
      const incremental = plan.kind === 'incremental';
      const partitions = incremental ? plan.session.partitions : plan.partitions;
      const sessionId = incremental ? plan.session.id : plan.sessionId;
      const bytesMax = Math.min(request.maxBytes, ports.config.number('fetch.max.bytes'));
      const done = (results: Result[]) => {
        if (sessionId !== 0) rotate(partitions, results);
        if (results.some(({ slabs }) => slabs.length > 0))
          context.afterwards = () => release(results);
        return respond(results, { sessionId, incremental, listener });
      };
      const results = poll({
        apiVersion,
        request,
        connection,
        partitions,
        bytesMax,
        takenBytes: 0,
        isFull: false,
        neededBytes: 0,
      });
      return results instanceof Later ? results.map(done) : done(results);
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), sessionId: 0 }),
  });
}
