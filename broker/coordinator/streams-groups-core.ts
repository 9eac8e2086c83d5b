/**
 * Streams groups (KIP-1071): the broker knows the application's topology, makes its internal topics
 * known as missing, and hands out tasks; members follow step by step as in consumer groups. Pure:
 * every change is a record first and becomes state by being replayed.
 */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { crc32c } from '../../stdx/crc32c.ts';
import { type Assignment, has, isEqual, minus, NOTHING, sizeOf } from './assignment.ts';
import { FRESH, LEAVE_EPOCH, LEAVE_STATIC_EPOCH } from './consumer-group.ts';
import type { CompilePattern, TopicsView } from './consumer-groups-core.ts';
import { reconcile } from './consumer-reconcile-core.ts';
import type { RecordPair } from './record-pair.ts';
import { assignTasks } from './streams-assignor-core.ts';
import {
  type Endpoint,
  type KeyValue,
  newStreamsGroup,
  type StreamsGroup,
  type StreamsMember,
  type StreamsMemberInfo,
  streamsStateOf,
  type TaskOffset,
} from './streams-group.ts';
import { type StreamsGroupRecord, streamsRecord } from './streams-group-records.ts';
import { keyOf, roleOf, roles } from './streams-tasks.ts';
import {
  configureTopology,
  type InternalTopic,
  STATUS,
  type Status,
  type Topology,
  topologyFault,
} from './streams-topology-core.ts';

export interface StreamsRules {
  readonly sessionTimeoutMs: number;
  readonly groupSizeMax: number;
  readonly initialRebalanceDelayMs: number;
  readonly standbyReplicas: number;
  /** Client tags that stand-bys are spread over. */
  readonly rackAwareTags: readonly string[];
}

export interface StreamsHeartbeat {
  readonly groupId: string;
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly endpointEpoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** -1 and null: as said before. */
  readonly rebalanceTimeoutMs: number;
  readonly topology: Topology | null;
  readonly owned: Assignment | null;
  readonly processId: string | null;
  readonly userEndpoint: Endpoint | null;
  readonly clientTags: readonly KeyValue[] | null;
  readonly taskOffsets: readonly TaskOffset[] | null;
  readonly taskEndOffsets: readonly TaskOffset[] | null;
  readonly shutdownApplication: boolean;
  /** Whether the client knows the status of missing tags. */
  readonly knowsMissingTags: boolean;
}

export interface EndpointPartitions {
  readonly userEndpoint: Endpoint;
  readonly active: Assignment;
  readonly standby: Assignment;
}

export interface StreamsAnswer {
  readonly error: ErrorName;
  readonly message: string | null;
  readonly memberEpoch: number;
  /** Null: nothing new. */
  readonly assignment: Assignment | null;
  readonly status: readonly Status[];
  readonly endpointEpoch: number;
  /** Partitions by topic name; null: nothing new. */
  readonly endpoints: readonly EndpointPartitions[] | null;
  readonly topicsToCreate: readonly InternalTopic[];
}

type Emit = (record: StreamsGroupRecord) => void;
export const streamsRefusal = (error: ErrorName, message: string | null): StreamsAnswer => ({
  error,
  message,
  memberEpoch: 0,
  assignment: null,
  status: [],
  endpointEpoch: 0,
  endpoints: null,
  topicsToCreate: [],
});

/** Why a heartbeat makes no sense, or null. */
function faultOf(request: StreamsHeartbeat): string | null {
  const { instanceId, memberEpoch, memberId, owned, topology } = request;
  if (memberId === '') return 'the member id must not be empty';
  if (request.groupId === '') return 'the group id must not be empty';
  if (instanceId === '') return 'the instance id must not be empty';
  if (request.rackId === '') return 'the rack id must not be empty';
  if (memberEpoch < LEAVE_STATIC_EPOCH) return 'the member epoch must be -2 or more';
  if (memberEpoch === LEAVE_STATIC_EPOCH && instanceId === null)
    return 'only a static member leaves with epoch -2';
  if (memberEpoch !== 0)
    return topology === null ? null : 'a topology can only be given when joining';
  if (request.rebalanceTimeoutMs < 0) return 'who joins must give a rebalance timeout';
  if (topology === null) return 'who joins must give its topology';
  if (owned === null || sizeOf(owned) > 0) return 'who joins must own no tasks yet, and say so';
  return null;
}

export class StreamsGroupsCore {
  readonly groups = new Map<string, StreamsGroup>();
  private readonly rules: (groupId: string) => StreamsRules;
  private readonly wallNowMs: () => number;
  private readonly compile: CompilePattern;

  constructor(
    rules: (groupId: string) => StreamsRules,
    wallNowMs: () => number,
    compile: CompilePattern,
  ) {
    this.rules = rules;
    this.wallNowMs = wallNowMs;
    this.compile = compile;
  }

  heartbeat(
    request: StreamsHeartbeat,
    topics: TopicsView,
    nowMs: number,
  ): { answer: StreamsAnswer; records: RecordPair[] } {
    const records: RecordPair[] = [];
    const refuse = (error: ErrorName, message: string) => ({
      answer: streamsRefusal(error, message),
      records,
    });
    const senseless = this.judge(request);
    if (senseless !== null) return { answer: senseless, records };
    const { groupId, memberEpoch, memberId, topology } = request;
    const known = this.groups.get(groupId);
    if (known === undefined && memberEpoch !== 0)
      return refuse('GROUP_ID_NOT_FOUND', `streams group ${groupId} is unknown`);
    const denied = this.denial(known ?? newStreamsGroup(groupId), request);
    if (denied !== null) return refuse(denied.error, denied.message);
    const emit: Emit = (record) => this.emit(records, record, nowMs);
    if (known !== undefined && memberEpoch < 0) {
      this.leave(known, request, topics, emit);
      return { answer: { ...streamsRefusal('NONE', null), memberEpoch }, records };
    }
    const wasEmpty = known === undefined || known.members.size === 0;
    if (topology !== null && (known?.topology ?? null) === null)
      emit({ kind: 'streams-topology', groupId, value: topology });
    const group = this.groups.get(groupId) as StreamsGroup;
    const before = group.members.get(memberId);
    const endpointBefore = before?.info.userEndpoint ?? null;
    const changed = this.describe(group, request, emit);
    const member = group.members.get(memberId) as StreamsMember;
    const rules = this.rules(groupId);
    member.sessionDeadlineMs = nowMs + rules.sessionTimeoutMs;
    if (request.taskOffsets !== null) member.taskOffsets = request.taskOffsets;
    if (request.taskEndOffsets !== null) member.taskEndOffsets = request.taskEndOffsets;
    if (wasEmpty) group.delayedUntilMs = nowMs + rules.initialRebalanceDelayMs;
    if (request.shutdownApplication) group.shutdownMemberId = memberId;
    this.refresh(group, changed, topics, nowMs, emit);
    const strange = this.strangeTask(group, request.owned);
    if (strange !== null) return refuse('INVALID_REQUEST', strange);
    const assignedBefore = member.progress.assigned;
    this.advance(group, member, memberEpoch === 0 ? NOTHING : request.owned, nowMs, emit);
    const { assigned, epoch } = member.progress;
    const moved = !isEqual(assignedBefore, assigned);
    // The answer that told it what to give up or take may have been lost: it is told again.
    const isAhead = request.owned !== null && !isEqual(request.owned, assigned);
    const elsewhere = JSON.stringify(endpointBefore) !== JSON.stringify(member.info.userEndpoint);
    if (elsewhere || (moved && member.info.userEndpoint !== null)) group.endpointEpoch++;
    return {
      answer: {
        error: 'NONE',
        message: null,
        memberEpoch: epoch,
        assignment: memberEpoch === 0 || moved || isAhead ? assigned : null,
        status: this.statusOf(group, member, request.knowsMissingTags, nowMs),
        endpointEpoch: group.endpointEpoch,
        endpoints:
          request.endpointEpoch === group.endpointEpoch ? null : endpointsOf(group, topics),
        topicsToCreate: group.configured?.topicsToCreate ?? [],
      },
      records,
    };
  }

  /**
   * Why a request makes no sense whatever the group is, or null: to be asked before anything changes.
   * @throws KafkaError INVALID_REGULAR_EXPRESSION
   */
  judge(request: StreamsHeartbeat): StreamsAnswer | null {
    const fault = faultOf(request);
    if (fault !== null) return streamsRefusal('INVALID_REQUEST', fault);
    if (request.topology === null) return null;
    const unsound = topologyFault(request.topology);
    if (unsound !== null) return streamsRefusal('STREAMS_INVALID_TOPOLOGY', unsound);
    for (const of of request.topology.subtopologies) of.sourceTopicRegex.forEach(this.compile);
    return null;
  }

  private emit(records: RecordPair[], record: StreamsGroupRecord, nowMs: number): void {
    records.push(streamsRecord(record, this.wallNowMs()));
    this.replay(record, nowMs);
  }

  /** Why the member may not speak for itself, or null. */
  private denial(
    group: StreamsGroup,
    request: StreamsHeartbeat,
  ): { error: ErrorName; message: string } | null {
    const { instanceId, memberEpoch, memberId, owned, topology } = request;
    const member = group.members.get(memberId);
    const staticId = instanceId === null ? undefined : group.staticMembers.get(instanceId);
    const isReplacing = staticId !== undefined && staticId !== memberId;
    if (isReplacing) {
      const current = group.members.get(staticId);
      if (memberEpoch !== 0)
        return { error: 'FENCED_INSTANCE_ID', message: `${instanceId} is member ${staticId} now` };
      if (current?.progress.epoch !== LEAVE_STATIC_EPOCH)
        return { error: 'UNRELEASED_INSTANCE_ID', message: `${instanceId} is still a member` };
    } else if (member === undefined) {
      if (memberEpoch !== 0)
        return { error: 'UNKNOWN_MEMBER_ID', message: `member ${memberId} is unknown` };
      if (group.members.size >= this.rules(group.groupId).groupSizeMax)
        return { error: 'GROUP_MAX_SIZE_REACHED', message: 'the group is full' };
    } else if (memberEpoch > 0 && memberEpoch !== member.progress.epoch) {
      // The answer with the newer epoch was lost: fine while it owns nothing it was not given.
      const { assigned, epoch, previousEpoch } = member.progress;
      const lost =
        memberEpoch === previousEpoch && owned !== null && sizeOf(minus(owned, assigned)) === 0;
      const message = `the epoch of member ${memberId} is ${epoch}, it must join again`;
      if (!lost) return { error: 'FENCED_MEMBER_EPOCH', message };
    }
    const current = group.topology;
    if (topology === null || current === null || current.epoch > topology.epoch) return null;
    return JSON.stringify(current) === JSON.stringify(topology)
      ? null
      : { error: 'INVALID_REQUEST', message: 'the topology of a group cannot change yet' };
  }

  private leave(
    group: StreamsGroup,
    { memberEpoch, memberId }: StreamsHeartbeat,
    topics: TopicsView,
    emit: Emit,
  ): void {
    const member = group.members.get(memberId);
    if (member === undefined) return;
    if (memberEpoch === LEAVE_EPOCH) return this.remove(group, member, topics, emit);
    // A static member that will be back keeps its tasks until its session ends.
    emit({
      kind: 'streams-progress',
      groupId: group.groupId,
      memberId,
      value: { ...member.progress, epoch: LEAVE_STATIC_EPOCH, pendingRevocation: NOTHING },
    });
  }

  private remove(
    group: StreamsGroup,
    { info }: StreamsMember,
    topics: TopicsView,
    emit: Emit,
  ): void {
    const { groupId } = group;
    for (const kind of ['streams-progress', 'streams-target', 'streams-member'] as const)
      emit({ kind, groupId, memberId: info.memberId, value: null });
    if (info.userEndpoint !== null) group.endpointEpoch++;
    this.bump(group, topics, emit);
    // Nobody is left to be assigned anything.
    if (group.members.size === 0) this.assign(group, emit);
  }

  /** Takes what the member says of itself; true where the group must be assigned anew. */
  private describe(group: StreamsGroup, request: StreamsHeartbeat, emit: Emit): boolean {
    const { groupId } = group;
    const { instanceId, memberId } = request;
    const oldId = instanceId === null ? undefined : group.staticMembers.get(instanceId);
    const replaced =
      oldId !== undefined && oldId !== memberId ? group.members.get(oldId) : undefined;
    const known = group.members.get(memberId)?.info ?? replaced?.info;
    const info: StreamsMemberInfo = {
      memberId,
      instanceId: instanceId ?? known?.instanceId ?? null,
      rackId: request.rackId ?? known?.rackId ?? null,
      clientId: request.clientId,
      clientHost: request.clientHost,
      rebalanceTimeoutMs:
        request.rebalanceTimeoutMs < 0
          ? (known?.rebalanceTimeoutMs ?? 45_000)
          : request.rebalanceTimeoutMs,
      topologyEpoch: request.topology?.epoch ?? known?.topologyEpoch ?? 0,
      processId: request.processId ?? known?.processId ?? '',
      userEndpoint:
        request.userEndpoint ?? (request.memberEpoch === 0 ? null : (known?.userEndpoint ?? null)),
      clientTags: request.clientTags ?? known?.clientTags ?? [],
    };
    if (replaced !== undefined && oldId !== undefined) {
      const target = group.target.get(oldId) ?? NOTHING;
      const { progress } = replaced;
      for (const kind of ['streams-progress', 'streams-target', 'streams-member'] as const)
        emit({ kind, groupId, memberId: oldId, value: null });
      emit({ kind: 'streams-member', groupId, memberId, value: info });
      emit({ kind: 'streams-target', groupId, memberId, value: target });
      const value = { ...progress, epoch: 0, previousEpoch: -1, pendingRevocation: NOTHING };
      emit({ kind: 'streams-progress', groupId, memberId, value });
    } else if (JSON.stringify(known) !== JSON.stringify(info)) {
      emit({ kind: 'streams-member', groupId, memberId, value: info });
    }
    const relevant = (of: StreamsMemberInfo | undefined) =>
      of && JSON.stringify([of.topologyEpoch, of.rackId, of.clientTags, of.processId]);
    return relevant(known) !== relevant(info);
  }

  private configsOf(groupId: string): KeyValue[] {
    const { rackAwareTags, standbyReplicas } = this.rules(groupId);
    const configs = [{ key: 'num.standby.replicas', value: String(standbyReplicas) }];
    if (rackAwareTags.length > 0)
      configs.push({ key: 'rack.aware.assignment.tags', value: rackAwareTags.join(',') });
    return configs;
  }

  private hashOf({ configured, topology }: StreamsGroup, topics: TopicsView): number {
    const names = (topology?.subtopologies ?? []).flatMap((of) => [
      ...of.sourceTopics,
      ...[...of.repartitionSourceTopics, ...of.stateChangelogTopics].map(({ name }) => name),
    ]);
    const resolved = configured?.subtopologies.flatMap((of) => of.sourceTopics) ?? [];
    const lines = [...new Set([...names, ...resolved])].sort().flatMap((name) => {
      const topic = topics.byName(name);
      return topic === null ? [] : [`${name} ${topic.id} ${topic.partitions}`];
    });
    return lines.length === 0 ? 0 : crc32c(Buffer.from(lines.join('\n')));
  }

  /** A new epoch of the group, for the topics that there are now. */
  private bump(group: StreamsGroup, topics: TopicsView, emit: Emit): void {
    const { configured, groupId, topology } = group;
    const isReady = topology !== null && configured !== null && configured.problem === null;
    const value = {
      epoch: group.epoch + 1,
      metadataHash: this.hashOf(group, topics),
      validatedTopologyEpoch: isReady ? topology.epoch : -1,
      assignmentConfigs: this.configsOf(groupId),
    };
    emit({ kind: 'streams-group', groupId, value });
  }

  /** New members, new topics, new settings: a new epoch, and with it a new target assignment. */
  private refresh(
    group: StreamsGroup,
    changed: boolean,
    topics: TopicsView,
    nowMs: number,
    emit: Emit,
  ): void {
    const { groupId, topology } = group;
    if (topology === null) return;
    if (group.configured === null || group.checkedVersion !== topics.version) {
      group.configured = configureTopology(topology, topics, this.compile);
      group.checkedVersion = topics.version;
    }
    const validated = group.configured.problem === null ? topology.epoch : -1;
    const isDue =
      changed ||
      validated !== group.validatedTopologyEpoch ||
      // While topics are missing, one more or less changes nothing that is assigned.
      (validated >= 0 && this.hashOf(group, topics) !== group.metadataHash) ||
      JSON.stringify(this.configsOf(groupId)) !== JSON.stringify(group.assignmentConfigs);
    if (isDue) this.bump(group, topics, emit);
    if (group.epoch > group.assignmentEpoch && nowMs >= group.delayedUntilMs)
      this.assign(group, emit);
  }

  private assign(group: StreamsGroup, emit: Emit): void {
    const { configured, groupId, members } = group;
    const isReady = configured !== null && configured.problem === null;
    const { rackAwareTags, standbyReplicas } = this.rules(groupId);
    const specs = [...members].map(([memberId, { info }]) => ({
      memberId,
      processId: info.processId,
      tags: new Map(info.clientTags.map(({ key, value }) => [key, value])),
      previous: group.target.get(memberId) ?? NOTHING,
    }));
    const subtopologies = isReady ? configured.subtopologies : [];
    const rules = { count: standbyReplicas, tags: rackAwareTags };
    for (const [memberId, value] of assignTasks(specs, subtopologies, rules)) {
      const known = group.target.get(memberId);
      if (known === undefined || !isEqual(known, value))
        emit({ kind: 'streams-target', groupId, memberId, value });
    }
    emit({ kind: 'streams-target-epoch', groupId, value: { assignmentEpoch: group.epoch } });
  }

  /** Names a task that the member says it owns and that the topology does not have; or null. */
  private strangeTask({ configured }: StreamsGroup, owned: Assignment | null): string | null {
    if (owned === null || configured === null || configured.problem !== null) return null;
    const counts = new Map(configured.subtopologies.map((s) => [s.subtopologyId, s.taskCount]));
    for (const [key, partitions] of owned) {
      const { subtopologyId } = roleOf(key);
      const count = counts.get(subtopologyId);
      if (count === undefined) return `subtopology ${subtopologyId} does not exist`;
      for (const partition of partitions)
        if (partition < 0 || partition >= count)
          return `task ${partition} of subtopology ${subtopologyId} does not exist`;
    }
    return null;
  }

  /**
   * Whether a task cannot be taken yet: it is active elsewhere, or another thread of the same
   * process has its state, which can be open only once.
   */
  private isTaken(group: StreamsGroup, member: StreamsMember, key: string, partition: number) {
    const { role, subtopologyId } = roleOf(key);
    for (const [otherId, { info, progress }] of group.members) {
      if (otherId === member.info.memberId) continue;
      const sameProcess = info.processId === member.info.processId;
      const holds = (of: string) =>
        has(progress.assigned, of, partition) || has(progress.pendingRevocation, of, partition);
      if (role === 'active' && holds(keyOf('active', subtopologyId))) return true;
      if (sameProcess && roles.some((one) => holds(keyOf(one, subtopologyId)))) return true;
    }
    return false;
  }

  private advance(
    group: StreamsGroup,
    member: StreamsMember,
    owned: Assignment | null,
    nowMs: number,
    emit: Emit,
  ): void {
    const { groupId } = group;
    const { memberId, rebalanceTimeoutMs } = member.info;
    const progress = reconcile({
      progress: member.progress,
      target: group.target.get(memberId) ?? NOTHING,
      targetEpoch: group.assignmentEpoch,
      owned,
      isTaken: (key, partition) => this.isTaken(group, member, key, partition),
    });
    if (progress === member.progress) return;
    emit({ kind: 'streams-progress', groupId, memberId, value: progress });
    const revokes = progress.state === 'UnrevokedPartitions';
    member.revocationDeadlineMs = revokes ? nowMs + rebalanceTimeoutMs : null;
  }

  private statusOf(
    group: StreamsGroup,
    { info }: StreamsMember,
    knowsMissingTags: boolean,
    nowMs: number,
  ): Status[] {
    const status: Status[] = [];
    const add = (statusCode: number, statusDetail: string) =>
      status.push({ statusCode, statusDetail });
    const current = group.topology?.epoch ?? 0;
    if (info.topologyEpoch < current)
      add(
        STATUS.staleTopology,
        `the member's topology has epoch ${info.topologyEpoch}, the group's ${current}`,
      );
    if (group.epoch > group.assignmentEpoch && nowMs < group.delayedUntilMs)
      add(STATUS.assignmentDelayed, 'the group waits for more members before its first assignment');
    if (group.configured !== null && group.configured.problem !== null)
      status.push(group.configured.problem);
    if (group.shutdownMemberId !== null)
      add(
        STATUS.shutdownApplication,
        `member ${group.shutdownMemberId} asked the whole application to shut down`,
      );
    const tags = new Set(info.clientTags.map(({ key }) => key));
    const missing = this.rules(group.groupId).rackAwareTags.filter((tag) => !tags.has(tag));
    if (knowsMissingTags && missing.length > 0)
      add(
        STATUS.missingClientTags,
        `the client must have tags ${missing.join(', ')}: set client.tag.<key>`,
      );
    return status;
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
      const isDue = group.epoch > group.assignmentEpoch && group.members.size > 0;
      // Not before the topics were looked at: a new coordinator does not know them yet.
      if (isDue && nowMs >= group.delayedUntilMs && streamsStateOf(group) !== 'NotReady')
        this.refresh(group, false, topics, nowMs, (record) => this.emit(records, record, nowMs));
    }
    return records;
  }

  /** Whether offsets may be committed by a member in that epoch; NONE or why not. */
  judgeCommit(group: StreamsGroup, memberId: string, memberEpoch: number): ErrorName {
    if (memberEpoch < 0 && group.members.size === 0) return 'NONE';
    const member = group.members.get(memberId);
    if (member === undefined) return 'UNKNOWN_MEMBER_ID';
    return member.progress.epoch === memberEpoch ? 'NONE' : 'STALE_MEMBER_EPOCH';
  }

  /** Tombstones for everything that is known of a group. */
  tombstones({ groupId, members }: StreamsGroup): RecordPair[] {
    const records: StreamsGroupRecord[] = [];
    for (const memberId of members.keys())
      for (const kind of ['streams-progress', 'streams-target', 'streams-member'] as const)
        records.push({ kind, groupId, memberId, value: null });
    for (const kind of ['streams-target-epoch', 'streams-topology', 'streams-group'] as const)
      records.push({ kind, groupId, value: null });
    return records.map((record) => streamsRecord(record, this.wallNowMs()));
  }

  // ---- the log ------------------------------------------------------------------------------

  /** The only way in which state comes to be. */
  replay(record: StreamsGroupRecord, nowMs: number): void {
    const { groupId } = record;
    if (record.kind === 'streams-group' && record.value === null) {
      this.groups.delete(groupId);
      return;
    }
    let group = this.groups.get(groupId);
    if (group === undefined) {
      // What is left of a group that is gone does not bring it back.
      if (record.value === null) return;
      group = newStreamsGroup(groupId);
      this.groups.set(groupId, group);
    }
    switch (record.kind) {
      case 'streams-group':
        if (record.value !== null) Object.assign(group, record.value);
        return;
      case 'streams-member':
        return this.replayMember(group, record.memberId, record.value, nowMs);
      case 'streams-target-epoch':
        group.assignmentEpoch = record.value?.assignmentEpoch ?? 0;
        return;
      case 'streams-target':
        if (record.value === null) group.target.delete(record.memberId);
        else group.target.set(record.memberId, record.value);
        return;
      case 'streams-progress': {
        const member = group.members.get(record.memberId);
        if (member !== undefined) member.progress = record.value ?? FRESH;
        return;
      }
      case 'streams-topology':
        group.topology = record.value;
        group.configured = null;
    }
  }

  private replayMember(
    group: StreamsGroup,
    memberId: string,
    info: StreamsMemberInfo | null,
    nowMs: number,
  ): void {
    const known = group.members.get(memberId);
    const instanceId = known?.info.instanceId ?? info?.instanceId ?? null;
    if (info === null) {
      group.members.delete(memberId);
      if (instanceId !== null && group.staticMembers.get(instanceId) === memberId)
        group.staticMembers.delete(instanceId);
      if (group.members.size === 0) group.shutdownMemberId = null;
      return;
    }
    if (known !== undefined) known.info = info;
    else {
      group.members.set(memberId, {
        info,
        progress: FRESH,
        sessionDeadlineMs: nowMs + this.rules(group.groupId).sessionTimeoutMs,
        revocationDeadlineMs: null,
        taskOffsets: [],
        taskEndOffsets: [],
      });
    }
    if (info.instanceId !== null) group.staticMembers.set(info.instanceId, memberId);
  }
}

/** Which process answers for which partitions of the application's topics. */
function endpointsOf(group: StreamsGroup, topics: TopicsView): EndpointPartitions[] {
  const bySubtopology = new Map(
    (group.configured?.subtopologies ?? []).map((of) => [
      of.subtopologyId,
      [...of.sourceTopics, ...of.repartitionSourceTopics.map(({ name }) => name)],
    ]),
  );
  const result: EndpointPartitions[] = [];
  for (const { info, progress } of group.members.values()) {
    const { userEndpoint } = info;
    if (userEndpoint === null) continue;
    const active = new Map<string, Set<number>>();
    const standby = new Map<string, Set<number>>();
    for (const [key, partitions] of progress.assigned) {
      const { role, subtopologyId } = roleOf(key);
      const into = role === 'active' ? active : standby;
      for (const name of bySubtopology.get(subtopologyId) ?? []) {
        const count = topics.byName(name)?.partitions ?? 0;
        const known = into.get(name) ?? new Set<number>();
        for (const partition of partitions) if (partition < count) known.add(partition);
        into.set(name, known);
      }
    }
    result.push({ userEndpoint, active, standby });
  }
  return result;
}
