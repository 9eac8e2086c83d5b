/** The records of share groups (KIP-932) in Kafka's form, both ways. Pure. */
import { Reader } from '../../proto/kafka/cursor.ts';
import * as schemas from '../../proto/kafka/records/share-group.ts';
import type { Message } from '../../proto/kafka/schema.ts';
import { type Assignment, assignmentOf, listOf } from './assignment.ts';
import { pair, type RecordPair } from './record-pair.ts';

/** Record types: the first two bytes of a key. */
const TYPE = { member: 10, group: 11, targetEpoch: 12, target: 13, progress: 14 } as const;

export interface ShareMemberInfo {
  readonly memberId: string;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly topicNames: readonly string[];
}

export type ShareGroupRecord =
  | {
      readonly kind: 'share-group';
      readonly groupId: string;
      readonly value: { readonly epoch: number; readonly metadataHash: number } | null;
    }
  | {
      readonly kind: 'share-member';
      readonly groupId: string;
      readonly memberId: string;
      readonly value: ShareMemberInfo | null;
    }
  | {
      readonly kind: 'share-target-epoch';
      readonly groupId: string;
      readonly value: { readonly assignmentEpoch: number } | null;
    }
  | {
      readonly kind: 'share-target';
      readonly groupId: string;
      readonly memberId: string;
      readonly value: Assignment | null;
    }
  | {
      readonly kind: 'share-progress';
      readonly groupId: string;
      readonly memberId: string;
      readonly value: {
        readonly epoch: number;
        readonly previousEpoch: number;
        readonly assigned: Assignment;
      } | null;
    };

/** Tells these records from those of other groups. */
export function isShareRecord(record: { readonly kind: string }): record is ShareGroupRecord {
  return record.kind.startsWith('share-');
}

export function shareRecord(record: ShareGroupRecord): RecordPair {
  const { groupId } = record;
  switch (record.kind) {
    case 'share-group':
      return pair(
        TYPE.group,
        schemas.shareGroupMetadataKey,
        { groupId },
        schemas.shareGroupMetadataValue,
        record.value,
      );
    case 'share-member': {
      const { value, memberId } = record;
      return pair(
        TYPE.member,
        schemas.shareGroupMemberMetadataKey,
        { groupId, memberId },
        schemas.shareGroupMemberMetadataValue,
        value && {
          rackId: value.rackId,
          clientId: value.clientId,
          clientHost: value.clientHost,
          subscribedTopicNames: [...value.topicNames],
        },
      );
    }
    case 'share-target-epoch':
      return pair(
        TYPE.targetEpoch,
        schemas.shareGroupTargetAssignmentMetadataKey,
        { groupId },
        schemas.shareGroupTargetAssignmentMetadataValue,
        record.value,
      );
    case 'share-target':
      return pair(
        TYPE.target,
        schemas.shareGroupTargetAssignmentMemberKey,
        { groupId, memberId: record.memberId },
        schemas.shareGroupTargetAssignmentMemberValue,
        record.value && { topicPartitions: listOf(record.value) },
      );
    case 'share-progress': {
      const { value, memberId } = record;
      return pair(
        TYPE.progress,
        schemas.shareGroupCurrentMemberAssignmentKey,
        { groupId, memberId },
        schemas.shareGroupCurrentMemberAssignmentValue,
        value && {
          memberEpoch: value.epoch,
          previousMemberEpoch: value.previousEpoch,
          state: 0,
          assignedPartitions: listOf(value.assigned),
        },
      );
    }
  }
}

/** Null: the record is of another kind. @throws MalformedMessage where the bytes are damaged. */
export function readShareRecord(key: Buffer, value: Buffer | null): ShareGroupRecord | null {
  const reader = new Reader(key, 2);
  const read = <T>(schema: Message<T>) =>
    value === null ? null : schema.read(new Reader(value, 2), 0);
  switch (key.readInt16BE(0)) {
    case TYPE.group: {
      const { groupId } = schemas.shareGroupMetadataKey.read(reader, 0);
      return { kind: 'share-group', groupId, value: read(schemas.shareGroupMetadataValue) };
    }
    case TYPE.member: {
      const { groupId, memberId } = schemas.shareGroupMemberMetadataKey.read(reader, 0);
      const of = read(schemas.shareGroupMemberMetadataValue);
      const { rackId, clientId, clientHost, subscribedTopicNames: topicNames } = of ?? {};
      const info =
        of === null || clientId === undefined || clientHost === undefined
          ? null
          : {
              memberId,
              rackId: rackId ?? null,
              clientId,
              clientHost,
              topicNames: topicNames ?? [],
            };
      return { kind: 'share-member', groupId, memberId, value: info };
    }
    case TYPE.targetEpoch: {
      const { groupId } = schemas.shareGroupTargetAssignmentMetadataKey.read(reader, 0);
      const value2 = read(schemas.shareGroupTargetAssignmentMetadataValue);
      return { kind: 'share-target-epoch', groupId, value: value2 };
    }
    case TYPE.target: {
      const { groupId, memberId } = schemas.shareGroupTargetAssignmentMemberKey.read(reader, 0);
      const of = read(schemas.shareGroupTargetAssignmentMemberValue);
      const target = of && assignmentOf(of.topicPartitions);
      return { kind: 'share-target', groupId, memberId, value: target };
    }
    case TYPE.progress: {
      const { groupId, memberId } = schemas.shareGroupCurrentMemberAssignmentKey.read(reader, 0);
      const of = read(schemas.shareGroupCurrentMemberAssignmentValue);
      const progress = of && {
        epoch: of.memberEpoch,
        previousEpoch: of.previousMemberEpoch,
        assigned: assignmentOf(of.assignedPartitions),
      };
      return { kind: 'share-progress', groupId, memberId, value: progress };
    }
    default:
      return null;
  }
}
