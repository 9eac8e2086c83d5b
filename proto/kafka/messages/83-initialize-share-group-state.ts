/** InitializeShareGroupState, API key 83, versions 0. */
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

export const initializeShareGroupStateRequest = message(
  { name: 'InitializeShareGroupStateRequest', versions: [0, 0], flexibleSince: 0 },
  {
    groupId: string,
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partition: int32,
            stateEpoch: int32,
            startOffset: int64,
          }),
        ),
      }),
    ),
  },
);
export type InitializeShareGroupStateRequest = Infer<typeof initializeShareGroupStateRequest>;

export const initializeShareGroupStateResponse = message(
  { name: 'InitializeShareGroupStateResponse', versions: [0, 0], flexibleSince: 0 },
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
export type InitializeShareGroupStateResponse = Infer<typeof initializeShareGroupStateResponse>;
