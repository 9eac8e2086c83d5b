/**
 * What admin clients ask for, done to the objects that hold it: a topic made by a Kafka client is
 * a KafkaTopic like any other.
 */
import { createHash } from 'node:crypto';
import {
  API_VERSION,
  CLUSTER_LABEL,
  type ClientQuota,
  type ConfigMapOf,
  type KafkaCluster,
  type KafkaTopic,
  kafkaBrokers,
  kafkaClusters,
  kafkaTopics,
  TOPIC_FINALIZER,
  topicIdOf,
} from '../../kube/kafka-objects.ts';
import { isKubeError, type KubeApi, KubeError, KubeUnreachable } from '../../kube/port.ts';
import { KafkaError } from '../../proto/kafka/errors.ts';
import { type Clock, sleep } from '../../stdx/clock.ts';
import {
  ASSIGNED_REPLICAS_MAX,
  type ClientParts,
  changed,
  clusterRoomFault,
  nameRoomFault,
  topicRoomFault,
  valueRoomFault,
} from './client-room-core.ts';
import type { MetadataImage } from './image.ts';
import type { Metadata } from './metadata.ts';

export interface NewTopic {
  readonly name: string;
  readonly partitions?: number;
  readonly replicas?: number;
  readonly assignments?: readonly (readonly number[])[];
  readonly config: ConfigMapOf;
}

export interface TopicAdminDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly metadata: Metadata;
  readonly namespace: string;
  readonly cluster: string;
}

const CHANGE_ATTEMPTS = 5;

/** Null removes a key. */
export type ConfigChanges = Readonly<Record<string, string | null>>;

/** The object name for a Kafka topic name: itself where Kubernetes allows it, else derived. */
export function objectNameFor(topic: string): string {
  if (/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(topic) && !topic.includes('..')) return topic;
  const plain = topic
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  const digest = createHash('sha256').update(topic).digest('hex').slice(0, 10);
  return `${plain === '' ? 'topic' : plain.slice(0, 200)}-${digest}`;
}

function asKafkaError(cause: unknown): unknown {
  if (cause instanceof KubeUnreachable)
    return new KafkaError('REQUEST_TIMED_OUT', 'the Kubernetes API does not answer');
  if (!(cause instanceof KubeError)) return cause;
  if (cause.status === 422) return new KafkaError('INVALID_REQUEST', cause.message);
  if (cause.status === 403) return new KafkaError('POLICY_VIOLATION', cause.message);
  // Whatever else the API says, a client's request must not end the broker.
  return new KafkaError('UNKNOWN_SERVER_ERROR', cause.message);
}

/** @throws KafkaError where there is a sentence about what is too large */
function refuse(fault: string | null): void {
  if (fault !== null) throw new KafkaError('POLICY_VIOLATION', fault);
}

function refuseAssignments(assignments: readonly (readonly number[])[]): void {
  const count = assignments.reduce((sum, { length }) => sum + length, 0);
  if (count > ASSIGNED_REPLICAS_MAX)
    refuse(`no more than ${ASSIGNED_REPLICAS_MAX} replicas must be named, they are ${count}`);
}

/** What clients have in a KafkaCluster after a change, and the change as a merge patch of its spec. */
type ClusterChange = (spec: KafkaCluster['spec']) => { parts: ClientParts; spec: object };

/** How long a client waits until it is known which topics there are. */
const UNKNOWN_MS_MAX = 10_000;
const UNKNOWN_LOOK_MS = 50;
const DYING_LOOK_MS = 50;
/** How many names are looked up at a time before a client is told that it exists. */
const LOOKS_MAX = 20;

const asDying = (name: string) => (cause: unknown) => {
  if (!(cause instanceof KafkaError)) throw cause;
  throw new KafkaError('TOPIC_ALREADY_EXISTS', `topic '${name}' is being deleted`);
};

export class TopicAdmin {
  private readonly deps: TopicAdminDeps;
  private looks = 0;

  constructor(deps: TopicAdminDeps) {
    this.deps = deps;
  }

  private get image(): MetadataImage {
    return this.deps.metadata.image;
  }

  /**
   * A topic of that name that is on its way out is waited for: its name is free in a moment.
   * @throws KafkaError
   */
  async create(topic: NewTopic, timeoutMs = 0): Promise<KafkaTopic> {
    const { clock } = this.deps;
    refuse(valueRoomFault(topic.config) ?? topicRoomFault(topic.config));
    refuseAssignments(topic.assignments ?? []);
    await this.untilKnown();
    await this.refuseExisting(topic.name);
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      const made = await this.createOrMeet(topic).catch((cause: unknown) => {
        throw asKafkaError(cause);
      });
      if ('made' in made) return made.made;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0)
        throw new KafkaError('TOPIC_ALREADY_EXISTS', `topic '${topic.name}' is being deleted`);
      // The watch may not have brought it yet.
      await sleep(clock, DYING_LOOK_MS);
      await this.waitUntilGone(made.dyingId, leftMs).catch(asDying(topic.name));
    }
  }

  /**
   * What this broker was told may be late: a topic that it knows may just have been deleted through another one.
   * @throws KafkaError TOPIC_ALREADY_EXISTS
   */
  async refuseExisting(topicName: string): Promise<void> {
    const known = this.image.topicObjectNamed(topicName);
    if (known !== null && (await this.isStill(known)))
      throw new KafkaError('TOPIC_ALREADY_EXISTS', `topic '${topicName}' already exists`);
  }

  /** Where the API does not answer, or is asked much, what is known counts. */
  private async isStill(known: KafkaTopic): Promise<boolean> {
    if (this.looks >= LOOKS_MAX) return true;
    const { api, namespace } = this.deps;
    this.looks++;
    try {
      const current = await api.get(kafkaTopics, namespace, known.metadata.name);
      const { uid, deletionTimestamp } = current?.metadata ?? {};
      return uid === known.metadata.uid && deletionTimestamp === undefined;
    } catch (cause) {
      if (cause instanceof KubeError || cause instanceof KubeUnreachable) return true;
      throw cause;
    } finally {
      this.looks--;
    }
  }

  /** The topic, or the id of the one that still has its name. @throws KafkaError, and what the API throws */
  private async createOrMeet(
    topic: NewTopic,
  ): Promise<{ readonly made: KafkaTopic } | { readonly dyingId: string }> {
    const { api, namespace, cluster } = this.deps;
    const plain = objectNameFor(topic.name);
    for (const name of [plain, `${cluster}.${plain}`]) {
      try {
        return { made: await this.createNamed(name, topic) };
      } catch (cause) {
        if (!isKubeError(cause, 409)) throw cause;
      }
      // The name is taken: by this topic meanwhile, by one that goes, or by a topic of another cluster.
      const other = await api.get(kafkaTopics, namespace, name);
      if (other === null) return { dyingId: '' };
      if (other.spec.clusterRef.name !== cluster) continue;
      if (other.metadata.deletionTimestamp === undefined) break;
      return { dyingId: topicIdOf(other) };
    }
    throw new KafkaError('TOPIC_ALREADY_EXISTS', `topic '${topic.name}' already exists`);
  }

  /**
   * A cluster that begins, or that recovers, may learn of a topic of that name in the next moment. Clients wait
   * for a moment: most of them do not try again of themselves.
   * @throws KafkaError NOT_CONTROLLER
   */
  private async untilKnown(): Promise<void> {
    const { clock } = this.deps;
    const deadlineMs = clock.monotonicMs() + UNKNOWN_MS_MAX;
    while (this.image.isRecovering) {
      if (clock.monotonicMs() >= deadlineMs)
        throw new KafkaError('NOT_CONTROLLER', 'it is being found out which topics there are');
      await sleep(clock, UNKNOWN_LOOK_MS);
    }
  }

  private createNamed(
    name: string,
    { name: topicName, partitions, replicas, assignments, config }: NewTopic,
  ): Promise<KafkaTopic> {
    const { namespace, cluster } = this.deps;
    return this.deps.api.create(kafkaTopics, {
      apiVersion: API_VERSION,
      kind: 'KafkaTopic',
      metadata: {
        name,
        namespace,
        labels: { [CLUSTER_LABEL]: cluster },
        finalizers: [TOPIC_FINALIZER],
      },
      spec: {
        clusterRef: { name: cluster },
        ...(name === topicName ? {} : { topicName }),
        ...(partitions === undefined ? {} : { partitions }),
        ...(replicas === undefined ? {} : { replicas }),
        ...(assignments === undefined ? {} : { assignments }),
        ...(Object.keys(config).length === 0 ? {} : { config }),
      },
    });
  }

  /**
   * Resolves once this broker knows a leader for that many partitions of the topic.
   * @throws KafkaError REQUEST_TIMED_OUT, or why the topic cannot be.
   */
  async waitForPartitions(topic: KafkaTopic, count: number, timeoutMs: number): Promise<void> {
    const id = topicIdOf(topic);
    await this.waitUntil(timeoutMs, () => {
      const partitions = this.image.topicById(id)?.partitions ?? [];
      let ready = 0;
      for (let p = 0; p < count; p++) if (partitions[p]?.leader) ready++;
      if (ready >= count) return true;
      const condition = this.image
        .topicObject(id)
        ?.status?.conditions?.find(({ type }) => type === 'Ready');
      if (condition?.reason === 'InvalidReplicationFactor')
        throw new KafkaError('INVALID_REPLICATION_FACTOR', condition.message);
      if (condition?.reason === 'InvalidAssignment')
        throw new KafkaError('INVALID_REPLICA_ASSIGNMENT', condition.message);
      return false;
    });
  }

  /** Resolves once no partition of the topic is left, nor the object that keeps its name from others. */
  async waitUntilGone(topicId: string, timeoutMs: number): Promise<void> {
    const { image } = this;
    await this.waitUntil(
      timeoutMs,
      () => image.topicById(topicId) === null && image.topicObject(topicId) === null,
    );
  }

  private waitUntil(timeoutMs: number, holds: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        try {
          if (!holds()) return;
          end();
          resolve();
        } catch (cause) {
          end();
          reject(cause);
        }
      };
      const listening = this.deps.metadata.listen({ onLines: check, onTopic: check });
      const timer = this.deps.clock.after(Math.max(timeoutMs, 0), () => {
        end();
        reject(
          new KafkaError(
            'REQUEST_TIMED_OUT',
            'the change was accepted but did not take effect in time',
          ),
        );
      });
      const end = () => {
        listening[Symbol.dispose]();
        timer[Symbol.dispose]();
      };
      check();
    });
  }

  async delete(topicId: string): Promise<void> {
    const topic = this.image.topicObject(topicId);
    if (topic === null) throw new KafkaError('UNKNOWN_TOPIC_ID');
    const { name, uid } = topic.metadata;
    try {
      await this.deps.api.delete(
        kafkaTopics,
        this.deps.namespace,
        name,
        uid === undefined ? {} : { uid },
      );
    } catch (cause) {
      if (isKubeError(cause, 404)) return;
      throw asKafkaError(cause);
    }
  }

  /** A broker that is gone for good is listed no more. */
  async forgetBroker(id: number): Promise<void> {
    const { api, cluster, metadata, namespace } = this.deps;
    const known = metadata.brokers
      .all()
      .find(({ spec }) => spec.id === id && spec.clusterRef.name === cluster);
    try {
      if (known !== undefined) await api.delete(kafkaBrokers, namespace, known.metadata.name);
    } catch (cause) {
      if (!isKubeError(cause, 404)) throw asKafkaError(cause);
    }
  }

  private async patch(topic: KafkaTopic, spec: object): Promise<void> {
    try {
      await this.deps.api.patch(
        kafkaTopics,
        { namespace: this.deps.namespace, name: topic.metadata.name },
        { spec },
      );
    } catch (cause) {
      throw asKafkaError(cause);
    }
  }

  setPartitions(
    topic: KafkaTopic,
    partitions: number,
    assignments: readonly (readonly number[])[] | null,
  ): Promise<void> {
    refuseAssignments(assignments ?? []);
    return this.patch(topic, { partitions, ...(assignments === null ? {} : { assignments }) });
  }

  /** @throws KafkaError POLICY_VIOLATION where the object would become too large */
  async changeTopicConfig(topic: KafkaTopic, changes: ConfigChanges): Promise<void> {
    refuse(valueRoomFault(changes) ?? topicRoomFault(changed(topic.spec.config, changes)));
    await this.patch(topic, { config: changes });
  }

  /** Changes what one broker has of its own. */
  changeBrokerConfig(id: number, changes: ConfigChanges): Promise<void> {
    return this.changeConfig(changes, ({ brokerConfig = {} }) => ({
      parts: { brokerConfig: { ...brokerConfig, [id]: changed(brokerConfig[id], changes) } },
      spec: { brokerConfig: { [id]: changes } },
    }));
  }

  /** Changes what one group has of its own. */
  async changeGroupConfig(groupId: string, changes: ConfigChanges): Promise<void> {
    refuse(nameRoomFault('a group', groupId));
    await this.changeConfig(changes, ({ groupConfig = {} }) => ({
      parts: { groupConfig: { ...groupConfig, [groupId]: changed(groupConfig[groupId], changes) } },
      spec: { groupConfig: { [groupId]: changes } },
    }));
  }

  changeClusterConfig(changes: ConfigChanges): Promise<void> {
    return this.changeConfig(changes, ({ config }) => ({
      parts: { config: changed(config, changes) },
      spec: { config: changes },
    }));
  }

  private async changeConfig(changes: ConfigChanges, change: ClusterChange): Promise<void> {
    refuse(valueRoomFault(changes));
    await this.changeCluster(change);
  }

  /** Changes the limits of clients. */
  changeQuotas(change: (quotas: readonly ClientQuota[]) => readonly ClientQuota[]): Promise<void> {
    return this.changeCluster(({ quotas = [] }) => {
      const next = change(quotas);
      return { parts: { quotas: next }, spec: { quotas: next } };
    });
  }

  /** One change after the other: none is lost to another one, and each sees what is there already. */
  private changeCluster(change: ClusterChange): Promise<void> {
    const mine = this.changing.then(() => this.changeClusterNow(change));
    this.changing = mine.catch(() => {});
    return mine;
  }
  private changing: Promise<void> = Promise.resolve();

  private async changeClusterNow(change: ClusterChange): Promise<void> {
    const { api, cluster, namespace } = this.deps;
    for (let attempt = 0; ; attempt++) {
      try {
        const object = await api.get(kafkaClusters, namespace, cluster);
        if (object === null) throw new KafkaError('UNKNOWN_SERVER_ERROR', 'the cluster is gone');
        const { resourceVersion } = object.metadata;
        const { parts, spec } = change(object.spec);
        refuse(clusterRoomFault(object.spec, parts));
        const patch = { metadata: { resourceVersion }, spec };
        await api.patch(kafkaClusters, { namespace, name: cluster }, patch);
        return;
      } catch (cause) {
        if (!isKubeError(cause, 409) || attempt >= CHANGE_ATTEMPTS) throw asKafkaError(cause);
      }
    }
  }
}
