/** All replicas on this broker, and the periodic work on them. */
import { partitionKey } from '../../kube/partition-line.ts';
import type { Partition } from './partition.ts';

export class Partitions {
  private readonly byKey = new Map<string, Partition>();

  get(topicId: string, partition: number): Partition | null {
    return this.byKey.get(partitionKey(topicId, partition)) ?? null;
  }

  add(partition: Partition): void {
    this.byKey.set(partitionKey(partition.topicId, partition.partition), partition);
  }

  remove(partition: Partition): void {
    this.byKey.delete(partitionKey(partition.topicId, partition.partition));
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
