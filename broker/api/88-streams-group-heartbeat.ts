/**
 * StreamsGroupHeartbeat (88). Threads of a Kafka Streams application report and hear which tasks to
 * run; its internal topics are made here (KIP-1071). v1: the status of missing client tags.
 */
import { codeOf, KafkaError } from '../../proto/kafka/errors.ts';
import {
  streamsGroupHeartbeatRequest,
  streamsGroupHeartbeatResponse,
} from '../../proto/kafka/messages/88-streams-group-heartbeat.ts';
import type { Assignment } from '../coordinator/assignment.ts';
import { listsOf, tasksOf } from '../coordinator/streams-tasks.ts';
import { type InternalTopic, STATUS, type Status } from '../coordinator/streams-topology-core.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

/** Makes internal topics, and remembers why one could not be made for whoever asks next. */
class InternalTopicMaker {
  private readonly ports: Ports;
  private readonly creating = new Set<string>();
  private readonly failures = new Map<string, string>();

  constructor(ports: Ports) {
    this.ports = ports;
  }

  make(topics: readonly InternalTopic[]): void {
    const { admin, config, image } = this.ports;
    for (const { name, partitions, replicationFactor, topicConfigs } of topics) {
      if (this.creating.has(name) || image.topicObjectNamed(name) !== null) continue;
      this.creating.add(name);
      const wanted = replicationFactor || config.number('default.replication.factor');
      const replicas = Math.min(wanted, Math.max(image.liveBrokers().length, 1));
      const settings = Object.fromEntries(topicConfigs.map(({ key, value }) => [key, value]));
      admin
        .create({ name, partitions, replicas, config: settings })
        .then(() => this.failures.delete(name))
        .catch((cause: unknown) => {
          if (!(cause instanceof KafkaError)) throw cause;
          if (cause.error !== 'TOPIC_ALREADY_EXISTS') this.failures.set(name, cause.message);
        })
        .finally(() => this.creating.delete(name));
    }
  }

  /** The status of missing topics says what stands in the way, once it is known. */
  explain(status: readonly Status[], topics: readonly InternalTopic[]): Status[] {
    const why = topics.flatMap(({ name }) => {
      const message = this.failures.get(name);
      this.failures.delete(name);
      return message === undefined ? [] : [`${name} (${message})`];
    });
    if (why.length === 0) return [...status];
    return status.map((one) =>
      one.statusCode === STATUS.missingInternalTopics
        ? { ...one, statusDetail: `${one.statusDetail}; creation failed: ${why.join(', ')}` }
        : one,
    );
  }
}

const topicPartitions = (byTopic: Assignment) =>
  [...byTopic].map(([topic, partitions]) => ({
    topic,
    partitions: [...partitions].sort((a, b) => a - b),
  }));

export function streamsGroupHeartbeat(ports: Ports) {
  const { groups, groupSetting } = ports;
  const topicMaker = new InternalTopicMaker(ports);
  return api({
    key: 88,
    name: 'StreamsGroupHeartbeat',
    request: streamsGroupHeartbeatRequest,
    response: streamsGroupHeartbeatResponse,
    async handle(request, { apiVersion, clientId, peer }) {
      const { activeTasks, groupId, memberId, standbyTasks, warmupTasks } = request;
      const saysWhat = activeTasks !== null || standbyTasks !== null || warmupTasks !== null;
      const answer = await groups.streamsHeartbeat({
        groupId,
        memberId,
        memberEpoch: request.memberEpoch,
        endpointEpoch: request.endpointInformationEpoch,
        instanceId: request.instanceId,
        rackId: request.rackId,
        clientId: clientId ?? '',
        clientHost: `/${peer}`,
        rebalanceTimeoutMs: request.rebalanceTimeoutMs,
        topology: request.topology,
        owned: saysWhat
          ? tasksOf({
              active: activeTasks ?? [],
              standby: standbyTasks ?? [],
              warmup: warmupTasks ?? [],
            })
          : null,
        processId: request.processId,
        userEndpoint: request.userEndpoint,
        clientTags: request.clientTags,
        taskOffsets: request.taskOffsets,
        taskEndOffsets: request.taskEndOffsets,
        shutdownApplication: request.shutdownApplication,
        knowsMissingTags: apiVersion >= 1,
      });
      const { assignment, endpoints, error, memberEpoch, message, topicsToCreate } = answer;
      if (error !== 'NONE') return { errorCode: codeOf(error), errorMessage: message, status: [] };
      if (memberEpoch < 0) return { memberId, memberEpoch, status: [] };
      topicMaker.make(topicsToCreate);
      const lists = assignment === null ? null : listsOf(assignment);
      const recoveryLag = Number(groupSetting(groupId, 'streams.acceptable.recovery.lag'));
      return {
        errorCode: 0,
        memberId,
        memberEpoch,
        heartbeatIntervalMs: Number(groupSetting(groupId, 'streams.heartbeat.interval.ms')),
        taskOffsetIntervalMs: Number(groupSetting(groupId, 'streams.task.offset.interval.ms')),
        acceptableRecoveryLag: recoveryLag,
        status: topicMaker.explain(answer.status, topicsToCreate),
        activeTasks: lists && lists.active,
        standbyTasks: lists && lists.standby,
        warmupTasks: lists && lists.warmup,
        endpointInformationEpoch: answer.endpointEpoch,
        partitionsByUserEndpoint:
          endpoints?.map(({ active, standby, userEndpoint }) => ({
            userEndpoint,
            activePartitions: topicPartitions(active),
            standbyPartitions: topicPartitions(standby),
          })) ?? null,
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), errorMessage: null, status: [] }),
  });
}
