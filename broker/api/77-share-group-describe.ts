/** ShareGroupDescribe (77). */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  shareGroupDescribeRequest,
  shareGroupDescribeResponse,
} from '../../proto/kafka/messages/77-share-group-describe.ts';
import { mapInTurns, Pace } from '../../stdx/loop-share.ts';
import { listOf } from '../coordinator/assignment.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function shareGroupDescribe({ groups, image, turn }: Ports) {
  const describe = (groupId: string) => {
    const group = groups.describeShare(groupId);
    if (typeof group === 'string') return { errorCode: codeOf(group), groupId };
    if (group === null) {
      const errorMessage = `group ${groupId} is no share group`;
      return { errorCode: codeOf('GROUP_ID_NOT_FOUND'), errorMessage, groupId };
    }
    return {
      errorCode: 0,
      groupId,
      groupState: group.members.size === 0 ? 'Empty' : 'Stable',
      groupEpoch: group.epoch,
      assignmentEpoch: group.assignmentEpoch,
      assignorName: 'simple',
      members: [...group.members.values()].map(({ info, epoch, assigned }) => ({
        memberId: info.memberId,
        rackId: info.rackId,
        memberEpoch: epoch,
        clientId: info.clientId,
        clientHost: info.clientHost,
        subscribedTopicNames: [...info.topicNames],
        assignment: {
          topicPartitions: listOf(assigned).map(({ topicId, partitions }) => ({
            topicId,
            topicName: image.topicById(topicId)?.name ?? '',
            partitions,
          })),
        },
      })),
    };
  };
  return api({
    key: 77,
    name: 'ShareGroupDescribe',
    request: shareGroupDescribeRequest,
    response: shareGroupDescribeResponse,
    handle: async ({ groupIds }, { connection }) => ({
      groups: await mapInTurns(new Pace(turn.share, connection), new Set(groupIds), describe),
    }),
    failed: ({ groupIds }, error) => ({
      groups: groupIds.map((groupId) => ({ errorCode: codeOf(error), groupId })),
    }),
  });
}
