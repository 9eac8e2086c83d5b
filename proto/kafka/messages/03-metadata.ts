/** Metadata, API key 3, versions 0-13. */
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

export const metadataRequest = message(
  { name: 'MetadataRequest', versions: [0, 13], flexibleSince: 9 },
  {
    topics: field(
      array(
        struct({
          topicId: field(uuid, { since: 10 }),
          name: field(string, { nullable: 10 }),
        }),
      ),
      { nullable: 1 },
    ),
    allowAutoTopicCreation: field(bool, { since: 4, default: true }),
    includeClusterAuthorizedOperations: field(bool, { since: 8, until: 10 }),
    includeTopicAuthorizedOperations: field(bool, { since: 8 }),
  },
);
export type MetadataRequest = Infer<typeof metadataRequest>;

export const metadataResponse = message(
  { name: 'MetadataResponse', versions: [0, 13], flexibleSince: 9 },
  {
    throttleTimeMs: field(int32, { since: 3 }),
    brokers: array(
      struct({
        nodeId: int32,
        host: string,
        port: int32,
        rack: field(string, { since: 1, nullable: 1, default: null }),
      }),
    ),
    clusterId: field(string, { since: 2, nullable: 2, default: null }),
    controllerId: field(int32, { since: 1, default: -1 }),
    topics: array(
      struct({
        errorCode: int16,
        name: field(string, { nullable: 12 }),
        topicId: field(uuid, { since: 10 }),
        isInternal: field(bool, { since: 1 }),
        partitions: array(
          struct({
            errorCode: int16,
            partitionIndex: int32,
            leaderId: int32,
            leaderEpoch: field(int32, { since: 7, default: -1 }),
            replicaNodes: array(int32),
            isrNodes: array(int32),
            offlineReplicas: field(array(int32), { since: 5 }),
          }),
        ),
        topicAuthorizedOperations: field(int32, { since: 8, default: -2147483648 }),
      }),
    ),
    clusterAuthorizedOperations: field(int32, { since: 8, until: 10, default: -2147483648 }),
    errorCode: field(int16, { since: 13 }),
  },
);
export type MetadataResponse = Infer<typeof metadataResponse>;
