/** Share sessions: which partitions a member reads, so that it need not say so with every request. */
import type { ErrorName } from '../../proto/kafka/errors.ts';

export interface SharedPartition {
  readonly topicId: string;
  readonly partition: number;
}

/** A session that ended with its connection, and what its member read. */
export interface EndedSession {
  readonly groupId: string;
  readonly memberId: string;
  readonly partitions: Iterable<SharedPartition>;
}

export interface ShareSession {
  readonly groupId: string;
  readonly memberId: string;
  epoch: number;
  /** Through which connection the member last spoke: the session ends with it, as in Apache Kafka. */
  connection: object;
  lastUsedMs: number;
  readonly partitions: Map<string, SharedPartition>;
}

/** A member that does not come back for so long has no session any more, if others want one. */
const EVICTABLE_AFTER_MS = 120_000;

/** Partitions of all sessions together. */
const PARTITIONS_MAX = 300_000;

export const FINAL_EPOCH = -1;
const keyOf = ({ topicId, partition }: SharedPartition) => `${topicId}:${partition}`;

export class ShareSessions {
  private readonly sessions = new Map<string, ShareSession>();
  private readonly sessionsMax: () => number;
  private readonly partitionsMax: number;
  /** Partitions of all sessions. */
  partitionCount = 0;

  constructor(sessionsMax: () => number, partitionsMax = PARTITIONS_MAX) {
    this.sessionsMax = sessionsMax;
    this.partitionsMax = partitionsMax;
  }

  private end(id: string, session: ShareSession | undefined): void {
    if (session === undefined) return;
    this.sessions.delete(id);
    this.partitionCount -= session.partitions.size;
  }

  /** The session of a request, moved on to its next epoch; or why there is none. */
  advance(
    member: { groupId: string; memberId: string; connection: object },
    epoch: number,
    change: { added: readonly SharedPartition[]; forgotten: readonly SharedPartition[] },
    nowMs: number,
  ): ShareSession | ErrorName {
    const id = `${member.groupId} ${member.memberId}`;
    if (epoch === 0) {
      this.end(id, this.sessions.get(id));
      if (!this.hasRoom(change.added.length, nowMs)) return 'SHARE_SESSION_LIMIT_REACHED';
      const session = {
        ...member,
        epoch: 1,
        lastUsedMs: nowMs,
        partitions: new Map<string, SharedPartition>(),
      };
      for (const one of change.added) session.partitions.set(keyOf(one), one);
      this.sessions.set(id, session);
      this.partitionCount += session.partitions.size;
      return session;
    }
    const session = this.sessions.get(id);
    if (session === undefined) return 'SHARE_SESSION_NOT_FOUND';
    if (epoch === FINAL_EPOCH) {
      this.end(id, session);
      return session;
    }
    if (epoch !== session.epoch) return 'INVALID_SHARE_SESSION_EPOCH';
    if (change.added.length > 0 && this.partitionCount + change.added.length > this.partitionsMax)
      return 'SHARE_SESSION_LIMIT_REACHED';
    session.lastUsedMs = nowMs;
    session.connection = member.connection;
    // The map's order is that of use: the first is the one not used for longest.
    this.sessions.delete(id);
    this.sessions.set(id, session);
    session.epoch = session.epoch === 0x7fff_ffff ? 1 : session.epoch + 1;
    const before = session.partitions.size;
    for (const one of change.added) session.partitions.set(keyOf(one), one);
    for (const one of change.forgotten) session.partitions.delete(keyOf(one));
    this.partitionCount += session.partitions.size - before;
    return session;
  }

  /** A connection ended: so do the sessions of the members that last spoke through it. */
  endOf(connection: object): EndedSession[] {
    const ended: EndedSession[] = [];
    for (const [id, session] of this.sessions) {
      if (session.connection !== connection) continue;
      this.end(id, session);
      const { groupId, memberId, partitions } = session;
      ended.push({ groupId, memberId, partitions: partitions.values() });
    }
    return ended;
  }

  private hasRoom(partitions: number, nowMs: number): boolean {
    for (;;) {
      const isFull =
        this.sessions.size >= this.sessionsMax() ||
        this.partitionCount + partitions > this.partitionsMax;
      if (!isFull) return true;
      const [oldest] = this.sessions;
      if (oldest === undefined || nowMs - oldest[1].lastUsedMs < EVICTABLE_AFTER_MS) return false;
      this.end(...oldest);
    }
  }
}
