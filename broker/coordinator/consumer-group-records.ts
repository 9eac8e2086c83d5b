/** The records of consumer groups (KIP-848) in Kafka's form, both ways. Pure. */
import { Reader } from '../../proto/kafka/cursor.ts';
import * as schemas from '../../proto/kafka/records/consumer-group.ts';
import type { Message } from '../../proto/kafka/schema.ts';
import { type Assignment, assignmentOf, listOf } from './assignment.ts';
import { type MemberInfo, type MemberProgress, memberStates } from './consumer-group.ts';
import { pair, type RecordPair } from './record-pair.ts';

/** Record types: the first two bytes of a key. */
const TYPE = {
  group: 3,
  partitionMetadata: 4,
  member: 5,
  targetEpoch: 6,
  target: 7,
  progress: 8,
  pattern: 16,
} as const;

export type ConsumerGroupRecord =
  | {
      readonly kind: 'consumer-group';
      readonly groupId: string;
      readonly value: { readonly epoch: number; readonly metadataHash: number } | null;
    }
  | {
      readonly kind: 'consumer-member';
      readonly groupId: string;
      readonly memberId: string;
      readonly value: MemberInfo | null;
    }
  | {
      readonly kind: 'consumer-target-epoch';
      readonly groupId: string;
      readonly value: { readonly assignmentEpoch: number } | null;
    }
  | {
      readonly kind: 'consumer-target';
      readonly groupId: string;
      readonly memberId: string;
      readonly value: Assignment | null;
    }
  | {
      readonly kind: 'consumer-progress';
      readonly groupId: string;
      readonly memberId: string;
      readonly value: MemberProgress | null;
    }
  | {
      readonly kind: 'consumer-pattern';
      readonly groupId: string;
      readonly pattern: string;
      readonly value: ReadonlySet<string> | null;
    };

/** The record in the form of the log. `nowMs` is the wall-clock time where the record has one. */
export function consumerRecord(record: ConsumerGroupRecord, nowMs: number): RecordPair {
  const { groupId } = record;
  switch (record.kind) {
    case 'consumer-group':
      return pair(
        TYPE.group,
        schemas.consumerGroupMetadataKey,
        { groupId },
        schemas.consumerGroupMetadataValue,
        record.value,
      );
    case 'consumer-member': {
      const { value } = record;
      return pair(
        TYPE.member,
        schemas.consumerGroupMemberMetadataKey,
        { groupId, memberId: record.memberId },
        schemas.consumerGroupMemberMetadataValue,
        value === null
          ? null
          : {
              instanceId: value.instanceId,
              rackId: value.rackId,
              clientId: value.clientId,
              clientHost: value.clientHost,
              subscribedTopicNames: [...value.topicNames],
              subscribedTopicRegex: value.topicRegex,
              rebalanceTimeoutMs: value.rebalanceTimeoutMs,
              serverAssignor: value.serverAssignor,
              classicMemberMetadata:
                value.classic === null
                  ? (null as never)
                  : {
                      sessionTimeoutMs: value.classic.sessionTimeoutMs,
                      supportedProtocols: [...value.classic.protocols],
                    },
            },
      );
    }
    case 'consumer-target-epoch':
      return pair(
        TYPE.targetEpoch,
        schemas.consumerGroupTargetAssignmentMetadataKey,
        { groupId },
        schemas.consumerGroupTargetAssignmentMetadataValue,
        record.value === null ? null : { ...record.value, assignmentTimestamp: nowMs },
      );
    case 'consumer-target':
      return pair(
        TYPE.target,
        schemas.consumerGroupTargetAssignmentMemberKey,
        { groupId, memberId: record.memberId },
        schemas.consumerGroupTargetAssignmentMemberValue,
        record.value === null ? null : { topicPartitions: listOf(record.value) },
      );
    case 'consumer-progress': {
      const { value } = record;
      return pair(
        TYPE.progress,
        schemas.consumerGroupCurrentMemberAssignmentKey,
        { groupId, memberId: record.memberId },
        schemas.consumerGroupCurrentMemberAssignmentValue,
        value === null
          ? null
          : {
              memberEpoch: value.epoch,
              previousMemberEpoch: value.previousEpoch,
              state: memberStates.indexOf(value.state),
              assignedPartitions: withEpochs(value.assigned),
              partitionsPendingRevocation: withEpochs(value.pendingRevocation),
            },
      );
    }
    case 'consumer-pattern':
      return pair(
        TYPE.pattern,
        schemas.consumerGroupRegularExpressionKey,
        { groupId, regularExpression: record.pattern },
        schemas.consumerGroupRegularExpressionValue,
        record.value === null ? null : { topics: [...record.value], version: 0, timestamp: nowMs },
      );
  }
}

const withEpochs = (assignment: Assignment) =>
  listOf(assignment).map((of) => ({ ...of, assignmentEpochs: null }));

/** Null: the record is of another kind. @throws MalformedMessage where the bytes are damaged. */
export function readConsumerRecord(key: Buffer, value: Buffer | null): ConsumerGroupRecord | null {
  const reader = new Reader(key, 2);
  const read = <T>(schema: Message<T>) =>
    value === null ? null : schema.read(new Reader(value, 2), 0);
  switch (key.readInt16BE(0)) {
    case TYPE.group: {
      const { groupId } = schemas.consumerGroupMetadataKey.read(reader, 0);
      return { kind: 'consumer-group', groupId, value: read(schemas.consumerGroupMetadataValue) };
    }
    case TYPE.member: {
      const { groupId, memberId } = schemas.consumerGroupMemberMetadataKey.read(reader, 0);
      const of = read(schemas.consumerGroupMemberMetadataValue);
      const info = of && {
        memberId,
        instanceId: of.instanceId,
        rackId: of.rackId,
        clientId: of.clientId,
        clientHost: of.clientHost,
        topicNames: of.subscribedTopicNames,
        topicRegex: of.subscribedTopicRegex,
        rebalanceTimeoutMs: of.rebalanceTimeoutMs,
        serverAssignor: of.serverAssignor,
        classic: of.classicMemberMetadata && {
          sessionTimeoutMs: of.classicMemberMetadata.sessionTimeoutMs,
          protocols: of.classicMemberMetadata.supportedProtocols.map(({ name, metadata }) => ({
            name,
            metadata: Buffer.from(metadata),
          })),
        },
      };
      return { kind: 'consumer-member', groupId, memberId, value: info };
    }
    case TYPE.targetEpoch: {
      const { groupId } = schemas.consumerGroupTargetAssignmentMetadataKey.read(reader, 0);
      const of = read(schemas.consumerGroupTargetAssignmentMetadataValue);
      return { kind: 'consumer-target-epoch', groupId, value: of };
    }
    case TYPE.target: {
      const { groupId, memberId } = schemas.consumerGroupTargetAssignmentMemberKey.read(reader, 0);
      const of = read(schemas.consumerGroupTargetAssignmentMemberValue);
      const target = of && assignmentOf(of.topicPartitions);
      return { kind: 'consumer-target', groupId, memberId, value: target };
    }
    case TYPE.progress: {
      const { groupId, memberId } = schemas.consumerGroupCurrentMemberAssignmentKey.read(reader, 0);
      const of = read(schemas.consumerGroupCurrentMemberAssignmentValue);
      const progress = of && {
        epoch: of.memberEpoch,
        previousEpoch: of.previousMemberEpoch,
        state: memberStates[of.state] ?? 'Stable',
        assigned: assignmentOf(of.assignedPartitions),
        pendingRevocation: assignmentOf(of.partitionsPendingRevocation),
      };
      return { kind: 'consumer-progress', groupId, memberId, value: progress };
    }
    case TYPE.pattern: {
      const { groupId, regularExpression } = schemas.consumerGroupRegularExpressionKey.read(
        reader,
        0,
      );
      const of = read(schemas.consumerGroupRegularExpressionValue);
      const topics = of && new Set(of.topics);
      return { kind: 'consumer-pattern', groupId, pattern: regularExpression, value: topics };
    }
    default:
      return null;
  }
}
