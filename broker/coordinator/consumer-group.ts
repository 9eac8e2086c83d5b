/** The state of one consumer group of the new protocol (KIP-848). Data and simple questions to it. */
import { type Assignment, NOTHING } from './assignment.ts';
import type { Protocol } from './group.ts';

export type MemberState = 'Stable' | 'UnrevokedPartitions' | 'UnreleasedPartitions';
/** In the order of their numbers in the records. */
export const memberStates: readonly MemberState[] = [
  'Stable',
  'UnrevokedPartitions',
  'UnreleasedPartitions',
];

/** A member that leaves for good, and a static one that will be back. */
export const LEAVE_EPOCH = -1;
export const LEAVE_STATIC_EPOCH = -2;

/** What is kept of a member that speaks the classic protocol. */
export interface ClassicMember {
  readonly sessionTimeoutMs: number;
  readonly protocols: readonly Protocol[];
}

/** What a member says of itself. */
export interface MemberInfo {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly topicNames: readonly string[];
  readonly topicRegex: string | null;
  readonly rebalanceTimeoutMs: number;
  readonly serverAssignor: string | null;
  /** Null: the member speaks the new protocol. */
  readonly classic: ClassicMember | null;
}

/** Where a member stands. */
export interface MemberProgress {
  readonly epoch: number;
  readonly previousEpoch: number;
  readonly state: MemberState;
  readonly assigned: Assignment;
  readonly pendingRevocation: Assignment;
}

export const FRESH: MemberProgress = {
  epoch: 0,
  previousEpoch: -1,
  state: 'Stable',
  assigned: NOTHING,
  pendingRevocation: NOTHING,
};

export interface ConsumerMember {
  info: MemberInfo;
  progress: MemberProgress;
  /** Not written down: a new leader gives everybody a fresh session. */
  sessionDeadlineMs: number;
  revocationDeadlineMs: number | null;
}

export interface ConsumerGroup {
  readonly groupId: string;
  epoch: number;
  /** Stands for the topics that the assignment was made for. */
  metadataHash: number;
  /** Epoch of the target assignment. */
  assignmentEpoch: number;
  readonly members: Map<string, ConsumerMember>;
  readonly staticMembers: Map<string, string>;
  readonly target: Map<string, Assignment>;
  /** Topic names by pattern. */
  readonly patterns: Map<string, ReadonlySet<string>>;
  /** The version of the topics that the hash was last compared with; not written down. */
  checkedVersion: number;
}

export function newConsumerGroup(groupId: string): ConsumerGroup {
  return {
    groupId,
    epoch: 0,
    metadataHash: 0,
    assignmentEpoch: 0,
    members: new Map(),
    staticMembers: new Map(),
    target: new Map(),
    patterns: new Map(),
    checkedVersion: -1,
  };
}

export function stateOf(group: ConsumerGroup): 'Empty' | 'Assigning' | 'Reconciling' | 'Stable' {
  if (group.members.size === 0) return 'Empty';
  if (group.epoch > group.assignmentEpoch) return 'Assigning';
  for (const { progress } of group.members.values()) {
    if (progress.state !== 'Stable' || progress.epoch !== group.assignmentEpoch)
      return 'Reconciling';
  }
  return 'Stable';
}

/** The names that a member reads, its pattern included. */
export function subscriptionOf(group: ConsumerGroup, { info }: ConsumerMember): Set<string> {
  const names = new Set(info.topicNames);
  if (info.topicRegex !== null)
    for (const name of group.patterns.get(info.topicRegex) ?? []) names.add(name);
  return names;
}

export function subscribedNames(group: ConsumerGroup): Set<string> {
  const names = new Set<string>();
  for (const member of group.members.values())
    for (const name of subscriptionOf(group, member)) names.add(name);
  return names;
}

/** The assignor that most members ask for; the first configured where nobody does. */
export function preferredAssignor(group: ConsumerGroup, preset: string): string {
  const votes = new Map<string, number>();
  for (const { info } of group.members.values())
    if (info.serverAssignor !== null)
      votes.set(info.serverAssignor, (votes.get(info.serverAssignor) ?? 0) + 1);
  return [...votes].sort((a, b) => b[1] - a[1])[0]?.[0] ?? preset;
}
