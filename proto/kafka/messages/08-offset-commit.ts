/** OffsetCommit, API key 8, versions 2-10. */
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

export const offsetCommitRequest = message(
  { name: 'OffsetCommitRequest', versions: [2, 10], flexibleSince: 8 },
  {
    groupId: string,
    generationIdOrMemberEpoch: field(int32, { default: -1 }),
    memberId: string,
    groupInstanceId: field(string, { since: 7, nullable: 7, default: null }),
    retentionTimeMs: field(int64, { until: 4, default: -1 }),
    topics: array(
      struct({
        name: field(string, { until: 9 }),
        topicId: field(uuid, { since: 10 }),
        partitions: array(
          struct({
            partitionIndex: int32,
            committedOffset: int64,
            committedLeaderEpoch: field(int32, { since: 6, default: -1 }),
            committedMetadata: field(string, { nullable: 0 }),
          }),
        ),
      }),
    ),
  },
);
export type OffsetCommitRequest = Infer<typeof offsetCommitRequest>;

export const offsetCommitResponse = message(
  { name: 'OffsetCommitResponse', versions: [2, 10], flexibleSince: 8 },
  {
    throttleTimeMs: field(int32, { since: 3 }),
    topics: array(
      struct({
        name: field(string, { until: 9 }),
        topicId: field(uuid, { since: 10 }),
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
export type OffsetCommitResponse = Infer<typeof offsetCommitResponse>;
