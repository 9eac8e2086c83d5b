/** DeleteShareGroupState, API key 86, versions 0. */
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

export const deleteShareGroupStateRequest = message(
  { name: 'DeleteShareGroupStateRequest', versions: [0, 0], flexibleSince: 0 },
  {
    groupId: string,
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partition: int32,
          }),
        ),
      }),
    ),
  },
);
export type DeleteShareGroupStateRequest = Infer<typeof deleteShareGroupStateRequest>;

export const deleteShareGroupStateResponse = message(
  { name: 'DeleteShareGroupStateResponse', versions: [0, 0], flexibleSince: 0 },
  {
    results: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partition: int32,
            errorCode: int16,
            errorMessage: field(sentence, { nullable: 0, default: null }),
          }),
        ),
      }),
    ),
  },
);
export type DeleteShareGroupStateResponse = Infer<typeof deleteShareGroupStateResponse>;
