/** DescribeGroups (15). v4 static members; v6 tells an unknown group from a dead one. */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  describeGroupsRequest,
  describeGroupsResponse,
} from '../../proto/kafka/messages/15-describe-groups.ts';
import { mapInTurns, Pace } from '../../stdx/loop-share.ts';
import { metadataOf } from '../coordinator/group.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function describeGroups({ groups, turn }: Ports) {
  const describe = (groupId: string, apiVersion: number) => {
    const group = groups.describe(groupId);
    if (typeof group === 'string') return { errorCode: codeOf(group), groupId };
    if (group === null) {
      return apiVersion >= 6
        ? {
            errorCode: codeOf('GROUP_ID_NOT_FOUND'),
            errorMessage: `group ${groupId} is unknown`,
            groupId,
            groupState: 'Dead',
          }
        : { errorCode: 0, groupId, groupState: 'Dead' };
    }
    const settled = group.state === 'Stable';
    return {
      errorCode: 0,
      groupId,
      groupState: group.state,
      protocolType: group.protocolType,
      protocolData: settled ? (group.protocol ?? '') : '',
      members: [...group.members.values()].map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        memberMetadata: settled ? metadataOf(member, group.protocol) : Buffer.alloc(0),
        memberAssignment: settled ? member.assignment : Buffer.alloc(0),
      })),
    };
  };
  return api({
    key: 15,
    name: 'DescribeGroups',
    request: describeGroupsRequest,
    response: describeGroupsResponse,
    handle: async (request, { apiVersion, connection }) => ({
      groups: await mapInTurns(
        new Pace(turn.share, connection),
        new Set(request.groups),
        (groupId) => describe(groupId, apiVersion),
      ),
    }),
    failed: (request, error) => ({
      groups: request.groups.map((groupId) => ({ errorCode: codeOf(error), groupId })),
    }),
  });
}
