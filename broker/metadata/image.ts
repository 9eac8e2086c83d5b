/** What this broker knows of the cluster: topics, partitions, brokers, configuration. */
import {
  type ClientQuota,
  type ConfigMapOf,
  type KafkaBroker,
  type KafkaCluster,
  type KafkaPartitionMap,
  type KafkaTopic,
  topicIdOf,
  topicNameOf,
} from '../../kube/kafka-objects.ts';
import { type PartitionLine, parsePage, partitionKey } from '../../kube/partition-line.ts';
import { ageOf, isOlderPage, type PageAge } from './page-age.ts';
import { brokersInSpec, registered } from './placement-core.ts';

export interface TopicImage {
  readonly name: string;
  readonly id: string;
  /** Indexed by partition; a hole is a partition that has no line yet. */
  readonly partitions: PartitionLine[];
}

export interface BrokerImage {
  readonly id: number;
  readonly epoch: number;
  readonly host: string;
  readonly port: number;
  readonly replicationPort: number;
  readonly rack: string | null;
  readonly fenced: boolean;
  readonly draining: boolean;
}

interface ListenerAddresses {
  readonly port: number;
  /** By broker id, where it is not the broker's own. */
  readonly addresses: ReadonlyMap<number, { readonly host: string; readonly port: number }>;
}

export type LineChange = {
  readonly before: PartitionLine | null;
  readonly after: PartitionLine | null;
};

export class MetadataImage {
  private readonly topicsById = new Map<string, TopicImage>();
  private readonly topicsByName = new Map<string, TopicImage>();
  /** By topic id. */
  private readonly topicObjects = new Map<string, KafkaTopic>();
  /** By their own name. */
  private readonly objects = new Map<string, KafkaTopic>();
  /** What is known of the configuration of topics, also when their object is gone. */
  private readonly configs = new Map<string, ConfigMapOf>();
  /** The page that has a partition's line. */
  private readonly pageOf = new Map<string, string>();
  private readonly generations = new Map<string, number>();
  /** The highest store generation of a page. */
  storeGeneration = 0;
  /** The highest one that this broker's volumes know of. */
  notedGeneration = 0;
  /** Whether the object with the cluster's state is missing, or says that it is not the whole truth. */
  isStateMissing = false;

  /** Whether there may be topics that the API does not know of. */
  get isRecovering(): boolean {
    return this.isStateMissing || this.notedGeneration > this.storeGeneration;
  }

  private readonly pages = new Map<string, Map<string, PartitionLine>>();
  private readonly pageTexts = new Map<string, string>();
  private readonly brokersById = new Map<number, BrokerImage>();
  /** Grows whenever a topic or a partition comes or goes. */
  topicsVersion = 0;
  clusterId = '';
  clusterConfig: ConfigMapOf = {};
  /** Of single brokers, by id. */
  brokerConfig: Readonly<Record<string, ConfigMapOf>> = {};
  quotas: readonly ClientQuota[] = [];
  /** Of single groups, by id. */
  groupConfig: Readonly<Record<string, ConfigMapOf>> = {};
  controllerId = -1;
  /** How many brokers there should be; null where the cluster sleeps or nobody says. */
  brokersWanted: number | null = null;
  /** Whether the owner allows losses where nobody has everything. */
  allowsLoss = false;
  /** Brokers that are to be emptied. */
  drained: ReadonlySet<number> = new Set();
  /** Listeners other than the first, by name: what clients of them are told. */
  private listeners = new Map<string, ListenerAddresses>();
  /** How often the controller changed. */
  controllerEpoch = -1;

  topic(name: string): TopicImage | null {
    return this.topicsByName.get(name) ?? null;
  }
  topicById(id: string): TopicImage | null {
    return this.topicsById.get(id) ?? null;
  }
  topics(): TopicImage[] {
    return [...this.topicsByName.values()];
  }
  /** The KafkaTopic behind a topic id. */
  topicObject(id: string): KafkaTopic | null {
    return this.topicObjects.get(id) ?? null;
  }
  /** The KafkaTopic that claims a Kafka name, if it is not being deleted. */
  topicObjectNamed(name: string): KafkaTopic | null {
    const topic = this.topicsByName.get(name);
    if (topic !== undefined) return this.topicObject(topic.id);
    for (const object of this.topicObjects.values()) {
      if (topicNameOf(object) === name && object.metadata.deletionTimestamp === undefined)
        return object;
    }
    return null;
  }
  /** Of a topic whose object is gone, or not bound to its id yet, the last that was known. */
  topicConfig(id: string): ConfigMapOf {
    return (
      (this.topicObjects.get(id) ?? this.unboundObject(id))?.spec.config ??
      this.configs.get(id) ??
      {}
    );
  }

  /** An object of that topic's name that no id is written in yet. */
  private unboundObject(id: string): KafkaTopic | undefined {
    const name = this.topicsById.get(id)?.name;
    if (name === undefined) return undefined;
    for (const object of this.objects.values())
      if (object.status?.topicId === undefined && topicNameOf(object) === name) return object;
    return undefined;
  }

  /** Where an object is missing: what a topic's configuration was when it was last written down. */
  rememberConfig(id: string, config: ConfigMapOf): void {
    if (!this.configs.has(id)) this.configs.set(id, config);
  }

  /** Whether anybody has said what a topic's configuration is. */
  knowsConfig(id: string): boolean {
    return (
      this.topicObjects.has(id) || this.configs.has(id) || this.unboundObject(id) !== undefined
    );
  }
  broker(id: number): BrokerImage | null {
    return this.brokersById.get(id) ?? null;
  }
  /** Every registered broker, by id. */
  brokers(): BrokerImage[] {
    return [...this.brokersById.values()].sort((a, b) => a.id - b.id);
  }
  /** Registered brokers that stay, fenced or not. */
  stayingBrokers(): BrokerImage[] {
    return registered(this.brokers(), { wanted: this.brokersWanted, drained: this.drained });
  }
  /** How many brokers there are to be that may hold anything, by the cluster's spec. */
  brokersInSpec(): number | null {
    return brokersInSpec({ wanted: this.brokersWanted, drained: this.drained });
  }
  liveBrokers(): BrokerImage[] {
    return this.brokers().filter(({ fenced }) => !fenced);
  }
  line(topicId: string, partition: number): PartitionLine | null {
    return this.topicsById.get(topicId)?.partitions[partition] ?? null;
  }

  /** The highest epoch that any line names a broker with, or -1. */
  latestEpochOf(id: number): number {
    let latest = -1;
    for (const lines of this.pages.values())
      for (const { elr, isr, leader } of lines.values())
        for (const member of [...isr, ...elr, ...(leader === null ? [] : [leader])])
          if (member.id === id && member.epoch > latest) latest = member.epoch;
    return latest;
  }

  /** Where a broker is reached by those who came through that listener. */
  addressOf({ id, host, port }: BrokerImage, listener: string): { host: string; port: number } {
    const of = this.listeners.get(listener);
    return of?.addresses.get(id) ?? { host, port: of?.port ?? port };
  }

  setCluster({ spec, status }: KafkaCluster): void {
    this.clusterConfig = spec.config ?? {};
    this.brokerConfig = spec.brokerConfig ?? {};
    this.quotas = spec.quotas ?? [];
    this.groupConfig = spec.groupConfig ?? {};
    this.drained = new Set(spec.drainBrokers ?? []);
    this.allowsLoss = spec.recovery?.allowLoss === true;
    this.brokersWanted = spec.hibernated === true ? null : spec.replicas;
    this.listeners = new Map(
      (spec.listeners ?? []).map(({ name, port }) => {
        const known = status?.listeners?.find((one) => one.name === name)?.brokers ?? [];
        const addresses = new Map(known.map(({ id, ...address }) => [id, address] as const));
        return [name, { port, addresses }];
      }),
    );
  }

  setBroker(name: string, broker: KafkaBroker | null): void {
    if (broker === null) {
      const id = Number(name.slice(name.lastIndexOf('-') + 1));
      this.brokersById.delete(id);
      return;
    }
    const { spec, status } = broker;
    const state = status?.epoch === spec.epoch ? status.state : undefined;
    this.brokersById.set(spec.id, {
      id: spec.id,
      epoch: spec.epoch,
      host: spec.host,
      port: spec.port,
      replicationPort: spec.replicationPort,
      rack: spec.rack ?? null,
      fenced: state === 'Fenced',
      draining: state === 'Draining',
    });
  }

  setTopicObject(topic: KafkaTopic, present: boolean): void {
    const { name } = topic.metadata;
    const before = this.objects.get(name);
    const former = before === undefined ? null : topicIdOf(before);
    if (former !== null && this.topicObjects.get(former)?.metadata.name === name)
      this.topicObjects.delete(former);
    if (!present) {
      this.objects.delete(name);
      if (former !== null && !this.topicsById.has(former)) this.configs.delete(former);
      return;
    }
    this.objects.set(name, topic);
    this.topicObjects.set(topicIdOf(topic), topic);
    this.configs.set(topicIdOf(topic), topic.spec.config ?? {});
  }

  /**
   * Takes a new version of a page; returns the lines that differ. Null: it is older than the one that is
   * known, as where the API has an older memory; nothing is believed of it.
   */
  setPage(name: string, page: KafkaPartitionMap | null): LineChange[] | null {
    const text = page?.spec.partitions ?? '';
    const generation = page?.spec.storeGeneration ?? 0;
    const known = this.generations.get(name) ?? 0;
    if (generation < known) return null;
    const isSame = this.pageTexts.get(name) === text;
    const before = this.pages.get(name) ?? new Map<string, PartitionLine>();
    const after = isSame
      ? before
      : new Map(parsePage(text).map((line) => [partitionKey(line.topicId, line.partition), line]));
    if (generation === known && !isSame && isOlderPage(before, after)) return null;
    this.generations.set(name, generation);
    this.storeGeneration = Math.max(this.storeGeneration, generation);
    if (isSame) return [];
    this.pageTexts.set(name, text);
    this.pages.set(name, after);
    const changes: LineChange[] = [];
    for (const [key, line] of after) {
      const known = before.get(key) ?? null;
      this.pageOf.set(key, name);
      if (known?.partitionEpoch === line.partitionEpoch) continue;
      changes.push({ before: known, after: line });
      this.setLine(line);
    }
    for (const [key, line] of before) {
      // In another page by now: it has not gone.
      if (after.has(key) || this.pageOf.get(key) !== name) continue;
      this.pageOf.delete(key);
      changes.push({ before: line, after: null });
      this.removeLine(line);
    }
    return changes;
  }

  /** Of the pages that are believed. */
  pageAges(): PageAge[] {
    return [...this.pages].map(([name, lines]) => {
      const generation = this.generations.get(name) ?? 0;
      return ageOf({ name, generation }, this.pageTexts.get(name) ?? '', lines);
    });
  }

  private setLine(line: PartitionLine): void {
    let topic = this.topicsById.get(line.topicId);
    if (topic === undefined) {
      topic = { name: line.topic, id: line.topicId, partitions: [] };
      this.topicsById.set(line.topicId, topic);
      this.topicsByName.set(line.topic, topic);
    }
    if (topic.partitions[line.partition] === undefined) this.topicsVersion++;
    topic.partitions[line.partition] = line;
  }

  private removeLine(line: PartitionLine): void {
    const topic = this.topicsById.get(line.topicId);
    if (topic === undefined) return;
    topic.partitions[line.partition] = undefined as never;
    this.topicsVersion++;
    if (topic.partitions.some((present) => present !== undefined)) return;
    this.topicsById.delete(line.topicId);
    this.configs.delete(line.topicId);
    if (this.topicsByName.get(line.topic) === topic) this.topicsByName.delete(line.topic);
  }
}
