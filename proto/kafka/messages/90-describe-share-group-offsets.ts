/** DescribeShareGroupOffsets, API key 90, versions 0-1. */
import {
  array,
  field,
  type Infer,
  int16,
  int32,
  int64,
  message,
  sentence,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const describeShareGroupOffsetsRequest = message(
  { name: 'DescribeShareGroupOffsetsRequest', versions: [0, 1], flexibleSince: 0 },
  {
    groups: array(
      struct({
        groupId: string,
        topics: field(
          array(
            struct({
              topicName: string,
              partitions: array(int32),
            }),
          ),
          { nullable: 0 },
        ),
      }),
    ),
  },
);
export type DescribeShareGroupOffsetsRequest = Infer<typeof describeShareGroupOffsetsRequest>;

export const describeShareGroupOffsetsResponse = message(
  { name: 'DescribeShareGroupOffsetsResponse', versions: [0, 1], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    groups: array(
      struct({
        groupId: string,
        topics: array(
          struct({
            topicName: string,
            topicId: uuid,
            partitions: array(
              struct({
                partitionIndex: int32,
                startOffset: int64,
                leaderEpoch: int32,
                lag: field(int64, { since: 1, default: -1 }),
                errorCode: int16,
                errorMessage: field(sentence, { nullable: 0, default: null }),
              }),
            ),
          }),
        ),
        errorCode: int16,
        errorMessage: field(sentence, { nullable: 0, default: null }),
      }),
    ),
  },
);
export type DescribeShareGroupOffsetsResponse = Infer<typeof describeShareGroupOffsetsResponse>;
