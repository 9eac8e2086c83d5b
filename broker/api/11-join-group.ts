/** JoinGroup (11). v1 rebalance timeout; v4 a member is told its id first; v5 static members; v9 may skip assigning. */
import { codeOf } from '../../proto/kafka/errors.ts';
import { joinGroupRequest, joinGroupResponse } from '../../proto/kafka/messages/11-join-group.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function joinGroup({ groups }: Ports) {
  return api({
    key: 11,
    name: 'JoinGroup',
    request: joinGroupRequest,
    response: joinGroupResponse,
    async handle(request, { apiVersion, clientId, peer }) {
      const answer = await groups.join({
        groupId: request.groupId,
        memberId: request.memberId,
        instanceId: request.groupInstanceId,
        clientId: clientId ?? '',
        clientHost: `/${peer}`,
        sessionTimeoutMs: request.sessionTimeoutMs,
        rebalanceTimeoutMs:
          request.rebalanceTimeoutMs < 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
        protocolType: request.protocolType,
        protocols: request.protocols,
        mustKnowId: apiVersion >= 4,
        canSkipAssignment: apiVersion >= 9,
      });
      return {
        errorCode: codeOf(answer.error),
        generationId: answer.generation,
        protocolType: answer.protocolType,
        protocolName: answer.protocol ?? (apiVersion >= 7 ? null : ''),
        leader: answer.leaderId,
        skipAssignment: answer.skipAssignment,
        memberId: answer.memberId,
        members: answer.members.map(({ memberId, instanceId, metadata }) => ({
          memberId,
          groupInstanceId: instanceId,
          metadata,
        })),
      };
    },
    failed: ({ memberId }, error) => ({ errorCode: codeOf(error), protocolName: '', memberId }),
  });
}
