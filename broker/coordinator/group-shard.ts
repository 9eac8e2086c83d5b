/**
 * Everything that one partition of __consumer_offsets says: groups and their offsets. Pure; filled
 * by replaying the partition's batches.
 */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import {
  batch,
  CONTROL_BIT,
  recordsOf,
  TRANSACTIONAL_BIT,
  transactionEndOf,
} from '../../proto/kafka/record-batch.ts';
import { type ConsumerGroup, subscribedNames } from './consumer-group.ts';
import {
  type CompilePattern,
  ConsumerGroupsCore,
  type ConsumerRules,
  type TopicsView,
} from './consumer-groups-core.ts';
import type { Group } from './group.ts';
import { type Effects, type GroupRules, GroupsCore } from './group-core.ts';
import { type GroupRecord, groupRecord, readGroupRecord } from './group-records.ts';
import {
  downgraded,
  isClassicOnly,
  type MigrationPolicy,
  mayDowngrade,
  mayUpgrade,
  upgraded,
} from './migration-core.ts';
import { OffsetsCore } from './offsets-core.ts';
import type { RecordPair } from './record-pair.ts';
import { isShareRecord } from './share-group-records.ts';
import { ShareGroupsCore, type ShareRules } from './share-groups-core.ts';
import { sourceNames } from './streams-group.ts';
import { isStreamsRecord } from './streams-group-records.ts';
import { StreamsGroupsCore, type StreamsRules } from './streams-groups-core.ts';
import { subscribedTopics } from './subscriptions-core.ts';

export interface CommitRequest {
  readonly groupId: string;
  /** Member epoch for consumer groups. */
  readonly generation: number;
  readonly memberId: string;
  readonly instanceId: string | null;
}

/** A commit outside of transactions. */
export interface PlainCommitRequest extends CommitRequest {
  /** Whether the request is of a version that knows member epochs; those before know generations. */
  readonly knowsEpochs: boolean;
}

/** Rules of all groups, and of single ones where those may differ. */
export interface ShardRules {
  readonly classic: () => GroupRules;
  readonly consumer: (groupId: string) => ConsumerRules;
  readonly share: (groupId: string) => ShareRules;
  readonly streams: (groupId: string) => StreamsRules;
}

export class GroupShard {
  readonly classic: GroupsCore;
  readonly consumer: ConsumerGroupsCore;
  readonly share: ShareGroupsCore;
  readonly streams: StreamsGroupsCore;
  readonly offsets = new OffsetsCore();

  constructor(
    rules: ShardRules,
    newId: () => string,
    wallNowMs: () => number,
    compile: CompilePattern,
  ) {
    this.classic = new GroupsCore(rules.classic, newId, wallNowMs);
    this.share = new ShareGroupsCore(rules.share);
    this.consumer = new ConsumerGroupsCore(rules.consumer, wallNowMs, compile);
    this.streams = new StreamsGroupsCore(rules.streams, wallNowMs, compile);
  }

  /**
   * A group is of one protocol. One without members changes over to the other with its first
   * member: these are the tombstones that make room, null where members stand in the way.
   */
  makeRoomFor(protocol: 'classic' | 'consumer' | 'streams', groupId: string): RecordPair[] | null {
    if (this.share.groups.has(groupId)) return null;
    const consumer = this.consumer.groups.get(groupId);
    const streams = this.streams.groups.get(groupId);
    if (protocol === 'classic') {
      if ((consumer?.members.size ?? 0) > 0 || (streams?.members.size ?? 0) > 0) return null;
      const records = [
        ...(consumer === undefined ? [] : this.consumer.tombstones(consumer)),
        ...(streams === undefined ? [] : this.streams.tombstones(streams)),
      ];
      this.consumer.forget(groupId);
      this.streams.groups.delete(groupId);
      return records;
    }
    // Only classic groups give way to those of newer protocols.
    if (protocol === 'consumer' ? streams !== undefined : consumer !== undefined) return null;
    const classic = this.classic.groups.get(groupId);
    if (classic === undefined) return [];
    if (classic.members.size > 0 || classic.pending.size > 0) return null;
    this.classic.groups.delete(groupId);
    return classic.generation > 0 ? [groupRecord(groupId, null)] : [];
  }

  /** Whether the group is of a protocol whose groups exist by records of their own. */
  private isModern(groupId: string): boolean {
    return this.consumer.groups.has(groupId) || this.streams.groups.has(groupId);
  }

  hasGroup(groupId: string): boolean {
    return this.protocols.some(({ groups }) => groups.has(groupId));
  }

  get groupCount(): number {
    return this.protocols.reduce((sum, { groups }) => sum + groups.size, 0);
  }

  private get protocols(): readonly { readonly groups: ReadonlyMap<string, unknown> }[] {
    return [this.classic, this.consumer, this.share, this.streams];
  }

  /** Somebody who only commits offsets has a group too. */
  ensure(groupId: string): void {
    if (!this.isModern(groupId)) this.classic.ensure(groupId);
  }

  /** Applies the batch at `at`, as a leader of the partition finds it in the log. */
  replayBatch(bytes: Buffer, at: number, nowMs: number): void {
    const attributes = batch.attributes(bytes, at);
    const producerId = batch.producerId(bytes, at);
    if ((attributes & CONTROL_BIT) !== 0) {
      const end = transactionEndOf(bytes, at);
      if (end !== null) this.offsets.endTransaction(producerId, end.committed);
      return;
    }
    const of = { producerId: (attributes & TRANSACTIONAL_BIT) !== 0 ? producerId : null };
    for (const record of recordsOf(bytes, at)) this.replay(readGroupRecord(record), nowMs, of);
  }

  /**
   * A member of the new protocol comes to a classic group: its members are taken over.
   * Null: the group must stay as it is.
   */
  upgrade(
    groupId: string,
    topics: TopicsView,
    policy: MigrationPolicy,
    nowMs: number,
  ): Effects | null {
    const group = this.classic.groups.get(groupId);
    const migrated = group === undefined || !mayUpgrade(policy) ? null : upgraded(group, topics);
    if (group === undefined || migrated === null) return null;
    const replies = this.classic.dissolve(group);
    const records = [groupRecord(groupId, null), ...this.consumer.adopt(migrated, nowMs)];
    return { replies, records };
  }

  /** Only classic members are left: the group is a classic one again, and they join anew. */
  downgrade(
    groupId: string,
    topics: TopicsView,
    policy: MigrationPolicy,
    times: { nowMs: number; wallNowMs: number },
  ): Effects | null {
    const group = this.consumer.groups.get(groupId);
    if (group === undefined || !mayDowngrade(policy) || !isClassicOnly(group)) return null;
    const value = downgraded(group, topics, times.wallNowMs);
    const records = [...this.consumer.tombstones(group), groupRecord(groupId, value)];
    this.consumer.forget(groupId);
    this.classic.replay(groupId, value, times.nowMs);
    const effects = this.classic.startRebalance(groupId, times.nowMs);
    return { replies: effects.replies, records: [...records, ...effects.records] };
  }

  /**
   * Applies one record. `producerId`: it is part of a transaction of that producer; `order`: its
   * place among all commits, where it was taken before the record was appended.
   */
  replay(
    record: GroupRecord,
    nowMs: number,
    {
      producerId,
      order = this.offsets.nextOrder(),
    }: { producerId: number | null; order?: number } = { producerId: null },
  ): void {
    switch (record.kind) {
      case 'unknown':
        return;
      case 'group':
        this.classic.replay(record.groupId, record.value, nowMs);
        return;
      case 'offset': {
        const { groupId, topic, partition, value } = record;
        if (value !== null) this.ensure(groupId);
        if (producerId !== null && value !== null)
          this.offsets.putPending(producerId, groupId, { topic, partition, value });
        else this.offsets.put(groupId, topic, partition, value, order);
        return;
      }
      default:
        if (isShareRecord(record)) return this.share.replay(record, nowMs);
        // A group of offsets only turns out to be one with members.
        if (record.value !== null) this.classic.groups.delete(record.groupId);
        if (isStreamsRecord(record)) this.streams.replay(record, nowMs);
        else this.consumer.replay(record, nowMs);
    }
  }

  judgeCommit(request: PlainCommitRequest, nowMs: number): ErrorName {
    const { groupId, memberId, generation, knowsEpochs } = request;
    const streams = this.streams.groups.get(groupId);
    if (streams !== undefined) {
      const error = this.streams.judgeCommit(streams, memberId, generation);
      return streams.members.has(memberId) && !knowsEpochs ? 'UNSUPPORTED_VERSION' : error;
    }
    const group = this.consumer.groups.get(groupId);
    if (group === undefined) return this.classic.judgeCommit(request, nowMs);
    const error = this.consumer.judgeCommit(group, memberId, generation);
    const speaksConsumer = group.members.get(memberId)?.info.classic === null;
    return speaksConsumer && !knowsEpochs ? 'UNSUPPORTED_VERSION' : error;
  }

  judgeTransactionalCommit(request: CommitRequest): ErrorName {
    const { groupId, memberId, generation } = request;
    const group = this.consumer.groups.get(groupId);
    const streams = this.streams.groups.get(groupId);
    if (group === undefined && streams === undefined)
      return this.classic.judgeTransactionalCommit(request);
    if (generation < 0 && memberId === '') return 'NONE';
    const error =
      streams === undefined
        ? this.consumer.judgeCommit(group as ConsumerGroup, memberId, generation)
        : this.streams.judgeCommit(streams, memberId, generation);
    // Producers know no member epochs: they are told what they know.
    return error === 'STALE_MEMBER_EPOCH' ? 'ILLEGAL_GENERATION' : error;
  }

  /** Tombstones for a group that has no members, or why it stays. */
  deleteGroup(groupId: string): RecordPair[] | ErrorName {
    const share = this.share.groups.get(groupId);
    if (share !== undefined)
      return share.members.size > 0 ? 'NON_EMPTY_GROUP' : this.share.tombstones(share);
    const streams = this.streams.groups.get(groupId);
    if (streams !== undefined) {
      if (streams.members.size > 0) return 'NON_EMPTY_GROUP';
      const offsets = this.offsets.tombstones(groupId, () => true);
      return [...offsets, ...this.streams.tombstones(streams)];
    }
    const consumer = this.consumer.groups.get(groupId);
    if (consumer !== undefined) {
      if (consumer.members.size > 0) return 'NON_EMPTY_GROUP';
      const offsets = this.offsets.tombstones(groupId, () => true);
      return [...offsets, ...this.consumer.tombstones(consumer)];
    }
    const group = this.classic.groups.get(groupId);
    if (group === undefined) return 'GROUP_ID_NOT_FOUND';
    if (group.members.size > 0 || group.state !== 'Empty') return 'NON_EMPTY_GROUP';
    return [...this.offsets.tombstones(groupId, () => true), groupRecord(groupId, null)];
  }

  /** For each partition an error, and the tombstones for those without one; or why none is touched. */
  deleteOffsets(
    groupId: string,
    partitions: readonly { topic: string; partition: number }[],
  ): { errors: ErrorName[]; records: RecordPair[] } | ErrorName {
    const consumer = this.consumer.groups.get(groupId);
    const streams = this.streams.groups.get(groupId);
    const group = this.classic.groups.get(groupId);
    if (group !== undefined && group.members.size > 0 && group.protocolType !== 'consumer')
      return 'NON_EMPTY_GROUP';
    let subscribed: ReadonlySet<string>;
    if (group !== undefined) subscribed = subscribedTopics(group);
    else if (consumer !== undefined) subscribed = subscribedNames(consumer);
    else if (streams === undefined) return 'GROUP_ID_NOT_FOUND';
    else subscribed = streams.members.size === 0 ? new Set() : sourceNames(streams);
    const errors = partitions.map(
      ({ topic }): ErrorName => (subscribed.has(topic) ? 'GROUP_SUBSCRIBED_TO_TOPIC' : 'NONE'),
    );
    const wanted = new Set(
      partitions
        .filter((_, i) => errors[i] === 'NONE')
        .map(({ topic, partition }) => `${topic}:${partition}`),
    );
    const records = this.offsets.tombstones(groupId, ({ topic, partition }) =>
      wanted.has(`${topic}:${partition}`),
    );
    return { errors, records };
  }

  /** Tombstones for all offsets of a topic that is gone. */
  forgetTopic(topic: string): RecordPair[] {
    return [...this.offsets.groupIds()].flatMap((groupId) =>
      this.offsets.tombstones(groupId, (offset) => offset.topic === topic),
    );
  }

  /**
   * Tombstones for offsets that nobody uses any more, and for groups that have nothing left.
   * The clock of a group starts when it becomes empty (KIP-211). A group whose commit is on its
   * way has its turn next time: a tombstone would come after it.
   */
  expired(wallNowMs: number, retentionMs: number): RecordPair[] {
    const records: RecordPair[] = [];
    const modern = [...this.consumer.groups.values(), ...this.streams.groups.values()];
    for (const group of modern) {
      const { groupId } = group;
      if (this.offsets.isChanging(groupId)) continue;
      const isStreams = 'topology' in group;
      const hasMembers = group.members.size > 0;
      const names = isStreams
        ? new Set(hasMembers ? sourceNames(group) : [])
        : subscribedNames(group);
      const found = this.offsets.tombstones(groupId, ({ topic, value }) => {
        return !names.has(topic) && wallNowMs - value.commitTimestampMs >= retentionMs;
      });
      records.push(...found);
      const left = [...this.offsets.all(groupId)].length - found.length;
      if (found.length === 0 || left > 0 || hasMembers) continue;
      records.push(
        ...(isStreams ? this.streams.tombstones(group) : this.consumer.tombstones(group)),
      );
    }
    for (const group of this.classic.groups.values()) {
      const { groupId } = group;
      if (this.offsets.isChanging(groupId)) continue;
      const found = this.offsets.tombstones(groupId, ({ topic, value }) => {
        const since = this.unusedSince(group, topic, value.commitTimestampMs);
        return since !== null && wallNowMs - since >= retentionMs;
      });
      records.push(...found);
      const left = [...this.offsets.all(groupId)].length - found.length;
      const isOver = group.state === 'Empty' && left === 0 && !this.offsets.hasPending(groupId);
      if (isOver && wallNowMs - group.stateSinceMs >= retentionMs)
        records.push(groupRecord(groupId, null));
    }
    return records;
  }

  /** Since when nobody may need an offset; null while somebody does. */
  private unusedSince(group: Group, topic: string, committedMs: number): number | null {
    // Committed by hand, without members: each offset has its own clock.
    if (group.protocolType === '') return committedMs;
    if (group.state === 'Empty') return Math.max(group.stateSinceMs, committedMs);
    const isConsumer = group.protocolType === 'consumer' && group.state === 'Stable';
    return isConsumer && !subscribedTopics(group).has(topic) ? committedMs : null;
  }

  /** Groups that never came to be: somebody asked for a member id and went away. */
  dropPhantoms(): void {
    for (const [groupId, group] of this.classic.groups) {
      const untouched = group.state === 'Empty' && group.generation === 0;
      if (untouched && group.pending.size === 0 && !this.offsets.has(groupId))
        this.classic.groups.delete(groupId);
    }
  }
}
