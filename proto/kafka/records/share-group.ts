/** Records of __consumer_offsets: share groups (KIP-932). */
import {
  array,
  field,
  type Infer,
  int8,
  int32,
  int64,
  message,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const shareGroupMetadataKey = message(
  { name: 'ShareGroupMetadataKey', versions: [0, 0] },
  {
    groupId: string,
  },
);
export type ShareGroupMetadataKey = Infer<typeof shareGroupMetadataKey>;

export const shareGroupMetadataValue = message(
  { name: 'ShareGroupMetadataValue', versions: [0, 0], flexibleSince: 0 },
  {
    epoch: int32,
    metadataHash: int64,
  },
);
export type ShareGroupMetadataValue = Infer<typeof shareGroupMetadataValue>;

export const shareGroupMemberMetadataKey = message(
  { name: 'ShareGroupMemberMetadataKey', versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type ShareGroupMemberMetadataKey = Infer<typeof shareGroupMemberMetadataKey>;

export const shareGroupMemberMetadataValue = message(
  { name: 'ShareGroupMemberMetadataValue', versions: [0, 0], flexibleSince: 0 },
  {
    rackId: field(string, { nullable: 0 }),
    clientId: string,
    clientHost: string,
    subscribedTopicNames: array(string),
  },
);
export type ShareGroupMemberMetadataValue = Infer<typeof shareGroupMemberMetadataValue>;

export const shareGroupTargetAssignmentMetadataKey = message(
  { name: 'ShareGroupTargetAssignmentMetadataKey', versions: [0, 0] },
  {
    groupId: string,
  },
);
export type ShareGroupTargetAssignmentMetadataKey = Infer<
  typeof shareGroupTargetAssignmentMetadataKey
>;

export const shareGroupTargetAssignmentMetadataValue = message(
  { name: 'ShareGroupTargetAssignmentMetadataValue', versions: [0, 0], flexibleSince: 0 },
  {
    assignmentEpoch: int32,
    assignmentTimestamp: field(int64, { tag: 0, tagSince: 0 }),
  },
);
export type ShareGroupTargetAssignmentMetadataValue = Infer<
  typeof shareGroupTargetAssignmentMetadataValue
>;

export const shareGroupTargetAssignmentMemberKey = message(
  { name: 'ShareGroupTargetAssignmentMemberKey', versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type ShareGroupTargetAssignmentMemberKey = Infer<typeof shareGroupTargetAssignmentMemberKey>;

export const shareGroupTargetAssignmentMemberValue = message(
  { name: 'ShareGroupTargetAssignmentMemberValue', versions: [0, 0], flexibleSince: 0 },
  {
    topicPartitions: array(
      struct({
        topicId: uuid,
        partitions: array(int32),
      }),
    ),
  },
);
export type ShareGroupTargetAssignmentMemberValue = Infer<
  typeof shareGroupTargetAssignmentMemberValue
>;

export const shareGroupCurrentMemberAssignmentKey = message(
  { name: 'ShareGroupCurrentMemberAssignmentKey', versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type ShareGroupCurrentMemberAssignmentKey = Infer<
  typeof shareGroupCurrentMemberAssignmentKey
>;

const topicPartitions = struct({
  topicId: uuid,
  partitions: array(int32),
});
export const shareGroupCurrentMemberAssignmentValue = message(
  { name: 'ShareGroupCurrentMemberAssignmentValue', versions: [0, 0], flexibleSince: 0 },
  {
    memberEpoch: int32,
    previousMemberEpoch: int32,
    state: int8,
    assignedPartitions: array(topicPartitions),
  },
);
export type ShareGroupCurrentMemberAssignmentValue = Infer<
  typeof shareGroupCurrentMemberAssignmentValue
>;
