/** OffsetCommit (8). v7 static members; v9 member epochs (KIP-848); v10 topic ids. */
import {
  offsetCommitRequest,
  offsetCommitResponse,
} from '../../proto/kafka/messages/08-offset-commit.ts';
import { api } from './handler.ts';
import { answerAll, fill, sortOffsets } from './offset-commits.ts';
import type { Ports } from './ports.ts';

export function offsetCommit(ports: Ports) {
  return api({
    key: 8,
    name: 'OffsetCommit',
    request: offsetCommitRequest,
    response: offsetCommitResponse,
    urgent: true,
    async handle(request, { apiVersion }) {
      const { groupId, generationIdOrMemberEpoch, memberId, groupInstanceId } = request;
      const response = answerAll(request, 'NONE');
      const { offsets, slots } = sortOffsets(
        ports,
        request.topics,
        response.topics,
        apiVersion >= 10,
      );
      const who = {
        groupId,
        generation: generationIdOrMemberEpoch,
        memberId,
        instanceId: groupInstanceId,
        knowsEpochs: apiVersion >= 9,
      };
      const errors = await ports.groups.commit(who, offsets);
      fill(slots, errors);
      return response;
    },
    failed: answerAll,
  });
}
