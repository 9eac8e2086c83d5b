/**
 * A group changes its protocol while its members go on reading (KIP-848): classic members become
 * members of a consumer group that still speak the old way, and back when nobody speaks the new
 * one. Pure.
 */
import { MalformedMessage, Reader, Writer } from '../../proto/kafka/cursor.ts';
import { consumerProtocolAssignment } from '../../proto/kafka/messages/consumer-protocol.ts';
import type { GroupMetadataValue } from '../../proto/kafka/records/group.ts';
import { type Assignment, assignmentOf, listOf, NOTHING } from './assignment.ts';
import type { ClassicMember, ConsumerGroup } from './consumer-group.ts';
import type { ConsumerGroupRecord } from './consumer-group-records.ts';
import type { TopicsView } from './consumer-groups-core.ts';
import { type Group, metadataOf, type Protocol } from './group.ts';
import { readSubscription } from './subscriptions-core.ts';

export type MigrationPolicy = 'disabled' | 'upgrade' | 'downgrade' | 'bidirectional';
export const mayUpgrade = (policy: MigrationPolicy) =>
  policy === 'bidirectional' || policy === 'upgrade';
export const mayDowngrade = (policy: MigrationPolicy) =>
  policy === 'bidirectional' || policy === 'downgrade';

/** Partitions by topic name as the classic protocol has them, in ids. */
function inIds(
  list: readonly { topic: string; partitions: readonly number[] }[],
  topics: TopicsView,
): Assignment {
  return assignmentOf(
    list.flatMap(({ topic, partitions }) => {
      const known = topics.byName(topic);
      return known === null ? [] : [{ topicId: known.id, partitions }];
    }),
  );
}

/** The assignment in a classic member's hands. */
export function readClassicAssignment(bytes: Buffer, topics: TopicsView): Assignment {
  if (bytes.length < 2) return NOTHING;
  const version = Math.min(bytes.readInt16BE(0), consumerProtocolAssignment.versions[1]);
  if (version < 0) return NOTHING;
  try {
    const { assignedPartitions } = consumerProtocolAssignment.read(new Reader(bytes, 2), version);
    return inIds(assignedPartitions, topics);
  } catch (cause) {
    if (!(cause instanceof MalformedMessage)) throw cause;
    return NOTHING;
  }
}

export function writeClassicAssignment(assignment: Assignment, topics: TopicsView): Buffer {
  const w = new Writer(128);
  w.int16(0);
  consumerProtocolAssignment.write(w, 0, {
    assignedPartitions: listOf(assignment).flatMap(({ topicId, partitions }) => {
      const topic = topics.nameOf(topicId);
      return topic === null ? [] : [{ topic, partitions }];
    }),
  });
  return w.toBuffer();
}

/** What a classic consumer says in its first protocol; null where that is no subscription. */
export function readClassicMember(
  protocols: readonly Protocol[],
  topics: TopicsView,
): { topicNames: string[]; owned: Assignment; rackId: string | null } | null {
  const [first] = protocols;
  const subscription = first === undefined ? null : readSubscription(first.metadata);
  if (subscription === null) return null;
  return {
    topicNames: [...subscription.topics].sort(),
    owned: inIds(subscription.ownedPartitions ?? [], topics),
    rackId: subscription.rackId ?? null,
  };
}

/** A classic group's members as records of a consumer group; null where one cannot be understood. */
export function upgraded(group: Group, topics: TopicsView): ConsumerGroupRecord[] | null {
  if (group.protocolType !== 'consumer') return null;
  const { groupId, generation } = group;
  const records: ConsumerGroupRecord[] = [
    { kind: 'consumer-group', groupId, value: { epoch: generation, metadataHash: 0 } },
  ];
  for (const member of group.members.values()) {
    const said =
      readClassicMember(
        [{ name: group.protocol ?? '', metadata: metadataOf(member, group.protocol) }],
        topics,
      ) ?? readClassicMember(member.protocols, topics);
    if (said === null) return null;
    const { memberId } = member;
    const assigned = readClassicAssignment(member.assignment, topics);
    const classic: ClassicMember = {
      sessionTimeoutMs: member.sessionTimeoutMs,
      protocols: member.protocols,
    };
    const info = {
      memberId,
      instanceId: member.instanceId,
      rackId: said.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      topicNames: said.topicNames,
      topicRegex: null,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      serverAssignor: null,
      classic,
    };
    const progress = {
      epoch: generation,
      previousEpoch: generation,
      state: 'Stable' as const,
      assigned,
      pendingRevocation: NOTHING,
    };
    records.push(
      { kind: 'consumer-member', groupId, memberId, value: info },
      { kind: 'consumer-target', groupId, memberId, value: assigned },
      { kind: 'consumer-progress', groupId, memberId, value: progress },
    );
  }
  records.push({
    kind: 'consumer-target-epoch',
    groupId,
    value: { assignmentEpoch: generation },
  });
  return records;
}

/** Whether only members of the classic protocol are left in a consumer group. */
export function isClassicOnly(group: ConsumerGroup): boolean {
  if (group.members.size === 0) return false;
  for (const { info } of group.members.values()) if (info.classic === null) return false;
  return true;
}

/** A consumer group of classic members as the classic group that it becomes. */
export function downgraded(
  group: ConsumerGroup,
  topics: TopicsView,
  wallNowMs: number,
): GroupMetadataValue {
  const members = [...group.members.values()];
  const names = members.map(({ info }) => new Set(info.classic?.protocols.map(({ name }) => name)));
  const common = members[0]?.info.classic?.protocols.find(({ name }) =>
    names.every((known) => known.has(name)),
  );
  const protocol = common?.name ?? '';
  return {
    protocolType: 'consumer',
    generation: group.epoch,
    protocol,
    leader: members[0]?.info.memberId ?? null,
    currentStateTimestamp: wallNowMs,
    members: members.map(({ info, progress }) => ({
      memberId: info.memberId,
      groupInstanceId: info.instanceId,
      clientId: info.clientId,
      clientHost: info.clientHost,
      rebalanceTimeout: info.rebalanceTimeoutMs,
      sessionTimeout: info.classic?.sessionTimeoutMs ?? 45_000,
      subscription:
        info.classic?.protocols.find(({ name }) => name === protocol)?.metadata ?? Buffer.alloc(0),
      assignment: writeClassicAssignment(progress.assigned, topics),
    })),
  };
}
