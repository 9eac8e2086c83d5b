/** DeleteRecords, API key 21, versions 0-2. */
import { array, type Infer, int16, int32, int64, message, string, struct } from '../schema.ts';

export const deleteRecordsRequest = message(
  { name: 'DeleteRecordsRequest', versions: [0, 2], flexibleSince: 2 },
  {
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            offset: int64,
          }),
        ),
      }),
    ),
    timeoutMs: int32,
  },
);
export type DeleteRecordsRequest = Infer<typeof deleteRecordsRequest>;

export const deleteRecordsResponse = message(
  { name: 'DeleteRecordsResponse', versions: [0, 2], flexibleSince: 2 },
  {
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            lowWatermark: int64,
            errorCode: int16,
          }),
        ),
      }),
    ),
  },
);
export type DeleteRecordsResponse = Infer<typeof deleteRecordsResponse>;
