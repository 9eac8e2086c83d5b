/**
 * AlterShareGroupOffsets (91). Moves where an empty share group begins; what was in doubt is forgotten.
 * A group that is not there yet is made, so that it can be told where to begin before its first member.
 */
import { ZERO_UUID } from '../../proto/kafka/cursor.ts';
import { codeOf, type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import {
  alterShareGroupOffsetsRequest,
  alterShareGroupOffsetsResponse,
} from '../../proto/kafka/messages/91-alter-share-group-offsets.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

/** @throws KafkaError where the group has members, or is none */
export function mustBeEmpty({ groups }: Ports, groupId: string): void {
  const group = groups.describeShare(groupId);
  if (typeof group === 'string') throw new KafkaError(group);
  if (group === null) throw new KafkaError('GROUP_ID_NOT_FOUND');
  if (group.members.size > 0) throw new KafkaError('NON_EMPTY_GROUP');
}

export function alterShareGroupOffsets(ports: Ports) {
  const { image, shareStore, shares } = ports;
  const alter = async (groupId: string, topicName: string, partition: number, offset: number) => {
    const topic = image.topic(topicName);
    const line = topic?.partitions[partition];
    const answer = (error: ErrorName) => ({
      partitionIndex: partition,
      errorCode: codeOf(error),
      errorMessage: null,
    });
    if (topic === null || line === undefined) return answer('UNKNOWN_TOPIC_OR_PARTITION');
    const key = { groupId, topicId: topic.id, partition };
    const state = { startOffset: offset, batches: [] };
    return answer(await shareStore.write(key, line.leaderEpoch, state));
  };
  return api({
    key: 91,
    name: 'AlterShareGroupOffsets',
    request: alterShareGroupOffsetsRequest,
    response: alterShareGroupOffsetsResponse,
    async handle({ groupId, topics }) {
      const made = await ports.groups.ensureShare(groupId);
      if (made !== 'NONE') throw new KafkaError(made);
      mustBeEmpty(ports, groupId);
      const responses = [];
      for (const { topicName, partitions } of topics) {
        const done = [];
        for (const { partitionIndex, startOffset } of partitions)
          done.push(await alter(groupId, topicName, partitionIndex, startOffset));
        const topicId = image.topic(topicName)?.id ?? ZERO_UUID;
        responses.push({ topicName, topicId, partitions: done });
      }
      shares.forget(groupId);
      return { errorCode: 0, errorMessage: null, responses };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), errorMessage: null }),
  });
}
