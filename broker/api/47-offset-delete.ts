/** OffsetDelete (47). Committed offsets of topics that no member is subscribed to (KIP-496). */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  offsetDeleteRequest,
  offsetDeleteResponse,
} from '../../proto/kafka/messages/47-offset-delete.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function offsetDelete({ groups, image }: Ports) {
  return api({
    key: 47,
    name: 'OffsetDelete',
    request: offsetDeleteRequest,
    response: offsetDeleteResponse,
    async handle({ groupId, topics }) {
      const wanted = topics.flatMap(({ name, partitions }) =>
        partitions.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
      );
      const exists = ({ topic, partition }: { topic: string; partition: number }) =>
        image.topic(topic)?.partitions[partition] !== undefined;
      const known = wanted.filter(exists);
      const errors = await groups.deleteOffsets(groupId, known);
      const errorOf = new Map<string, ErrorName>(
        known.map(({ topic, partition }, i) => [`${topic}:${partition}`, errors[i] ?? 'NONE']),
      );
      return {
        errorCode: 0,
        topics: topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex }) => ({
            partitionIndex,
            errorCode: codeOf(
              errorOf.get(`${name}:${partitionIndex}`) ?? 'UNKNOWN_TOPIC_OR_PARTITION',
            ),
          })),
        })),
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
