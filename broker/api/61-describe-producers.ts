/** DescribeProducers (61). The producers that a partition's leader remembers (KIP-664). */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  describeProducersRequest,
  describeProducersResponse,
} from '../../proto/kafka/messages/61-describe-producers.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function describeProducers({ image, partition: partitionOf }: Ports) {
  const describe = (name: string, partitionIndex: number) => {
    const topic = image.topic(name);
    const failed = (error: ErrorName) => ({ partitionIndex, errorCode: codeOf(error) });
    if (topic === null || topic.partitions[partitionIndex] === undefined)
      return failed('UNKNOWN_TOPIC_OR_PARTITION');
    const partition = partitionOf(topic.id, partitionIndex);
    if (partition === null || partition.role.kind === 'offline')
      return failed('NOT_LEADER_OR_FOLLOWER');
    const activeProducers = [...partition.log.producers.entries()].map(
      ([producerId, producer]) => ({
        producerId,
        producerEpoch: producer.epoch,
        lastSequence: producer.batches.at(-1)?.lastSequence ?? -1,
        lastTimestamp: producer.lastTimestampMs,
        coordinatorEpoch: producer.coordinatorEpoch,
        currentTxnStartOffset: producer.txnFirstOffset,
      }),
    );
    return { partitionIndex, errorCode: 0, activeProducers };
  };
  return api({
    key: 61,
    name: 'DescribeProducers',
    request: describeProducersRequest,
    response: describeProducersResponse,
    handle: ({ topics }) => ({
      topics: topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((index) => describe(name, index)),
      })),
    }),
    failed: ({ topics }, error) => ({
      topics: topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((partitionIndex) => ({
          partitionIndex,
          errorCode: codeOf(error),
        })),
      })),
    }),
  });
}
