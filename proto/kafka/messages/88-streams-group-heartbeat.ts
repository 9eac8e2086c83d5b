/** StreamsGroupHeartbeat, API key 88, versions 0-1. */
import {
  array,
  bool,
  field,
  type Infer,
  int8,
  int16,
  int32,
  int64,
  message,
  sentence,
  string,
  struct,
  uint16,
} from '../schema.ts';

const keyValue = struct({
  key: string,
  value: string,
});
const topicInfo = struct({
  name: string,
  partitions: int32,
  replicationFactor: int16,
  topicConfigs: array(keyValue),
});
const taskIds = struct({
  subtopologyId: string,
  partitions: array(int32),
});
const endpoint = struct({
  host: string,
  port: uint16,
});
const taskOffset = struct({
  subtopologyId: string,
  partition: int32,
  offset: int64,
});
export const streamsGroupHeartbeatRequest = message(
  { name: 'StreamsGroupHeartbeatRequest', versions: [0, 1], flexibleSince: 0 },
  {
    groupId: string,
    memberId: string,
    memberEpoch: int32,
    endpointInformationEpoch: int32,
    instanceId: field(string, { nullable: 0, default: null }),
    rackId: field(string, { nullable: 0, default: null }),
    rebalanceTimeoutMs: field(int32, { default: -1 }),
    topology: field(
      struct({
        epoch: int32,
        subtopologies: array(
          struct({
            subtopologyId: string,
            sourceTopics: array(string),
            sourceTopicRegex: array(string),
            stateChangelogTopics: array(topicInfo),
            repartitionSinkTopics: array(string),
            repartitionSourceTopics: array(topicInfo),
            copartitionGroups: array(
              struct({
                sourceTopics: array(int16),
                sourceTopicRegex: array(int16),
                repartitionSourceTopics: array(int16),
              }),
            ),
          }),
        ),
      }),
      { nullable: 0, default: null },
    ),
    activeTasks: field(array(taskIds), { nullable: 0, default: null }),
    standbyTasks: field(array(taskIds), { nullable: 0, default: null }),
    warmupTasks: field(array(taskIds), { nullable: 0, default: null }),
    processId: field(string, { nullable: 0, default: null }),
    userEndpoint: field(endpoint, { nullable: 0, default: null }),
    clientTags: field(array(keyValue), { nullable: 0, default: null }),
    taskOffsets: field(array(taskOffset), { nullable: 0, default: null }),
    taskEndOffsets: field(array(taskOffset), { nullable: 0, default: null }),
    shutdownApplication: bool,
  },
);
export type StreamsGroupHeartbeatRequest = Infer<typeof streamsGroupHeartbeatRequest>;

const status = struct({
  statusCode: int8,
  statusDetail: string,
});
const topicPartition = struct({
  topic: string,
  partitions: array(int32),
});
export const streamsGroupHeartbeatResponse = message(
  { name: 'StreamsGroupHeartbeatResponse', versions: [0, 1], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0, default: null }),
    memberId: string,
    memberEpoch: int32,
    heartbeatIntervalMs: int32,
    acceptableRecoveryLagLegacy: field(int32, { until: 0 }),
    taskOffsetIntervalMs: int32,
    acceptableRecoveryLag: field(int64, { since: 1, default: -1 }),
    status: field(array(status), { nullable: 0 }),
    activeTasks: field(array(taskIds), { nullable: 0, default: null }),
    standbyTasks: field(array(taskIds), { nullable: 0, default: null }),
    warmupTasks: field(array(taskIds), { nullable: 0, default: null }),
    topologyDescriptionRequired: field(bool, { since: 1 }),
    endpointInformationEpoch: int32,
    partitionsByUserEndpoint: field(
      array(
        struct({
          userEndpoint: endpoint,
          activePartitions: array(topicPartition),
          standbyPartitions: array(topicPartition),
        }),
      ),
      { nullable: 0, default: null },
    ),
  },
);
export type StreamsGroupHeartbeatResponse = Infer<typeof streamsGroupHeartbeatResponse>;
