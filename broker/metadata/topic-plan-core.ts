/** Which partition lines the topics of a cluster call for. Pure. */
import { annotations, type KafkaTopic, topicIdOf, topicNameOf } from '../../kube/kafka-objects.ts';
import { type PartitionLine, partitionKey, targetReplicas } from '../../kube/partition-line.ts';
import { loadOf, type Move, resized } from './balance-core.ts';
import type { Brokers } from './election-core.ts';
import { isReady, placePartition, registered } from './placement-core.ts';

export interface TopicDefaults {
  readonly partitions: number;
  readonly replicas: number;
  /** How many brokers there should be; null where nobody says. */
  readonly brokers: number | null;
  /** Brokers that are to be emptied. */
  readonly drained: ReadonlySet<number>;
  /** Replicas that a topic of the brokers' own must have, whatever its object says; null of other topics. */
  readonly internalReplicas: (topic: string) => number | null;
  /** Their min.insync.replicas; null where the cluster's counts, and of other topics. */
  readonly internalMinIsr: (topic: string) => number | null;
  /** What is wrong with a topic's configuration, as a sentence; null if nothing is. */
  readonly configFault: (topic: KafkaTopic) => string | null;
}

/** Whether the topic's spec is to be acted on. */
export function isManaged({ metadata }: KafkaTopic): boolean {
  return (
    metadata.annotations?.[annotations.managed] !== 'false' &&
    metadata.annotations?.[annotations.paused] !== 'true'
  );
}

export interface TopicProblem {
  readonly topic: KafkaTopic;
  readonly reason:
    | 'InvalidReplicationFactor'
    | 'ResourceConflict'
    | 'InvalidAssignment'
    | 'NotSupported'
    | 'InvalidConfig'
    | 'InvalidTopicName'
    | 'TooManyPartitions';
  readonly message: string;
}

export interface TopicPlan {
  readonly created: readonly PartitionLine[];
  /** Partitions that are to have another number of replicas. */
  readonly resized: readonly Move[];
  readonly problems: readonly TopicProblem[];
  /** Whether there is more to be made, in a later step. */
  readonly isPartial: boolean;
}

/** Kafka makes no more partitions at once. */
export const NEW_PARTITIONS_MAX = 10_000;
/** Partitions that are made in one step, and of one topic among others: nobody waits long for a large one. */
const PER_STEP = 10_000;
const PER_TOPIC = 1_000;

/** Kafka's rule for topic names. */
export function topicNameFault(name: string): string | null {
  if (name === '' || name === '.' || name === '..')
    return 'a topic name must not be empty, "." or ".."';
  if (name.length > 249) return 'a topic name must not be longer than 249 characters';
  return /^[a-zA-Z0-9._-]+$/.test(name)
    ? null
    : 'a topic name must consist of letters, digits, ".", "_" and "-"';
}

/** Older ones first. */
function byAge(a: KafkaTopic, b: KafkaTopic): number {
  return (
    (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
    a.metadata.name.localeCompare(b.metadata.name)
  );
}

/** Of several objects that claim one Kafka name the one that has its partitions wins, else the oldest. */
export function winners(
  topics: readonly KafkaTopic[],
  hasLines: (topic: KafkaTopic) => boolean = () => false,
): {
  winners: KafkaTopic[];
  losers: TopicProblem[];
} {
  const byName = new Map<string, KafkaTopic>();
  const beaten: KafkaTopic[] = [];
  for (const topic of topics) {
    const name = topicNameOf(topic);
    const other = byName.get(name);
    const rank = (one: KafkaTopic) => (hasLines(one) ? 0 : 1);
    const wins = other === undefined || (rank(topic) - rank(other) || byAge(topic, other)) < 0;
    if (wins) byName.set(name, topic);
    if (other !== undefined) beaten.push(wins ? other : topic);
  }
  const losers = beaten.map((topic): TopicProblem => {
    const name = topicNameOf(topic);
    const message = `topic ${name} is already managed by KafkaTopic ${byName.get(name)?.metadata.name}`;
    return { topic, reason: 'ResourceConflict', message };
  });
  return { winners: [...byName.values()], losers };
}

export function planTopics(
  topics: readonly KafkaTopic[],
  lines: ReadonlyMap<string, PartitionLine>,
  brokers: Brokers,
  defaults: TopicDefaults,
): TopicPlan {
  const alive = topics.filter(
    (topic) => topic.metadata.deletionTimestamp === undefined && isManaged(topic),
  );
  const isNew = (topic: KafkaTopic) => !lines.has(partitionKey(topicIdOf(topic), 0));
  const { winners: current, losers } = winners(alive, (topic) => !isNew(topic));
  const problems: TopicProblem[] = [...losers];
  const created: PartitionLine[] = [];
  const moves: Move[] = [];
  let isPartial = false;
  const load = loadOf(lines.values());
  const { brokers: wantedBrokers, drained } = defaults;
  const usable = registered(brokers.values(), { wanted: wantedBrokers, drained });
  const fresh = current.filter(isNew).sort(byAge);
  const settledFirst = [...current.filter((topic) => !isNew(topic)), ...fresh];
  const taken =
    fresh.length === 0 ? new Set() : new Set([...lines.values()].map(({ topic }) => topic));
  const wantedOf = ({ spec }: KafkaTopic) => spec.partitions ?? defaults.partitions;
  const missingIn = new Map(
    settledFirst.map((topic) => [topic, missingOf(topicIdOf(topic), wantedOf(topic), lines)]),
  );
  const isLarge = (topic: KafkaTopic) => (missingIn.get(topic)?.length ?? 0) > PER_TOPIC;
  const largeLast = [...settledFirst].sort((a, b) => Number(isLarge(a)) - Number(isLarge(b)));
  for (const topic of largeLast) {
    const topicId = topicIdOf(topic);
    if (isNew(topic) && taken.has(topicNameOf(topic))) {
      // Its records are somebody's: a second topic of that name would hide them.
      const message = `topic ${topicNameOf(topic)} has partitions that belong to another id`;
      problems.push({ topic, reason: 'ResourceConflict', message });
      continue;
    }
    const wanted = wantedOf(topic);
    const first = lines.get(partitionKey(topicId, 0));
    const settled = first === undefined ? undefined : targetReplicas(first).length;
    const replicaCount = settled ?? newReplicas(topic, defaults);
    const fault = topicNameFault(topicNameOf(topic));
    if (fault !== null) {
      problems.push({ topic, reason: 'InvalidTopicName', message: fault });
      continue;
    }
    const badConfig = defaults.configFault(topic);
    if (badConfig !== null) {
      problems.push({ topic, reason: 'InvalidConfig', message: badConfig });
      // What is there goes on with what its other settings say.
      if (first === undefined) continue;
    }
    if (isNew(topic) && wanted > NEW_PARTITIONS_MAX) {
      const message = `spec.partitions is ${wanted}: a new topic must not have more than ${NEW_PARTITIONS_MAX} partitions, it can grow later`;
      problems.push({ topic, reason: 'TooManyPartitions', message });
      continue;
    }
    const missing = missingIn.get(topic) ?? [];
    const room = Math.min(PER_TOPIC, PER_STEP - created.length);
    if (missing.length > room) isPartial = true;
    missing.length = Math.min(missing.length, room);
    if (lines.has(partitionKey(topicId, wanted))) {
      const message = `spec.partitions is ${wanted}, fewer than the topic has: partitions can grow, not shrink`;
      problems.push({ topic, reason: 'NotSupported', message });
    }
    for (const partition of missing) {
      const asked = topic.spec.assignments?.[partition];
      const replicas =
        asked === undefined ? placePartition(usable, replicaCount, load) : [...asked];
      if (replicas === null) {
        const message = `spec.replicas is ${replicaCount}, but only ${usable.length} brokers are registered`;
        problems.push({ topic, reason: 'InvalidReplicationFactor', message });
        break;
      }
      if (replicas.some((id) => !brokers.has(id)) || new Set(replicas).size !== replicas.length) {
        problems.push({
          topic,
          reason: 'InvalidAssignment',
          message: `spec.assignments[${partition}] must name existing brokers, each once`,
        });
        break;
      }
      const line = newLine({ topic: topicNameOf(topic), topicId, partition, replicas }, brokers);
      if (line.leader === null) {
        const message = `no broker of partition ${partition} is there: one must be, to lead it`;
        const reason = asked === undefined ? 'InvalidReplicationFactor' : 'InvalidAssignment';
        problems.push({ topic, reason, message });
        break;
      }
      created.push(line);
    }
    const asked = askedReplicas(topic);
    if (asked === null) continue;
    for (let p = 0; ; p++) {
      const line = lines.get(partitionKey(topicId, p));
      if (line === undefined) break;
      if (targetReplicas(line).length === asked) continue;
      const target = resized(line, asked, usable, load);
      if (target !== null) moves.push({ line, target });
      else {
        const message = `spec.replicas is ${asked}, but only ${usable.length} brokers are registered`;
        problems.push({ topic, reason: 'InvalidReplicationFactor', message });
        break;
      }
    }
  }
  return { created, resized: moves, problems, isPartial };
}

/** Partitions that are wanted and have no line. */
function missingOf(
  topicId: string,
  wanted: number,
  lines: ReadonlyMap<string, PartitionLine>,
): number[] {
  const missing = [];
  for (let p = 0; p < wanted; p++) if (!lines.has(partitionKey(topicId, p))) missing.push(p);
  return missing;
}

/**
 * The number of replicas that partitions are being given; null: they stay as they are. That it was
 * asked for is written down before anything moves, so that neither another wish nor another controller
 * loses it. What a client changed partition by partition is not undone.
 */
function askedReplicas({ status }: KafkaTopic): number | null {
  return status?.resizingTo ?? null;
}

/**
 * The number of replicas that a topic is now to be given, null where it stays: somebody has changed it
 * since it was last seen, or the brokers made a topic of their own with too few of them, when not all
 * brokers had come yet. `line`: the topic's first partition.
 */
export function resizeOf(
  topic: KafkaTopic,
  of: {
    readonly line: PartitionLine | null;
    readonly brokers: Brokers;
    readonly defaults: TopicDefaults;
  },
): number | null {
  const { spec, status, metadata } = topic;
  if (!isManaged(topic) || metadata.deletionTimestamp !== undefined) return null;
  const { brokers: wanted, drained, internalReplicas } = of.defaults;
  const least = internalReplicas(topicNameOf(topic)) ?? 0;
  const seen = status?.observedReplicas;
  const { replicas } = spec;
  if (replicas !== undefined && seen !== undefined && seen !== replicas && replicas >= least)
    return replicas;
  if (of.line === null || least === 0) return null;
  const has = Math.max(seen ?? targetReplicas(of.line).length, replicas ?? 0);
  const there = registered(of.brokers.values(), { wanted, drained }).length;
  return least > has && there >= least ? least : null;
}

function newReplicas(topic: KafkaTopic, defaults: TopicDefaults): number {
  const { replicas } = topic.spec;
  const least = defaults.internalReplicas(topicNameOf(topic));
  return least === null ? (replicas ?? defaults.replicas) : Math.max(replicas ?? 0, least);
}

/** Every live replica of a new partition is in sync: all of them hold nothing. */
function newLine(
  of: { topic: string; topicId: string; partition: number; replicas: readonly number[] },
  brokers: Brokers,
): PartitionLine {
  const isr = of.replicas.flatMap((id) => {
    const broker = brokers.get(id);
    return broker !== undefined && isReady(broker) ? [{ id, epoch: broker.epoch }] : [];
  });
  return {
    ...of,
    leader: isr[0] ?? null,
    leaderEpoch: 0,
    partitionEpoch: 0,
    isr,
    elr: [],
    adding: [],
    removing: [],
  };
}
