/** TxnOffsetCommit, API key 28, versions 0-6. */
import {
  array,
  field,
  type Infer,
  int16,
  int32,
  int64,
  message,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const txnOffsetCommitRequest = message(
  { name: 'TxnOffsetCommitRequest', versions: [0, 6], flexibleSince: 3 },
  {
    transactionalId: string,
    groupId: string,
    producerId: int64,
    producerEpoch: int16,
    generationIdOrMemberEpoch: field(int32, { since: 3, default: -1 }),
    memberId: field(string, { since: 3 }),
    groupInstanceId: field(string, { since: 3, nullable: 3, default: null }),
    topics: array(
      struct({
        name: field(string, { until: 5 }),
        topicId: field(uuid, { since: 6 }),
        partitions: array(
          struct({
            partitionIndex: int32,
            committedOffset: int64,
            committedLeaderEpoch: field(int32, { since: 2, default: -1 }),
            committedMetadata: field(string, { nullable: 0 }),
          }),
        ),
      }),
    ),
  },
);
export type TxnOffsetCommitRequest = Infer<typeof txnOffsetCommitRequest>;

export const txnOffsetCommitResponse = message(
  { name: 'TxnOffsetCommitResponse', versions: [0, 6], flexibleSince: 3 },
  {
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: field(string, { until: 5 }),
        topicId: field(uuid, { since: 6 }),
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
          }),
        ),
      }),
    ),
  },
);
export type TxnOffsetCommitResponse = Infer<typeof txnOffsetCommitResponse>;
