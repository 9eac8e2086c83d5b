/** SyncGroup (14). v3 static members; v5 says which protocol was agreed on. */
import { codeOf } from '../../proto/kafka/errors.ts';
import { syncGroupRequest, syncGroupResponse } from '../../proto/kafka/messages/14-sync-group.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function syncGroup({ groups }: Ports) {
  return api({
    key: 14,
    name: 'SyncGroup',
    request: syncGroupRequest,
    response: syncGroupResponse,
    async handle(request, { apiVersion }) {
      if (apiVersion >= 5 && (request.protocolType === null || request.protocolName === null)) {
        return { errorCode: codeOf('INCONSISTENT_GROUP_PROTOCOL') };
      }
      const answer = await groups.sync({
        groupId: request.groupId,
        generation: request.generationId,
        memberId: request.memberId,
        instanceId: request.groupInstanceId,
        protocolType: request.protocolType,
        protocol: request.protocolName,
        assignments: request.assignments,
      });
      return {
        errorCode: codeOf(answer.error),
        protocolType: answer.protocolType,
        protocolName: answer.protocol,
        assignment: answer.assignment,
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
