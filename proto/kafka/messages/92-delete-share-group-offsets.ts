/** DeleteShareGroupOffsets, API key 92, versions 0. */
import {
  array,
  field,
  type Infer,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const deleteShareGroupOffsetsRequest = message(
  { name: 'DeleteShareGroupOffsetsRequest', versions: [0, 0], flexibleSince: 0 },
  {
    groupId: string,
    topics: array(
      struct({
        topicName: string,
      }),
    ),
  },
);
export type DeleteShareGroupOffsetsRequest = Infer<typeof deleteShareGroupOffsetsRequest>;

export const deleteShareGroupOffsetsResponse = message(
  { name: 'DeleteShareGroupOffsetsResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0, default: null }),
    responses: array(
      struct({
        topicName: string,
        topicId: uuid,
        errorCode: int16,
        errorMessage: field(sentence, { nullable: 0, default: null }),
      }),
    ),
  },
);
export type DeleteShareGroupOffsetsResponse = Infer<typeof deleteShareGroupOffsetsResponse>;
