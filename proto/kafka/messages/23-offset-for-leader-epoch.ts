/** OffsetForLeaderEpoch, API key 23, versions 2-4. */
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
} from '../schema.ts';

export const offsetForLeaderEpochRequest = message(
  { name: 'OffsetForLeaderEpochRequest', versions: [2, 4], flexibleSince: 4 },
  {
    replicaId: field(int32, { since: 3, default: -2 }),
    topics: array(
      struct({
        topic: string,
        partitions: array(
          struct({
            partition: int32,
            currentLeaderEpoch: field(int32, { default: -1 }),
            leaderEpoch: int32,
          }),
        ),
      }),
    ),
  },
);
export type OffsetForLeaderEpochRequest = Infer<typeof offsetForLeaderEpochRequest>;

export const offsetForLeaderEpochResponse = message(
  { name: 'OffsetForLeaderEpochResponse', versions: [2, 4], flexibleSince: 4 },
  {
    throttleTimeMs: int32,
    topics: array(
      struct({
        topic: string,
        partitions: array(
          struct({
            errorCode: int16,
            partition: int32,
            leaderEpoch: field(int32, { default: -1 }),
            endOffset: field(int64, { default: -1 }),
          }),
        ),
      }),
    ),
  },
);
export type OffsetForLeaderEpochResponse = Infer<typeof offsetForLeaderEpochResponse>;
