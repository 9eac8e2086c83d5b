/** CreatePartitions (37): a topic can grow, not shrink. */
import { codeOf, KafkaError } from '../../proto/kafka/errors.ts';
import {
  type CreatePartitionsRequest,
  createPartitionsRequest,
  createPartitionsResponse,
} from '../../proto/kafka/messages/37-create-partitions.ts';
import { mapSomeAtOnce, Pace } from '../../stdx/loop-share.ts';
import { MUTATION_QUOTA, PARTITIONS_MAX, TOO_MANY, TOPICS_AT_ONCE } from './19-create-topics.ts';
import { api, type RequestContext } from './handler.ts';
import type { Ports } from './ports.ts';
import { namedOnce } from './repeats.ts';

export function createPartitions(ports: Ports) {
  /** New partitions of all topics of a request together. */
  const newIn = ({ topics }: CreatePartitionsRequest) =>
    topics.reduce((sum, { name, count }) => {
      const current = ports.image.topic(name)?.partitions.length ?? count;
      return sum + Math.max(count - current, 0);
    }, 0);
  const grow = async (
    { name, count, assignments }: CreatePartitionsRequest['topics'][number],
    request: CreatePartitionsRequest,
    isTooMany: boolean,
    { admitMutations, apiVersion }: RequestContext,
  ) => {
    try {
      const topic = ports.image.topic(name);
      const object = ports.image.topicObjectNamed(name);
      if (topic === null || object === null)
        throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `topic ${name} is unknown`);
      const current = topic.partitions.length;
      if (count <= current)
        throw new KafkaError(
          'INVALID_PARTITIONS',
          `topic ${name} has ${current} partitions, the new number must be higher`,
        );
      if (isTooMany) throw new KafkaError(...TOO_MANY);
      let all: number[][] | null = null;
      if (assignments !== null) {
        if (assignments.length !== count - current)
          throw new KafkaError(
            'INVALID_REPLICA_ASSIGNMENT',
            'there must be one assignment for every new partition',
          );
        const known = assignments.every(
          ({ brokerIds }) =>
            brokerIds.length > 0 && brokerIds.every((id) => ports.image.broker(id) !== null),
        );
        if (!known)
          throw new KafkaError(
            'INVALID_REPLICA_ASSIGNMENT',
            'an assignment must name existing brokers',
          );
        all = [
          ...topic.partitions.map(({ replicas }) => [...replicas]),
          ...assignments.map(({ brokerIds }) => [...brokerIds]),
        ];
      }
      if (!request.validateOnly) {
        if (!admitMutations(count - current, apiVersion >= 3))
          throw new KafkaError('THROTTLING_QUOTA_EXCEEDED', MUTATION_QUOTA);
        await ports.admin.setPartitions(object, count, all);
        await ports.admin.waitForPartitions(object, count, request.timeoutMs);
      }
      return { name, errorCode: 0, errorMessage: null };
    } catch (cause) {
      if (!(cause instanceof KafkaError)) throw cause;
      return { name, errorCode: cause.errorCode, errorMessage: cause.message };
    }
  };
  return api({
    key: 37,
    name: 'CreatePartitions',
    request: createPartitionsRequest,
    response: createPartitionsResponse,
    async handle(request, context) {
      const isTooMany = newIn(request) > PARTITIONS_MAX;
      const pace = new Pace(ports.turn.share, context.connection);
      const results = await mapSomeAtOnce(
        pace,
        await namedOnce(pace, request.topics, ({ name }) => name),
        TOPICS_AT_ONCE,
        async ({ again, item: topic }) => {
          const errorMessage = 'a topic must be named once';
          if (again)
            return { name: topic.name, errorCode: codeOf('INVALID_REQUEST'), errorMessage };
          return grow(topic, request, isTooMany, context);
        },
      );
      return { results };
    },
    failed: ({ topics }, error) => ({
      results: topics.map(({ name }) => ({ name, errorCode: codeOf(error) })),
    }),
  });
}
