/** ListOffsets, API key 2, versions 1-11. */
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
} from '../schema.ts';

export const listOffsetsRequest = message(
  { name: 'ListOffsetsRequest', versions: [1, 11], flexibleSince: 6 },
  {
    replicaId: int32,
    isolationLevel: field(int8, { since: 2 }),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            currentLeaderEpoch: field(int32, { since: 4, default: -1 }),
            timestamp: int64,
          }),
        ),
      }),
    ),
    timeoutMs: field(int32, { since: 10 }),
  },
);
export type ListOffsetsRequest = Infer<typeof listOffsetsRequest>;

export const listOffsetsResponse = message(
  { name: 'ListOffsetsResponse', versions: [1, 11], flexibleSince: 6 },
  {
    throttleTimeMs: field(int32, { since: 2 }),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            timestamp: field(int64, { default: -1 }),
            offset: field(int64, { default: -1 }),
            leaderEpoch: field(int32, { since: 4, default: -1 }),
          }),
        ),
      }),
    ),
  },
);
export type ListOffsetsResponse = Infer<typeof listOffsetsResponse>;
