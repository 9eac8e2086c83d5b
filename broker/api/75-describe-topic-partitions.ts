/** DescribeTopicPartitions (75): topics in order of name, a page at a time, with the ELR (KIP-966). */
import { ZERO_UUID } from '../../proto/kafka/cursor.ts';
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  describeTopicPartitionsRequest,
  describeTopicPartitionsResponse,
} from '../../proto/kafka/messages/75-describe-topic-partitions.ts';
import { describePartition } from './03-metadata.ts';
import { api } from './handler.ts';
import { INTERNAL_TOPICS, type Ports } from './ports.ts';

const PARTITIONS_MAX = 2000;

/** Everything that can be done with a topic, as bits (KIP-430): nobody is kept from anything here. */
const TOPIC_OPERATIONS = 3576;

export function describeTopicPartitions(ports: Ports) {
  const { image } = ports;
  return api({
    key: 75,
    name: 'DescribeTopicPartitions',
    request: describeTopicPartitionsRequest,
    response: describeTopicPartitionsResponse,
    handle({ topics, responsePartitionLimit, cursor }) {
      const names =
        topics.length > 0 ? topics.map(({ name }) => name) : image.topics().map(({ name }) => name);
      const from = [...new Set(names)]
        .sort()
        .filter((name) => cursor === null || name >= cursor.topicName);
      let left = Math.max(1, Math.min(responsePartitionLimit, PARTITIONS_MAX));
      const described = [];
      for (const name of from) {
        const topic = image.topic(name);
        const start = cursor !== null && cursor.topicName === name ? cursor.partitionIndex : 0;
        if (left === 0)
          return { topics: described, nextCursor: { topicName: name, partitionIndex: 0 } };
        if (topic === null) {
          described.push({
            errorCode: codeOf('UNKNOWN_TOPIC_OR_PARTITION'),
            name,
            topicId: ZERO_UUID,
            partitions: [],
            topicAuthorizedOperations: TOPIC_OPERATIONS,
          });
          continue;
        }
        const all = topic.partitions.filter(
          (line) => line !== undefined && line.partition >= start,
        );
        const partitions = all.slice(0, left).map((line) => describePartition(ports, line));
        left -= partitions.length;
        described.push({
          errorCode: 0,
          name,
          topicId: topic.id,
          isInternal: INTERNAL_TOPICS.has(name),
          partitions,
          topicAuthorizedOperations: TOPIC_OPERATIONS,
        });
        if (partitions.length < all.length) {
          return {
            topics: described,
            nextCursor: { topicName: name, partitionIndex: start + partitions.length },
          };
        }
      }
      return { topics: described, nextCursor: null };
    },
    failed: ({ topics }, error) => ({
      topics: topics.map(({ name }) => ({
        errorCode: codeOf(error),
        name,
        topicId: ZERO_UUID,
        partitions: [],
      })),
    }),
  });
}
