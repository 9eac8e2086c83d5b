/** Fetch, API key 1, versions 4-18. */
import {
  array,
  field,
  type Infer,
  int8,
  int16,
  int32,
  int64,
  message,
  records,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const fetchRequest = message(
  { name: 'FetchRequest', versions: [4, 18], flexibleSince: 12 },
  {
    clusterId: field(string, { since: 12, nullable: 12, tag: 0, tagSince: 12, default: null }),
    replicaId: field(int32, { until: 14, default: -1 }),
    replicaState: field(
      struct({
        replicaId: field(int32, { since: 15, default: -1 }),
        replicaEpoch: field(int64, { since: 15, default: -1 }),
      }),
      { since: 15, tag: 1, tagSince: 15 },
    ),
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: field(int32, { default: 2147483647 }),
    isolationLevel: int8,
    sessionId: field(int32, { since: 7 }),
    sessionEpoch: field(int32, { since: 7, default: -1 }),
    topics: array(
      struct({
        topic: field(string, { until: 12 }),
        topicId: field(uuid, { since: 13 }),
        partitions: array(
          struct({
            partition: int32,
            currentLeaderEpoch: field(int32, { since: 9, default: -1 }),
            fetchOffset: int64,
            lastFetchedEpoch: field(int32, { since: 12, default: -1 }),
            logStartOffset: field(int64, { since: 5, default: -1 }),
            partitionMaxBytes: int32,
            replicaDirectoryId: field(uuid, { since: 17, tag: 0, tagSince: 17 }),
            highWatermark: field(int64, {
              since: 18,
              tag: 1,
              tagSince: 18,
              default: Number.MAX_SAFE_INTEGER,
            }),
          }),
        ),
      }),
    ),
    forgottenTopicsData: field(
      array(
        struct({
          topic: field(string, { since: 7, until: 12 }),
          topicId: field(uuid, { since: 13 }),
          partitions: field(array(int32), { since: 7 }),
        }),
      ),
      { since: 7 },
    ),
    rackId: field(string, { since: 11 }),
  },
);
export type FetchRequest = Infer<typeof fetchRequest>;

export const fetchResponse = message(
  { name: 'FetchResponse', versions: [4, 18], flexibleSince: 12 },
  {
    throttleTimeMs: int32,
    errorCode: field(int16, { since: 7 }),
    sessionId: field(int32, { since: 7 }),
    responses: array(
      struct({
        topic: field(string, { until: 12 }),
        topicId: field(uuid, { since: 13 }),
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            highWatermark: int64,
            lastStableOffset: field(int64, { default: -1 }),
            logStartOffset: field(int64, { since: 5, default: -1 }),
            divergingEpoch: field(
              struct({
                epoch: field(int32, { since: 12, default: -1 }),
                endOffset: field(int64, { since: 12, default: -1 }),
              }),
              { since: 12, tag: 0, tagSince: 12 },
            ),
            currentLeader: field(
              struct({
                leaderId: field(int32, { since: 12, default: -1 }),
                leaderEpoch: field(int32, { since: 12, default: -1 }),
              }),
              { since: 12, tag: 1, tagSince: 12 },
            ),
            snapshotId: field(
              struct({
                endOffset: field(int64, { default: -1 }),
                epoch: field(int32, { default: -1 }),
              }),
              { since: 12, tag: 2, tagSince: 12 },
            ),
            abortedTransactions: field(
              array(
                struct({
                  producerId: int64,
                  firstOffset: int64,
                }),
              ),
              { nullable: 4 },
            ),
            preferredReadReplica: field(int32, { since: 11, default: -1 }),
            records: field(records, { nullable: 0 }),
          }),
        ),
      }),
    ),
    nodeEndpoints: field(
      array(
        struct({
          nodeId: field(int32, { since: 16 }),
          host: field(string, { since: 16 }),
          port: field(int32, { since: 16 }),
          rack: field(string, { since: 16, nullable: 16, default: null }),
        }),
      ),
      { since: 16, tag: 0, tagSince: 16 },
    ),
  },
);
export type FetchResponse = Infer<typeof fetchResponse>;
