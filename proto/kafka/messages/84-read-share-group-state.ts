/** ReadShareGroupState, API key 84, versions 0. */
import {
  array,
  field,
  type Infer,
  int8,
  int16,
  int32,
  int64,
  message,
  sentence,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const readShareGroupStateRequest = message(
  { name: 'ReadShareGroupStateRequest', versions: [0, 0], flexibleSince: 0 },
  {
    groupId: string,
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partition: int32,
            leaderEpoch: int32,
          }),
        ),
      }),
    ),
  },
);
export type ReadShareGroupStateRequest = Infer<typeof readShareGroupStateRequest>;

export const readShareGroupStateResponse = message(
  { name: 'ReadShareGroupStateResponse', versions: [0, 0], flexibleSince: 0 },
  {
    results: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partition: int32,
            errorCode: int16,
            errorMessage: field(sentence, { nullable: 0, default: null }),
            stateEpoch: int32,
            startOffset: int64,
            stateBatches: array(
              struct({
                firstOffset: int64,
                lastOffset: int64,
                deliveryState: int8,
                deliveryCount: int16,
              }),
            ),
          }),
        ),
      }),
    ),
  },
);
export type ReadShareGroupStateResponse = Infer<typeof readShareGroupStateResponse>;
