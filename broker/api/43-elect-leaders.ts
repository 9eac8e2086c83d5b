/** ElectLeaders (43). The preferred replica, or any where nobody else is left (KIP-460). */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  electLeadersRequest,
  electLeadersResponse,
} from '../../proto/kafka/messages/43-elect-leaders.ts';
import { Pace } from '../../stdx/loop-share.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';
import { distinct } from './repeats.ts';

const UNCLEAN = 1;

function refuseAll(
  topics: readonly { topic: string; partitions: readonly number[] }[],
  why: string,
) {
  const errorCode = codeOf('INVALID_REQUEST');
  return {
    errorCode,
    replicaElectionResults: topics.map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map((partitionId) => ({
        partitionId,
        errorCode,
        errorMessage: why,
      })),
    })),
  };
}

export function electLeaders({ image, changePartitions, turn }: Ports) {
  return api({
    key: 43,
    name: 'ElectLeaders',
    request: electLeadersRequest,
    response: electLeadersResponse,
    async handle({ electionType, topicPartitions, timeoutMs }, { connection }) {
      const pace = new Pace(turn.share, connection);
      if (electionType !== 0 && electionType !== UNCLEAN)
        return refuseAll(topicPartitions ?? [], `election type ${electionType} is unknown`);
      const all = image.topics().map(({ name, partitions }) => ({
        topic: name,
        partitions: partitions.flatMap((line) => (line === undefined ? [] : [line.partition])),
      }));
      const wanted = await distinct(
        pace,
        (topicPartitions ?? all).flatMap(({ topic, partitions }) =>
          partitions.map((partition) => ({ topic, partition })),
        ),
        ({ topic, partition }) => `${topic}:${partition}`,
      );
      const known = wanted.filter(
        ({ topic, partition }) => image.topic(topic)?.partitions[partition] !== undefined,
      );
      const outcomes = await changePartitions(
        known.map(({ topic, partition }) => ({
          topicId: image.topic(topic)?.id ?? '',
          partition,
          kind: 'elect',
          unclean: electionType === UNCLEAN,
        })),
        timeoutMs,
      );
      const byPartition = new Map(
        known.map(({ topic, partition }, i) => [`${topic}:${partition}`, outcomes[i]]),
      );
      const topics = new Map<
        string,
        { partitionId: number; errorCode: number; errorMessage: string | null }[]
      >();
      for (const { topic, partition } of wanted) {
        const outcome = byPartition.get(`${topic}:${partition}`) ?? {
          error: 'UNKNOWN_TOPIC_OR_PARTITION' as const,
          message: 'the partition is unknown',
        };
        // Who asks for everything wants to hear of those that changed or failed.
        if (topicPartitions === null && outcome.error === 'ELECTION_NOT_NEEDED') continue;
        const results = topics.get(topic) ?? [];
        topics.set(topic, results);
        results.push({
          partitionId: partition,
          errorCode: codeOf(outcome.error),
          errorMessage: outcome.message,
        });
      }
      return {
        errorCode: 0,
        replicaElectionResults: [...topics].map(([topic, partitionResult]) => ({
          topic,
          partitionResult,
        })),
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
