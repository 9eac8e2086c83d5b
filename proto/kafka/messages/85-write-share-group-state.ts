/** WriteShareGroupState, API key 85, versions 0-1. */
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

export const writeShareGroupStateRequest = message(
  { name: 'WriteShareGroupStateRequest', versions: [0, 1], flexibleSince: 0 },
  {
    groupId: string,
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partition: int32,
            stateEpoch: int32,
            leaderEpoch: int32,
            startOffset: int64,
            deliveryCompleteCount: field(int32, { since: 1, default: -1 }),
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
export type WriteShareGroupStateRequest = Infer<typeof writeShareGroupStateRequest>;

export const writeShareGroupStateResponse = message(
  { name: 'WriteShareGroupStateResponse', versions: [0, 1], flexibleSince: 0 },
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
export type WriteShareGroupStateResponse = Infer<typeof writeShareGroupStateResponse>;
