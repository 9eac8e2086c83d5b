/** ShareFetch, API key 78, versions 1-2. */
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
  records,
  sentence,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const shareFetchRequest = message(
  { name: 'ShareFetchRequest', versions: [1, 2], flexibleSince: 0 },
  {
    groupId: field(string, { nullable: 0, default: null }),
    memberId: field(string, { nullable: 0 }),
    shareSessionEpoch: int32,
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: field(int32, { default: 2147483647 }),
    maxRecords: int32,
    batchSize: int32,
    shareAcquireMode: field(int8, { since: 2 }),
    isRenewAck: field(bool, { since: 2 }),
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            partitionMaxBytes: field(int32, { until: 0 }),
            acknowledgementBatches: array(
              struct({
                firstOffset: int64,
                lastOffset: int64,
                acknowledgeTypes: array(int8),
              }),
            ),
          }),
        ),
      }),
    ),
    forgottenTopicsData: array(
      struct({
        topicId: uuid,
        partitions: array(int32),
      }),
    ),
  },
);
export type ShareFetchRequest = Infer<typeof shareFetchRequest>;

export const shareFetchResponse = message(
  { name: 'ShareFetchResponse', versions: [1, 2], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0, default: null }),
    acquisitionLockTimeoutMs: int32,
    responses: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            errorMessage: field(sentence, { nullable: 0, default: null }),
            acknowledgeErrorCode: int16,
            acknowledgeErrorMessage: field(sentence, { nullable: 0, default: null }),
            currentLeader: struct({
              leaderId: int32,
              leaderEpoch: int32,
            }),
            records: field(records, { nullable: 0, nullableUntil: 0 }),
            acquiredRecords: array(
              struct({
                firstOffset: int64,
                lastOffset: int64,
                deliveryCount: int16,
              }),
            ),
          }),
        ),
      }),
    ),
    nodeEndpoints: array(
      struct({
        nodeId: int32,
        host: string,
        port: int32,
        rack: field(string, { nullable: 0, default: null }),
      }),
    ),
  },
);
export type ShareFetchResponse = Infer<typeof shareFetchResponse>;
