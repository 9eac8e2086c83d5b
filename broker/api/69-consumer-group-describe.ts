/** ConsumerGroupDescribe (69). Groups of the new protocol, with what members own and are to own. */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  consumerGroupDescribeRequest,
  consumerGroupDescribeResponse,
} from '../../proto/kafka/messages/69-consumer-group-describe.ts';
import { mapInTurns, Pace } from '../../stdx/loop-share.ts';
import { type Assignment, listOf, NOTHING } from '../coordinator/assignment.ts';
import { preferredAssignor, stateOf } from '../coordinator/consumer-group.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

const CONSUMER_MEMBER = 1;

export function consumerGroupDescribe({ config, groups, image, turn }: Ports) {
  const shown = (assignment: Assignment) => ({
    topicPartitions: listOf(assignment).map(({ topicId, partitions }) => ({
      topicId,
      topicName: image.topicById(topicId)?.name ?? '',
      partitions,
    })),
  });
  const describe = (groupId: string) => {
    const group = groups.describeConsumer(groupId);
    if (typeof group === 'string') return { errorCode: codeOf(group), groupId };
    if (group === null) {
      const errorMessage = `group ${groupId} is no consumer group`;
      return { errorCode: codeOf('GROUP_ID_NOT_FOUND'), errorMessage, groupId };
    }
    const [preset = 'uniform'] = config.text('group.consumer.assignors').split(',');
    return {
      errorCode: 0,
      groupId,
      groupState: stateOf(group),
      groupEpoch: group.epoch,
      assignmentEpoch: group.assignmentEpoch,
      assignorName: preferredAssignor(group, preset),
      members: [...group.members.values()].map(({ info, progress }) => ({
        memberId: info.memberId,
        instanceId: info.instanceId,
        rackId: info.rackId,
        memberEpoch: progress.epoch,
        clientId: info.clientId,
        clientHost: info.clientHost,
        subscribedTopicNames: [...info.topicNames],
        subscribedTopicRegex: info.topicRegex,
        assignment: shown(progress.assigned),
        targetAssignment: shown(group.target.get(info.memberId) ?? NOTHING),
        memberType: CONSUMER_MEMBER,
      })),
    };
  };
  return api({
    key: 69,
    name: 'ConsumerGroupDescribe',
    request: consumerGroupDescribeRequest,
    response: consumerGroupDescribeResponse,
    handle: async ({ groupIds }, { connection }) => ({
      groups: await mapInTurns(new Pace(turn.share, connection), new Set(groupIds), describe),
    }),
    failed: ({ groupIds }, error) => ({
      groups: groupIds.map((groupId) => ({ errorCode: codeOf(error), groupId })),
    }),
  });
}
