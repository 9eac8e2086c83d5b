/** LeaveGroup, API key 13, versions 0-5. */
import { array, field, type Infer, int16, int32, message, string, struct } from '../schema.ts';

export const leaveGroupRequest = message(
  { name: 'LeaveGroupRequest', versions: [0, 5], flexibleSince: 4 },
  {
    groupId: string,
    memberId: field(string, { until: 2 }),
    members: field(
      array(
        struct({
          memberId: field(string, { since: 3 }),
          groupInstanceId: field(string, { since: 3, nullable: 3, default: null }),
          reason: field(string, { since: 5, nullable: 5, default: null }),
        }),
      ),
      { since: 3 },
    ),
  },
);
export type LeaveGroupRequest = Infer<typeof leaveGroupRequest>;

export const leaveGroupResponse = message(
  { name: 'LeaveGroupResponse', versions: [0, 5], flexibleSince: 4 },
  {
    throttleTimeMs: field(int32, { since: 1 }),
    errorCode: int16,
    members: field(
      array(
        struct({
          memberId: field(string, { since: 3 }),
          groupInstanceId: field(string, { since: 3, nullable: 3 }),
          errorCode: field(int16, { since: 3 }),
        }),
      ),
      { since: 3 },
    ),
  },
);
export type LeaveGroupResponse = Infer<typeof leaveGroupResponse>;
