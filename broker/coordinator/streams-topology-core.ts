/**
 * From what a streams application says of itself to what its tasks are: source topics looked up,
 * partitions of its internal topics worked out, and what stands in the way named. Pure.
 * Source: KIP-1071.
 */
import type { CompilePattern, TopicsView } from './consumer-groups-core.ts';

export interface InternalTopic {
  readonly name: string;
  /** 0: not said. */
  readonly partitions: number;
  /** 0: the cluster's default. */
  readonly replicationFactor: number;
  readonly topicConfigs: readonly { readonly key: string; readonly value: string }[];
}

export interface Subtopology {
  readonly subtopologyId: string;
  readonly sourceTopics: readonly string[];
  readonly sourceTopicRegex: readonly string[];
  readonly stateChangelogTopics: readonly InternalTopic[];
  readonly repartitionSinkTopics: readonly string[];
  readonly repartitionSourceTopics: readonly InternalTopic[];
  /** Indexes into the lists above: topics that must have the same number of partitions. */
  readonly copartitionGroups: readonly {
    readonly sourceTopics: readonly number[];
    readonly sourceTopicRegex: readonly number[];
    readonly repartitionSourceTopics: readonly number[];
  }[];
}

export interface Topology {
  readonly epoch: number;
  readonly subtopologies: readonly Subtopology[];
}

/** Codes of a heartbeat's status. */
export const STATUS = {
  staleTopology: 0,
  missingSourceTopics: 1,
  incorrectlyPartitionedTopics: 2,
  missingInternalTopics: 3,
  shutdownApplication: 4,
  assignmentDelayed: 5,
  missingClientTags: 6,
} as const;

export interface Status {
  readonly statusCode: number;
  readonly statusDetail: string;
}

export interface ConfiguredSubtopology {
  readonly subtopologyId: string;
  /** Patterns resolved. */
  readonly sourceTopics: readonly string[];
  readonly repartitionSinkTopics: readonly string[];
  readonly stateChangelogTopics: readonly InternalTopic[];
  readonly repartitionSourceTopics: readonly InternalTopic[];
  readonly taskCount: number;
  readonly isStateful: boolean;
}

export interface ConfiguredTopology {
  readonly epoch: number;
  /** Empty where sources are missing or do not fit together. */
  readonly subtopologies: readonly ConfiguredSubtopology[];
  /** Null: tasks can be given out. */
  readonly problem: Status | null;
  readonly topicsToCreate: readonly InternalTopic[];
}

class Unfit extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Why a topology makes no sense, whatever topics there are; or null. */
export function topologyFault({ subtopologies }: Topology): string | null {
  const ids = new Set<string>();
  for (const of of subtopologies) {
    const { subtopologyId } = of;
    if (ids.has(subtopologyId)) return `subtopology ${subtopologyId} is listed twice`;
    ids.add(subtopologyId);
    for (const group of of.copartitionGroups) {
      for (const list of ['sourceTopics', 'sourceTopicRegex', 'repartitionSourceTopics'] as const)
        if (group[list].some((i) => of[list][i] === undefined))
          return `a copartition group of subtopology ${subtopologyId} names a topic that is not listed`;
    }
    const none = of.sourceTopics.length + of.sourceTopicRegex.length === 0;
    if (none && of.repartitionSourceTopics.length === 0)
      return `subtopology ${subtopologyId} reads no topics`;
  }
  return subtopologies.length === 0 ? 'a topology must have subtopologies' : null;
}

export function configureTopology(
  topology: Topology,
  topics: TopicsView,
  compile: CompilePattern,
): ConfiguredTopology {
  try {
    return new Configuration(topology, topics, compile).result();
  } catch (cause) {
    if (!(cause instanceof Unfit)) throw cause;
    const problem = { statusCode: cause.code, statusDetail: cause.message };
    return { epoch: topology.epoch, subtopologies: [], problem, topicsToCreate: [] };
  }
}

interface Resolved {
  readonly of: Subtopology;
  readonly sources: readonly string[];
  /** By the index of a pattern. */
  readonly byPattern: readonly (readonly string[])[];
}

class Configuration {
  private readonly topology: Topology;
  private readonly topics: TopicsView;
  /** Partitions of every topic that is read, as far as they are known. */
  private readonly counts = new Map<string, number>();
  private readonly resolved: readonly Resolved[];

  constructor(topology: Topology, topics: TopicsView, compile: CompilePattern) {
    this.topology = topology;
    this.topics = topics;
    const missing = new Set<string>();
    this.resolved = topology.subtopologies.map((of) => {
      const byPattern = of.sourceTopicRegex.map((pattern) => {
        const matches = compile(pattern);
        const names = [...topics.names()].filter(matches).sort();
        if (names.length === 0) missing.add(pattern);
        return names;
      });
      const sources = [...new Set([...of.sourceTopics, ...byPattern.flat()])];
      for (const name of sources) {
        const topic = topics.byName(name);
        if (topic === null) missing.add(name);
        else this.counts.set(name, topic.partitions);
      }
      return { of, sources, byPattern };
    });
    if (missing.size > 0) {
      const names = [...missing].sort().join(', ');
      throw new Unfit(STATUS.missingSourceTopics, `Source topics ${names} are missing.`);
    }
  }

  result(): ConfiguredTopology {
    this.countRepartitions();
    for (const of of this.resolved) this.copartition(of);
    const subtopologies = this.resolved.map((of) => this.configured(of));
    const topicsToCreate: InternalTopic[] = [];
    for (const { repartitionSourceTopics, stateChangelogTopics } of subtopologies) {
      for (const topic of [...repartitionSourceTopics, ...stateChangelogTopics]) {
        const existing = this.topics.byName(topic.name);
        if (existing === null) topicsToCreate.push(topic);
        else if (existing.partitions !== topic.partitions)
          throw new Unfit(
            STATUS.incorrectlyPartitionedTopics,
            `Existing topic ${topic.name} has different number of partitions: expected ` +
              `${topic.partitions}, found ${existing.partitions}`,
          );
      }
    }
    const names = topicsToCreate.map(({ name }) => name).join(', ');
    const problem =
      topicsToCreate.length === 0
        ? null
        : {
            statusCode: STATUS.missingInternalTopics,
            statusDetail: `Internal topics are missing: [${names}]`,
          };
    return { epoch: this.topology.epoch, subtopologies, problem, topicsToCreate };
  }

  /** The partitions of everything that a subtopology reads; null while some are not known. */
  private widest({ of, sources }: Resolved): number | null {
    const names = [...sources, ...of.repartitionSourceTopics.map(({ name }) => name)];
    const counts = names.map((name) => this.counts.get(name));
    return counts.includes(undefined) ? null : Math.max(...(counts as number[]));
  }

  /** A repartition topic has as many partitions as the widest input of those that write to it. */
  private countRepartitions(): void {
    const open = new Set<string>();
    for (const { of } of this.resolved) {
      for (const { name, partitions } of of.repartitionSourceTopics) {
        if (partitions > 0) this.counts.set(name, partitions);
        else open.add(name);
      }
    }
    while (open.size > 0) {
      const before = open.size;
      for (const name of [...open]) {
        const writers = this.resolved.filter(({ of }) => of.repartitionSinkTopics.includes(name));
        const widths = writers.map((of) => this.widest(of));
        if (widths.length === 0 || widths.includes(null)) continue;
        this.counts.set(name, Math.max(...(widths as number[])));
        open.delete(name);
      }
      if (open.size === before)
        throw new Unfit(
          STATUS.incorrectlyPartitionedTopics,
          `The number of partitions of repartition topics ${[...open].sort().join(', ')} cannot ` +
            'be worked out: nothing writes to them, or they depend on each other.',
        );
    }
  }

  private copartition({ of, byPattern }: Resolved): void {
    for (const group of of.copartitionGroups) {
      const sources = [
        ...group.sourceTopics.map((i) => of.sourceTopics[i] as string),
        ...group.sourceTopicRegex.flatMap((i) => byPattern[i] ?? []),
      ];
      const internal = group.repartitionSourceTopics.map(
        (i) => of.repartitionSourceTopics[i] as InternalTopic,
      );
      const counted = [...sources, ...internal.filter((i) => i.partitions > 0).map((i) => i.name)];
      const counts = new Set(counted.map((name) => this.counts.get(name) as number));
      if (counts.size > 1) {
        const shown = counted.map((name) => `${name}:${this.counts.get(name)}`).sort();
        throw new Unfit(
          STATUS.incorrectlyPartitionedTopics,
          `Following topics do not have the same number of partitions: [${shown.join(', ')}]`,
        );
      }
      const free = internal.filter(({ partitions }) => partitions === 0);
      const widest = Math.max(...free.map(({ name }) => this.counts.get(name) as number));
      const [count = widest] = counts;
      for (const { name } of free) this.counts.set(name, count);
    }
  }

  private configured(resolved: Resolved): ConfiguredSubtopology {
    const { of, sources } = resolved;
    const taskCount = this.widest(resolved) ?? 0;
    const sized = (topic: InternalTopic) => ({
      ...topic,
      partitions: this.counts.get(topic.name) as number,
    });
    return {
      subtopologyId: of.subtopologyId,
      sourceTopics: sources,
      repartitionSinkTopics: of.repartitionSinkTopics,
      repartitionSourceTopics: of.repartitionSourceTopics.map(sized),
      stateChangelogTopics: of.stateChangelogTopics.map((topic) => ({
        ...topic,
        // A changelog that is a source topic itself has the partitions that this one has.
        partitions: this.counts.get(topic.name) ?? taskCount,
      })),
      taskCount,
      isStateful: of.stateChangelogTopics.length > 0,
    };
  }
}
