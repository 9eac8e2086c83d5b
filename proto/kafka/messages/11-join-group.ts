/** JoinGroup, API key 11, versions 0-9. */
import {
  array,
  bool,
  bytes,
  field,
  type Infer,
  int16,
  int32,
  message,
  string,
  struct,
} from '../schema.ts';

export const joinGroupRequest = message(
  { name: 'JoinGroupRequest', versions: [0, 9], flexibleSince: 6 },
  {
    groupId: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: field(int32, { since: 1, default: -1 }),
    memberId: string,
    groupInstanceId: field(string, { since: 5, nullable: 5, default: null }),
    protocolType: string,
    protocols: array(
      struct({
        name: string,
        metadata: bytes,
      }),
    ),
    reason: field(string, { since: 8, nullable: 8, default: null }),
  },
);
export type JoinGroupRequest = Infer<typeof joinGroupRequest>;

export const joinGroupResponse = message(
  { name: 'JoinGroupResponse', versions: [0, 9], flexibleSince: 6 },
  {
    throttleTimeMs: field(int32, { since: 2 }),
    errorCode: int16,
    generationId: field(int32, { default: -1 }),
    protocolType: field(string, { since: 7, nullable: 7, default: null }),
    protocolName: field(string, { nullable: 7 }),
    leader: string,
    skipAssignment: field(bool, { since: 9 }),
    memberId: string,
    members: array(
      struct({
        memberId: string,
        groupInstanceId: field(string, { since: 5, nullable: 5, default: null }),
        metadata: bytes,
      }),
    ),
  },
);
export type JoinGroupResponse = Infer<typeof joinGroupResponse>;
