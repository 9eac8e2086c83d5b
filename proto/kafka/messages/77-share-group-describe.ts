/** ShareGroupDescribe, API key 77, versions 1. */
import {
  array,
  bool,
  field,
  type Infer,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const shareGroupDescribeRequest = message(
  { name: 'ShareGroupDescribeRequest', versions: [1, 1], flexibleSince: 0 },
  {
    groupIds: array(string),
    includeAuthorizedOperations: bool,
  },
);
export type ShareGroupDescribeRequest = Infer<typeof shareGroupDescribeRequest>;

const topicPartitions = struct({
  topicId: uuid,
  topicName: string,
  partitions: array(int32),
});
const assignment = struct({
  topicPartitions: array(topicPartitions),
});
export const shareGroupDescribeResponse = message(
  { name: 'ShareGroupDescribeResponse', versions: [1, 1], flexibleSince: 0 },
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
            rackId: field(string, { nullable: 0, default: null }),
            memberEpoch: int32,
            clientId: string,
            clientHost: string,
            subscribedTopicNames: array(string),
            assignment: assignment,
          }),
        ),
        authorizedOperations: field(int32, { default: -2147483648 }),
      }),
    ),
  },
);
export type ShareGroupDescribeResponse = Infer<typeof shareGroupDescribeResponse>;
