/** ShareGroupHeartbeat, API key 76, versions 1. */
import {
  array,
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

export const shareGroupHeartbeatRequest = message(
  { name: 'ShareGroupHeartbeatRequest', versions: [1, 1], flexibleSince: 0 },
  {
    groupId: string,
    memberId: string,
    memberEpoch: int32,
    rackId: field(string, { nullable: 0, default: null }),
    subscribedTopicNames: field(array(string), { nullable: 0, default: null }),
  },
);
export type ShareGroupHeartbeatRequest = Infer<typeof shareGroupHeartbeatRequest>;

const topicPartitions = struct({
  topicId: uuid,
  partitions: array(int32),
});
export const shareGroupHeartbeatResponse = message(
  { name: 'ShareGroupHeartbeatResponse', versions: [1, 1], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0, default: null }),
    memberId: field(string, { nullable: 0, default: null }),
    memberEpoch: int32,
    heartbeatIntervalMs: int32,
    assignment: field(
      struct({
        topicPartitions: array(topicPartitions),
      }),
      { nullable: 0, default: null },
    ),
  },
);
export type ShareGroupHeartbeatResponse = Infer<typeof shareGroupHeartbeatResponse>;
