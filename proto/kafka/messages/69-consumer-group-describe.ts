/** ConsumerGroupDescribe, API key 69, versions 0-1. */
import {
  array,
  bool,
  field,
  type Infer,
  int8,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const consumerGroupDescribeRequest = message(
  { name: 'ConsumerGroupDescribeRequest', versions: [0, 1], flexibleSince: 0 },
  {
    groupIds: array(string),
    includeAuthorizedOperations: bool,
  },
);
export type ConsumerGroupDescribeRequest = Infer<typeof consumerGroupDescribeRequest>;

const topicPartitions = struct({
  topicId: uuid,
  topicName: string,
  partitions: array(int32),
});
const assignment = struct({
  topicPartitions: array(topicPartitions),
});
export const consumerGroupDescribeResponse = message(
  { name: 'ConsumerGroupDescribeResponse', versions: [0, 1], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    groups: array(
      struct({
        errorCode: int16,
        errorMessage: field(sentence, { nullable: 0, default: null }),
        groupId: string,
        groupState: string,
        groupEpoch: int32,
        assignmentEpoch: int32,
        assignorName: string,
        members: array(
          struct({
            memberId: string,
            instanceId: field(string, { nullable: 0, default: null }),
            rackId: field(string, { nullable: 0, default: null }),
            memberEpoch: int32,
            clientId: string,
            clientHost: string,
            subscribedTopicNames: array(string),
            subscribedTopicRegex: field(string, { nullable: 0, default: null }),
            assignment: assignment,
            targetAssignment: assignment,
            memberType: field(int8, { since: 1, default: -1 }),
          }),
        ),
        authorizedOperations: field(int32, { default: -2147483648 }),
      }),
    ),
  },
);
export type ConsumerGroupDescribeResponse = Infer<typeof consumerGroupDescribeResponse>;
