/** DeleteTopics (20). v6 by topic id. */
import { ZERO_UUID } from '../../proto/kafka/cursor.ts';
import { codeOf, type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import {
  deleteTopicsRequest,
  deleteTopicsResponse,
} from '../../proto/kafka/messages/20-delete-topics.ts';
import { mapSomeAtOnce, Pace } from '../../stdx/loop-share.ts';
import { MUTATION_QUOTA, TOPICS_AT_ONCE } from './19-create-topics.ts';
import { api, type RequestContext } from './handler.ts';
import type { Ports } from './ports.ts';
import { namedOnce } from './repeats.ts';

export function deleteTopics(ports: Ports) {
  const remove = async (
    asked: { name: string | null; topicId: string },
    timeoutMs: number,
    { admitMutations, apiVersion }: RequestContext,
  ) => {
    const byId = asked.name === null;
    const known =
      asked.name === null ? ports.image.topicById(asked.topicId) : ports.image.topic(asked.name);
    const answer = { name: known?.name ?? asked.name, topicId: known?.id ?? asked.topicId };
    const failure = (error: ErrorName, errorMessage: string | null) => ({
      ...answer,
      errorCode: codeOf(error),
      errorMessage,
    });
    try {
      if (!ports.config.flag('delete.topic.enable'))
        throw new KafkaError('TOPIC_DELETION_DISABLED', 'delete.topic.enable is false');
      if (asked.name !== null && asked.topicId !== ZERO_UUID)
        throw new KafkaError('INVALID_REQUEST', 'a topic must be named or given by id, not both');
      if (known === null)
        throw new KafkaError(
          byId ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION',
          'the topic is unknown',
        );
      if (!admitMutations(known.partitions.length, apiVersion >= 5))
        throw new KafkaError('THROTTLING_QUOTA_EXCEEDED', MUTATION_QUOTA);
      await ports.admin.delete(known.id);
      await ports.admin.waitUntilGone(known.id, timeoutMs);
      return { ...answer, errorCode: 0 };
    } catch (cause) {
      if (!(cause instanceof KafkaError)) throw cause;
      return failure(cause.error, cause.message);
    }
  };
  return api({
    key: 20,
    name: 'DeleteTopics',
    request: deleteTopicsRequest,
    response: deleteTopicsResponse,
    async handle({ topics, topicNames, timeoutMs }, context) {
      const { apiVersion } = context;
      const asked =
        apiVersion >= 6 ? topics : topicNames.map((name) => ({ name, topicId: ZERO_UUID }));
      const pace = new Pace(ports.turn.share, context.connection);
      const responses = await mapSomeAtOnce(
        pace,
        await namedOnce(pace, asked, ({ name, topicId }) => name ?? topicId),
        TOPICS_AT_ONCE,
        async ({ again, item }) =>
          again
            ? {
                ...item,
                errorCode: codeOf('INVALID_REQUEST'),
                errorMessage: 'a topic must be named once',
              }
            : remove(item, timeoutMs, context),
      );
      return { responses };
    },
    failed: ({ topics, topicNames }, error) => ({
      responses: [...topics, ...topicNames.map((name) => ({ name, topicId: ZERO_UUID }))].map(
        (topic) => ({ ...topic, errorCode: codeOf(error) }),
      ),
    }),
  });
}
