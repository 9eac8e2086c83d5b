/** Records of __consumer_offsets: consumer groups (KIP-848). */
import {
  array,
  bytes,
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

export const consumerGroupMetadataKey = message(
  { name: 'ConsumerGroupMetadataKey', versions: [0, 0] },
  {
    groupId: string,
  },
);
export type ConsumerGroupMetadataKey = Infer<typeof consumerGroupMetadataKey>;

export const consumerGroupMetadataValue = message(
  { name: 'ConsumerGroupMetadataValue', versions: [0, 0], flexibleSince: 0 },
  {
    epoch: int32,
    metadataHash: field(int64, { tag: 0, tagSince: 0 }),
  },
);
export type ConsumerGroupMetadataValue = Infer<typeof consumerGroupMetadataValue>;

export const consumerGroupPartitionMetadataKey = message(
  { name: 'ConsumerGroupPartitionMetadataKey', versions: [0, 0] },
  {
    groupId: string,
  },
);
export type ConsumerGroupPartitionMetadataKey = Infer<typeof consumerGroupPartitionMetadataKey>;

export const consumerGroupPartitionMetadataValue = message(
  { name: 'ConsumerGroupPartitionMetadataValue', versions: [0, 0], flexibleSince: 0 },
  {
    topics: array(
      struct({
        topicId: uuid,
        topicName: string,
        numPartitions: int32,
        partitionMetadata: array(
          struct({
            partition: int32,
            racks: array(string),
          }),
        ),
      }),
    ),
  },
);
export type ConsumerGroupPartitionMetadataValue = Infer<typeof consumerGroupPartitionMetadataValue>;

export const consumerGroupMemberMetadataKey = message(
  { name: 'ConsumerGroupMemberMetadataKey', versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type ConsumerGroupMemberMetadataKey = Infer<typeof consumerGroupMemberMetadataKey>;

export const consumerGroupMemberMetadataValue = message(
  { name: 'ConsumerGroupMemberMetadataValue', versions: [0, 0], flexibleSince: 0 },
  {
    instanceId: field(string, { nullable: 0 }),
    rackId: field(string, { nullable: 0 }),
    clientId: string,
    clientHost: string,
    subscribedTopicNames: array(string),
    subscribedTopicRegex: field(string, { nullable: 0 }),
    rebalanceTimeoutMs: field(int32, { default: -1 }),
    serverAssignor: field(string, { nullable: 0 }),
    classicMemberMetadata: field(
      struct({
        sessionTimeoutMs: int32,
        supportedProtocols: array(
          struct({
            name: string,
            metadata: bytes,
          }),
        ),
      }),
      { nullable: 0, tag: 0, tagSince: 0 },
    ),
  },
);
export type ConsumerGroupMemberMetadataValue = Infer<typeof consumerGroupMemberMetadataValue>;

export const consumerGroupTargetAssignmentMetadataKey = message(
  { name: 'ConsumerGroupTargetAssignmentMetadataKey', versions: [0, 0] },
  {
    groupId: string,
  },
);
export type ConsumerGroupTargetAssignmentMetadataKey = Infer<
  typeof consumerGroupTargetAssignmentMetadataKey
>;

export const consumerGroupTargetAssignmentMetadataValue = message(
  { name: 'ConsumerGroupTargetAssignmentMetadataValue', versions: [0, 0], flexibleSince: 0 },
  {
    assignmentEpoch: int32,
    assignmentTimestamp: field(int64, { tag: 0, tagSince: 0 }),
  },
);
export type ConsumerGroupTargetAssignmentMetadataValue = Infer<
  typeof consumerGroupTargetAssignmentMetadataValue
>;

export const consumerGroupTargetAssignmentMemberKey = message(
  { name: 'ConsumerGroupTargetAssignmentMemberKey', versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type ConsumerGroupTargetAssignmentMemberKey = Infer<
  typeof consumerGroupTargetAssignmentMemberKey
>;

export const consumerGroupTargetAssignmentMemberValue = message(
  { name: 'ConsumerGroupTargetAssignmentMemberValue', versions: [0, 0], flexibleSince: 0 },
  {
    topicPartitions: array(
      struct({
        topicId: uuid,
        partitions: array(int32),
      }),
    ),
  },
);
export type ConsumerGroupTargetAssignmentMemberValue = Infer<
  typeof consumerGroupTargetAssignmentMemberValue
>;

export const consumerGroupCurrentMemberAssignmentKey = message(
  { name: 'ConsumerGroupCurrentMemberAssignmentKey', versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type ConsumerGroupCurrentMemberAssignmentKey = Infer<
  typeof consumerGroupCurrentMemberAssignmentKey
>;

const topicPartitions = struct({
  topicId: uuid,
  partitions: array(int32),
  assignmentEpochs: field(array(int32), { nullable: 0, tag: 0, tagSince: 0 }),
});
export const consumerGroupCurrentMemberAssignmentValue = message(
  { name: 'ConsumerGroupCurrentMemberAssignmentValue', versions: [0, 0], flexibleSince: 0 },
  {
    memberEpoch: int32,
    previousMemberEpoch: int32,
    state: int8,
    assignedPartitions: array(topicPartitions),
    partitionsPendingRevocation: array(topicPartitions),
  },
);
export type ConsumerGroupCurrentMemberAssignmentValue = Infer<
  typeof consumerGroupCurrentMemberAssignmentValue
>;

export const consumerGroupRegularExpressionKey = message(
  { name: 'ConsumerGroupRegularExpressionKey', versions: [0, 0] },
  {
    groupId: string,
    regularExpression: string,
  },
);
export type ConsumerGroupRegularExpressionKey = Infer<typeof consumerGroupRegularExpressionKey>;

export const consumerGroupRegularExpressionValue = message(
  { name: 'ConsumerGroupRegularExpressionValue', versions: [0, 0], flexibleSince: 0 },
  {
    topics: array(string),
    version: int64,
    timestamp: int64,
  },
);
export type ConsumerGroupRegularExpressionValue = Infer<typeof consumerGroupRegularExpressionValue>;
