/** StreamsGroupDescribe, API key 89, versions 0-1. */
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

export const streamsGroupDescribeRequest = message(
  { name: 'StreamsGroupDescribeRequest', versions: [0, 1], flexibleSince: 0 },
  {
    groupIds: array(string),
    includeAuthorizedOperations: bool,
    includeTopologyDescription: field(bool, { since: 1 }),
  },
);
export type StreamsGroupDescribeRequest = Infer<typeof streamsGroupDescribeRequest>;

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
const endpoint = struct({
  host: string,
  port: uint16,
});
const taskOffset = struct({
  subtopologyId: string,
  partition: int32,
  offset: int64,
});
const taskIds = struct({
  subtopologyId: string,
  partitions: array(int32),
});
const assignment = struct({
  activeTasks: array(taskIds),
  standbyTasks: array(taskIds),
  warmupTasks: array(taskIds),
});
const topologyDescriptionNode = struct({
  name: field(string, { since: 1 }),
  nodeType: field(int8, { since: 1 }),
  sourceTopics: field(array(string), { since: 1 }),
  sinkTopic: field(string, { since: 1, nullable: 1, default: null }),
  stores: field(array(string), { since: 1 }),
  successors: field(array(string), { since: 1 }),
});
const topologyDescriptionSubtopology = struct({
  subtopologyId: field(string, { since: 1 }),
  nodes: field(array(topologyDescriptionNode), { since: 1 }),
});
const topologyDescriptionGlobalStore = struct({
  source: field(topologyDescriptionNode, { since: 1 }),
  processor: field(topologyDescriptionNode, { since: 1 }),
});
const topologyDescription = struct({
  subtopologies: field(array(topologyDescriptionSubtopology), { since: 1 }),
  globalStores: field(array(topologyDescriptionGlobalStore), { since: 1 }),
});
export const streamsGroupDescribeResponse = message(
  { name: 'StreamsGroupDescribeResponse', versions: [0, 1], flexibleSince: 0 },
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
        topology: field(
          struct({
            epoch: int32,
            subtopologies: field(
              array(
                struct({
                  subtopologyId: string,
                  sourceTopics: array(string),
                  repartitionSinkTopics: array(string),
                  stateChangelogTopics: array(topicInfo),
                  repartitionSourceTopics: array(topicInfo),
                }),
              ),
              { nullable: 0, default: null },
            ),
          }),
          { nullable: 0, default: null },
        ),
        members: array(
          struct({
            memberId: string,
            memberEpoch: int32,
            instanceId: field(string, { nullable: 0, default: null }),
            rackId: field(string, { nullable: 0, default: null }),
            clientId: string,
            clientHost: string,
            topologyEpoch: int32,
            processId: string,
            userEndpoint: field(endpoint, { nullable: 0, default: null }),
            clientTags: array(keyValue),
            taskOffsets: array(taskOffset),
            taskEndOffsets: array(taskOffset),
            assignment: assignment,
            targetAssignment: assignment,
            isClassic: bool,
          }),
        ),
        authorizedOperations: field(int32, { default: -2147483648 }),
        topologyDescription: field(topologyDescription, { since: 1, nullable: 1, default: null }),
        topologyDescriptionStatus: field(int8, { since: 1 }),
        assignorName: field(string, { since: 1, nullable: 1, default: null }),
      }),
    ),
  },
);
export type StreamsGroupDescribeResponse = Infer<typeof streamsGroupDescribeResponse>;
