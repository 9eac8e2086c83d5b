/**
 * Metadata (3). v0 an empty list means all topics, later null does; v4 may create topics (KIP-204);
 * v10/12 topic ids; v13 a top-level error. Asking by name creates where both sides allow it.
 */
import type { PartitionLine } from '../../kube/partition-line.ts';
import { ZERO_UUID } from '../../proto/kafka/cursor.ts';
import { codeOf, type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import { metadataRequest, metadataResponse } from '../../proto/kafka/messages/03-metadata.ts';
import { mapInTurns, Pace } from '../../stdx/loop-share.ts';
import type { TopicImage } from '../metadata/image.ts';
import { topicNameFault } from '../metadata/topic-plan-core.ts';
import { api } from './handler.ts';
import { controllerFor, endpointOf, INTERNAL_TOPICS, type Ports } from './ports.ts';
import { distinct } from './repeats.ts';

/** A partition as it is told to clients. */
export function describePartition(ports: Ports, line: PartitionLine) {
  const offline = line.replicas.filter((id) => {
    const broker = ports.image.broker(id);
    return broker === null || broker.fenced;
  });
  return {
    errorCode: line.leader === null ? codeOf('LEADER_NOT_AVAILABLE') : 0,
    partitionIndex: line.partition,
    leaderId: line.leader?.id ?? -1,
    leaderEpoch: line.leaderEpoch,
    replicaNodes: [...line.replicas],
    isrNodes: line.isr.map(({ id }) => id),
    offlineReplicas: offline,
    eligibleLeaderReplicas: line.elr.map(({ id }) => id),
    lastKnownElr: [],
  };
}

/** Creates a topic that was asked for by name; what is told meanwhile is retriable. */
function autoCreate(ports: Ports, name: string): ErrorName {
  const fault = topicNameFault(name);
  if (fault !== null) return 'INVALID_TOPIC_EXCEPTION';
  if (ports.image.topicObjectNamed(name) === null) {
    const wanted = ports.config.number('default.replication.factor');
    const replicas = Math.min(wanted, ports.image.brokersInSpec() ?? wanted);
    // As in Kafka the client asks again until there are brokers enough.
    if (replicas > ports.image.stayingBrokers().length) return 'LEADER_NOT_AVAILABLE';
    const partitions = ports.config.number('num.partitions');
    ports.admin.create({ name, partitions, replicas, config: {} }).catch((cause: unknown) => {
      if (!(cause instanceof KafkaError)) throw cause;
    });
  }
  return 'LEADER_NOT_AVAILABLE';
}

export function metadata(ports: Ports) {
  const { image } = ports;
  return api({
    key: 3,
    name: 'Metadata',
    request: metadataRequest,
    response: metadataResponse,
    async handle({ topics, allowAutoTopicCreation }, { apiVersion, connection, listener }) {
      const pace = new Pace(ports.turn.share, connection);
      const describe = async (topic: TopicImage) => ({
        errorCode: 0,
        name: topic.name,
        topicId: topic.id,
        isInternal: INTERNAL_TOPICS.has(topic.name),
        partitions: await mapInTurns(
          pace,
          topic.partitions.filter((line) => line !== undefined),
          (line) => describePartition(ports, line),
        ),
      });
      const all = topics === null || (apiVersion === 0 && topics.length === 0);
      const mayCreate = allowAutoTopicCreation && ports.config.flag('auto.create.topics.enable');
      const answer = async ({ name, topicId }: { name: string | null; topicId: string }) => {
        if (name === null || (name === '' && topicId !== ZERO_UUID)) {
          const topic = image.topicById(topicId);
          return topic === null
            ? {
                errorCode: codeOf('UNKNOWN_TOPIC_ID'),
                name: apiVersion >= 12 ? null : '',
                topicId,
                partitions: [],
              }
            : describe(topic);
        }
        const topic = image.topic(name);
        if (topic !== null) return describe(topic);
        const error =
          topicNameFault(name) !== null
            ? 'INVALID_TOPIC_EXCEPTION'
            : mayCreate
              ? autoCreate(ports, name)
              : 'UNKNOWN_TOPIC_OR_PARTITION';
        return { errorCode: codeOf(error), name, topicId: ZERO_UUID, partitions: [] };
      };
      const asked = await distinct(pace, topics ?? [], ({ name, topicId }) => name || topicId);
      const described = all
        ? await mapInTurns(pace, image.topics(), describe)
        : await mapInTurns(pace, asked, answer);
      return {
        brokers: image.liveBrokers().map((broker) => endpointOf(ports, broker, listener)),
        clusterId: image.clusterId,
        controllerId: controllerFor(ports),
        topics: described,
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), brokers: [], topics: [] }),
  });
}
