/** OffsetDelete, API key 47, versions 0. */
import { array, type Infer, int16, int32, message, string, struct } from '../schema.ts';

export const offsetDeleteRequest = message(
  { name: 'OffsetDeleteRequest', versions: [0, 0] },
  {
    groupId: string,
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
          }),
        ),
      }),
    ),
  },
);
export type OffsetDeleteRequest = Infer<typeof offsetDeleteRequest>;

export const offsetDeleteResponse = message(
  { name: 'OffsetDeleteResponse', versions: [0, 0] },
  {
    errorCode: int16,
    throttleTimeMs: int32,
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
  },
);
export type OffsetDeleteResponse = Infer<typeof offsetDeleteResponse>;
