/** AlterShareGroupOffsets, API key 91, versions 0. */
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

export const alterShareGroupOffsetsRequest = message(
  { name: 'AlterShareGroupOffsetsRequest', versions: [0, 0], flexibleSince: 0 },
  {
    groupId: string,
    topics: array(
      struct({
        topicName: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            startOffset: int64,
          }),
        ),
      }),
    ),
  },
);
export type AlterShareGroupOffsetsRequest = Infer<typeof alterShareGroupOffsetsRequest>;

export const alterShareGroupOffsetsResponse = message(
  { name: 'AlterShareGroupOffsetsResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0, default: null }),
    responses: array(
      struct({
        topicName: string,
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            errorMessage: field(sentence, { nullable: 0, default: null }),
          }),
        ),
      }),
    ),
  },
);
export type AlterShareGroupOffsetsResponse = Infer<typeof alterShareGroupOffsetsResponse>;
