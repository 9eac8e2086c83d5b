/** ShareGroupHeartbeat (76). Members of share groups report and hear what to read (KIP-932). */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  shareGroupHeartbeatRequest,
  shareGroupHeartbeatResponse,
} from '../../proto/kafka/messages/76-share-group-heartbeat.ts';
import { listOf } from '../coordinator/assignment.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function shareGroupHeartbeat({ groups, groupSetting }: Ports) {
  return api({
    key: 76,
    name: 'ShareGroupHeartbeat',
    request: shareGroupHeartbeatRequest,
    response: shareGroupHeartbeatResponse,
    urgent: true,
    async handle(request, { clientId, peer }) {
      const answer = await groups.shareHeartbeat({
        groupId: request.groupId,
        memberId: request.memberId,
        memberEpoch: request.memberEpoch,
        rackId: request.rackId,
        clientId: clientId ?? '',
        clientHost: `/${peer}`,
        topicNames: request.subscribedTopicNames,
      });
      const { assignment, error, memberEpoch, message } = answer;
      return {
        errorCode: codeOf(error),
        errorMessage: message,
        memberId: request.memberId,
        memberEpoch,
        heartbeatIntervalMs:
          error === 'NONE' && memberEpoch >= 0
            ? Number(groupSetting(request.groupId, 'share.heartbeat.interval.ms'))
            : 0,
        assignment: assignment === null ? null : { topicPartitions: listOf(assignment) },
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), errorMessage: null }),
  });
}
