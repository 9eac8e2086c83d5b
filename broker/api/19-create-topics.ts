/**
 * CreateTopics (19). v4 defaults by -1 (KIP-464); v5 returns the configuration; v6 quotas (KIP-599);
 * v7 the topic id.
 */

import { topicIdOf } from '../../kube/kafka-objects.ts';
import { codeOf, type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import {
  type CreateTopicsRequest,
  createTopicsRequest,
  createTopicsResponse,
} from '../../proto/kafka/messages/19-create-topics.ts';
import { mapSomeAtOnce, Pace } from '../../stdx/loop-share.ts';
import { topicConfigFault } from '../config/faults.ts';
import type { NewTopic } from '../metadata/topic-admin.ts';
import { topicNameFault } from '../metadata/topic-plan-core.ts';
import { api, type RequestContext } from './handler.ts';
import type { Ports } from './ports.ts';
import { namedOnce } from './repeats.ts';
import { type TopicConfigView, topicConfigView } from './topic-config-answers.ts';

/** Kafka's own limit for one request. */
export const PARTITIONS_MAX = 10_000;

/** Of one request; the others wait for them. */
export const TOPICS_AT_ONCE = 100;

/** What a client hears that changes topics faster than it may. */
export const MUTATION_QUOTA =
  'the client is over its controller_mutation_rate: it must wait for the throttle time';

/** What every topic of a request hears that asks for more than that, all topics together. */
export const TOO_MANY = [
  'POLICY_VIOLATION',
  `one request must not ask for more than ${PARTITIONS_MAX} partitions`,
] as const;

/** Partitions that a request asks for. */
function partitionsIn({ topics }: CreateTopicsRequest, preset: number): number {
  let sum = 0;
  for (const { assignments, numPartitions } of topics) {
    if (assignments.length > 0) sum += assignments.length;
    else sum += Math.max(numPartitions === -1 ? preset : numPartitions, 0);
  }
  return sum;
}

type Asked = CreateTopicsRequest['topics'][number];

/** The topic that is asked for, checked. @throws KafkaError */
export function wantedTopic(
  ports: Ports,
  asked: Asked,
): NewTopic & { partitions: number; replicas: number } {
  const nameFault = topicNameFault(asked.name);
  if (nameFault !== null) throw new KafkaError('INVALID_TOPIC_EXCEPTION', nameFault);
  const config: Record<string, string> = {};
  for (const { name, value } of asked.configs) {
    if (value === null) throw new KafkaError('INVALID_CONFIG', `${name} must have a value`);
    const fault = topicConfigFault(name, value);
    if (fault !== null) throw new KafkaError('INVALID_CONFIG', fault);
    config[name] = value;
  }
  if (asked.assignments.length > 0) return { name: asked.name, config, ...assigned(ports, asked) };
  const partitions =
    asked.numPartitions === -1 ? ports.config.number('num.partitions') : asked.numPartitions;
  const replicas =
    asked.replicationFactor === -1
      ? ports.config.number('default.replication.factor')
      : asked.replicationFactor;
  if (partitions < 1)
    throw new KafkaError('INVALID_PARTITIONS', 'the number of partitions must be at least 1');
  if (partitions > PARTITIONS_MAX) throw new KafkaError(...TOO_MANY);
  if (replicas < 1)
    throw new KafkaError('INVALID_REPLICATION_FACTOR', 'the replication factor must be at least 1');
  const brokers = ports.image.stayingBrokers().length;
  if (replicas > brokers) {
    throw new KafkaError(
      'INVALID_REPLICATION_FACTOR',
      `the replication factor must not exceed the ${brokers} registered brokers, it is ${replicas}`,
    );
  }
  return { name: asked.name, config, partitions, replicas };
}

function assigned(
  ports: Ports,
  asked: Asked,
): { partitions: number; replicas: number; assignments: number[][] } {
  if (asked.numPartitions !== -1 || asked.replicationFactor !== -1) {
    throw new KafkaError(
      'INVALID_REQUEST',
      'partitions and replication factor must be -1 where an assignment is given',
    );
  }
  const assignments = [...asked.assignments].sort((a, b) => a.partitionIndex - b.partitionIndex);
  const width = assignments[0]?.brokerIds.length ?? 0;
  for (const [i, { partitionIndex, brokerIds }] of assignments.entries()) {
    const known = brokerIds.every((id) => ports.image.broker(id) !== null);
    if (
      partitionIndex !== i ||
      brokerIds.length !== width ||
      width === 0 ||
      !known ||
      new Set(brokerIds).size !== width
    ) {
      throw new KafkaError(
        'INVALID_REPLICA_ASSIGNMENT',
        'an assignment must name partitions 0, 1, … and as many distinct, existing brokers for each',
      );
    }
  }
  return {
    partitions: assignments.length,
    replicas: width,
    assignments: assignments.map(({ brokerIds }) => [...brokerIds]),
  };
}

export function createTopics(ports: Ports) {
  const create = async (
    asked: Asked,
    request: CreateTopicsRequest,
    describe: TopicConfigView,
    { admitMutations, apiVersion }: RequestContext,
  ) => {
    try {
      const topic = wantedTopic(ports, asked);
      const described = {
        name: asked.name,
        errorCode: 0,
        errorMessage: null,
        numPartitions: topic.partitions,
        replicationFactor: topic.replicas,
        configs: describe(topic.config, null),
      };
      await ports.admin.refuseExisting(asked.name);
      if (request.validateOnly) return described;
      if (!admitMutations(topic.partitions, apiVersion >= 6))
        throw new KafkaError('THROTTLING_QUOTA_EXCEEDED', MUTATION_QUOTA);
      const object = await ports.admin.create(topic, request.timeoutMs);
      await ports.admin.waitForPartitions(object, topic.partitions, request.timeoutMs);
      return { ...described, topicId: topicIdOf(object) };
    } catch (cause) {
      if (!(cause instanceof KafkaError)) throw cause;
      return failure(asked.name, cause.error, cause.message);
    }
  };
  const failure = (name: string, error: ErrorName, errorMessage: string | null = null) => ({
    name,
    errorCode: codeOf(error),
    errorMessage,
    configs: [],
  });

  return api({
    key: 19,
    name: 'CreateTopics',
    request: createTopicsRequest,
    response: createTopicsResponse,
    async handle(request, context) {
      const pace = new Pace(ports.turn.share, context.connection);
      const asked = await namedOnce(pace, request.topics, ({ name }) => name);
      if (partitionsIn(request, ports.config.number('num.partitions')) > PARTITIONS_MAX)
        return { topics: asked.map(({ item }) => failure(item.name, ...TOO_MANY)) };
      const shown = { synonyms: false, documentation: false };
      const view = topicConfigView(ports.image.clusterConfig, shown);
      const topics = await mapSomeAtOnce(pace, asked, TOPICS_AT_ONCE, async ({ again, item }) =>
        again
          ? failure(item.name, 'INVALID_REQUEST', 'a topic must be named once')
          : create(item, request, view, context),
      );
      return { topics };
    },
    failed: ({ topics }, error) => ({ topics: topics.map(({ name }) => failure(name, error)) }),
  });
}
