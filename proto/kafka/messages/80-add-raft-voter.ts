/** AddRaftVoter, API key 80, versions 0-1. */
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
  uint16,
  uuid,
} from '../schema.ts';

export const addRaftVoterRequest = message(
  { name: 'AddRaftVoterRequest', versions: [0, 1], flexibleSince: 0 },
  {
    clusterId: field(string, { nullable: 0 }),
    timeoutMs: int32,
    voterId: int32,
    voterDirectoryId: uuid,
    listeners: array(
      struct({
        name: string,
        host: string,
        port: uint16,
      }),
    ),
    ackWhenCommitted: field(bool, { since: 1, default: true }),
  },
);
export type AddRaftVoterRequest = Infer<typeof addRaftVoterRequest>;

export const addRaftVoterResponse = message(
  { name: 'AddRaftVoterResponse', versions: [0, 1], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0 }),
  },
);
export type AddRaftVoterResponse = Infer<typeof addRaftVoterResponse>;
