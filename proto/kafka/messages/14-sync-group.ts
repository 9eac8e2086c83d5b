/** SyncGroup, API key 14, versions 0-5. */
import {
  array,
  bytes,
  field,
  type Infer,
  int16,
  int32,
  message,
  string,
  struct,
} from '../schema.ts';

export const syncGroupRequest = message(
  { name: 'SyncGroupRequest', versions: [0, 5], flexibleSince: 4 },
  {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: field(string, { since: 3, nullable: 3, default: null }),
    protocolType: field(string, { since: 5, nullable: 5, default: null }),
    protocolName: field(string, { since: 5, nullable: 5, default: null }),
    assignments: array(
      struct({
        memberId: string,
        assignment: bytes,
      }),
    ),
  },
);
export type SyncGroupRequest = Infer<typeof syncGroupRequest>;

export const syncGroupResponse = message(
  { name: 'SyncGroupResponse', versions: [0, 5], flexibleSince: 4 },
  {
    throttleTimeMs: field(int32, { since: 1 }),
    errorCode: int16,
    protocolType: field(string, { since: 5, nullable: 5, default: null }),
    protocolName: field(string, { since: 5, nullable: 5, default: null }),
    assignment: bytes,
  },
);
export type SyncGroupResponse = Infer<typeof syncGroupResponse>;
