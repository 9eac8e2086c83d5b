/** The state of one classic group and its queries. Pure data; group-core.ts decides. */
import type { GroupMetadataValue } from '../../proto/kafka/records/group.ts';
import type { Partially } from '../../proto/kafka/schema.ts';

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead';

export interface Protocol {
  readonly name: string;
  readonly metadata: Buffer;
}

/** Names a parked request; the runtime knows whom to answer. */
export type Token = number;

export interface GroupMember {
  memberId: string;
  readonly instanceId: string | null;
  clientId: string;
  clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly Protocol[];
  assignment: Buffer;
  joining: Token | null;
  syncing: Token | null;
  /** When the member is given up, unless it is heard of before. */
  deadlineMs: number;
}

export interface Group {
  readonly groupId: string;
  state: GroupState;
  generation: number;
  protocolType: string;
  protocol: string | null;
  leaderId: string | null;
  readonly members: Map<string, GroupMember>;
  readonly staticMembers: Map<string, string>;
  /** Ids that were handed out and not used yet, with when they lapse. */
  readonly pending: Map<string, number>;
  /** When a rebalance stops waiting for members; null outside one. */
  joinDeadlineMs: number | null;
  /** A first rebalance waits the whole delay; `untilMs` is how far it may be put off. */
  initialDelay: { readonly untilMs: number; sawNewMember: boolean } | null;
  syncDeadlineMs: number | null;
  /** Wall-clock time: it is written down. */
  stateSinceMs: number;
}

/** Of what a client calls itself a member's id keeps so much. */
const ID_PREFIX_MAX = 1000;

/** A new member's id: what it calls itself, and what nobody else has. */
export function newMemberId(clientId: string, unique: string): string {
  return `${clientId.slice(0, ID_PREFIX_MAX).toWellFormed()}-${unique}`;
}

export function newGroup(groupId: string, wallNowMs: number): Group {
  return {
    groupId,
    state: 'Empty',
    generation: 0,
    protocolType: '',
    protocol: null,
    leaderId: null,
    members: new Map(),
    staticMembers: new Map(),
    pending: new Map(),
    joinDeadlineMs: null,
    initialDelay: null,
    syncDeadlineMs: null,
    stateSinceMs: wallNowMs,
  };
}

/** The protocols that every member speaks. */
function commonProtocols(group: Group): string[] {
  const [first, ...others] = [...group.members.values()];
  const names = (first?.protocols ?? []).map(({ name }) => name);
  return names.filter((name) =>
    others.every(({ protocols }) => protocols.some((p) => p.name === name)),
  );
}

/** Each member votes for the first common protocol in its own list; most votes win. */
export function chooseProtocol(group: Group): string | null {
  const common = new Set(commonProtocols(group));
  const votes = new Map<string, number>();
  for (const { protocols } of group.members.values()) {
    const vote = protocols.find(({ name }) => common.has(name));
    if (vote !== undefined) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1);
  }
  return [...votes].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
}

export function speaksCommonProtocol(
  group: Group,
  protocolType: string,
  protocols: readonly Protocol[],
): boolean {
  if (group.members.size === 0) return true;
  if (group.protocolType !== protocolType) return false;
  const common = new Set(commonProtocols(group));
  return protocols.some(({ name }) => common.has(name));
}

export function sameProtocols(a: readonly Protocol[], b: readonly Protocol[]): boolean {
  return (
    a.length === b.length &&
    a.every(
      ({ name, metadata }, i) => name === b[i]?.name && metadata.equals(b[i]?.metadata as Buffer),
    )
  );
}

export function metadataOf(member: GroupMember, protocol: string | null): Buffer {
  return member.protocols.find(({ name }) => name === protocol)?.metadata ?? Buffer.alloc(0);
}

/** What is written about the group whenever its members or their assignment are settled. */
export function groupValue(group: Group): Partially<GroupMetadataValue> {
  return {
    protocolType: group.protocolType,
    generation: group.generation,
    protocol: group.protocol,
    leader: group.leaderId,
    currentStateTimestamp: group.stateSinceMs,
    members: [...group.members.values()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: metadataOf(member, group.protocol),
      assignment: member.assignment,
    })),
  };
}

/** The group as a record describes it; members get a fresh session. */
export function groupFromValue(groupId: string, value: GroupMetadataValue, nowMs: number): Group {
  const group: Group = newGroup(groupId, value.currentStateTimestamp);
  group.generation = value.generation;
  group.protocolType = value.protocolType;
  group.protocol = value.protocol;
  group.leaderId = value.leader;
  group.state = value.members.length === 0 ? 'Empty' : 'Stable';
  for (const member of value.members) {
    group.members.set(member.memberId, {
      memberId: member.memberId,
      instanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      sessionTimeoutMs: member.sessionTimeout,
      rebalanceTimeoutMs:
        member.rebalanceTimeout < 0 ? member.sessionTimeout : member.rebalanceTimeout,
      protocols: [{ name: value.protocol ?? '', metadata: Buffer.from(member.subscription) }],
      assignment: Buffer.from(member.assignment),
      joining: null,
      syncing: null,
      deadlineMs: nowMs + member.sessionTimeout,
    });
    if (member.groupInstanceId !== null)
      group.staticMembers.set(member.groupInstanceId, member.memberId);
  }
  return group;
}
