/** ConsumerGroupHeartbeat (68). v1: the client makes its member id (KIP-1082), topics by pattern. */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  consumerGroupHeartbeatRequest,
  consumerGroupHeartbeatResponse,
} from '../../proto/kafka/messages/68-consumer-group-heartbeat.ts';
import { assignmentOf, listOf } from '../coordinator/assignment.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function consumerGroupHeartbeat({ chance, groups, groupSetting }: Ports) {
  return api({
    key: 68,
    name: 'ConsumerGroupHeartbeat',
    request: consumerGroupHeartbeatRequest,
    response: consumerGroupHeartbeatResponse,
    urgent: true,
    async handle(request, { apiVersion, clientId, peer }) {
      const mustMakeId = apiVersion === 0 && request.memberEpoch === 0 && request.memberId === '';
      const answer = await groups.consumerHeartbeat({
        groupId: request.groupId,
        memberId: mustMakeId ? chance.uuid() : request.memberId,
        memberEpoch: request.memberEpoch,
        instanceId: request.instanceId,
        rackId: request.rackId,
        clientId: clientId ?? '',
        clientHost: `/${peer}`,
        rebalanceTimeoutMs: request.rebalanceTimeoutMs,
        topicNames: request.subscribedTopicNames,
        topicRegex: request.subscribedTopicRegex,
        serverAssignor: request.serverAssignor,
        owned: request.topicPartitions === null ? null : assignmentOf(request.topicPartitions),
      });
      return {
        errorCode: codeOf(answer.error),
        errorMessage: answer.message,
        memberId: answer.memberId,
        memberEpoch: answer.memberEpoch,
        heartbeatIntervalMs:
          answer.error === 'NONE' && answer.memberEpoch >= 0
            ? Number(groupSetting(request.groupId, 'consumer.heartbeat.interval.ms'))
            : 0,
        assignment:
          answer.assignment === null ? null : { topicPartitions: listOf(answer.assignment) },
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), errorMessage: null }),
  });
}
