/** OffsetFetch, API key 9, versions 1-10. */
import {
  array,
  bool,
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

export const offsetFetchRequest = message(
  { name: 'OffsetFetchRequest', versions: [1, 10], flexibleSince: 6 },
  {
    groupId: field(string, { until: 7 }),
    topics: field(
      array(
        struct({
          name: field(string, { until: 7 }),
          partitionIndexes: field(array(int32), { until: 7 }),
        }),
      ),
      { until: 7, nullable: 2, nullableUntil: 7 },
    ),
    groups: field(
      array(
        struct({
          groupId: field(string, { since: 8 }),
          memberId: field(string, { since: 9, nullable: 9, default: null }),
          memberEpoch: field(int32, { since: 9, default: -1 }),
          topics: field(
            array(
              struct({
                name: field(string, { since: 8, until: 9 }),
                topicId: field(uuid, { since: 10 }),
                partitionIndexes: field(array(int32), { since: 8 }),
              }),
            ),
            { since: 8, nullable: 8 },
          ),
        }),
      ),
      { since: 8 },
    ),
    requireStable: field(bool, { since: 7 }),
  },
);
export type OffsetFetchRequest = Infer<typeof offsetFetchRequest>;

export const offsetFetchResponse = message(
  { name: 'OffsetFetchResponse', versions: [1, 10], flexibleSince: 6 },
  {
    throttleTimeMs: field(int32, { since: 3 }),
    topics: field(
      array(
        struct({
          name: field(string, { until: 7 }),
          partitions: field(
            array(
              struct({
                partitionIndex: field(int32, { until: 7 }),
                committedOffset: field(int64, { until: 7 }),
                committedLeaderEpoch: field(int32, { since: 5, until: 7, default: -1 }),
                metadata: field(string, { until: 7, nullable: 0, nullableUntil: 7 }),
                errorCode: field(int16, { until: 7 }),
              }),
            ),
            { until: 7 },
          ),
        }),
      ),
      { until: 7 },
    ),
    errorCode: field(int16, { since: 2, until: 7 }),
    groups: field(
      array(
        struct({
          groupId: field(string, { since: 8 }),
          topics: field(
            array(
              struct({
                name: field(string, { since: 8, until: 9 }),
                topicId: field(uuid, { since: 10 }),
                partitions: field(
                  array(
                    struct({
                      partitionIndex: field(int32, { since: 8 }),
                      committedOffset: field(int64, { since: 8 }),
                      committedLeaderEpoch: field(int32, { since: 8, default: -1 }),
                      metadata: field(string, { since: 8, nullable: 8 }),
                      errorCode: field(int16, { since: 8 }),
                    }),
                  ),
                  { since: 8 },
                ),
              }),
            ),
            { since: 8 },
          ),
          errorCode: field(int16, { since: 8 }),
        }),
      ),
      { since: 8 },
    ),
  },
);
export type OffsetFetchResponse = Infer<typeof offsetFetchResponse>;
