/** ListPartitionReassignments, API key 46, versions 0. */
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
} from '../schema.ts';

export const listPartitionReassignmentsRequest = message(
  { name: 'ListPartitionReassignmentsRequest', versions: [0, 0], flexibleSince: 0 },
  {
    timeoutMs: field(int32, { default: 60000 }),
    topics: field(
      array(
        struct({
          name: string,
          partitionIndexes: array(int32),
        }),
      ),
      { nullable: 0, default: null },
    ),
  },
);
export type ListPartitionReassignmentsRequest = Infer<typeof listPartitionReassignmentsRequest>;

export const listPartitionReassignmentsResponse = message(
  { name: 'ListPartitionReassignmentsResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0 }),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            replicas: array(int32),
            addingReplicas: array(int32),
            removingReplicas: array(int32),
          }),
        ),
      }),
    ),
  },
);
export type ListPartitionReassignmentsResponse = Infer<typeof listPartitionReassignmentsResponse>;
