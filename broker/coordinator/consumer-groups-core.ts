/**
 * The consumer group protocol of KIP-848: the broker assigns, members follow step by step, each at
 * its own pace. Pure: every change is a record first and becomes state by being replayed; time and
 * topics come in as arguments.
 */

import type { ErrorName } from '../../proto/kafka/errors.ts';
import { crc32c } from '../../stdx/crc32c.ts';
import { type Assignment, filter, isEqual, minus, NOTHING, sizeOf } from './assignment.ts';
import { assignors, type MemberSpec } from './assignors-core.ts';
import {
  type ClassicMember,
  type ConsumerGroup,
  type ConsumerMember,
  FRESH,
  LEAVE_EPOCH,
  LEAVE_STATIC_EPOCH,
  type MemberInfo,
  newConsumerGroup,
  preferredAssignor,
  subscribedNames,
  subscriptionOf,
} from './consumer-group.ts';
import { type ConsumerGroupRecord, consumerRecord } from './consumer-group-records.ts';
import { reconcile } from './consumer-reconcile-core.ts';
import {
  type JoinAnswer,
  type JoinRequest,
  joinError,
  type SyncAnswer,
  syncError,
} from './group-core.ts';
import {
  type MigrationPolicy,
  readClassicMember,
  writeClassicAssignment,
} from './migration-core.ts';
import type { RecordPair } from './record-pair.ts';

/** The topics of the cluster, as far as groups care. */
export interface TopicsView {
  /** Grows with every change. */
  readonly version: number;
  byName(name: string): { readonly id: string; readonly partitions: number } | null;
  names(): Iterable<string>;
  nameOf(id: string): string | null;
}

export interface ConsumerRules {
  readonly sessionTimeoutMs: number;
  readonly groupSizeMax: number;
  /** Names, the preset first. */
  readonly assignors: readonly string[];
  readonly migration: MigrationPolicy;
}

export interface ConsumerHeartbeat {
  readonly groupId: string;
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** -1 and null: as said before. */
  readonly rebalanceTimeoutMs: number;
  readonly topicNames: readonly string[] | null;
  readonly topicRegex: string | null;
  readonly serverAssignor: string | null;
  readonly owned: Assignment | null;
  /** The member speaks the classic protocol; the broker does this for it. */
  readonly classic?: ClassicMember;
}

export interface ConsumerAnswer {
  readonly error: ErrorName;
  readonly message: string | null;
  readonly memberId: string;
  readonly memberEpoch: number;
  /** Null: nothing new. */
  readonly assignment: Assignment | null;
}

/** Compiles a pattern. @throws KafkaError INVALID_REGULAR_EXPRESSION */
export type CompilePattern = (pattern: string) => (name: string) => boolean;

/** Why a heartbeat makes no sense, or null. */
function faultOf(request: ConsumerHeartbeat): string | null {
  const { memberEpoch, memberId, instanceId } = request;
  if (request.groupId === '') return 'the group id must not be empty';
  if (memberId === '') return 'the member id must not be empty';
  if (instanceId === '') return 'the instance id must not be empty';
  if (request.rackId === '') return 'the rack id must not be empty';
  if (memberEpoch < LEAVE_STATIC_EPOCH) return 'the member epoch must be -2 or more';
  if (memberEpoch === LEAVE_STATIC_EPOCH && instanceId === null)
    return 'only a static member leaves with epoch -2';
  // A classic member may own partitions while it joins again.
  if (memberEpoch !== 0 || request.classic !== undefined) return null;
  if (request.rebalanceTimeoutMs < 0) return 'who joins must give a rebalance timeout';
  if (request.owned === null || sizeOf(request.owned) > 0)
    return 'who joins must own no partitions yet, and say so';
  const names = request.topicNames ?? [];
  const subscribes = names.length > 0 || (request.topicRegex ?? '') !== '';
  return subscribes || request.topicNames !== null ? null : 'who joins must subscribe';
}

export class ConsumerGroupsCore {
  readonly groups = new Map<string, ConsumerGroup>();
  private readonly rules: (groupId: string) => ConsumerRules;
  private readonly wallNowMs: () => number;
  private readonly compile: CompilePattern;
  /** Who has a partition or has not given it up yet, by group. */
  private readonly owners = new Map<string, Map<string, string>>();

  constructor(
    rules: (groupId: string) => ConsumerRules,
    wallNowMs: () => number,
    compile: CompilePattern,
  ) {
    this.rules = rules;
    this.wallNowMs = wallNowMs;
    this.compile = compile;
  }

  heartbeat(
    request: ConsumerHeartbeat,
    topics: TopicsView,
    nowMs: number,
  ): { answer: ConsumerAnswer; records: RecordPair[] } {
    const records: RecordPair[] = [];
    const refuse = (error: ErrorName, message: string) => ({
      answer: { error, message, memberId: request.memberId, memberEpoch: 0, assignment: null },
      records,
    });
    const fault = faultOf(request);
    if (fault !== null) return refuse('INVALID_REQUEST', fault);
    const { serverAssignor, groupId, memberId, memberEpoch } = request;
    const { assignors: known } = this.rules(groupId);
    if (serverAssignor !== null && !known.includes(serverAssignor))
      return refuse('UNSUPPORTED_ASSIGNOR', `the assignors are ${known.join(', ')}`);
    const emit = (record: ConsumerGroupRecord) => this.emit(records, record, nowMs);
    let group = this.groups.get(groupId);
    if (group === undefined) {
      if (memberEpoch !== 0) return refuse('GROUP_ID_NOT_FOUND', `group ${groupId} is unknown`);
      emit({ kind: 'consumer-group', groupId, value: { epoch: 1, metadataHash: 0 } });
      group = this.groups.get(groupId) as ConsumerGroup;
    }
    const denied = this.denial(group, request);
    if (denied !== null) return refuse(denied.error, denied.message);
    if (memberEpoch < 0) {
      this.leave(group, request, topics, emit);
      return {
        answer: { error: 'NONE', message: null, memberId, memberEpoch, assignment: null },
        records,
      };
    }
    const before = group.members.get(memberId);
    const changed = this.subscribe(group, request, topics, emit);
    const member = group.members.get(memberId) as ConsumerMember;
    member.sessionDeadlineMs = nowMs + this.sessionOf(groupId, member);
    this.refresh(group, changed, topics, emit);
    const assignedBefore = before === undefined ? NOTHING : member.progress.assigned;
    const joins = memberEpoch === 0 && request.classic === undefined;
    this.advance(group, member, joins ? NOTHING : request.owned, nowMs, emit);
    const { progress } = member;
    const isFull =
      memberEpoch === 0 ||
      (request.owned !== null &&
        request.rebalanceTimeoutMs >= 0 &&
        (request.topicNames !== null || request.topicRegex !== null));
    const tells = isFull || !isEqual(assignedBefore, progress.assigned);
    return {
      answer: {
        error: 'NONE',
        message: null,
        memberId,
        memberEpoch: progress.epoch,
        assignment: tells ? progress.assigned : null,
      },
      records,
    };
  }

  private emit(records: RecordPair[], record: ConsumerGroupRecord, nowMs: number): void {
    records.push(consumerRecord(record, this.wallNowMs()));
    this.replay(record, nowMs);
  }

  /** Why the member may not speak for itself, or null. */
  private denial(
    group: ConsumerGroup,
    request: ConsumerHeartbeat,
  ): { error: ErrorName; message: string } | null {
    const { memberId, memberEpoch, instanceId, owned } = request;
    const member = group.members.get(memberId);
    const staticId = instanceId === null ? undefined : group.staticMembers.get(instanceId);
    if (staticId !== undefined && staticId !== memberId) {
      const current = group.members.get(staticId);
      if (memberEpoch !== 0)
        return { error: 'FENCED_INSTANCE_ID', message: `${instanceId} is member ${staticId} now` };
      if (request.classic === undefined && current?.progress.epoch !== LEAVE_STATIC_EPOCH)
        return { error: 'UNRELEASED_INSTANCE_ID', message: `${instanceId} is still a member` };
      return null;
    }
    if (member === undefined) {
      if (memberEpoch !== 0)
        return { error: 'UNKNOWN_MEMBER_ID', message: `member ${memberId} is unknown` };
      return group.members.size >= this.rules(group.groupId).groupSizeMax
        ? { error: 'GROUP_MAX_SIZE_REACHED', message: 'the group is full' }
        : null;
    }
    if (memberEpoch <= 0) return null;
    const { epoch, previousEpoch, assigned } = member.progress;
    if (memberEpoch === epoch) return null;
    // The answer with the newer epoch was lost: fine while it owns nothing that it was not given.
    const lost =
      memberEpoch === previousEpoch && owned !== null && sizeOf(minus(owned, assigned)) === 0;
    const message = `the epoch of member ${memberId} is ${epoch}, it must join again`;
    return lost ? null : { error: 'FENCED_MEMBER_EPOCH', message };
  }

  private leave(
    group: ConsumerGroup,
    request: ConsumerHeartbeat,
    topics: TopicsView,
    emit: (record: ConsumerGroupRecord) => void,
  ): void {
    const member = group.members.get(request.memberId);
    if (member === undefined) return;
    if (request.memberEpoch === LEAVE_EPOCH) return this.remove(group, member, topics, emit);
    // A static member that will be back keeps its partitions until its session ends.
    const { progress, info } = member;
    emit({
      kind: 'consumer-progress',
      groupId: group.groupId,
      memberId: info.memberId,
      value: { ...progress, epoch: LEAVE_STATIC_EPOCH, pendingRevocation: NOTHING },
    });
  }

  private remove(
    group: ConsumerGroup,
    { info }: ConsumerMember,
    topics: TopicsView,
    emit: (record: ConsumerGroupRecord) => void,
  ): void {
    const { groupId } = group;
    const { memberId } = info;
    emit({ kind: 'consumer-progress', groupId, memberId, value: null });
    emit({ kind: 'consumer-target', groupId, memberId, value: null });
    emit({ kind: 'consumer-member', groupId, memberId, value: null });
    const value = { epoch: group.epoch + 1, metadataHash: this.hashOf(group, topics) };
    emit({ kind: 'consumer-group', groupId, value });
  }

  /** Takes what the member says of itself; true where the group must be assigned anew. */
  private subscribe(
    group: ConsumerGroup,
    request: ConsumerHeartbeat,
    topics: TopicsView,
    emit: (record: ConsumerGroupRecord) => void,
  ): boolean {
    const { groupId } = group;
    const { memberId, instanceId } = request;
    const oldId = instanceId === null ? undefined : group.staticMembers.get(instanceId);
    const replaced =
      oldId !== undefined && oldId !== memberId ? group.members.get(oldId) : undefined;
    const known = group.members.get(memberId)?.info ?? replaced?.info;
    const info: MemberInfo = {
      memberId,
      instanceId,
      rackId: request.rackId ?? known?.rackId ?? null,
      clientId: request.clientId,
      clientHost: request.clientHost,
      topicNames:
        request.topicNames === null ? (known?.topicNames ?? []) : [...request.topicNames].sort(),
      topicRegex:
        request.topicRegex === null ? (known?.topicRegex ?? null) : request.topicRegex || null,
      rebalanceTimeoutMs:
        request.rebalanceTimeoutMs < 0
          ? (known?.rebalanceTimeoutMs ?? 45_000)
          : request.rebalanceTimeoutMs,
      serverAssignor: request.serverAssignor ?? known?.serverAssignor ?? null,
      classic: request.classic ?? null,
    };
    if (info.topicRegex !== null && !group.patterns.has(info.topicRegex))
      this.resolve(group, info.topicRegex, topics, emit);
    if (replaced !== undefined && oldId !== undefined) {
      const target = group.target.get(oldId) ?? NOTHING;
      const { progress } = replaced;
      for (const kind of ['consumer-progress', 'consumer-target', 'consumer-member'] as const)
        emit({ kind, groupId, memberId: oldId, value: null });
      emit({ kind: 'consumer-member', groupId, memberId, value: info });
      emit({ kind: 'consumer-target', groupId, memberId, value: target });
      const value = { ...progress, epoch: 0, previousEpoch: -1, pendingRevocation: NOTHING };
      emit({ kind: 'consumer-progress', groupId, memberId, value });
    } else if (JSON.stringify(known) !== JSON.stringify(info)) {
      emit({ kind: 'consumer-member', groupId, memberId, value: info });
    }
    return (
      (known?.topicNames ?? []).join() !== info.topicNames.join() ||
      (known?.topicRegex ?? null) !== info.topicRegex ||
      (known?.serverAssignor ?? null) !== info.serverAssignor
    );
  }

  private resolve(
    group: ConsumerGroup,
    pattern: string,
    topics: TopicsView,
    emit: (record: ConsumerGroupRecord) => void,
  ): void {
    const matches = this.compile(pattern);
    const value = new Set([...topics.names()].filter((name) => matches(name)).sort());
    const known = group.patterns.get(pattern);
    if (known !== undefined && [...known].join() === [...value].join()) return;
    emit({ kind: 'consumer-pattern', groupId: group.groupId, pattern, value });
  }

  private hashOf(group: ConsumerGroup, topics: TopicsView): number {
    const lines = [...subscribedNames(group)].sort().flatMap((name) => {
      const topic = topics.byName(name);
      return topic === null ? [] : [`${name} ${topic.id} ${topic.partitions}`];
    });
    return lines.length === 0 ? 0 : crc32c(Buffer.from(lines.join('\n')));
  }

  /** New members, new topics: a new epoch, and with it a new target assignment. */
  private refresh(
    group: ConsumerGroup,
    changed: boolean,
    topics: TopicsView,
    emit: (record: ConsumerGroupRecord) => void,
  ): void {
    const { groupId } = group;
    // A member may ask for another pattern with every report: what nobody asks for any more goes.
    const isCrowded = group.patterns.size > group.members.size;
    if (group.checkedVersion !== topics.version || isCrowded) {
      const used = new Set([...group.members.values()].map(({ info }) => info.topicRegex));
      for (const pattern of [...group.patterns.keys()]) {
        if (used.has(pattern)) this.resolve(group, pattern, topics, emit);
        else emit({ kind: 'consumer-pattern', groupId, pattern, value: null });
      }
    }
    if (changed || group.checkedVersion !== topics.version) {
      const metadataHash = this.hashOf(group, topics);
      group.checkedVersion = topics.version;
      if (changed || metadataHash !== group.metadataHash)
        emit({ kind: 'consumer-group', groupId, value: { epoch: group.epoch + 1, metadataHash } });
    }
    if (group.epoch > group.assignmentEpoch) this.assign(group, topics, emit);
  }

  private assign(
    group: ConsumerGroup,
    topics: TopicsView,
    emit: (record: ConsumerGroupRecord) => void,
  ): void {
    const { groupId } = group;
    const sizes = new Map<string, number>();
    const specs: MemberSpec[] = [...group.members].map(([memberId, member]) => {
      const ids = new Set<string>();
      for (const name of subscriptionOf(group, member)) {
        const topic = topics.byName(name);
        if (topic === null) continue;
        ids.add(topic.id);
        sizes.set(topic.id, topic.partitions);
      }
      const previous = group.target.get(memberId) ?? NOTHING;
      return { memberId, instanceId: member.info.instanceId, topics: ids, previous };
    });
    const name = preferredAssignor(group, this.rules(groupId).assignors[0] ?? 'uniform');
    const assignor = assignors.get(name) ?? assignors.get('uniform');
    const target = assignor?.(specs, sizes) ?? new Map<string, Assignment>();
    for (const [memberId, value] of target) {
      const known = group.target.get(memberId);
      if (known === undefined || !isEqual(known, value))
        emit({ kind: 'consumer-target', groupId, memberId, value });
    }
    const value = { assignmentEpoch: group.epoch };
    emit({ kind: 'consumer-target-epoch', groupId, value });
  }

  private advance(
    group: ConsumerGroup,
    member: ConsumerMember,
    owned: Assignment | null,
    nowMs: number,
    emit: (record: ConsumerGroupRecord) => void,
  ): void {
    const { groupId } = group;
    const { memberId } = member.info;
    const owners = this.owners.get(groupId);
    const progress = reconcile({
      progress: member.progress,
      target: group.target.get(memberId) ?? NOTHING,
      targetEpoch: group.assignmentEpoch,
      owned,
      isTaken: (topicId, partition) => {
        const owner = owners?.get(`${topicId}:${partition}`);
        return owner !== undefined && owner !== memberId;
      },
    });
    if (progress === member.progress) return;
    emit({ kind: 'consumer-progress', groupId, memberId, value: progress });
    const revokes = progress.state === 'UnrevokedPartitions';
    member.revocationDeadlineMs = revokes ? nowMs + member.info.rebalanceTimeoutMs : null;
  }

  /** Removes members that were not heard of, or that keep what they were to give up. */
  expire(topics: TopicsView, nowMs: number): RecordPair[] {
    const records: RecordPair[] = [];
    for (const group of this.groups.values()) {
      for (const member of [...group.members.values()]) {
        const late = (member.revocationDeadlineMs ?? Infinity) <= nowMs;
        if (member.sessionDeadlineMs > nowMs && !late) continue;
        this.remove(group, member, topics, (record) => this.emit(records, record, nowMs));
      }
    }
    return records;
  }

  /** Whether offsets may be committed by a member in that epoch; NONE or why not. */
  judgeCommit(group: ConsumerGroup, memberId: string, memberEpoch: number): ErrorName {
    if (memberEpoch < 0 && group.members.size === 0) return 'NONE';
    const member = group.members.get(memberId);
    if (member === undefined) return 'UNKNOWN_MEMBER_ID';
    if (member.progress.epoch === memberEpoch) return 'NONE';
    return member.info.classic === null ? 'STALE_MEMBER_EPOCH' : 'ILLEGAL_GENERATION';
  }

  // ---- members that speak the classic protocol ----------------------------------------------

  private sessionOf(groupId: string, { info }: ConsumerMember): number {
    return info.classic?.sessionTimeoutMs ?? this.rules(groupId).sessionTimeoutMs;
  }

  /** A classic member (re)joins: it reports what it owns and hears its epoch as a generation. */
  classicJoin(
    request: JoinRequest,
    topics: TopicsView,
    nowMs: number,
  ): { answer: JoinAnswer; records: RecordPair[] } {
    const { groupId, memberId, protocols } = request;
    const refuse = (error: ErrorName) => ({ answer: joinError(error, memberId), records: [] });
    const said = request.protocolType === 'consumer' ? readClassicMember(protocols, topics) : null;
    if (said === null) return refuse('INCONSISTENT_GROUP_PROTOCOL');
    const { answer, records } = this.heartbeat(
      {
        groupId,
        memberId,
        memberEpoch: 0,
        instanceId: request.instanceId,
        rackId: said.rackId,
        clientId: request.clientId,
        clientHost: request.clientHost,
        rebalanceTimeoutMs: request.rebalanceTimeoutMs,
        topicNames: said.topicNames,
        topicRegex: null,
        serverAssignor: null,
        owned: said.owned,
        classic: { sessionTimeoutMs: request.sessionTimeoutMs, protocols },
      },
      topics,
      nowMs,
    );
    if (answer.error !== 'NONE') return { answer: joinError(answer.error, memberId), records };
    const joined = {
      ...joinError('NONE', memberId),
      generation: answer.memberEpoch,
      protocolType: 'consumer',
      protocol: protocols[0]?.name ?? null,
    };
    return { answer: joined, records };
  }

  classicSync(
    group: ConsumerGroup,
    request: { memberId: string; generation: number },
    topics: TopicsView,
  ): SyncAnswer {
    const member = group.members.get(request.memberId);
    if (member === undefined || member.info.classic === null) return syncError('UNKNOWN_MEMBER_ID');
    if (member.progress.epoch !== request.generation) return syncError('ILLEGAL_GENERATION');
    // Who must give partitions up first is told what it keeps; it joins again after that.
    const revokes = member.progress.state === 'UnrevokedPartitions';
    if (group.epoch > member.progress.epoch && !revokes) return syncError('REBALANCE_IN_PROGRESS');
    return {
      ...syncError('NONE'),
      protocolType: 'consumer',
      protocol: member.info.classic.protocols[0]?.name ?? null,
      assignment: writeClassicAssignment(member.progress.assigned, topics),
    };
  }

  /** Tells a classic member to join again where its assignment is to change. */
  classicHeartbeat(
    group: ConsumerGroup,
    request: { memberId: string; generation: number },
    nowMs: number,
  ): ErrorName {
    const member = group.members.get(request.memberId);
    if (member === undefined || member.info.classic === null) return 'UNKNOWN_MEMBER_ID';
    const { progress } = member;
    if (progress.epoch !== request.generation) return 'ILLEGAL_GENERATION';
    member.sessionDeadlineMs = nowMs + this.sessionOf(group.groupId, member);
    if (group.epoch > progress.epoch || progress.state === 'UnrevokedPartitions')
      return 'REBALANCE_IN_PROGRESS';
    const target = group.target.get(request.memberId) ?? NOTHING;
    const owners = this.owners.get(group.groupId);
    const waits = minus(target, progress.assigned);
    const mayTake = filter(waits, (topicId, p) => !owners?.has(`${topicId}:${p}`));
    return sizeOf(mayTake) > 0 ? 'REBALANCE_IN_PROGRESS' : 'NONE';
  }

  classicLeave(
    group: ConsumerGroup,
    memberId: string,
    topics: TopicsView,
    nowMs: number,
  ): RecordPair[] | ErrorName {
    const member = group.members.get(memberId);
    if (member === undefined) return 'UNKNOWN_MEMBER_ID';
    const records: RecordPair[] = [];
    this.remove(group, member, topics, (record) => this.emit(records, record, nowMs));
    return records;
  }

  /** Takes over what a classic group was. */
  adopt(migrated: readonly ConsumerGroupRecord[], nowMs: number): RecordPair[] {
    const records: RecordPair[] = [];
    for (const record of migrated) this.emit(records, record, nowMs);
    return records;
  }

  /** The group is gone; its tombstones are written by the caller. */
  forget(groupId: string): void {
    this.groups.delete(groupId);
    this.owners.delete(groupId);
  }

  /** Tombstones for everything that is known of a group. */
  tombstones(group: ConsumerGroup): RecordPair[] {
    const { groupId } = group;
    const records: ConsumerGroupRecord[] = [];
    for (const memberId of group.members.keys()) {
      for (const kind of ['consumer-progress', 'consumer-target', 'consumer-member'] as const)
        records.push({ kind, groupId, memberId, value: null });
    }
    for (const pattern of group.patterns.keys())
      records.push({ kind: 'consumer-pattern', groupId, pattern, value: null });
    records.push({ kind: 'consumer-target-epoch', groupId, value: null });
    records.push({ kind: 'consumer-group', groupId, value: null });
    return records.map((record) => consumerRecord(record, this.wallNowMs()));
  }

  // ---- the log ------------------------------------------------------------------------------

  /** The only way in which state comes to be. */
  replay(record: ConsumerGroupRecord, nowMs: number): void {
    const { groupId } = record;
    if (record.kind === 'consumer-group' && record.value === null) {
      this.groups.delete(groupId);
      this.owners.delete(groupId);
      return;
    }
    let group = this.groups.get(groupId);
    if (group === undefined) {
      // What is left of a group that is gone does not bring it back.
      if (record.value === null) return;
      group = newConsumerGroup(groupId);
      this.groups.set(groupId, group);
      this.owners.set(groupId, new Map());
    }
    switch (record.kind) {
      case 'consumer-group':
        group.epoch = record.value?.epoch ?? group.epoch;
        group.metadataHash = record.value?.metadataHash ?? 0;
        return;
      case 'consumer-member':
        return this.replayMember(group, record.memberId, record.value, nowMs);
      case 'consumer-target-epoch':
        group.assignmentEpoch = record.value?.assignmentEpoch ?? 0;
        return;
      case 'consumer-target':
        if (record.value === null) group.target.delete(record.memberId);
        else group.target.set(record.memberId, record.value);
        return;
      case 'consumer-progress': {
        const member = group.members.get(record.memberId);
        this.own(
          groupId,
          record.memberId,
          member?.progress.assigned,
          member?.progress.pendingRevocation,
          false,
        );
        if (member !== undefined) member.progress = record.value ?? FRESH;
        this.own(
          groupId,
          record.memberId,
          record.value?.assigned,
          record.value?.pendingRevocation,
          true,
        );
        return;
      }
      case 'consumer-pattern':
        if (record.value === null) group.patterns.delete(record.pattern);
        else group.patterns.set(record.pattern, record.value);
    }
  }

  private replayMember(
    group: ConsumerGroup,
    memberId: string,
    info: MemberInfo | null,
    nowMs: number,
  ): void {
    const known = group.members.get(memberId);
    const instanceId = known?.info.instanceId ?? info?.instanceId ?? null;
    if (info === null) {
      group.members.delete(memberId);
      if (instanceId !== null && group.staticMembers.get(instanceId) === memberId)
        group.staticMembers.delete(instanceId);
      return;
    }
    if (known !== undefined) known.info = info;
    else {
      const sessionDeadlineMs =
        nowMs + (info.classic?.sessionTimeoutMs ?? this.rules(group.groupId).sessionTimeoutMs);
      const member = { info, progress: FRESH, sessionDeadlineMs, revocationDeadlineMs: null };
      group.members.set(memberId, member);
    }
    if (info.instanceId !== null) group.staticMembers.set(info.instanceId, memberId);
  }

  private own(
    groupId: string,
    memberId: string,
    assigned: Assignment | undefined,
    pending: Assignment | undefined,
    owns: boolean,
  ): void {
    const owners = this.owners.get(groupId);
    if (owners === undefined) return;
    for (const assignment of [assigned ?? NOTHING, pending ?? NOTHING]) {
      filter(assignment, (topicId, partition) => {
        const key = `${topicId}:${partition}`;
        if (owns) owners.set(key, memberId);
        else if (owners.get(key) === memberId) owners.delete(key);
        return false;
      });
    }
  }
}
