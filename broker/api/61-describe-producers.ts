/** DescribeProducers (61). The producers that a partition's leader remembers (KIP-664). */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  describeProducersRequest,
  describeProducersResponse,
} from '../../proto/kafka/messages/61-describe-producers.ts';
import { mapInTurns, Pace } from '../../stdx/loop-share.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';
import { distinct } from './repeats.ts';

export function describeProducers({ image, partition: partitionOf, turn }: Ports) {
  const describe = async (pace: Pace, name: string, partitionIndex: number) => {
    const topic = image.topic(name);
    const failed = (error: ErrorName) => ({ partitionIndex, errorCode: codeOf(error) });
    if (topic === null || topic.partitions[partitionIndex] === undefined)
      return failed('UNKNOWN_TOPIC_OR_PARTITION');
    const partition = partitionOf(topic.id, partitionIndex);
    if (partition === null || partition.role.kind === 'offline')
      return failed('NOT_LEADER_OR_FOLLOWER');
    const activeProducers = await mapInTurns(
      pace,
      [...partition.log.producers.entries()],
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
    async handle({ topics }, { connection }) {
      const pace = new Pace(turn.share, connection);
      const asked = await distinct(pace, topics, ({ name }) => name);
      const described = await mapInTurns(pace, asked, async ({ name, partitionIndexes }) => ({
        name,
        partitions: await mapInTurns(pace, new Set(partitionIndexes), (index) =>
          describe(pace, name, index),
        ),
      }));
      return { topics: described };
    },
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
