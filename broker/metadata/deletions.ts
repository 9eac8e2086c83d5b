/**
 * Which deletions are orders: a topic's records end only with a topic that was deleted while its cluster
 * lived and went on living. Who takes a whole cluster away leaves what its volumes hold.
 */
import type { KafkaCluster, KafkaTopic } from '../../kube/kafka-objects.ts';
import type { Clock } from '../../stdx/clock.ts';

/** Topics and their cluster are often deleted in one go: what comes next is waited for. */
const GRACE_MS = 500;

export interface DeletionsDeps {
  readonly clock: Clock;
  /** As the API has it at this moment; null: it is gone, or another object has its name. */
  readonly readCluster: () => Promise<KafkaCluster | null>;
  readonly wake: () => void;
}

export interface Deletions {
  /** Their records end. */
  readonly ending: readonly KafkaTopic[];
  /** Their objects go, and nothing else. */
  readonly released: readonly KafkaTopic[];
}

const NONE: Deletions = { ending: [], released: [] };

/** Whether the deletion of a topic is one of its records. Pure. */
export function endsRecords(topic: KafkaTopic, cluster: KafkaCluster | null): boolean {
  const deletedAt = topic.metadata.deletionTimestamp;
  if (cluster === null || cluster.metadata.deletionTimestamp !== undefined) return false;
  // What was deleted before this cluster was made went with the one before it.
  return (
    deletedAt !== undefined &&
    Date.parse(deletedAt) > Date.parse(cluster.metadata.creationTimestamp ?? '1970-01-01T00:00:00Z')
  );
}

export class TopicDeletions {
  private readonly deps: DeletionsDeps;
  /** When each was first seen, by uid. */
  private seen = new Map<string, number>();

  constructor(deps: DeletionsDeps) {
    this.deps = deps;
  }

  /** @throws what the API throws */
  async judge(topics: readonly KafkaTopic[]): Promise<Deletions> {
    const dying = topics.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
    if (dying.length === 0) {
      if (this.seen.size > 0) this.seen = new Map();
      return NONE;
    }
    const nowMs = this.deps.clock.monotonicMs();
    const seen = new Map<string, number>();
    const due: KafkaTopic[] = [];
    for (const topic of dying) {
      const { uid = '' } = topic.metadata;
      const sinceMs = this.seen.get(uid) ?? nowMs;
      seen.set(uid, sinceMs);
      if (nowMs - sinceMs >= GRACE_MS) due.push(topic);
      else if (!this.seen.has(uid)) this.deps.clock.after(GRACE_MS, () => this.deps.wake());
    }
    this.seen = seen;
    if (due.length === 0) return NONE;
    const cluster = await this.deps.readCluster();
    return {
      ending: due.filter((topic) => endsRecords(topic, cluster)),
      released: due.filter((topic) => !endsRecords(topic, cluster)),
    };
  }
}
