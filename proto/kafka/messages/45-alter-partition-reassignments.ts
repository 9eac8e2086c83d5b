/** AlterPartitionReassignments, API key 45, versions 0-1. */
import {
  array,
  bool,
  field,
  type Infer,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
} from '../schema.ts';

export const alterPartitionReassignmentsRequest = message(
  { name: 'AlterPartitionReassignmentsRequest', versions: [0, 1], flexibleSince: 0 },
  {
    timeoutMs: field(int32, { default: 60000 }),
    allowReplicationFactorChange: field(bool, { since: 1, default: true }),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            replicas: field(array(int32), { nullable: 0, default: null }),
          }),
        ),
      }),
    ),
  },
);
export type AlterPartitionReassignmentsRequest = Infer<typeof alterPartitionReassignmentsRequest>;

export const alterPartitionReassignmentsResponse = message(
  { name: 'AlterPartitionReassignmentsResponse', versions: [0, 1], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    allowReplicationFactorChange: field(bool, { since: 1, default: true }),
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0 }),
    responses: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            errorMessage: field(sentence, { nullable: 0 }),
          }),
        ),
      }),
    ),
  },
);
export type AlterPartitionReassignmentsResponse = Infer<typeof alterPartitionReassignmentsResponse>;
