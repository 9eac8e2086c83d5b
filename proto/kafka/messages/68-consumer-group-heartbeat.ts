/** ConsumerGroupHeartbeat, API key 68, versions 0-1. */
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

export const consumerGroupHeartbeatRequest = message(
  { name: 'ConsumerGroupHeartbeatRequest', versions: [0, 1], flexibleSince: 0 },
  {
    groupId: string,
    memberId: string,
    memberEpoch: int32,
    instanceId: field(string, { nullable: 0, default: null }),
    rackId: field(string, { nullable: 0, default: null }),
    rebalanceTimeoutMs: field(int32, { default: -1 }),
    subscribedTopicNames: field(array(string), { nullable: 0, default: null }),
    subscribedTopicRegex: field(string, { since: 1, nullable: 1, default: null }),
    serverAssignor: field(string, { nullable: 0, default: null }),
    topicPartitions: field(
      array(
        struct({
          topicId: uuid,
          partitions: array(int32),
        }),
      ),
      { nullable: 0, default: null },
    ),
  },
);
export type ConsumerGroupHeartbeatRequest = Infer<typeof consumerGroupHeartbeatRequest>;

const topicPartitions = struct({
  topicId: uuid,
  partitions: array(int32),
});
export const consumerGroupHeartbeatResponse = message(
  { name: 'ConsumerGroupHeartbeatResponse', versions: [0, 1], flexibleSince: 0 },
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
export type ConsumerGroupHeartbeatResponse = Infer<typeof consumerGroupHeartbeatResponse>;
