/** All replicas on this broker, and the periodic work on them. */
import { partitionKey } from '../../kube/partition-line.ts';
import type { Partition } from './partition.ts';

export class Partitions {
  private readonly byKey = new Map<string, Partition>();
  private readonly byTopic = new Map<string, Set<Partition>>();

  get(topicId: string, partition: number): Partition | null {
    return this.byKey.get(partitionKey(topicId, partition)) ?? null;
  }

  add(partition: Partition): void {
    this.byKey.set(partitionKey(partition.topicId, partition.partition), partition);
    const siblings = this.byTopic.get(partition.topicId);
    if (siblings === undefined) this.byTopic.set(partition.topicId, new Set([partition]));
    else siblings.add(partition);
  }

  remove(partition: Partition): void {
    this.byKey.delete(partitionKey(partition.topicId, partition.partition));
    const siblings = this.byTopic.get(partition.topicId);
    siblings?.delete(partition);
    if (siblings?.size === 0) this.byTopic.delete(partition.topicId);
  }

  /** Replicas of one topic on this broker. */
  ofTopic(topicId: string): Iterable<Partition> {
    return this.byTopic.get(topicId) ?? [];
  }

  [Symbol.iterator](): Iterator<Partition> {
    return this.byKey.values();
  }

  get size(): number {
    return this.byKey.size;
  }

  expireWaiters(): void {
    for (const partition of this.byKey.values()) partition.expireWaiters();
  }
}
