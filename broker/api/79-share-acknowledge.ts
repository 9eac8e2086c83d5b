/** ShareAcknowledge (79). What became of records that were given out (KIP-932). */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  shareAcknowledgeRequest,
  shareAcknowledgeResponse,
} from '../../proto/kafka/messages/79-share-acknowledge.ts';
import { FINAL_EPOCH } from '../share/share-sessions.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';
import {
  endWith,
  leaderHint,
  releaseAll,
  shareOf,
  shareSessions,
  takeAcks,
} from './share-access.ts';

export function shareAcknowledge(ports: Ports) {
  const sessions = shareSessions(ports);
  return api({
    key: 79,
    name: 'ShareAcknowledge',
    request: shareAcknowledgeRequest,
    response: shareAcknowledgeResponse,
    async handle(request, { connection }) {
      const { groupId: group, memberId: member, shareSessionEpoch: epoch, topics } = request;
      const groupId = group ?? '';
      const memberId = member ?? '';
      // A session begins with a fetch.
      if (epoch === 0) return { errorCode: codeOf('INVALID_SHARE_SESSION_EPOCH') };
      const none = { added: [], forgotten: [] };
      const nowMs = ports.clock.monotonicMs();
      const session = sessions.advance({ groupId, memberId, connection }, epoch, none, nowMs);
      if (typeof session === 'string') return { errorCode: codeOf(session) };
      endWith(ports, connection);
      const responses = [];
      for (const { topicId, partitions } of topics) {
        const answers = [];
        for (const { partitionIndex, acknowledgementBatches } of partitions) {
          const share = await shareOf(ports, groupId, { topicId, partition: partitionIndex });
          const error: ErrorName =
            typeof share === 'string'
              ? share
              : await takeAcks(share, memberId, acknowledgementBatches, nowMs);
          answers.push({
            partitionIndex,
            errorCode: codeOf(error),
            errorMessage: null,
            currentLeader: leaderHint(ports, topicId, partitionIndex, error),
          });
        }
        responses.push({ topicId, partitions: answers });
      }
      if (epoch === FINAL_EPOCH)
        await releaseAll(ports, { groupId, memberId }, session.partitions.values());
      const acquisitionLockTimeoutMs = ports.shares.lockMs(groupId);
      return { errorCode: 0, acquisitionLockTimeoutMs, responses };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
