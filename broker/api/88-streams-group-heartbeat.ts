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
import { wantedTopic } from './19-create-topics.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

/** Of names that clients made up and never ask for again. */
const FAILURES_MAX = 1000;

/** Makes internal topics, and remembers why one could not be made for whoever asks next. */
class InternalTopicMaker {
  private readonly ports: Ports;
  private readonly creating = new Set<string>();
  private readonly failures = new Map<string, string>();

  constructor(ports: Ports) {
    this.ports = ports;
  }

  make(topics: readonly InternalTopic[]): void {
    for (const topic of topics) {
      const { name } = topic;
      if (this.creating.has(name) || this.ports.image.topicObjectNamed(name) !== null) continue;
      this.creating.add(name);
      void this.create(topic)
        .then((failure) => this.remember(name, failure))
        .finally(() => this.creating.delete(name));
    }
  }

  /** Held to the same rules as what CreateTopics is asked for. Null: it is made, or why it is not. */
  private async create(topic: InternalTopic): Promise<string | null> {
    const { name, partitions, replicationFactor, topicConfigs } = topic;
    try {
      const wanted = wantedTopic(this.ports, {
        name,
        numPartitions: partitions,
        replicationFactor: replicationFactor === 0 ? -1 : replicationFactor,
        assignments: [],
        configs: topicConfigs.map(({ key, value }) => ({ name: key, value })),
      });
      await this.ports.admin.create(wanted);
      return null;
    } catch (cause) {
      if (!(cause instanceof KafkaError)) throw cause;
      return cause.error === 'TOPIC_ALREADY_EXISTS' ? null : cause.message;
    }
  }

  private remember(name: string, failure: string | null): void {
    if (failure === null) return void this.failures.delete(name);
    if (this.failures.size >= FAILURES_MAX) this.failures.clear();
    this.failures.set(name, failure);
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
    urgent: true,
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
