/**
 * Share groups (KIP-932): members share partitions instead of owning them, so that there is nothing
 * to hand over; a member simply hears what to read. Pure: every change is a record first.
 */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { crc32c } from '../../stdx/crc32c.ts';
import { type Assignment, isEqual, NOTHING } from './assignment.ts';
import { LEAVE_EPOCH } from './consumer-group.ts';
import type { TopicsView } from './consumer-groups-core.ts';
import type { RecordPair } from './record-pair.ts';
import { type ShareGroupRecord, type ShareMemberInfo, shareRecord } from './share-group-records.ts';

export interface ShareRules {
  readonly sessionTimeoutMs: number;
  readonly groupSizeMax: number;
}

export interface ShareMember {
  info: ShareMemberInfo;
  epoch: number;
  previousEpoch: number;
  assigned: Assignment;
  sessionDeadlineMs: number;
}

export interface ShareGroup {
  readonly groupId: string;
  epoch: number;
  metadataHash: number;
  assignmentEpoch: number;
  readonly members: Map<string, ShareMember>;
  readonly target: Map<string, Assignment>;
  checkedVersion: number;
}

export interface ShareHeartbeat {
  readonly groupId: string;
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly topicNames: readonly string[] | null;
}

export interface ShareAnswer {
  readonly error: ErrorName;
  readonly message: string | null;
  readonly memberEpoch: number;
  readonly assignment: Assignment | null;
}

/** Every partition has a reader, every member something to read; members share where they are more. */
export function shareOut(
  members: readonly { readonly memberId: string; readonly topics: ReadonlySet<string> }[],
  sizes: ReadonlyMap<string, number>,
): Map<string, Map<string, Set<number>>> {
  const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const result = new Map(sorted.map(({ memberId }) => [memberId, new Map<string, Set<number>>()]));
  for (const [topicId, count] of sizes) {
    const readers = sorted.filter(({ topics }) => topics.has(topicId));
    if (readers.length === 0) continue;
    const rounds = Math.max(count, readers.length);
    for (let i = 0; i < rounds; i++) {
      const of = result.get(readers[i % readers.length]?.memberId ?? '');
      const partitions = of?.get(topicId) ?? new Set<number>();
      of?.set(topicId, partitions.add(i % count));
    }
  }
  return result;
}

export class ShareGroupsCore {
  readonly groups = new Map<string, ShareGroup>();
  private readonly rules: (groupId: string) => ShareRules;

  constructor(rules: (groupId: string) => ShareRules) {
    this.rules = rules;
  }

  heartbeat(
    request: ShareHeartbeat,
    topics: TopicsView,
    nowMs: number,
  ): { answer: ShareAnswer; records: RecordPair[] } {
    const records: RecordPair[] = [];
    const refuse = (error: ErrorName, message: string) => ({
      answer: { error, message, memberEpoch: 0, assignment: null },
      records,
    });
    const { groupId, memberId, memberEpoch } = request;
    if (groupId === '') return refuse('INVALID_REQUEST', 'the group id must not be empty');
    if (memberId === '') return refuse('INVALID_REQUEST', 'the member id must not be empty');
    if (memberEpoch < LEAVE_EPOCH)
      return refuse('INVALID_REQUEST', 'the member epoch must be -1 or more');
    if (memberEpoch === 0 && (request.topicNames?.length ?? 0) === 0)
      return refuse('INVALID_REQUEST', 'who joins must subscribe to topics');
    const emit = (record: ShareGroupRecord) => this.emit(records, record, nowMs);
    let group = this.groups.get(groupId);
    if (group === undefined) {
      if (memberEpoch !== 0) return refuse('GROUP_ID_NOT_FOUND', `group ${groupId} is unknown`);
      emit({ kind: 'share-group', groupId, value: { epoch: 1, metadataHash: 0 } });
      group = this.groups.get(groupId) as ShareGroup;
    }
    const before = group.members.get(memberId);
    if (before === undefined && memberEpoch !== 0)
      return refuse('UNKNOWN_MEMBER_ID', `member ${memberId} is unknown`);
    if (before === undefined && group.members.size >= this.rules(groupId).groupSizeMax)
      return refuse('GROUP_MAX_SIZE_REACHED', 'the group is full');
    if (before !== undefined && memberEpoch > 0) {
      const known = memberEpoch === before.epoch || memberEpoch === before.previousEpoch;
      if (!known)
        return refuse('FENCED_MEMBER_EPOCH', `the epoch of member ${memberId} is ${before.epoch}`);
    }
    if (memberEpoch === LEAVE_EPOCH && before !== undefined) {
      this.remove(group, before, topics, emit);
      return { answer: { error: 'NONE', message: null, memberEpoch, assignment: null }, records };
    }
    const changed = this.subscribe(group, request, emit);
    const member = group.members.get(memberId) as ShareMember;
    member.sessionDeadlineMs = nowMs + this.rules(groupId).sessionTimeoutMs;
    this.refresh(group, changed, topics, emit);
    const assignedBefore = before === undefined ? null : member.assigned;
    this.follow(group, member, emit);
    const tells =
      memberEpoch === 0 || assignedBefore === null || !isEqual(assignedBefore, member.assigned);
    return {
      answer: {
        error: 'NONE',
        message: null,
        memberEpoch: member.epoch,
        assignment: tells ? member.assigned : null,
      },
      records,
    };
  }

  /** A group without members, where there is none of that name: what its offsets are kept for. */
  ensure(groupId: string, nowMs: number): RecordPair[] {
    const records: RecordPair[] = [];
    if (!this.groups.has(groupId))
      this.emit(
        records,
        { kind: 'share-group', groupId, value: { epoch: 1, metadataHash: 0 } },
        nowMs,
      );
    return records;
  }

  private emit(records: RecordPair[], record: ShareGroupRecord, nowMs: number): void {
    records.push(shareRecord(record));
    this.replay(record, nowMs);
  }

  private subscribe(
    group: ShareGroup,
    request: ShareHeartbeat,
    emit: (record: ShareGroupRecord) => void,
  ): boolean {
    const { memberId, topicNames } = request;
    const known = group.members.get(memberId)?.info;
    const info: ShareMemberInfo = {
      memberId,
      rackId: request.rackId ?? known?.rackId ?? null,
      clientId: request.clientId,
      clientHost: request.clientHost,
      topicNames: topicNames === null ? (known?.topicNames ?? []) : [...topicNames].sort(),
    };
    if (JSON.stringify(info) !== JSON.stringify(known))
      emit({ kind: 'share-member', groupId: group.groupId, memberId, value: info });
    return known?.topicNames.join() !== info.topicNames.join();
  }

  private remove(
    group: ShareGroup,
    { info }: ShareMember,
    topics: TopicsView,
    emit: (record: ShareGroupRecord) => void,
  ): void {
    const { groupId } = group;
    for (const kind of ['share-progress', 'share-target', 'share-member'] as const)
      emit({ kind, groupId, memberId: info.memberId, value: null });
    const value = { epoch: group.epoch + 1, metadataHash: this.hashOf(group, topics) };
    emit({ kind: 'share-group', groupId, value });
  }

  private hashOf(group: ShareGroup, topics: TopicsView): number {
    const names = new Set([...group.members.values()].flatMap(({ info }) => info.topicNames));
    const lines = [...names].sort().flatMap((name) => {
      const topic = topics.byName(name);
      return topic === null ? [] : [`${name} ${topic.id} ${topic.partitions}`];
    });
    return lines.length === 0 ? 0 : crc32c(Buffer.from(lines.join('\n')));
  }

  private refresh(
    group: ShareGroup,
    changed: boolean,
    topics: TopicsView,
    emit: (record: ShareGroupRecord) => void,
  ): void {
    const { groupId } = group;
    if (changed || group.checkedVersion !== topics.version) {
      const metadataHash = this.hashOf(group, topics);
      group.checkedVersion = topics.version;
      if (changed || metadataHash !== group.metadataHash)
        emit({ kind: 'share-group', groupId, value: { epoch: group.epoch + 1, metadataHash } });
    }
    if (group.epoch <= group.assignmentEpoch) return;
    const sizes = new Map<string, number>();
    const members = [...group.members.values()].map(({ info }) => {
      const ids = new Set<string>();
      for (const name of info.topicNames) {
        const topic = topics.byName(name);
        if (topic === null) continue;
        ids.add(topic.id);
        sizes.set(topic.id, topic.partitions);
      }
      return { memberId: info.memberId, topics: ids };
    });
    for (const [memberId, value] of shareOut(members, sizes)) {
      const known = group.target.get(memberId);
      if (known === undefined || !isEqual(known, value))
        emit({ kind: 'share-target', groupId, memberId, value });
    }
    emit({ kind: 'share-target-epoch', groupId, value: { assignmentEpoch: group.epoch } });
  }

  /** There is nothing to wait for: the member has its target at once. */
  private follow(
    group: ShareGroup,
    member: ShareMember,
    emit: (record: ShareGroupRecord) => void,
  ): void {
    if (member.epoch === group.assignmentEpoch) return;
    const { memberId } = member.info;
    const value = {
      epoch: group.assignmentEpoch,
      previousEpoch: member.epoch,
      assigned: group.target.get(memberId) ?? NOTHING,
    };
    emit({ kind: 'share-progress', groupId: group.groupId, memberId, value });
  }

  expire(topics: TopicsView, nowMs: number): RecordPair[] {
    const records: RecordPair[] = [];
    for (const group of this.groups.values()) {
      for (const member of [...group.members.values()]) {
        if (member.sessionDeadlineMs > nowMs) continue;
        this.remove(group, member, topics, (record) => this.emit(records, record, nowMs));
      }
    }
    return records;
  }

  tombstones({ groupId, members }: ShareGroup): RecordPair[] {
    const records: ShareGroupRecord[] = [];
    for (const memberId of members.keys()) {
      for (const kind of ['share-progress', 'share-target', 'share-member'] as const)
        records.push({ kind, groupId, memberId, value: null });
    }
    records.push({ kind: 'share-target-epoch', groupId, value: null });
    records.push({ kind: 'share-group', groupId, value: null });
    return records.map(shareRecord);
  }

  /** The only way in which state comes to be. */
  replay(record: ShareGroupRecord, nowMs: number): void {
    const { groupId } = record;
    if (record.kind === 'share-group' && record.value === null) {
      this.groups.delete(groupId);
      return;
    }
    let group = this.groups.get(groupId);
    if (group === undefined) {
      if (record.value === null) return;
      group = {
        groupId,
        epoch: 0,
        metadataHash: 0,
        assignmentEpoch: 0,
        members: new Map(),
        target: new Map(),
        checkedVersion: -1,
      };
      this.groups.set(groupId, group);
    }
    switch (record.kind) {
      case 'share-group':
        group.epoch = record.value?.epoch ?? group.epoch;
        group.metadataHash = record.value?.metadataHash ?? 0;
        return;
      case 'share-member': {
        const known = group.members.get(record.memberId);
        if (record.value === null) group.members.delete(record.memberId);
        else if (known !== undefined) known.info = record.value;
        else {
          group.members.set(record.memberId, {
            info: record.value,
            epoch: 0,
            previousEpoch: -1,
            assigned: NOTHING,
            sessionDeadlineMs: nowMs + this.rules(groupId).sessionTimeoutMs,
          });
        }
        return;
      }
      case 'share-target-epoch':
        group.assignmentEpoch = record.value?.assignmentEpoch ?? 0;
        return;
      case 'share-target':
        if (record.value === null) group.target.delete(record.memberId);
        else group.target.set(record.memberId, record.value);
        return;
      case 'share-progress': {
        const member = group.members.get(record.memberId);
        if (member !== undefined && record.value !== null) Object.assign(member, record.value);
      }
    }
  }
}
