/** Heartbeat, API key 12, versions 0-4. */
import { field, type Infer, int16, int32, message, string } from '../schema.ts';

export const heartbeatRequest = message(
  { name: 'HeartbeatRequest', versions: [0, 4], flexibleSince: 4 },
  {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: field(string, { since: 3, nullable: 3, default: null }),
  },
);
export type HeartbeatRequest = Infer<typeof heartbeatRequest>;

export const heartbeatResponse = message(
  { name: 'HeartbeatResponse', versions: [0, 4], flexibleSince: 4 },
  {
    throttleTimeMs: field(int32, { since: 1 }),
    errorCode: int16,
  },
);
export type HeartbeatResponse = Infer<typeof heartbeatResponse>;
