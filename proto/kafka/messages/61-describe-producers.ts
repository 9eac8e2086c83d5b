/** DescribeProducers, API key 61, versions 0. */
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
} from '../schema.ts';

export const describeProducersRequest = message(
  { name: 'DescribeProducersRequest', versions: [0, 0], flexibleSince: 0 },
  {
    topics: array(
      struct({
        name: string,
        partitionIndexes: array(int32),
      }),
    ),
  },
);
export type DescribeProducersRequest = Infer<typeof describeProducersRequest>;

export const describeProducersResponse = message(
  { name: 'DescribeProducersResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            errorMessage: field(sentence, { nullable: 0, default: null }),
            activeProducers: array(
              struct({
                producerId: int64,
                producerEpoch: int32,
                lastSequence: field(int32, { default: -1 }),
                lastTimestamp: field(int64, { default: -1 }),
                coordinatorEpoch: int32,
                currentTxnStartOffset: field(int64, { default: -1 }),
              }),
            ),
          }),
        ),
      }),
    ),
  },
);
export type DescribeProducersResponse = Infer<typeof describeProducersResponse>;
