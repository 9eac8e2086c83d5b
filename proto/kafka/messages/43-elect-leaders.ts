/** ElectLeaders, API key 43, versions 0-2. */
import {
  array,
  field,
  type Infer,
  int8,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
} from '../schema.ts';

export const electLeadersRequest = message(
  { name: 'ElectLeadersRequest', versions: [0, 2], flexibleSince: 2 },
  {
    electionType: field(int8, { since: 1 }),
    topicPartitions: field(
      array(
        struct({
          topic: string,
          partitions: array(int32),
        }),
      ),
      { nullable: 0 },
    ),
    timeoutMs: field(int32, { default: 60000 }),
  },
);
export type ElectLeadersRequest = Infer<typeof electLeadersRequest>;

export const electLeadersResponse = message(
  { name: 'ElectLeadersResponse', versions: [0, 2], flexibleSince: 2 },
  {
    throttleTimeMs: int32,
    errorCode: field(int16, { since: 1 }),
    replicaElectionResults: array(
      struct({
        topic: string,
        partitionResult: array(
          struct({
            partitionId: int32,
            errorCode: int16,
            errorMessage: field(sentence, { nullable: 0 }),
          }),
        ),
      }),
    ),
  },
);
export type ElectLeadersResponse = Infer<typeof electLeadersResponse>;
