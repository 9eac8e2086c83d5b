/** OffsetCommit (8). v7 static members; v9 member epochs (KIP-848); v10 topic ids. */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  type OffsetCommitRequest,
  offsetCommitRequest,
  offsetCommitResponse,
} from '../../proto/kafka/messages/08-offset-commit.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

function answerAll({ topics }: OffsetCommitRequest, error: ErrorName) {
  return {
    topics: topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: codeOf(error),
      })),
    })),
  };
}

export function offsetCommit(ports: Ports) {
  return api({
    key: 8,
    name: 'OffsetCommit',
    request: offsetCommitRequest,
    response: offsetCommitResponse,
    async handle(request, { apiVersion }) {
      const { groupId, generationIdOrMemberEpoch, memberId, groupInstanceId } = request;
      if (groupId === '' && apiVersion >= 9) return answerAll(request, 'INVALID_GROUP_ID');
      const offsets = [];
      const response = answerAll(request, 'NONE');
      const slots: { errorCode: number }[] = [];
      for (const [t, topic] of request.topics.entries()) {
        const known =
          apiVersion >= 10 ? ports.image.topicById(topic.topicId) : ports.image.topic(topic.name);
        for (const [p, partition] of topic.partitions.entries()) {
          const slot = response.topics[t]?.partitions[p] as { errorCode: number };
          if (known === null || known.partitions[partition.partitionIndex] === undefined) {
            slot.errorCode = codeOf(
              known === null && apiVersion >= 10
                ? 'UNKNOWN_TOPIC_ID'
                : 'UNKNOWN_TOPIC_OR_PARTITION',
            );
            continue;
          }
          slots.push(slot);
          offsets.push({
            topic: known.name,
            partition: partition.partitionIndex,
            offset: partition.committedOffset,
            leaderEpoch: partition.committedLeaderEpoch,
            metadata: partition.committedMetadata ?? '',
          });
        }
      }
      const who = {
        groupId,
        generation: generationIdOrMemberEpoch,
        memberId,
        instanceId: groupInstanceId,
      };
      const errors = await ports.groups.commit(who, offsets);
      for (const [i, slot] of slots.entries()) slot.errorCode = codeOf(errors[i] as ErrorName);
      return response;
    },
    failed: answerAll,
  });
}
