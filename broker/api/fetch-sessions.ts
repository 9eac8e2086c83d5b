/** Incremental fetch sessions: a client names its partitions once, then only changes (KIP-227). */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import type { FetchRequest } from '../../proto/kafka/messages/01-fetch.ts';

export interface FetchPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  fetchOffset: number;
  bytesMax: number;
  currentLeaderEpoch: number;
  lastFetchedEpoch: number;
  /** What the client was last told; NaN: nothing yet. */
  toldHighWatermark: number;
  toldLogStart: number;
}

export interface FetchSession {
  readonly id: number;
  epoch: number;
  lastUsedMs: number;
  readonly partitions: Map<string, FetchPartition>;
}

const EVICTABLE_AFTER_MS = 120_000;
/** Partitions of all sessions together: some 300 bytes each. */
const PARTITIONS_MAX = 300_000;

/** What a request amounts to. */
export type FetchPlan =
  | { readonly kind: 'error'; readonly error: ErrorName }
  | {
      readonly kind: 'full';
      readonly sessionId: number;
      readonly partitions: Map<string, FetchPartition>;
    }
  | { readonly kind: 'incremental'; readonly session: FetchSession };

export class FetchSessions {
  private readonly sessions = new Map<number, FetchSession>();
  private readonly slotsMax: () => number;
  private readonly partitionsMax: number;
  private nextId = 1;
  evictions = 0;
  /** Partitions of all sessions. */
  partitionCount = 0;

  constructor(slotsMax: () => number, partitionsMax = PARTITIONS_MAX) {
    this.slotsMax = slotsMax;
    this.partitionsMax = partitionsMax;
  }

  get count(): number {
    return this.sessions.size;
  }

  plan(request: FetchRequest, apiVersion: number, nowMs: number): FetchPlan {
    const { sessionId, sessionEpoch } = request;
    if (apiVersion < 7 || sessionEpoch === -1 || sessionEpoch === 0) {
      this.close(this.sessions.get(sessionId));
      const partitions = new Map<string, FetchPartition>();
      merge(partitions, request);
      const wants = apiVersion >= 7 && sessionEpoch === 0 && partitions.size > 0;
      return { kind: 'full', sessionId: wants ? this.open(partitions, nowMs) : 0, partitions };
    }
    const session = this.sessions.get(sessionId);
    if (session === undefined) return { kind: 'error', error: 'FETCH_SESSION_ID_NOT_FOUND' };
    if (session.epoch !== sessionEpoch)
      return { kind: 'error', error: 'INVALID_FETCH_SESSION_EPOCH' };
    session.epoch = sessionEpoch === 0x7fffffff ? 1 : sessionEpoch + 1;
    session.lastUsedMs = nowMs;
    // The map's order is that of use: the first is the one not used for longest.
    this.sessions.delete(sessionId);
    this.sessions.set(sessionId, session);
    const before = session.partitions.size;
    for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
      for (const partition of partitions)
        session.partitions.delete(keyOf(topic, topicId, partition));
    }
    merge(session.partitions, request);
    this.partitionCount += session.partitions.size - before;
    if (this.partitionCount <= this.partitionsMax || session.partitions.size <= before)
      return { kind: 'incremental', session };
    // Whoever asks for too much asks without a session from now on.
    this.close(session);
    return { kind: 'error', error: 'FETCH_SESSION_ID_NOT_FOUND' };
  }

  private close(session: FetchSession | undefined): void {
    if (session !== undefined && this.sessions.delete(session.id))
      this.partitionCount -= session.partitions.size;
  }

  /** Whether there is room, or was made by ending a session that nobody used for long. */
  private hasRoom(partitions: number, nowMs: number): boolean {
    for (;;) {
      const isFull =
        this.sessions.size >= this.slotsMax() ||
        this.partitionCount + partitions > this.partitionsMax;
      if (!isFull) return true;
      const [oldest] = this.sessions.values();
      if (oldest === undefined || nowMs - oldest.lastUsedMs < EVICTABLE_AFTER_MS) return false;
      this.close(oldest);
      this.evictions++;
    }
  }

  /** A new session's id, or 0 where there is no room: the client then fetches in full. */
  private open(partitions: Map<string, FetchPartition>, nowMs: number): number {
    if (!this.hasRoom(partitions.size, nowMs)) return 0;
    const id = this.nextId;
    this.nextId = id === 0x7fffffff ? 1 : id + 1;
    this.sessions.set(id, { id, epoch: 1, lastUsedMs: nowMs, partitions });
    this.partitionCount += partitions.size;
    return id;
  }
}

export function keyOf(topic: string, topicId: string, partition: number): string {
  return `${topicId}:${topic}:${partition}`;
}

function merge(into: Map<string, FetchPartition>, request: FetchRequest): void {
  for (const { topic, topicId, partitions } of request.topics) {
    for (const p of partitions) {
      const key = keyOf(topic, topicId, p.partition);
      const known = into.get(key);
      const values = {
        fetchOffset: p.fetchOffset,
        bytesMax: p.partitionMaxBytes,
        currentLeaderEpoch: p.currentLeaderEpoch,
        lastFetchedEpoch: p.lastFetchedEpoch,
      };
      if (known !== undefined) Object.assign(known, values);
      else
        into.set(key, {
          topic,
          topicId,
          partition: p.partition,
          ...values,
          toldHighWatermark: Number.NaN,
          toldLogStart: Number.NaN,
        });
    }
  }
}
