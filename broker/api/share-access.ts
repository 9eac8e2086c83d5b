/** What ShareFetch and ShareAcknowledge have in common: a partition's share, and words about records. */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import type { AckBatch } from '../share/share-partition-core.ts';
import type { SharePartition } from '../share/share-partitions.ts';
import { type SharedPartition, ShareSessions } from '../share/share-sessions.ts';
import type { ClientConnection } from './handler.ts';
import type { Ports } from './ports.ts';

/** The sessions of this broker: one set for both APIs. */
const sessionsOf = new WeakMap<object, ShareSessions>();

export function shareSessions({ config, shares }: Ports): ShareSessions {
  let sessions = sessionsOf.get(shares);
  if (sessions === undefined) {
    sessions = new ShareSessions(() => config.number('group.share.max.share.sessions'));
    sessionsOf.set(shares, sessions);
  }
  return sessions;
}

/** The share of a group in a partition that is led here, or why there is none. */
export async function shareOf(
  { image, partition: partitionOf, shares }: Ports,
  groupId: string,
  of: { topicId: string; partition: number },
): Promise<SharePartition | ErrorName> {
  const topic = image.topicById(of.topicId);
  if (topic === null) return 'UNKNOWN_TOPIC_ID';
  if (topic.partitions[of.partition] === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION';
  const partition = partitionOf(of.topicId, of.partition);
  if (partition === null) return 'NOT_LEADER_OR_FOLLOWER';
  return shares.get(groupId, partition);
}

/** Takes acknowledgements and writes them down; NONE or why not. */
export async function takeAcks(
  share: SharePartition,
  memberId: string,
  batches: readonly AckBatch[],
  nowMs: number,
): Promise<ErrorName> {
  const error = share.core.acknowledge(memberId, batches, nowMs);
  return error === 'NONE' ? share.persist() : error;
}

/** A member's session is over: others may have what it holds. */
export async function releaseAll(
  ports: Ports,
  { groupId, memberId }: { groupId: string; memberId: string },
  partitions: Iterable<SharedPartition>,
  how = { isGone: false },
): Promise<void> {
  for (const of of partitions) {
    const share = await shareOf(ports, groupId, of);
    if (typeof share !== 'string' && share.core.releaseAll(memberId, how)) void share.persist();
  }
}

/** Ends a member's session with its connection, and gives what it had to others. */
export function endWith(ports: Ports, connection: ClientConnection): void {
  const sessions = shareSessions(ports);
  connection.whenClosed(sessions, () => {
    for (const { partitions, ...member } of sessions.endOf(connection))
      void releaseAll(ports, member, partitions, { isGone: true });
  });
}

/** Who leads instead, for answers that say so. */
export function leaderHint({ image }: Ports, topicId: string, partition: number, error: ErrorName) {
  const line = image.line(topicId, partition);
  if (error !== 'NOT_LEADER_OR_FOLLOWER' || line === null) return { leaderId: -1, leaderEpoch: -1 };
  return { leaderId: line.leader?.id ?? -1, leaderEpoch: line.leaderEpoch };
}

/** While the share coordinator is being found, a client is to wait and not to give up. */
export function isTransient(error: ErrorName): boolean {
  return (
    error === 'COORDINATOR_NOT_AVAILABLE' ||
    error === 'COORDINATOR_LOAD_IN_PROGRESS' ||
    error === 'NOT_COORDINATOR'
  );
}
