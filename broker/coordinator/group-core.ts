/**
 * The classic group protocol: joins, syncs, heartbeats, leaves and commits. Pure: an operation
 * returns the answers it allows (for parked requests too) and the records to be written first;
 * time comes in as an argument. Sources: KIP-62, KIP-394, KIP-345, KIP-814.
 */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import type { GroupMetadataValue } from '../../proto/kafka/records/group.ts';
import {
  chooseProtocol,
  type Group,
  type GroupMember,
  groupFromValue,
  groupValue,
  metadataOf,
  newGroup,
  newMemberId,
  type Protocol,
  sameProtocols,
  speaksCommonProtocol,
  type Token,
} from './group.ts';
import { groupRecord } from './group-records.ts';
import type { RecordPair } from './record-pair.ts';

export interface GroupRules {
  readonly initialRebalanceDelayMs: number;
  readonly sessionTimeoutMinMs: number;
  readonly sessionTimeoutMaxMs: number;
  readonly groupSizeMax: number;
  readonly offsetMetadataBytesMax: number;
  readonly offsetsRetentionMs: number;
  readonly offsetsRetentionCheckMs: number;
}

export interface JoinRequest {
  readonly groupId: string;
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly Protocol[];
  /** v4+: a member without an id is first told one. */
  readonly mustKnowId: boolean;
  /** v9+: a returning static leader may be told to leave the assignment alone. */
  readonly canSkipAssignment: boolean;
}

export interface JoinAnswer {
  readonly kind: 'join';
  readonly error: ErrorName;
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocol: string | null;
  readonly leaderId: string;
  readonly memberId: string;
  readonly skipAssignment: boolean;
  readonly members: readonly { memberId: string; instanceId: string | null; metadata: Buffer }[];
}
export interface SyncAnswer {
  readonly kind: 'sync';
  readonly error: ErrorName;
  readonly protocolType: string | null;
  readonly protocol: string | null;
  readonly assignment: Buffer;
}
export interface Reply {
  readonly token: Token;
  readonly answer: JoinAnswer | SyncAnswer;
}

/** Records first; the replies hold once they are committed. */
export interface Effects {
  readonly replies: Reply[];
  readonly records: RecordPair[];
}

const EMPTY = Buffer.alloc(0);
const none = (): Effects => ({ replies: [], records: [] });

export function joinError(error: ErrorName, memberId: string): JoinAnswer {
  return {
    kind: 'join',
    error,
    generation: -1,
    protocolType: null,
    protocol: null,
    leaderId: '',
    memberId,
    skipAssignment: false,
    members: [],
  };
}
export function syncError(error: ErrorName): SyncAnswer {
  return { kind: 'sync', error, protocolType: null, protocol: null, assignment: EMPTY };
}

export class GroupsCore {
  readonly groups = new Map<string, Group>();
  private readonly rules: () => GroupRules;
  private readonly newId: () => string;
  /** For what is written down; deadlines go by the monotonic time that callers pass. */
  private readonly wallNowMs: () => number;

  constructor(rules: () => GroupRules, newId: () => string, wallNowMs: () => number) {
    this.rules = rules;
    this.newId = newId;
    this.wallNowMs = wallNowMs;
  }

  // ---- joining ------------------------------------------------------------------------------

  join(request: JoinRequest, token: Token, nowMs: number): Effects {
    const { groupId, memberId, protocolType, protocols } = request;
    const rules = this.rules();
    const refuse = (error: ErrorName, id = memberId): Effects => ({
      replies: [{ token, answer: joinError(error, id) }],
      records: [],
    });
    if (groupId === '') return refuse('INVALID_GROUP_ID');
    if (
      request.sessionTimeoutMs < rules.sessionTimeoutMinMs ||
      request.sessionTimeoutMs > rules.sessionTimeoutMaxMs
    ) {
      return refuse('INVALID_SESSION_TIMEOUT');
    }
    let group = this.groups.get(groupId);
    if (group === undefined) {
      if (memberId !== '') return refuse('UNKNOWN_MEMBER_ID');
      group = newGroup(groupId, this.wallNowMs());
      this.groups.set(groupId, group);
    }
    if (
      protocolType === '' ||
      protocols.length === 0 ||
      !speaksCommonProtocol(group, protocolType, protocols)
    ) {
      return refuse('INCONSISTENT_GROUP_PROTOCOL');
    }
    const isKnown = group.members.has(memberId) || group.pending.has(memberId);
    if (!isKnown && group.members.size >= rules.groupSizeMax)
      return refuse('GROUP_MAX_SIZE_REACHED', '');
    if (memberId === '') return this.joinNew(group, request, token, nowMs);
    return this.joinKnown(group, request, token, nowMs, refuse);
  }

  private joinNew(group: Group, request: JoinRequest, token: Token, nowMs: number): Effects {
    const { instanceId, clientId } = request;
    const memberId = newMemberId(instanceId ?? clientId, this.newId());
    if (instanceId !== null) {
      const known = group.staticMembers.get(instanceId);
      if (known !== undefined)
        return this.replaceStatic(group, known, memberId, request, token, nowMs);
    } else if (request.mustKnowId) {
      group.pending.set(memberId, nowMs + request.sessionTimeoutMs);
      return {
        replies: [{ token, answer: joinError('MEMBER_ID_REQUIRED', memberId) }],
        records: [],
      };
    }
    return this.add(group, memberId, request, token, nowMs);
  }

  private joinKnown(
    group: Group,
    request: JoinRequest,
    token: Token,
    nowMs: number,
    refuse: (error: ErrorName) => Effects,
  ): Effects {
    const { memberId, instanceId } = request;
    if (group.pending.delete(memberId)) return this.add(group, memberId, request, token, nowMs);
    const fault = this.memberFault(group, memberId, instanceId);
    if (fault !== null) return refuse(fault);
    const member = group.members.get(memberId) as GroupMember;
    const changed = !sameProtocols(member.protocols, request.protocols);
    const isLeader = group.leaderId === memberId;
    if (group.state === 'CompletingRebalance' && !changed) {
      return { replies: [{ token, answer: this.joinAnswer(group, member) }], records: [] };
    }
    if (group.state === 'Stable' && !changed && !isLeader) {
      return { replies: [{ token, answer: this.joinAnswer(group, member) }], records: [] };
    }
    update(member, request);
    const effects = none();
    park(member, token, effects);
    this.rebalance(group, nowMs, effects);
    return effects;
  }

  private add(
    group: Group,
    memberId: string,
    request: JoinRequest,
    token: Token,
    nowMs: number,
  ): Effects {
    const effects = none();
    const member: GroupMember = {
      memberId,
      instanceId: request.instanceId,
      clientId: request.clientId,
      clientHost: request.clientHost,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      protocols: request.protocols,
      assignment: EMPTY,
      joining: token,
      syncing: null,
      deadlineMs: nowMs + request.sessionTimeoutMs,
    };
    if (group.members.size === 0) group.protocolType = request.protocolType;
    group.members.set(memberId, member);
    if (member.instanceId !== null) group.staticMembers.set(member.instanceId, memberId);
    if (group.initialDelay !== null) group.initialDelay.sawNewMember = true;
    this.rebalance(group, nowMs, effects);
    return effects;
  }

  /** A static member came back under a new id: no rebalance where nothing changes (KIP-345). */
  private replaceStatic(
    group: Group,
    oldId: string,
    memberId: string,
    request: JoinRequest,
    token: Token,
    nowMs: number,
  ): Effects {
    const effects = none();
    const member = group.members.get(oldId) as GroupMember;
    if (member.joining !== null)
      effects.replies.push({
        token: member.joining,
        answer: joinError('FENCED_INSTANCE_ID', oldId),
      });
    if (member.syncing !== null)
      effects.replies.push({ token: member.syncing, answer: syncError('FENCED_INSTANCE_ID') });
    member.joining = null;
    member.syncing = null;
    const changed = !sameProtocols(member.protocols, request.protocols);
    group.members.delete(oldId);
    member.memberId = memberId;
    group.members.set(memberId, member);
    group.staticMembers.set(request.instanceId as string, memberId);
    const wasLeader = group.leaderId === oldId;
    if (wasLeader) group.leaderId = memberId;
    update(member, request);
    member.deadlineMs = nowMs + member.sessionTimeoutMs;
    if (group.state === 'Stable' && !changed) {
      // An old client that leads must not assign again: it is not told that it leads.
      const answer = this.joinAnswer(group, member);
      const shown =
        wasLeader && !request.canSkipAssignment
          ? { ...answer, leaderId: oldId, members: [] }
          : answer;
      effects.replies.push({
        token,
        answer: { ...shown, skipAssignment: wasLeader && request.canSkipAssignment },
      });
      effects.records.push(groupRecord(group.groupId, groupValue(group)));
      return effects;
    }
    member.joining = token;
    this.rebalance(group, nowMs, effects);
    return effects;
  }

  private joinAnswer(group: Group, member: GroupMember): JoinAnswer {
    const leads = group.leaderId === member.memberId;
    return {
      kind: 'join',
      error: 'NONE',
      generation: group.generation,
      protocolType: group.protocolType,
      protocol: group.protocol,
      leaderId: group.leaderId ?? '',
      memberId: member.memberId,
      skipAssignment: false,
      members: leads
        ? [...group.members.values()].map((m) => ({
            memberId: m.memberId,
            instanceId: m.instanceId,
            metadata: metadataOf(m, group.protocol),
          }))
        : [],
    };
  }

  /** The group goes on as one of the other protocol: who waits is to ask again. */
  dissolve(group: Group): Reply[] {
    const effects = none();
    for (const { memberId, joining, syncing } of group.members.values()) {
      if (joining !== null)
        effects.replies.push({
          token: joining,
          answer: joinError('REBALANCE_IN_PROGRESS', memberId),
        });
      if (syncing !== null)
        effects.replies.push({ token: syncing, answer: syncError('REBALANCE_IN_PROGRESS') });
    }
    this.groups.delete(group.groupId);
    return effects.replies;
  }

  /** Every member is to join again. */
  startRebalance(groupId: string, nowMs: number): Effects {
    const effects = none();
    const group = this.groups.get(groupId);
    if (group !== undefined && group.members.size > 0) this.rebalance(group, nowMs, effects);
    return effects;
  }

  // ---- rebalancing --------------------------------------------------------------------------

  private setState(group: Group, state: Group['state']): void {
    group.state = state;
    group.stateSinceMs = this.wallNowMs();
  }

  private rebalance(group: Group, nowMs: number, effects: Effects): void {
    if (group.state !== 'PreparingRebalance') {
      for (const member of group.members.values()) {
        if (member.syncing === null) continue;
        effects.replies.push({ token: member.syncing, answer: syncError('REBALANCE_IN_PROGRESS') });
        member.syncing = null;
      }
      const longest = Math.max(...[...group.members.values()].map((m) => m.rebalanceTimeoutMs));
      if (group.state === 'Empty') {
        const delay = Math.min(this.rules().initialRebalanceDelayMs, longest);
        group.joinDeadlineMs = nowMs + delay;
        group.initialDelay = delay === 0 ? null : { untilMs: nowMs + longest, sawNewMember: false };
      } else {
        group.joinDeadlineMs = nowMs + longest;
      }
      group.syncDeadlineMs = null;
      this.setState(group, 'PreparingRebalance');
    }
    this.completeIfAllJoined(group, nowMs, effects);
  }

  private completeIfAllJoined(group: Group, nowMs: number, effects: Effects): void {
    if (group.state !== 'PreparingRebalance' || group.initialDelay !== null) return;
    const waiting = [...group.members.values()].some(({ joining }) => joining === null);
    if (!waiting && group.pending.size === 0) this.completeJoin(group, nowMs, effects);
  }

  private completeJoin(group: Group, nowMs: number, effects: Effects): void {
    for (const member of group.members.values()) {
      // A static member may be away for a session: it keeps its place.
      if (member.joining === null && member.instanceId === null) this.forget(group, member);
    }
    group.joinDeadlineMs = null;
    group.initialDelay = null;
    group.generation++;
    if (group.members.size === 0) {
      this.becomeEmpty(group, effects);
      return;
    }
    group.protocol = chooseProtocol(group);
    const leader = group.leaderId === null ? undefined : group.members.get(group.leaderId);
    if (leader === undefined || leader.joining === null) {
      const joined = [...group.members.values()].find(({ joining }) => joining !== null);
      group.leaderId = joined?.memberId ?? ([...group.members.keys()][0] as string);
    }
    this.setState(group, 'CompletingRebalance');
    group.syncDeadlineMs =
      nowMs + Math.max(...[...group.members.values()].map((m) => m.rebalanceTimeoutMs));
    for (const member of group.members.values()) {
      if (member.joining === null) continue;
      effects.replies.push({ token: member.joining, answer: this.joinAnswer(group, member) });
      member.joining = null;
      member.deadlineMs = nowMs + member.sessionTimeoutMs;
    }
  }

  private becomeEmpty(group: Group, effects: Effects): void {
    this.setState(group, 'Empty');
    group.protocol = null;
    group.leaderId = null;
    group.syncDeadlineMs = null;
    group.joinDeadlineMs = null;
    group.initialDelay = null;
    effects.records.push(groupRecord(group.groupId, groupValue(group)));
  }

  private forget(group: Group, member: GroupMember): void {
    group.members.delete(member.memberId);
    if (
      member.instanceId !== null &&
      group.staticMembers.get(member.instanceId) === member.memberId
    ) {
      group.staticMembers.delete(member.instanceId);
    }
    if (group.leaderId === member.memberId) group.leaderId = [...group.members.keys()][0] ?? null;
  }

  private remove(group: Group, member: GroupMember, nowMs: number, effects: Effects): void {
    if (member.joining !== null)
      effects.replies.push({
        token: member.joining,
        answer: joinError('UNKNOWN_MEMBER_ID', member.memberId),
      });
    if (member.syncing !== null)
      effects.replies.push({ token: member.syncing, answer: syncError('UNKNOWN_MEMBER_ID') });
    this.forget(group, member);
    if (group.members.size === 0 && group.state !== 'PreparingRebalance') {
      group.generation++;
      this.becomeEmpty(group, effects);
    } else if (group.members.size === 0) this.completeJoin(group, nowMs, effects);
    else this.rebalance(group, nowMs, effects);
  }

  // ---- what members say in between ------------------------------------------------------------

  /** Why a member may not act in its own name, or null. */
  private memberFault(group: Group, memberId: string, instanceId: string | null): ErrorName | null {
    if (instanceId !== null) {
      const current = group.staticMembers.get(instanceId);
      if (current !== undefined && current !== memberId) return 'FENCED_INSTANCE_ID';
    }
    return group.members.has(memberId) ? null : 'UNKNOWN_MEMBER_ID';
  }

  sync(
    request: {
      groupId: string;
      generation: number;
      memberId: string;
      instanceId: string | null;
      protocolType: string | null;
      protocol: string | null;
      assignments: readonly { memberId: string; assignment: Buffer }[];
    },
    token: Token,
    nowMs: number,
  ): Effects {
    const refuse = (error: ErrorName): Effects => ({
      replies: [{ token, answer: syncError(error) }],
      records: [],
    });
    const group = this.groups.get(request.groupId);
    if (group === undefined) return refuse('UNKNOWN_MEMBER_ID');
    const fault = this.memberFault(group, request.memberId, request.instanceId);
    if (fault !== null) return refuse(fault);
    if (request.generation !== group.generation) return refuse('ILLEGAL_GENERATION');
    const otherType = request.protocolType !== null && request.protocolType !== group.protocolType;
    const otherProtocol = request.protocol !== null && request.protocol !== group.protocol;
    if (otherType || otherProtocol) return refuse('INCONSISTENT_GROUP_PROTOCOL');
    const member = group.members.get(request.memberId) as GroupMember;
    member.deadlineMs = nowMs + member.sessionTimeoutMs;
    switch (group.state) {
      case 'Empty':
      case 'Dead':
        return refuse('UNKNOWN_MEMBER_ID');
      case 'PreparingRebalance':
        return refuse('REBALANCE_IN_PROGRESS');
      case 'Stable':
        return { replies: [{ token, answer: this.syncAnswer(group, member) }], records: [] };
      case 'CompletingRebalance': {
        const effects = none();
        if (member.syncing !== null)
          effects.replies.push({
            token: member.syncing,
            answer: syncError('REBALANCE_IN_PROGRESS'),
          });
        member.syncing = token;
        if (member.memberId === group.leaderId)
          this.assign(group, request.assignments, nowMs, effects);
        return effects;
      }
    }
  }

  private assign(
    group: Group,
    assignments: readonly { memberId: string; assignment: Buffer }[],
    nowMs: number,
    effects: Effects,
  ): void {
    const given = new Map(assignments.map(({ memberId, assignment }) => [memberId, assignment]));
    for (const member of group.members.values())
      member.assignment = given.get(member.memberId) ?? EMPTY;
    this.setState(group, 'Stable');
    effects.records.push(groupRecord(group.groupId, groupValue(group)));
    for (const member of group.members.values()) {
      if (member.syncing === null) continue;
      effects.replies.push({ token: member.syncing, answer: this.syncAnswer(group, member) });
      member.syncing = null;
      member.deadlineMs = nowMs + member.sessionTimeoutMs;
    }
    group.syncDeadlineMs = null;
  }

  private syncAnswer(group: Group, member: GroupMember): SyncAnswer {
    return {
      kind: 'sync',
      error: 'NONE',
      protocolType: group.protocolType,
      protocol: group.protocol,
      assignment: member.assignment,
    };
  }

  heartbeat(
    request: { groupId: string; generation: number; memberId: string; instanceId: string | null },
    nowMs: number,
  ): ErrorName {
    if (request.groupId === '') return 'INVALID_GROUP_ID';
    const group = this.groups.get(request.groupId);
    if (group === undefined) return 'UNKNOWN_MEMBER_ID';
    const fault = this.memberFault(group, request.memberId, request.instanceId);
    if (fault !== null) return fault;
    if (request.generation !== group.generation) return 'ILLEGAL_GENERATION';
    if (group.state === 'Empty' || group.state === 'Dead') return 'UNKNOWN_MEMBER_ID';
    const member = group.members.get(request.memberId) as GroupMember;
    member.deadlineMs = nowMs + member.sessionTimeoutMs;
    return group.state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE';
  }

  leave(
    groupId: string,
    leaving: readonly { memberId: string; instanceId: string | null }[],
    nowMs: number,
  ): Effects & { errors: ErrorName[] } {
    const effects = none();
    const group = this.groups.get(groupId);
    const errors = leaving.map(({ memberId, instanceId }): ErrorName => {
      if (group === undefined) return 'UNKNOWN_MEMBER_ID';
      const id =
        memberId === '' && instanceId !== null
          ? (group.staticMembers.get(instanceId) ?? '')
          : memberId;
      if (group.pending.delete(id)) {
        this.completeIfAllJoined(group, nowMs, effects);
        return 'NONE';
      }
      const fault = this.memberFault(group, id, instanceId);
      if (fault !== null) return fault;
      this.remove(group, group.members.get(id) as GroupMember, nowMs, effects);
      return 'NONE';
    });
    return { ...effects, errors };
  }

  // ---- offsets ------------------------------------------------------------------------------

  /** Whether a commit may be taken; NONE or why not. */
  judgeCommit(
    request: { groupId: string; generation: number; memberId: string; instanceId: string | null },
    nowMs: number,
  ): ErrorName {
    const group = this.groups.get(request.groupId);
    if (group === undefined) return request.generation < 0 ? 'NONE' : 'ILLEGAL_GENERATION';
    if (request.generation < 0 && group.members.size === 0) return 'NONE';
    const fault = this.memberFault(group, request.memberId, request.instanceId);
    if (fault !== null) return fault;
    if (request.generation !== group.generation) return 'ILLEGAL_GENERATION';
    if (group.state === 'CompletingRebalance') return 'REBALANCE_IN_PROGRESS';
    const member = group.members.get(request.memberId) as GroupMember;
    member.deadlineMs = nowMs + member.sessionTimeoutMs;
    return 'NONE';
  }

  /** Whether offsets may be committed with a transaction; NONE or why not (KIP-447). */
  judgeTransactionalCommit(request: {
    groupId: string;
    generation: number;
    memberId: string;
    instanceId: string | null;
  }): ErrorName {
    const { groupId, generation, memberId, instanceId } = request;
    const group = this.groups.get(groupId);
    if (group === undefined) return generation < 0 ? 'NONE' : 'ILLEGAL_GENERATION';
    // Older clients say nothing about the group: the producer's epoch fences them.
    if (generation < 0 && memberId === '' && instanceId === null) return 'NONE';
    const fault = this.memberFault(group, memberId, instanceId);
    if (fault !== null) return fault;
    return generation === group.generation ? 'NONE' : 'ILLEGAL_GENERATION';
  }

  /** A group that only has offsets: made by its first commit. */
  ensure(groupId: string): void {
    if (!this.groups.has(groupId)) this.groups.set(groupId, newGroup(groupId, this.wallNowMs()));
  }

  // ---- time and log ---------------------------------------------------------------------------

  /** Does what is due by now. */
  expire(nowMs: number): Effects {
    const effects = none();
    for (const group of this.groups.values()) {
      // Of many groups most have nobody who could be late.
      if (group.state === 'Empty' && group.pending.size === 0) continue;
      this.expireGroup(group, nowMs, effects);
    }
    return effects;
  }

  private expireGroup(group: Group, nowMs: number, effects: Effects): void {
    for (const [id, deadlineMs] of group.pending) if (deadlineMs <= nowMs) group.pending.delete(id);
    for (const member of [...group.members.values()]) {
      // A parked request is proof of life.
      if (member.joining !== null || member.syncing !== null || member.deadlineMs > nowMs) continue;
      this.remove(group, member, nowMs, effects);
    }
    if (group.joinDeadlineMs !== null && group.joinDeadlineMs <= nowMs)
      this.joinDue(group, nowMs, effects);
    else this.completeIfAllJoined(group, nowMs, effects);
    if (group.state === 'CompletingRebalance' && (group.syncDeadlineMs ?? Infinity) <= nowMs) {
      group.syncDeadlineMs = null;
      for (const member of [...group.members.values()]) {
        if (member.syncing === null) this.remove(group, member, nowMs, effects);
      }
    }
  }

  private joinDue(group: Group, nowMs: number, effects: Effects): void {
    const delay = group.initialDelay;
    if (delay?.sawNewMember && nowMs < delay.untilMs) {
      delay.sawNewMember = false;
      group.joinDeadlineMs = Math.min(nowMs + this.rules().initialRebalanceDelayMs, delay.untilMs);
      return;
    }
    this.completeJoin(group, nowMs, effects);
  }

  /** Applies what the log says of a group; null: it is gone. */
  replay(groupId: string, value: GroupMetadataValue | null, nowMs: number): void {
    if (value === null) this.groups.delete(groupId);
    else this.groups.set(groupId, groupFromValue(groupId, value, nowMs));
  }
}

function update(member: GroupMember, request: JoinRequest): void {
  member.protocols = request.protocols;
  member.clientId = request.clientId;
  member.clientHost = request.clientHost;
  member.sessionTimeoutMs = request.sessionTimeoutMs;
  member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
}

/** A second join of the same member takes the place of the first. */
function park(member: GroupMember, token: Token, effects: Effects): void {
  if (member.joining !== null) {
    effects.replies.push({
      token: member.joining,
      answer: joinError('REBALANCE_IN_PROGRESS', member.memberId),
    });
  }
  member.joining = token;
}
