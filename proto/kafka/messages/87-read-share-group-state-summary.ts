/** ReadShareGroupStateSummary, API key 87, versions 0-1. */
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

export const readShareGroupStateSummaryRequest = message(
  { name: 'ReadShareGroupStateSummaryRequest', versions: [0, 1], flexibleSince: 0 },
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
export type ReadShareGroupStateSummaryRequest = Infer<typeof readShareGroupStateSummaryRequest>;

export const readShareGroupStateSummaryResponse = message(
  { name: 'ReadShareGroupStateSummaryResponse', versions: [0, 1], flexibleSince: 0 },
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
            leaderEpoch: int32,
            startOffset: int64,
            deliveryCompleteCount: field(int32, { since: 1, default: -1 }),
          }),
        ),
      }),
    ),
  },
);
export type ReadShareGroupStateSummaryResponse = Infer<typeof readShareGroupStateSummaryResponse>;
