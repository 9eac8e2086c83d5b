/** Records of __consumer_offsets: streams groups (KIP-1071). */
import {
  array,
  field,
  type Infer,
  int8,
  int16,
  int32,
  int64,
  message,
  string,
  struct,
  uint16,
} from '../schema.ts';

export const streamsGroupMetadataKey = message(
  { name: 'StreamsGroupMetadataKey', versions: [0, 0] },
  { groupId: string },
);

export const streamsGroupMetadataValue = message(
  { name: 'StreamsGroupMetadataValue', versions: [0, 0], flexibleSince: 0 },
  {
    epoch: int32,
    metadataHash: int64,
    validatedTopologyEpoch: field(int32, { tag: 0, tagSince: 0, default: -1 }),
    lastAssignmentConfigs: field(array(struct({ key: string, value: string })), {
      nullable: 0,
      tag: 1,
      tagSince: 0,
    }),
    storedDescriptionTopologyEpoch: field(int32, { tag: 2, tagSince: 0, default: -1 }),
    failedDescriptionTopologyEpoch: field(int32, { tag: 3, tagSince: 0, default: -1 }),
  },
);
export type StreamsGroupMetadataValue = Infer<typeof streamsGroupMetadataValue>;

export const streamsGroupMemberMetadataKey = message(
  { name: 'StreamsGroupMemberMetadataKey', versions: [0, 0] },
  { groupId: string, memberId: string },
);

export const streamsGroupMemberMetadataValue = message(
  { name: 'StreamsGroupMemberMetadataValue', versions: [0, 0], flexibleSince: 0 },
  {
    instanceId: field(string, { nullable: 0 }),
    rackId: field(string, { nullable: 0 }),
    clientId: string,
    clientHost: string,
    rebalanceTimeoutMs: field(int32, { default: -1 }),
    topologyEpoch: int32,
    processId: string,
    userEndpoint: field(struct({ host: string, port: uint16 }), { nullable: 0, default: null }),
    clientTags: array(struct({ key: string, value: string })),
  },
);

export const streamsGroupTargetAssignmentMetadataKey = message(
  { name: 'StreamsGroupTargetAssignmentMetadataKey', versions: [0, 0] },
  { groupId: string },
);

export const streamsGroupTargetAssignmentMetadataValue = message(
  { name: 'StreamsGroupTargetAssignmentMetadataValue', versions: [0, 0], flexibleSince: 0 },
  {
    assignmentEpoch: int32,
    assignmentTimestamp: field(int64, { tag: 0, tagSince: 0 }),
  },
);

export const streamsGroupTargetAssignmentMemberKey = message(
  { name: 'StreamsGroupTargetAssignmentMemberKey', versions: [0, 0] },
  { groupId: string, memberId: string },
);

const tasks = struct({ subtopologyId: string, partitions: array(int32) });
export const streamsGroupTargetAssignmentMemberValue = message(
  { name: 'StreamsGroupTargetAssignmentMemberValue', versions: [0, 0], flexibleSince: 0 },
  { activeTasks: array(tasks), standbyTasks: array(tasks), warmupTasks: array(tasks) },
);

export const streamsGroupCurrentMemberAssignmentKey = message(
  { name: 'StreamsGroupCurrentMemberAssignmentKey', versions: [0, 0] },
  { groupId: string, memberId: string },
);

const ownedTasks = struct({
  subtopologyId: string,
  partitions: array(int32),
  assignmentEpochs: field(array(int32), { nullable: 0, tag: 0, tagSince: 0 }),
});
export const streamsGroupCurrentMemberAssignmentValue = message(
  { name: 'StreamsGroupCurrentMemberAssignmentValue', versions: [0, 0], flexibleSince: 0 },
  {
    memberEpoch: int32,
    previousMemberEpoch: int32,
    state: int8,
    activeTasks: array(ownedTasks),
    standbyTasks: array(ownedTasks),
    warmupTasks: array(ownedTasks),
    activeTasksPendingRevocation: array(ownedTasks),
    standbyTasksPendingRevocation: array(ownedTasks),
    warmupTasksPendingRevocation: array(ownedTasks),
  },
);

export const streamsGroupTopologyKey = message(
  { name: 'StreamsGroupTopologyKey', versions: [0, 0] },
  { groupId: string },
);

const topicInfo = struct({
  name: string,
  partitions: int32,
  replicationFactor: int16,
  topicConfigs: array(struct({ key: string, value: string })),
});
export const streamsGroupTopologyValue = message(
  { name: 'StreamsGroupTopologyValue', versions: [0, 0], flexibleSince: 0 },
  {
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
  },
);
export type StreamsGroupTopologyValue = Infer<typeof streamsGroupTopologyValue>;
