/** The records of streams groups (KIP-1071) in Kafka's form, both ways. Pure. */
import { Reader } from '../../proto/kafka/cursor.ts';
import * as schemas from '../../proto/kafka/records/streams-group.ts';
import type { Message } from '../../proto/kafka/schema.ts';
import type { Assignment } from './assignment.ts';
import { type MemberProgress, type MemberState, memberStates } from './consumer-group.ts';
import { pair, type RecordPair } from './record-pair.ts';
import type { KeyValue, StreamsMemberInfo } from './streams-group.ts';
import { listsOf, tasksOf } from './streams-tasks.ts';
import type { Topology } from './streams-topology-core.ts';

/** Record types: the first two bytes of a key. */
const TYPE = {
  group: 17,
  member: 19,
  targetEpoch: 20,
  target: 21,
  progress: 22,
  topology: 23,
} as const;

export type StreamsGroupRecord =
  | {
      readonly kind: 'streams-group';
      readonly groupId: string;
      readonly value: {
        readonly epoch: number;
        readonly metadataHash: number;
        readonly validatedTopologyEpoch: number;
        readonly assignmentConfigs: readonly KeyValue[];
      } | null;
    }
  | {
      readonly kind: 'streams-member';
      readonly groupId: string;
      readonly memberId: string;
      readonly value: StreamsMemberInfo | null;
    }
  | {
      readonly kind: 'streams-target-epoch';
      readonly groupId: string;
      readonly value: { readonly assignmentEpoch: number } | null;
    }
  | {
      readonly kind: 'streams-target';
      readonly groupId: string;
      readonly memberId: string;
      readonly value: Assignment | null;
    }
  | {
      readonly kind: 'streams-progress';
      readonly groupId: string;
      readonly memberId: string;
      readonly value: MemberProgress | null;
    }
  | {
      readonly kind: 'streams-topology';
      readonly groupId: string;
      readonly value: Topology | null;
    };

/** Tells these records from those of other groups. */
export function isStreamsRecord(record: { readonly kind: string }): record is StreamsGroupRecord {
  return record.kind.startsWith('streams-');
}

/** Numbers of states begin at 1 here. */
const stateNumber = (state: MemberState) => memberStates.indexOf(state) + 1;

const withoutEpochs = (list: readonly { subtopologyId: string; partitions: number[] }[]) =>
  list.map((of) => ({ ...of, assignmentEpochs: null }));

/** The record in the form of the log. `nowMs` is the wall-clock time where the record has one. */
export function streamsRecord(record: StreamsGroupRecord, nowMs: number): RecordPair {
  const { groupId } = record;
  switch (record.kind) {
    case 'streams-group': {
      const { value } = record;
      return pair(
        TYPE.group,
        schemas.streamsGroupMetadataKey,
        { groupId },
        schemas.streamsGroupMetadataValue,
        value && {
          epoch: value.epoch,
          metadataHash: value.metadataHash,
          validatedTopologyEpoch: value.validatedTopologyEpoch,
          lastAssignmentConfigs: [...value.assignmentConfigs],
        },
      );
    }
    case 'streams-member':
      return pair(
        TYPE.member,
        schemas.streamsGroupMemberMetadataKey,
        { groupId, memberId: record.memberId },
        schemas.streamsGroupMemberMetadataValue,
        record.value && { ...record.value, clientTags: [...record.value.clientTags] },
      );
    case 'streams-target-epoch':
      return pair(
        TYPE.targetEpoch,
        schemas.streamsGroupTargetAssignmentMetadataKey,
        { groupId },
        schemas.streamsGroupTargetAssignmentMetadataValue,
        record.value && { ...record.value, assignmentTimestamp: nowMs },
      );
    case 'streams-target': {
      const lists = record.value && listsOf(record.value);
      return pair(
        TYPE.target,
        schemas.streamsGroupTargetAssignmentMemberKey,
        { groupId, memberId: record.memberId },
        schemas.streamsGroupTargetAssignmentMemberValue,
        lists && {
          activeTasks: lists.active,
          standbyTasks: lists.standby,
          warmupTasks: lists.warmup,
        },
      );
    }
    case 'streams-progress':
      return progressRecord(groupId, record.memberId, record.value);
    case 'streams-topology':
      return pair(
        TYPE.topology,
        schemas.streamsGroupTopologyKey,
        { groupId },
        schemas.streamsGroupTopologyValue,
        record.value as schemas.StreamsGroupTopologyValue | null,
      );
  }
}

function progressRecord(
  groupId: string,
  memberId: string,
  value: MemberProgress | null,
): RecordPair {
  const owned = value && listsOf(value.assigned);
  const pending = value && listsOf(value.pendingRevocation);
  return pair(
    TYPE.progress,
    schemas.streamsGroupCurrentMemberAssignmentKey,
    { groupId, memberId },
    schemas.streamsGroupCurrentMemberAssignmentValue,
    value === null || owned === null || pending === null
      ? null
      : {
          memberEpoch: value.epoch,
          previousMemberEpoch: value.previousEpoch,
          state: stateNumber(value.state),
          activeTasks: withoutEpochs(owned.active) as never,
          standbyTasks: withoutEpochs(owned.standby) as never,
          warmupTasks: withoutEpochs(owned.warmup) as never,
          activeTasksPendingRevocation: withoutEpochs(pending.active) as never,
          standbyTasksPendingRevocation: withoutEpochs(pending.standby) as never,
          warmupTasksPendingRevocation: withoutEpochs(pending.warmup) as never,
        },
  );
}

/** Null: the record is of another kind. @throws MalformedMessage where the bytes are damaged. */
export function readStreamsRecord(key: Buffer, value: Buffer | null): StreamsGroupRecord | null {
  const reader = new Reader(key, 2);
  const read = <T>(schema: Message<T>) =>
    value === null ? null : schema.read(new Reader(value, 2), 0);
  switch (key.readInt16BE(0)) {
    case TYPE.group: {
      const { groupId } = schemas.streamsGroupMetadataKey.read(reader, 0);
      const of = read(schemas.streamsGroupMetadataValue);
      const group = of && {
        epoch: of.epoch,
        metadataHash: of.metadataHash,
        validatedTopologyEpoch: of.validatedTopologyEpoch,
        assignmentConfigs: of.lastAssignmentConfigs ?? [],
      };
      return { kind: 'streams-group', groupId, value: group };
    }
    case TYPE.member: {
      const { groupId, memberId } = schemas.streamsGroupMemberMetadataKey.read(reader, 0);
      const of = read(schemas.streamsGroupMemberMetadataValue);
      return { kind: 'streams-member', groupId, memberId, value: of && { ...of, memberId } };
    }
    case TYPE.targetEpoch: {
      const { groupId } = schemas.streamsGroupTargetAssignmentMetadataKey.read(reader, 0);
      const of = read(schemas.streamsGroupTargetAssignmentMetadataValue);
      return { kind: 'streams-target-epoch', groupId, value: of };
    }
    case TYPE.target: {
      const { groupId, memberId } = schemas.streamsGroupTargetAssignmentMemberKey.read(reader, 0);
      const of = read(schemas.streamsGroupTargetAssignmentMemberValue);
      const target =
        of && tasksOf({ active: of.activeTasks, standby: of.standbyTasks, warmup: of.warmupTasks });
      return { kind: 'streams-target', groupId, memberId, value: target };
    }
    case TYPE.progress: {
      const { groupId, memberId } = schemas.streamsGroupCurrentMemberAssignmentKey.read(reader, 0);
      const of = read(schemas.streamsGroupCurrentMemberAssignmentValue);
      const progress = of && {
        epoch: of.memberEpoch,
        previousEpoch: of.previousMemberEpoch,
        state: memberStates[of.state - 1] ?? 'Stable',
        assigned: tasksOf({
          active: of.activeTasks,
          standby: of.standbyTasks,
          warmup: of.warmupTasks,
        }),
        pendingRevocation: tasksOf({
          active: of.activeTasksPendingRevocation,
          standby: of.standbyTasksPendingRevocation,
          warmup: of.warmupTasksPendingRevocation,
        }),
      };
      return { kind: 'streams-progress', groupId, memberId, value: progress };
    }
    case TYPE.topology: {
      const { groupId } = schemas.streamsGroupTopologyKey.read(reader, 0);
      return { kind: 'streams-topology', groupId, value: read(schemas.streamsGroupTopologyValue) };
    }
    default:
      return null;
  }
}
