/** WriteTxnMarkers, API key 27, versions 1-2. */
import {
  array,
  bool,
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

export const writeTxnMarkersRequest = message(
  { name: 'WriteTxnMarkersRequest', versions: [1, 2], flexibleSince: 1 },
  {
    markers: array(
      struct({
        producerId: int64,
        producerEpoch: int16,
        transactionResult: bool,
        topics: array(
          struct({
            name: string,
            partitionIndexes: array(int32),
          }),
        ),
        coordinatorEpoch: int32,
        transactionVersion: field(int8, { since: 2 }),
      }),
    ),
  },
);
export type WriteTxnMarkersRequest = Infer<typeof writeTxnMarkersRequest>;

export const writeTxnMarkersResponse = message(
  { name: 'WriteTxnMarkersResponse', versions: [1, 2], flexibleSince: 1 },
  {
    markers: array(
      struct({
        producerId: int64,
        topics: array(
          struct({
            name: string,
            partitions: array(
              struct({
                partitionIndex: int32,
                errorCode: int16,
              }),
            ),
          }),
        ),
      }),
    ),
  },
);
export type WriteTxnMarkersResponse = Infer<typeof writeTxnMarkersResponse>;
