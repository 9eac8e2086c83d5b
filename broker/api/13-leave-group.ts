/** LeaveGroup (13). v3 several members, static ones by instance id. */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  leaveGroupRequest,
  leaveGroupResponse,
} from '../../proto/kafka/messages/13-leave-group.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function leaveGroup({ groups }: Ports) {
  return api({
    key: 13,
    name: 'LeaveGroup',
    request: leaveGroupRequest,
    response: leaveGroupResponse,
    urgent: true,
    handle({ groupId, memberId, members }, { apiVersion }) {
      const leaving =
        apiVersion >= 3
          ? members.map((m) => ({ memberId: m.memberId, instanceId: m.groupInstanceId }))
          : [{ memberId, instanceId: null }];
      const codes = groups.leave(groupId, leaving).map(codeOf);
      if (apiVersion < 3) return { errorCode: codes[0] ?? 0 };
      return {
        members: leaving.map((one, i) => ({
          memberId: one.memberId,
          groupInstanceId: one.instanceId,
          errorCode: codes[i] ?? 0,
        })),
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
