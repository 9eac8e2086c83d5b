/** RemoveRaftVoter, API key 81, versions 0. */
import { field, type Infer, int16, int32, message, sentence, string, uuid } from '../schema.ts';

export const removeRaftVoterRequest = message(
  { name: 'RemoveRaftVoterRequest', versions: [0, 0], flexibleSince: 0 },
  {
    clusterId: field(string, { nullable: 0 }),
    voterId: int32,
    voterDirectoryId: uuid,
  },
);
export type RemoveRaftVoterRequest = Infer<typeof removeRaftVoterRequest>;

export const removeRaftVoterResponse = message(
  { name: 'RemoveRaftVoterResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0 }),
  },
);
export type RemoveRaftVoterResponse = Infer<typeof removeRaftVoterResponse>;
