/** What can be done with consumer groups, whichever command line asks for it. */
import { type AdminClient, check } from '../client/admin.ts';
import { Reader } from '../proto/kafka/cursor.ts';
import { consumerProtocolAssignment } from '../proto/kafka/messages/consumer-protocol.ts';
import { apis } from '../proto/kafka/messages/index.ts';

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

function table(rows: readonly (readonly string[])[]): string[] {
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

export async function describeGroup(admin: AdminClient, groupId: string): Promise<string[]> {
  const coordinator = await admin.coordinator(groupId);
  const { groups } = await coordinator.send(apis.DescribeGroups, 5, { groups: [groupId] });
  const [group] = groups;
  check(group?.errorCode ?? -1);
  const committed = await coordinator.send(apis.OffsetFetch, 8, {
    groups: [{ groupId, topics: null }],
  } as never);
  check(committed.groups[0]?.errorCode ?? 0);
  const offsets = new Map<string, number>();
  for (const { name, partitions } of committed.groups[0]?.topics ?? []) {
    for (const { partitionIndex, committedOffset } of partitions)
      offsets.set(`${name}:${partitionIndex}`, committedOffset);
  }
  const owners = ownersOf(group?.members ?? []);
  const keys = [...new Set([...offsets.keys(), ...owners.keys()])].sort();
  if (keys.length === 0)
    return group?.groupState === 'Dead'
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
  const note =
    group?.groupState === 'Empty' ? [`Consumer group '${groupId}' has no active members.`, ''] : [];
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

/** Moves an empty group's offsets of a topic to its beginning or end. */
export async function resetOffsets(
  admin: AdminClient,
  of: { groupId: string; topic: string; to: 'earliest' | 'latest'; execute: boolean },
): Promise<string[]> {
  const [topic] = await admin.topics([of.topic]);
  check(topic?.errorCode ?? -1, of.topic);
  const partitions = (topic?.partitions ?? [])
    .map(({ partitionIndex }) => partitionIndex)
    .sort((a, b) => a - b);
  const offsets = await admin.listOffsets(
    partitions.map((partition) => ({ topic: of.topic, partition })),
    of.to === 'earliest' ? -2 : -1,
  );
  if (of.execute) {
    const coordinator = await admin.coordinator(of.groupId);
    const body = {
      groupId: of.groupId,
      topics: [
        {
          name: of.topic,
          partitions: partitions.map((partitionIndex) => ({
            partitionIndex,
            committedOffset: offsets.get(`${of.topic}:${partitionIndex}`) ?? 0,
            committedMetadata: '',
          })),
        },
      ],
    };
    const answer = await coordinator.send(apis.OffsetCommit, 8, body);
    for (const { partitions: done } of answer.topics)
      for (const { errorCode } of done) check(errorCode);
  }
  const rows = partitions.map((partition) => [
    of.groupId,
    of.topic,
    String(partition),
    String(offsets.get(`${of.topic}:${partition}`) ?? '-'),
  ]);
  return table([['GROUP', 'TOPIC', 'PARTITION', 'NEW-OFFSET'], ...rows]);
}
