/** Which partition lines the topics of a cluster call for. Pure. */
import { type KafkaTopic, topicIdOf, topicNameOf } from '../../kube/kafka-objects.ts';
import { type PartitionLine, partitionKey } from '../../kube/partition-line.ts';
import type { Brokers } from './election-core.ts';
import { addLoad, emptyLoad, type Load, placePartition } from './placement-core.ts';
import { targetReplicas } from './reassignment-core.ts';

export interface TopicDefaults {
  readonly partitions: number;
  readonly replicas: number;
}

export interface TopicProblem {
  readonly topic: KafkaTopic;
  readonly reason:
    | 'InvalidReplicationFactor'
    | 'ResourceConflict'
    | 'InvalidAssignment'
    | 'NotSupported'
    | 'InvalidTopicName';
  readonly message: string;
}

export interface TopicPlan {
  readonly created: readonly PartitionLine[];
  readonly problems: readonly TopicProblem[];
  /** Topics with an observed deletion: their lines go, then their finalizer. */
  readonly deleted: readonly KafkaTopic[];
}

/** Kafka's rule for topic names. */
export function topicNameFault(name: string): string | null {
  if (name === '' || name === '.' || name === '..')
    return 'a topic name must not be empty, "." or ".."';
  if (name.length > 249) return 'a topic name must not be longer than 249 characters';
  return /^[a-zA-Z0-9._-]+$/.test(name)
    ? null
    : 'a topic name must consist of letters, digits, ".", "_" and "-"';
}

/** Of several objects that claim one Kafka name the oldest wins. */
export function winners(topics: readonly KafkaTopic[]): {
  winners: KafkaTopic[];
  losers: TopicProblem[];
} {
  const sorted = [...topics].sort(
    (a, b) =>
      (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
      a.metadata.name.localeCompare(b.metadata.name),
  );
  const byName = new Map<string, KafkaTopic>();
  const losers: TopicProblem[] = [];
  for (const topic of sorted) {
    const name = topicNameOf(topic);
    const winner = byName.get(name);
    if (winner === undefined) byName.set(name, topic);
    else {
      const message = `topic ${name} is already managed by KafkaTopic ${winner.metadata.name}, which is older`;
      losers.push({ topic, reason: 'ResourceConflict', message });
    }
  }
  return { winners: [...byName.values()], losers };
}

function loadOf(lines: Iterable<PartitionLine>): Load {
  const load = emptyLoad();
  for (const { replicas } of lines) addLoad(load, replicas);
  return load;
}

export function planTopics(
  topics: readonly KafkaTopic[],
  lines: ReadonlyMap<string, PartitionLine>,
  brokers: Brokers,
  defaults: TopicDefaults,
): TopicPlan {
  const deleted = topics.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
  const alive = topics.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const { winners: current, losers } = winners(alive);
  const problems: TopicProblem[] = [...losers];
  const created: PartitionLine[] = [];
  const load = loadOf(lines.values());
  const usable = [...brokers.values()].filter(({ live, draining }) => live && !draining);
  for (const topic of current) {
    const topicId = topicIdOf(topic);
    const wanted = topic.spec.partitions ?? defaults.partitions;
    const first = lines.get(partitionKey(topicId, 0));
    const settled = first === undefined ? undefined : targetReplicas(first).length;
    const replicaCount = settled ?? topic.spec.replicas ?? defaults.replicas;
    const fault = topicNameFault(topicNameOf(topic));
    if (fault !== null) {
      problems.push({ topic, reason: 'InvalidTopicName', message: fault });
      continue;
    }
    const missing = [];
    for (let p = 0; p < wanted; p++) if (!lines.has(partitionKey(topicId, p))) missing.push(p);
    if (lines.has(partitionKey(topicId, wanted))) {
      const message = `spec.partitions is ${wanted}, fewer than the topic has: partitions can grow, not shrink`;
      problems.push({ topic, reason: 'NotSupported', message });
    }
    for (const partition of missing) {
      const asked = topic.spec.assignments?.[partition];
      const replicas =
        asked === undefined ? placePartition(usable, replicaCount, load) : [...asked];
      if (replicas === null) {
        const message = `spec.replicas is ${replicaCount}, but only ${usable.length} brokers are available`;
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
      created.push(newLine({ topic: topicNameOf(topic), topicId, partition, replicas }, brokers));
    }
  }
  return { created, problems, deleted };
}

/** Every live replica of a new partition is in sync: all of them hold nothing. */
function newLine(
  of: { topic: string; topicId: string; partition: number; replicas: readonly number[] },
  brokers: Brokers,
): PartitionLine {
  const isr = of.replicas.flatMap((id) => {
    const broker = brokers.get(id);
    return broker?.live === true ? [{ id, epoch: broker.epoch }] : [];
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
