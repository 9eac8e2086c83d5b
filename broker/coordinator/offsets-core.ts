/**
 * Committed offsets by group, those of open transactions kept apart until they end. Pure.
 * Sources: KIP-98, KIP-211, KIP-447.
 */
import { type CommittedOffset, offsetRecord } from './group-records.ts';
import type { RecordPair } from './record-pair.ts';

export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly value: CommittedOffset;
}

/** An offset and its place among all that were written: of two, the one later in the log counts. */
interface Placed extends PartitionOffset {
  readonly order: number;
}

const keyOf = (topic: string, partition: number) => `${topic}:${partition}`;

class GroupOffsets {
  readonly committed = new Map<string, Placed>();
  /** By producer, then by partition. */
  readonly pending = new Map<number, Map<string, Placed>>();

  get isEmpty(): boolean {
    return this.committed.size === 0 && this.pending.size === 0;
  }
}

export class OffsetsCore {
  private readonly groups = new Map<string, GroupOffsets>();
  /** Groups that a producer's open transaction has offsets for. */
  private readonly groupsOf = new Map<number, Set<string>>();
  /** Commits on their way into the log, by group. */
  private readonly underway = new Map<string, number>();
  private order = 0;

  /** The place of what is written next; to be taken before it is appended. */
  nextOrder(): number {
    return ++this.order;
  }

  /** A commit of the group is being appended, until `settle` is called. */
  begin(groupId: string): void {
    this.underway.set(groupId, (this.underway.get(groupId) ?? 0) + 1);
  }

  settle(groupId: string): void {
    const left = (this.underway.get(groupId) ?? 1) - 1;
    if (left === 0) this.underway.delete(groupId);
    else this.underway.set(groupId, left);
  }

  /** Whether what is known of the group is behind what is being written. */
  isChanging(groupId: string): boolean {
    return this.underway.has(groupId);
  }

  private groupFor(groupId: string): GroupOffsets {
    let group = this.groups.get(groupId);
    if (group === undefined) {
      group = new GroupOffsets();
      this.groups.set(groupId, group);
    }
    return group;
  }

  private dropIfEmpty(groupId: string): void {
    if (this.groups.get(groupId)?.isEmpty === true) this.groups.delete(groupId);
  }

  get(groupId: string, topic: string, partition: number): CommittedOffset | null {
    return this.groups.get(groupId)?.committed.get(keyOf(topic, partition))?.value ?? null;
  }

  all(groupId: string): Iterable<PartitionOffset> {
    return this.groups.get(groupId)?.committed.values() ?? [];
  }

  has(groupId: string): boolean {
    return this.groups.has(groupId);
  }

  groupIds(): Iterable<string> {
    return this.groups.keys();
  }

  get count(): number {
    let sum = 0;
    for (const { committed } of this.groups.values()) sum += committed.size;
    return sum;
  }

  /** Whether an open transaction may still change the partition's offset. */
  isUnstable(groupId: string, topic: string, partition: number): boolean {
    const key = keyOf(topic, partition);
    for (const offsets of this.groups.get(groupId)?.pending.values() ?? [])
      if (offsets.has(key)) return true;
    return false;
  }

  /** Null: the offset is forgotten. What comes earlier in the log than what is known changes nothing. */
  put(
    groupId: string,
    topic: string,
    partition: number,
    value: CommittedOffset | null,
    order = this.nextOrder(),
  ): void {
    const key = keyOf(topic, partition);
    const since = this.groups.get(groupId)?.committed.get(key);
    if (since !== undefined && since.order > order) return;
    if (value !== null)
      this.groupFor(groupId).committed.set(key, { topic, partition, value, order });
    else {
      this.groups.get(groupId)?.committed.delete(key);
      this.dropIfEmpty(groupId);
    }
  }

  putPending(producerId: number, groupId: string, offset: PartitionOffset): void {
    const { pending } = this.groupFor(groupId);
    let offsets = pending.get(producerId);
    if (offsets === undefined) {
      offsets = new Map();
      pending.set(producerId, offsets);
    }
    offsets.set(keyOf(offset.topic, offset.partition), { ...offset, order: this.nextOrder() });
    const groups = this.groupsOf.get(producerId) ?? new Set();
    this.groupsOf.set(producerId, groups.add(groupId));
  }

  /** The producer's transaction ended: its offsets count from now on, or never did. */
  endTransaction(producerId: number, committed: boolean): void {
    for (const groupId of this.groupsOf.get(producerId) ?? []) {
      const group = this.groups.get(groupId);
      const offsets = group?.pending.get(producerId);
      group?.pending.delete(producerId);
      if (committed) {
        // Where one was committed outside of the transaction since, compaction keeps that one too.
        for (const { topic, partition, value, order } of offsets?.values() ?? [])
          this.put(groupId, topic, partition, value, order);
      }
      this.dropIfEmpty(groupId);
    }
    this.groupsOf.delete(producerId);
  }

  hasPending(groupId: string): boolean {
    return (this.groups.get(groupId)?.pending.size ?? 0) > 0;
  }

  /** Tombstones for the offsets of a group that the predicate picks. */
  tombstones(groupId: string, picks: (offset: PartitionOffset) => boolean): RecordPair[] {
    return [...this.all(groupId)]
      .filter(
        (offset) => picks(offset) && !this.isUnstable(groupId, offset.topic, offset.partition),
      )
      .map(({ topic, partition }) => offsetRecord({ groupId, topic, partition }, null));
  }
}
