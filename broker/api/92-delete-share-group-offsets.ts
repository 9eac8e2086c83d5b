/** DeleteShareGroupOffsets (92). An empty share group forgets topics. */
import { ZERO_UUID } from '../../proto/kafka/cursor.ts';
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  deleteShareGroupOffsetsRequest,
  deleteShareGroupOffsetsResponse,
} from '../../proto/kafka/messages/92-delete-share-group-offsets.ts';
import { mustBeEmpty } from './91-alter-share-group-offsets.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function deleteShareGroupOffsets(ports: Ports) {
  const { image, shareStore, shares } = ports;
  const forget = async (groupId: string, topicName: string) => {
    const topic = image.topic(topicName);
    const answer = (error: ErrorName) => ({
      topicName,
      topicId: topic?.id ?? ZERO_UUID,
      errorCode: codeOf(error),
      errorMessage: null,
    });
    if (topic === null) return answer('UNKNOWN_TOPIC_OR_PARTITION');
    for (const line of topic.partitions) {
      if (line === undefined) continue;
      const key = { groupId, topicId: topic.id, partition: line.partition };
      const error = await shareStore.write(key, line.leaderEpoch, null);
      if (error !== 'NONE') return answer(error);
    }
    return answer('NONE');
  };
  return api({
    key: 92,
    name: 'DeleteShareGroupOffsets',
    request: deleteShareGroupOffsetsRequest,
    response: deleteShareGroupOffsetsResponse,
    async handle({ groupId, topics }) {
      mustBeEmpty(ports, groupId);
      const responses = [];
      for (const { topicName } of topics) responses.push(await forget(groupId, topicName));
      shares.forget(groupId);
      return { errorCode: 0, errorMessage: null, responses };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), errorMessage: null }),
  });
}
