/** What can be done with consumer groups, whichever command line asks for it. */
import { type AdminClient, check } from '../client/admin.ts';
import type { BrokerConnection } from '../client/connection.ts';
import { Reader } from '../proto/kafka/cursor.ts';
import { errorName } from '../proto/kafka/errors.ts';
import { consumerProtocolAssignment } from '../proto/kafka/messages/consumer-protocol.ts';
import { apis } from '../proto/kafka/messages/index.ts';
import { type ResetFlags, targetOffsets } from './offset-resets.ts';
import { partitionsOf } from './partitions.ts';

export async function listGroups(
  admin: AdminClient,
): Promise<{ groupId: string; state: string }[]> {
  const { brokers } = await admin.cluster();
  const groups = [];
  for (const { brokerId } of brokers) {
    const answer = await admin.broker(brokerId, apis.ListGroups, 4, {});
    check(answer.errorCode);
    for (const { groupId, groupState } of answer.groups)
      groups.push({ groupId, state: groupState });
  }
  return groups.sort((a, b) => a.groupId.localeCompare(b.groupId));
}

interface Owner {
  readonly memberId: string;
  readonly host: string;
  readonly clientId: string;
}

/** Who consumes which partition, from the assignments that members were given. */
function ownersOf(
  members: readonly {
    memberId: string;
    clientHost: string;
    clientId: string;
    memberAssignment: Buffer;
  }[],
): Map<string, Owner> {
  const owners = new Map<string, Owner>();
  for (const { memberId, clientHost, clientId, memberAssignment } of members) {
    if (memberAssignment.length < 2) continue;
    const version = Math.min(
      memberAssignment.readInt16BE(0),
      consumerProtocolAssignment.versions[1],
    );
    const { assignedPartitions } = consumerProtocolAssignment.read(
      new Reader(memberAssignment, 2),
      version,
    );
    for (const { topic, partitions } of assignedPartitions) {
      for (const partition of partitions)
        owners.set(`${topic}:${partition}`, { memberId, host: clientHost, clientId });
    }
  }
  return owners;
}

/** Columns under each other. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) =>
    Math.max(...rows.map((row) => (row[i] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join(' ')
      .trimEnd(),
  );
}

/** State and owners of a group, of either protocol. */
async function membersOf(
  coordinator: BrokerConnection,
  groupId: string,
): Promise<{ state: string; owners: Map<string, Owner> }> {
  const next = await coordinator.send(apis.ConsumerGroupDescribe, 0, { groupIds: [groupId] });
  const [consumer] = next.groups;
  if (consumer?.errorCode === 0) {
    const owners = new Map<string, Owner>();
    for (const { memberId, clientHost, clientId, assignment } of consumer.members) {
      for (const { topicName, partitions } of assignment.topicPartitions)
        for (const partition of partitions)
          owners.set(`${topicName}:${partition}`, { memberId, host: clientHost, clientId });
    }
    return { state: consumer.groupState, owners };
  }
  const { groups } = await coordinator.send(apis.DescribeGroups, 5, { groups: [groupId] });
  const [group] = groups;
  check(group?.errorCode ?? -1);
  return { state: group?.groupState ?? 'Dead', owners: ownersOf(group?.members ?? []) };
}

async function committedOf(
  coordinator: BrokerConnection,
  groupId: string,
): Promise<Map<string, number>> {
  const committed = await coordinator.send(apis.OffsetFetch, 8, {
    groups: [{ groupId, topics: null }],
  } as never);
  check(committed.groups[0]?.errorCode ?? 0);
  const offsets = new Map<string, number>();
  for (const { name, partitions } of committed.groups[0]?.topics ?? []) {
    for (const { partitionIndex, committedOffset } of partitions)
      offsets.set(`${name}:${partitionIndex}`, committedOffset);
  }
  return offsets;
}

export async function describeGroup(admin: AdminClient, groupId: string): Promise<string[]> {
  const coordinator = await admin.coordinator(groupId);
  const { state, owners } = await membersOf(coordinator, groupId);
  const offsets = await committedOf(coordinator, groupId);
  const keys = [...new Set([...offsets.keys(), ...owners.keys()])].sort();
  if (keys.length === 0)
    return state === 'Dead'
      ? [`Error: Consumer group '${groupId}' does not exist.`]
      : [`Consumer group '${groupId}' has no committed offsets.`];
  const wanted = keys.map((key) => ({
    topic: key.slice(0, key.lastIndexOf(':')),
    partition: Number(key.slice(key.lastIndexOf(':') + 1)),
  }));
  const ends = await admin.listOffsets(wanted, -1);
  const rows = wanted.map(({ topic, partition }) => {
    const key = `${topic}:${partition}`;
    const current = offsets.get(key);
    const end = ends.get(key);
    const owner = owners.get(key);
    const lag =
      current === undefined || end === undefined ? '-' : String(Math.max(0, end - current));
    return [
      groupId,
      topic,
      String(partition),
      String(current ?? '-'),
      String(end ?? '-'),
      lag,
      owner?.memberId ?? '-',
      owner?.host ?? '-',
      owner?.clientId ?? '-',
    ];
  });
  const note = state === 'Empty' ? [`Consumer group '${groupId}' has no active members.`, ''] : [];
  return [
    ...note,
    ...table([
      [
        'GROUP',
        'TOPIC',
        'PARTITION',
        'CURRENT-OFFSET',
        'LOG-END-OFFSET',
        'LAG',
        'CONSUMER-ID',
        'HOST',
        'CLIENT-ID',
      ],
      ...rows,
    ]),
  ];
}

export async function deleteGroup(admin: AdminClient, groupId: string): Promise<void> {
  const coordinator = await admin.coordinator(groupId);
  const { results } = await coordinator.send(apis.DeleteGroups, 2, { groupsNames: [groupId] });
  check(results[0]?.errorCode ?? -1);
}

/** Deletes the offsets of a topic that no member of the group is subscribed to. */
export async function deleteOffsets(
  admin: AdminClient,
  groupId: string,
  topic: string,
): Promise<string[]> {
  const partitions = await partitionsOf(admin, [topic]);
  const coordinator = await admin.coordinator(groupId);
  const answer = await coordinator.send(apis.OffsetDelete, 0, {
    groupId,
    topics: [
      { name: topic, partitions: partitions.map((of) => ({ partitionIndex: of.partition })) },
    ],
  });
  check(answer.errorCode);
  const rows = answer.topics.flatMap(({ name, partitions: done }) =>
    done.map(({ partitionIndex, errorCode }) => [
      name,
      String(partitionIndex),
      errorCode === 0 ? 'Successful' : errorName(errorCode),
    ]),
  );
  return table([['TOPIC', 'PARTITION', 'STATUS'], ...rows]);
}

/** Moves the offsets of a group without members; topics null: all that it has offsets of. */
export async function resetOffsets(
  admin: AdminClient,
  of: {
    groupId: string;
    topics: readonly string[] | null;
    to: ResetFlags;
    execute: boolean;
    nowMs: number;
  },
): Promise<string[]> {
  const { groupId, nowMs } = of;
  const coordinator = await admin.coordinator(groupId);
  const current = await committedOf(coordinator, groupId);
  const names = of.topics ?? [
    ...new Set([...current.keys()].map((key) => key.slice(0, key.lastIndexOf(':')))),
  ];
  const partitions = names.length === 0 ? [] : await partitionsOf(admin, names);
  const offsets = await targetOffsets(admin, of.to, { partitions, current, nowMs });
  if (of.execute) {
    const topics = names.map((name) => ({
      name,
      partitions: partitions
        .filter(({ topic }) => topic === name)
        .map(({ partition }) => ({
          partitionIndex: partition,
          committedOffset: offsets.get(`${name}:${partition}`) ?? 0,
          committedMetadata: '',
        })),
    }));
    const answer = await coordinator.send(apis.OffsetCommit, 8, { groupId, topics });
    for (const { partitions: done } of answer.topics)
      for (const { errorCode } of done) check(errorCode);
  }
  const rows = partitions.map(({ topic, partition }) => [
    groupId,
    topic,
    String(partition),
    String(offsets.get(`${topic}:${partition}`) ?? '-'),
  ]);
  return table([['GROUP', 'TOPIC', 'PARTITION', 'NEW-OFFSET'], ...rows]);
}
