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

export const FINAL_EPOCH = -1;
const keyOf = ({ topicId, partition }: SharedPartition) => `${topicId}:${partition}`;

export class ShareSessions {
  private readonly sessions = new Map<string, ShareSession>();
  private readonly sessionsMax: () => number;

  constructor(sessionsMax: () => number) {
    this.sessionsMax = sessionsMax;
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
      this.sessions.delete(id);
      if (!this.hasRoom(nowMs)) return 'SHARE_SESSION_LIMIT_REACHED';
      const session = {
        ...member,
        epoch: 1,
        lastUsedMs: nowMs,
        partitions: new Map<string, SharedPartition>(),
      };
      for (const one of change.added) session.partitions.set(keyOf(one), one);
      this.sessions.set(id, session);
      return session;
    }
    const session = this.sessions.get(id);
    if (session === undefined) return 'SHARE_SESSION_NOT_FOUND';
    if (epoch === FINAL_EPOCH) {
      this.sessions.delete(id);
      return session;
    }
    if (epoch !== session.epoch) return 'INVALID_SHARE_SESSION_EPOCH';
    session.lastUsedMs = nowMs;
    session.connection = member.connection;
    // The map's order is that of use: the first is the one not used for longest.
    this.sessions.delete(id);
    this.sessions.set(id, session);
    session.epoch = session.epoch === 0x7fff_ffff ? 1 : session.epoch + 1;
    for (const one of change.added) session.partitions.set(keyOf(one), one);
    for (const one of change.forgotten) session.partitions.delete(keyOf(one));
    return session;
  }

  /** A connection ended: so do the sessions of the members that last spoke through it. */
  endOf(connection: object): EndedSession[] {
    const ended: EndedSession[] = [];
    for (const [id, session] of this.sessions) {
      if (session.connection !== connection) continue;
      this.sessions.delete(id);
      const { groupId, memberId, partitions } = session;
      ended.push({ groupId, memberId, partitions: partitions.values() });
    }
    return ended;
  }

  private hasRoom(nowMs: number): boolean {
    if (this.sessions.size < this.sessionsMax()) return true;
    const [oldest] = this.sessions;
    if (oldest === undefined || nowMs - oldest[1].lastUsedMs < EVICTABLE_AFTER_MS) return false;
    return this.sessions.delete(oldest[0]);
  }
}
