/** The state of one streams group (KIP-1071). Data and simple questions to it. */
import type { Assignment } from './assignment.ts';
import type { MemberProgress } from './consumer-group.ts';
import type { ConfiguredTopology, Topology } from './streams-topology-core.ts';

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}
export interface TaskOffset {
  readonly subtopologyId: string;
  readonly partition: number;
  readonly offset: number;
}

/** What a member says of itself: one stream thread of one process. */
export interface StreamsMemberInfo {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly topologyEpoch: number;
  readonly processId: string;
  /** Where interactive queries reach the process. */
  readonly userEndpoint: Endpoint | null;
  readonly clientTags: readonly KeyValue[];
}

export interface StreamsMember {
  info: StreamsMemberInfo;
  progress: MemberProgress;
  /** Not written down: a new leader gives everybody a fresh session. */
  sessionDeadlineMs: number;
  revocationDeadlineMs: number | null;
  /** As the member last reported them; not written down. */
  taskOffsets: readonly TaskOffset[];
  taskEndOffsets: readonly TaskOffset[];
}

export interface StreamsGroup {
  readonly groupId: string;
  epoch: number;
  /** Stands for the topics that the assignment was made for. */
  metadataHash: number;
  /** Epoch of the topology whose topics are all there; -1: none yet. */
  validatedTopologyEpoch: number;
  /** The settings that the target was made with. */
  assignmentConfigs: readonly KeyValue[];
  /** Epoch of the target assignment. */
  assignmentEpoch: number;
  topology: Topology | null;
  readonly members: Map<string, StreamsMember>;
  readonly staticMembers: Map<string, string>;
  readonly target: Map<string, Assignment>;
  // What follows is not written down.
  configured: ConfiguredTopology | null;
  /** The version of the topics that `configured` was made for. */
  checkedVersion: number;
  /** No assignment before that time, so that the first members come together. */
  delayedUntilMs: number;
  /** The member that asked the whole application to shut down. */
  shutdownMemberId: string | null;
  /** Grows when interactive queries go elsewhere. */
  endpointEpoch: number;
}

export function newStreamsGroup(groupId: string): StreamsGroup {
  return {
    groupId,
    epoch: 1,
    metadataHash: 0,
    validatedTopologyEpoch: -1,
    assignmentConfigs: [],
    assignmentEpoch: 1,
    topology: null,
    members: new Map(),
    staticMembers: new Map(),
    target: new Map(),
    configured: null,
    checkedVersion: -1,
    delayedUntilMs: 0,
    shutdownMemberId: null,
    endpointEpoch: 0,
  };
}

export type StreamsGroupState = 'Empty' | 'NotReady' | 'Assigning' | 'Reconciling' | 'Stable';

export function streamsStateOf(group: StreamsGroup): StreamsGroupState {
  const { assignmentEpoch, epoch, members, topology } = group;
  if (members.size === 0) return 'Empty';
  if (topology === null || group.validatedTopologyEpoch !== topology.epoch) return 'NotReady';
  if (epoch > assignmentEpoch) return 'Assigning';
  for (const { progress } of members.values())
    if (progress.state !== 'Stable' || progress.epoch !== assignmentEpoch) return 'Reconciling';
  return 'Stable';
}

/** The topics that the application reads, those of its own included. */
export function sourceNames({ configured, topology }: StreamsGroup): Set<string> {
  const names = (topology?.subtopologies ?? []).flatMap((of) => [
    ...of.sourceTopics,
    ...of.repartitionSourceTopics.map(({ name }) => name),
  ]);
  const resolved = configured?.subtopologies.flatMap((of) => of.sourceTopics) ?? [];
  return new Set([...names, ...resolved]);
}
