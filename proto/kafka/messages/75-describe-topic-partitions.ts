/** DescribeTopicPartitions, API key 75, versions 0. */
import {
  array,
  bool,
  field,
  type Infer,
  int16,
  int32,
  message,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const describeTopicPartitionsRequest = message(
  { name: 'DescribeTopicPartitionsRequest', versions: [0, 0], flexibleSince: 0 },
  {
    topics: array(
      struct({
        name: string,
      }),
    ),
    responsePartitionLimit: field(int32, { default: 2000 }),
    cursor: field(
      struct({
        topicName: string,
        partitionIndex: int32,
      }),
      { nullable: 0, default: null },
    ),
  },
);
export type DescribeTopicPartitionsRequest = Infer<typeof describeTopicPartitionsRequest>;

export const describeTopicPartitionsResponse = message(
  { name: 'DescribeTopicPartitionsResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    topics: array(
      struct({
        errorCode: int16,
        name: field(string, { nullable: 0 }),
        topicId: uuid,
        isInternal: bool,
        partitions: array(
          struct({
            errorCode: int16,
            partitionIndex: int32,
            leaderId: int32,
            leaderEpoch: field(int32, { default: -1 }),
            replicaNodes: array(int32),
            isrNodes: array(int32),
            eligibleLeaderReplicas: field(array(int32), { nullable: 0, default: null }),
            lastKnownElr: field(array(int32), { nullable: 0, default: null }),
            offlineReplicas: array(int32),
          }),
        ),
        topicAuthorizedOperations: field(int32, { default: -2147483648 }),
      }),
    ),
    nextCursor: field(
      struct({
        topicName: string,
        partitionIndex: int32,
      }),
      { nullable: 0, default: null },
    ),
  },
);
export type DescribeTopicPartitionsResponse = Infer<typeof describeTopicPartitionsResponse>;
