/**
 * Runs groups on the leaders of __consumer_offsets: append what the core decides, answer when it
 * is committed, replay the log on taking over. All decisions are in group-core.ts.
 *
 * Must never know: the log, replication, sockets.
 */

import { type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import { buildBatch, TRANSACTIONAL_BIT } from '../../proto/kafka/record-batch.ts';
import type { Chance } from '../../stdx/chance.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import type { ConsumerAnswer, ConsumerHeartbeat, TopicsView } from './consumer-groups-core.ts';
import { type Group, newMemberId } from './group.ts';
import {
  type Effects,
  type GroupsCore,
  type JoinAnswer,
  type JoinRequest,
  joinError,
  type SyncAnswer,
  syncError,
} from './group-core.ts';
import { offsetRecord, readGroupRecord } from './group-records.ts';
import {
  type CommitRequest,
  GroupShard,
  type PlainCommitRequest,
  type ShardRules,
} from './group-shard.ts';
import type { OffsetsCore, PartitionOffset } from './offsets-core.ts';
import { compilePattern } from './patterns.ts';
import type { RecordPair } from './record-pair.ts';
import { bytesIn, GROUPS_MAX, judgeAssignments, judgeJoin } from './room-core.ts';
import { type CoordinatorLog, type Shard, Shards } from './shards.ts';
import type { ShareAnswer, ShareGroup, ShareHeartbeat } from './share-groups-core.ts';
import type { StreamsGroup } from './streams-group.ts';
import {
  type StreamsAnswer,
  type StreamsHeartbeat,
  streamsRefusal,
} from './streams-groups-core.ts';

export interface OffsetToCommit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export interface GroupCoordinatorDeps {
  readonly log: CoordinatorLog;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  readonly rules: ShardRules;
  readonly topics: TopicsView;
  /** Most groups of this broker; absent: as many as usual. */
  readonly groupsMax?: number;
}

const TICK_MS = 200;
/** Tombstones of many offsets go out in pieces that fit into any batch limit. */
const RECORDS_PER_BATCH = 1000;

/** Around a record, and around a batch, besides keys and values. */
const RECORD_BYTES = 64;
const NO_ROOM: ErrorName = 'POLICY_VIOLATION';
const TOO_MANY_GROUPS =
  'the broker has as many groups as it can have: others must be deleted first';
const TOO_LARGE = 'what the member says of itself must be smaller';
/** What Kafka answers as well where offsets do not fit into one batch. */
const tooManyAtOnce = (own: ErrorName): ErrorName =>
  own === 'NONE' ? 'INVALID_COMMIT_OFFSET_SIZE' : own;

type GroupsShard = Shard<GroupShard>;

export class GroupCoordinator implements Disposable {
  private readonly deps: GroupCoordinatorDeps;
  readonly shards: Shards<GroupShard>;
  private readonly parked = new Map<number, (answer: JoinAnswer | SyncAnswer) => void>();
  private nextToken = 1;
  private readonly timers: Disposable[];

  constructor(deps: GroupCoordinatorDeps) {
    this.deps = deps;
    const { clock, chance, rules } = deps;
    this.shards = new Shards({
      ...deps,
      name: 'groups',
      create: () =>
        new GroupShard(
          rules,
          () => chance.uuid(),
          () => clock.nowMs(),
          compilePattern,
        ),
      replay: (core, bytes, at) => core.replayBatch(bytes, at, clock.monotonicMs()),
      onLoaded: () => {},
      onUnload: (shard) => this.onUnload(shard),
    });
    this.timers = [
      clock.every(TICK_MS, () => this.tick()),
      clock.every(rules.classic().offsetsRetentionCheckMs, () => void this.expireOffsets()),
    ];
  }

  partitionFor(groupId: string): number {
    return this.shards.partitionFor(groupId);
  }

  private onUnload({ core }: GroupsShard): void {
    for (const group of core.classic.groups.values()) {
      for (const { memberId, joining, syncing } of group.members.values()) {
        if (joining !== null) this.reply(joining, joinError('NOT_COORDINATOR', memberId));
        if (syncing !== null) this.reply(syncing, syncError('NOT_COORDINATOR'));
      }
    }
  }

  private reply(token: number, answer: JoinAnswer | SyncAnswer): void {
    const done = this.parked.get(token);
    this.parked.delete(token);
    done?.(answer);
  }

  private park<T extends JoinAnswer | SyncAnswer>(): { token: number; answer: Promise<T> } {
    const token = this.nextToken++;
    const answer = new Promise<T>((resolve) => this.parked.set(token, resolve as never));
    return { token, answer };
  }

  private tick(): void {
    const nowMs = this.deps.clock.monotonicMs();
    for (const shard of this.shards.loaded()) {
      this.perform(shard, shard.core.classic.expire(nowMs));
      const gone = shard.core.share.expire(this.deps.topics, nowMs);
      gone.push(...shard.core.streams.expire(this.deps.topics, nowMs));
      if (gone.length > 0) void this.append(shard, gone);
      const left = shard.core.consumer.expire(this.deps.topics, nowMs);
      if (left.length > 0) {
        void this.append(shard, left);
        for (const groupId of [...shard.core.consumer.groups.keys()])
          this.downgradeIfDue(shard, groupId);
      }
      shard.core.dropPhantoms();
    }
  }

  private async expireOffsets(): Promise<void> {
    const { offsetsRetentionMs } = this.deps.rules.classic();
    for (const shard of this.shards.loaded()) {
      const records = shard.core.expired(this.deps.clock.nowMs(), offsetsRetentionMs);
      if (records.length > 0) await this.write(shard, records);
    }
  }

  /** A topic is gone for good: its offsets mean nothing any more. */
  async forgetTopic(topic: string): Promise<void> {
    for (const shard of this.shards.loaded()) {
      const records = shard.core.forgetTopic(topic);
      if (records.length > 0) await this.write(shard, records);
    }
  }

  private perform(shard: GroupsShard, { replies, records }: Effects): void {
    if (records.length === 0) {
      for (const { token, answer } of replies) this.reply(token, answer);
      return;
    }
    void this.append(shard, records).then((error) => {
      for (const { token, answer } of replies) {
        if (error === 'NONE') this.reply(token, answer);
        else
          this.reply(
            token,
            answer.kind === 'join' ? joinError(error, answer.memberId) : syncError(error),
          );
      }
    });
  }

  private append(
    shard: GroupsShard,
    records: readonly RecordPair[],
    of: { producerId: number; producerEpoch: number; attributes: number } | null = null,
  ): Promise<ErrorName> {
    const timestampMs = this.deps.clock.nowMs();
    return this.shards.append(shard, buildBatch(records, { timestampMs, ...of }));
  }

  /** Appends, and applies the records once they are committed. */
  private async write(shard: GroupsShard, records: readonly RecordPair[]): Promise<ErrorName> {
    const nowMs = this.deps.clock.monotonicMs();
    const order = shard.core.offsets.nextOrder();
    const appended: Promise<ErrorName>[] = [];
    // All in this turn: what is appended after a wait could overtake what was decided on.
    for (let from = 0; from < records.length; from += RECORDS_PER_BATCH)
      appended.push(this.append(shard, records.slice(from, from + RECORDS_PER_BATCH)));
    const errors = await Promise.all(appended);
    const failed = errors.find((error) => error !== 'NONE');
    if (failed !== undefined) return failed;
    for (const record of records)
      shard.core.replay(readGroupRecord(record), nowMs, { producerId: null, order });
    return 'NONE';
  }

  /** Groups of all protocols that this broker knows of. */
  get groupCount(): number {
    let count = 0;
    for (const { core } of this.shards.loaded()) count += core.groupCount;
    return count;
  }

  /** Whether the group is known, or one more may be. */
  private hasRoomFor({ core }: GroupsShard, groupId: string): boolean {
    return core.hasGroup(groupId) || this.groupCount < (this.deps.groupsMax ?? GROUPS_MAX);
  }

  /** What a member says of itself must fit into a batch with room for what follows from it. */
  private isTooLarge({ partition }: GroupsShard, request: unknown): boolean {
    return bytesIn(request) > this.deps.log.batchBytesMax(partition) / 2;
  }

  async join(request: JoinRequest): Promise<JoinAnswer> {
    const shard = this.shards.for(request.groupId);
    if (typeof shard === 'string') return joinError(shard, request.memberId);
    const consumer = shard.core.consumer.groups.get(request.groupId);
    const group = shard.core.classic.groups.get(request.groupId);
    const bounded = judgeJoin(group, request, this.deps.log.batchBytesMax(shard.partition));
    if (bounded !== 'NONE') return joinError(bounded, request.memberId);
    if (!this.hasRoomFor(shard, request.groupId)) return joinError(NO_ROOM, request.memberId);
    if (consumer !== undefined && consumer.members.size > 0)
      return this.classicJoin(shard, request);
    const room = shard.core.makeRoomFor('classic', request.groupId);
    if (room === null) return joinError('INCONSISTENT_GROUP_PROTOCOL', request.memberId);
    if (room.length > 0) void this.append(shard, room);
    const { token, answer } = this.park<JoinAnswer>();
    this.perform(shard, shard.core.classic.join(request, token, this.deps.clock.monotonicMs()));
    return answer;
  }

  async sync(request: Parameters<GroupsCore['sync']>[0]): Promise<SyncAnswer> {
    const shard = this.shards.for(request.groupId);
    if (typeof shard === 'string') return syncError(shard);
    const consumer = shard.core.consumer.groups.get(request.groupId);
    if (consumer !== undefined)
      return shard.core.consumer.classicSync(consumer, request, this.deps.topics);
    const group = shard.core.classic.groups.get(request.groupId);
    const bytesMax = this.deps.log.batchBytesMax(shard.partition);
    const bounded = judgeAssignments(group, request.assignments, bytesMax);
    if (bounded !== 'NONE') return syncError(bounded);
    const { token, answer } = this.park<SyncAnswer>();
    this.perform(shard, shard.core.classic.sync(request, token, this.deps.clock.monotonicMs()));
    return answer;
  }

  heartbeat(request: Parameters<GroupsCore['heartbeat']>[0]): ErrorName {
    const shard = this.shards.for(request.groupId);
    if (typeof shard === 'string') return shard;
    const nowMs = this.deps.clock.monotonicMs();
    const consumer = shard.core.consumer.groups.get(request.groupId);
    return consumer === undefined
      ? shard.core.classic.heartbeat(request, nowMs)
      : shard.core.consumer.classicHeartbeat(consumer, request, nowMs);
  }

  leave(
    groupId: string,
    members: readonly { memberId: string; instanceId: string | null }[],
  ): ErrorName[] {
    const shard = this.shards.for(groupId);
    if (typeof shard === 'string') throw new KafkaError(shard);
    const nowMs = this.deps.clock.monotonicMs();
    const consumer = shard.core.consumer.groups.get(groupId);
    if (consumer !== undefined) return this.classicLeave(shard, consumer, members);
    const { errors, ...effects } = shard.core.classic.leave(groupId, members, nowMs);
    this.perform(shard, effects);
    return errors;
  }

  /** A member of a consumer group reports (KIP-848); answered once what follows is committed. */
  async consumerHeartbeat(request: ConsumerHeartbeat): Promise<ConsumerAnswer> {
    const refuse = (error: ErrorName, message: string | null = null): ConsumerAnswer => ({
      error,
      message,
      memberId: request.memberId,
      memberEpoch: 0,
      assignment: null,
    });
    const shard = this.shards.for(request.groupId);
    if (typeof shard === 'string') return refuse(shard);
    if (this.isTooLarge(shard, request)) return refuse('INVALID_REQUEST', TOO_LARGE);
    if (!this.hasRoomFor(shard, request.groupId)) return refuse(NO_ROOM, TOO_MANY_GROUPS);
    const room: RecordPair[] | null =
      request.memberEpoch === 0 ? this.roomFor(shard, request.groupId) : [];
    if (room === null)
      return refuse(
        'GROUP_ID_NOT_FOUND',
        `group ${request.groupId} has members of the classic protocol`,
      );
    const nowMs = this.deps.clock.monotonicMs();
    const { answer, records } = shard.core.consumer.heartbeat(request, this.deps.topics, nowMs);
    const all = [...room, ...records];
    if (all.length === 0) return answer;
    const written = this.append(shard, all);
    if (request.memberEpoch < 0) this.downgradeIfDue(shard, request.groupId);
    const error = await written;
    return error === 'NONE' ? answer : refuse(error);
  }

  /** Makes a group one of the new protocol, members and all; null where it must stay classic. */
  private roomFor(shard: GroupsShard, groupId: string): RecordPair[] | null {
    const room = shard.core.makeRoomFor('consumer', groupId);
    if (room !== null) return room;
    const { clock, rules, topics } = this.deps;
    const policy = rules.consumer(groupId).migration;
    const effects = shard.core.upgrade(groupId, topics, policy, clock.monotonicMs());
    if (effects === null) return null;
    this.deps.logger.info('a classic group becomes a consumer group', { groupId });
    for (const { token, answer } of effects.replies) this.reply(token, answer);
    return [...effects.records];
  }

  private downgradeIfDue(shard: GroupsShard, groupId: string): void {
    const { clock, rules, topics } = this.deps;
    const times = { nowMs: clock.monotonicMs(), wallNowMs: clock.nowMs() };
    const policy = rules.consumer(groupId).migration;
    const effects = shard.core.downgrade(groupId, topics, policy, times);
    if (effects === null) return;
    this.deps.logger.info('a consumer group becomes a classic group', { groupId });
    this.perform(shard, effects);
  }

  private classicLeave(
    shard: GroupsShard,
    group: ConsumerGroup,
    members: readonly { memberId: string; instanceId: string | null }[],
  ): ErrorName[] {
    const { clock, topics } = this.deps;
    const errors = members.map(({ memberId, instanceId }): ErrorName => {
      const named = instanceId === null ? undefined : group.staticMembers.get(instanceId);
      const id = memberId === '' ? (named ?? '') : memberId;
      const left = shard.core.consumer.classicLeave(group, id, topics, clock.monotonicMs());
      if (typeof left === 'string') return left;
      void this.append(shard, left);
      return 'NONE';
    });
    this.downgradeIfDue(shard, group.groupId);
    return errors;
  }

  /** A classic member in a group of the new protocol. */
  private async classicJoin(shard: GroupsShard, request: JoinRequest): Promise<JoinAnswer> {
    const { chance, clock, topics } = this.deps;
    if (request.protocolType !== 'consumer' || request.protocols.length === 0)
      return joinError('INCONSISTENT_GROUP_PROTOCOL', request.memberId);
    const isNew = request.memberId === '';
    const memberId = isNew
      ? newMemberId(request.instanceId ?? request.clientId, chance.uuid())
      : request.memberId;
    if (isNew && request.mustKnowId && request.instanceId === null)
      return joinError('MEMBER_ID_REQUIRED', memberId);
    const named = { ...request, memberId };
    const { answer, records } = shard.core.consumer.classicJoin(named, topics, clock.monotonicMs());
    if (records.length === 0) return answer;
    const error = await this.append(shard, records);
    return error === 'NONE' ? answer : joinError(error, memberId);
  }

  /** A member of a share group reports (KIP-932). */
  async shareHeartbeat(request: ShareHeartbeat): Promise<ShareAnswer> {
    const refuse = (error: ErrorName, message: string | null = null): ShareAnswer => ({
      error,
      message,
      memberEpoch: 0,
      assignment: null,
    });
    const { groupId, memberEpoch } = request;
    const shard = this.shards.for(groupId);
    if (typeof shard === 'string') return refuse(shard);
    if (this.isTooLarge(shard, request)) return refuse('INVALID_REQUEST', TOO_LARGE);
    if (!this.hasRoomFor(shard, groupId)) return refuse(NO_ROOM, TOO_MANY_GROUPS);
    const { classic, consumer, share, streams } = shard.core;
    const isOther = [classic, consumer, streams].some(({ groups }) => groups.has(groupId));
    if (memberEpoch === 0 && isOther)
      return refuse('GROUP_ID_NOT_FOUND', `group ${groupId} is no share group`);
    const nowMs = this.deps.clock.monotonicMs();
    const { answer, records } = share.heartbeat(request, this.deps.topics, nowMs);
    if (records.length === 0) return answer;
    const error = await this.append(shard, records);
    return error === 'NONE' ? answer : refuse(error);
  }

  /** A member of a streams group reports (KIP-1071). */
  async streamsHeartbeat(request: StreamsHeartbeat): Promise<StreamsAnswer> {
    const { groupId, memberEpoch } = request;
    const shard = this.shards.for(groupId);
    if (typeof shard === 'string') return streamsRefusal(shard, null);
    // Nothing gives way to a request that is refused anyway.
    const senseless = shard.core.streams.judge(request);
    if (senseless !== null) return senseless;
    if (this.isTooLarge(shard, request)) return streamsRefusal('INVALID_REQUEST', TOO_LARGE);
    if (!this.hasRoomFor(shard, groupId)) return streamsRefusal(NO_ROOM, TOO_MANY_GROUPS);
    const room = memberEpoch === 0 ? shard.core.makeRoomFor('streams', groupId) : [];
    if (room === null)
      return streamsRefusal('GROUP_ID_NOT_FOUND', `group ${groupId} is no streams group`);
    const nowMs = this.deps.clock.monotonicMs();
    const { answer, records } = shard.core.streams.heartbeat(request, this.deps.topics, nowMs);
    const all = [...room, ...records];
    if (all.length === 0) return answer;
    const error = await this.append(shard, all);
    return error === 'NONE' ? answer : streamsRefusal(error, null);
  }

  /** The streams group of that name; null where there is none. */
  describeStreams(groupId: string): StreamsGroup | null | ErrorName {
    const shard = this.shards.for(groupId);
    if (typeof shard === 'string') return shard;
    return shard.core.streams.groups.get(groupId) ?? null;
  }

  streamsGroups(): StreamsGroup[] {
    return [...this.shards.loaded()].flatMap(({ core }) => [...core.streams.groups.values()]);
  }

  /** Makes a share group where there is no group of that name; NONE, or why it cannot be. */
  async ensureShare(groupId: string): Promise<ErrorName> {
    if (groupId === '') return 'INVALID_GROUP_ID';
    const shard = this.shards.for(groupId);
    if (typeof shard === 'string') return shard;
    const { classic, consumer, share, streams } = shard.core;
    if ([classic, consumer, streams].some(({ groups }) => groups.has(groupId)))
      return 'GROUP_ID_NOT_FOUND';
    if (!this.hasRoomFor(shard, groupId)) return NO_ROOM;
    const records = share.ensure(groupId, this.deps.clock.monotonicMs());
    return records.length === 0 ? 'NONE' : this.append(shard, records);
  }

  /** The share group of that name; null where there is none. */
  describeShare(groupId: string): ShareGroup | null | ErrorName {
    const shard = this.shards.for(groupId);
    if (typeof shard === 'string') return shard;
    return shard.core.share.groups.get(groupId) ?? null;
  }

  shareGroups(): ShareGroup[] {
    return [...this.shards.loaded()].flatMap(({ core }) => [...core.share.groups.values()]);
  }

  /** The consumer group of that name; null where there is none. */
  describeConsumer(groupId: string): ConsumerGroup | null | ErrorName {
    const shard = this.shards.for(groupId);
    if (typeof shard === 'string') return shard;
    return shard.core.consumer.groups.get(groupId) ?? null;
  }

  /** Every group of the new protocol on this broker. */
  consumerGroups(): ConsumerGroup[] {
    return [...this.shards.loaded()].flatMap(({ core }) => [...core.consumer.groups.values()]);
  }

  /** Whether a member may read its group's offsets in that epoch; NONE or why not. */
  judgeOffsetFetch(groupId: string, memberId: string | null, memberEpoch: number): ErrorName {
    const consumer = this.describeConsumer(groupId);
    const group = consumer ?? this.describeStreams(groupId);
    if (group === null || typeof group === 'string') return 'NONE';
    if (memberId === null || memberId === '' || memberEpoch < 0) return 'NONE';
    const member = group.members.get(memberId);
    if (member === undefined) return 'UNKNOWN_MEMBER_ID';
    return member.progress.epoch === memberEpoch ? 'NONE' : 'STALE_MEMBER_EPOCH';
  }

  /** Commits offsets; the answer has one error for each, in order. */
  async commit(
    request: PlainCommitRequest,
    offsets: readonly OffsetToCommit[],
  ): Promise<ErrorName[]> {
    const shard = this.shards.for(request.groupId);
    if (typeof shard === 'string') return offsets.map(() => shard);
    const nowMs = this.deps.clock.monotonicMs();
    const verdict = shard.core.judgeCommit(request, nowMs);
    if (verdict !== 'NONE') return offsets.map(() => verdict);
    const { groupId } = request;
    if (!this.hasRoomFor(shard, groupId)) return offsets.map(() => NO_ROOM);
    const { errors, accepted } = this.sift(offsets);
    if (accepted.length === 0) return errors;
    const records = accepted.map(({ topic, partition, value }) =>
      offsetRecord({ groupId, topic, partition }, value),
    );
    if (!this.fits(shard, records)) return errors.map(tooManyAtOnce);
    const { offsets: known } = shard.core;
    const order = known.nextOrder();
    known.begin(groupId);
    const error = await this.append(shard, records);
    known.settle(groupId);
    if (error !== 'NONE') return errors.map((own) => (own === 'NONE' ? error : own));
    shard.core.ensure(groupId);
    for (const { topic, partition, value } of accepted)
      known.put(groupId, topic, partition, value, order);
    return errors;
  }

  /** A batch that is refused would make the whole shard begin again. */
  private fits({ partition }: GroupsShard, records: readonly RecordPair[]): boolean {
    let byteCount = 0;
    for (const { key, value } of records)
      byteCount += RECORD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
    return byteCount <= this.deps.log.batchBytesMax(partition) - RECORD_BYTES;
  }

  private sift(offsets: readonly OffsetToCommit[]): {
    errors: ErrorName[];
    accepted: PartitionOffset[];
  } {
    const limit = this.deps.rules.classic().offsetMetadataBytesMax;
    const commitTimestampMs = this.deps.clock.nowMs();
    const accepted: PartitionOffset[] = [];
    const errors = offsets.map(({ topic, partition, ...value }): ErrorName => {
      if (Buffer.byteLength(value.metadata) > limit) return 'OFFSET_METADATA_TOO_LARGE';
      accepted.push({ topic, partition, value: { ...value, commitTimestampMs } });
      return 'NONE';
    });
    return { errors, accepted };
  }

  /**
   * Commits offsets as part of a producer's transaction: they count when it commits.
   * The caller has made sure that the coordinator of the transaction knows of this partition.
   */
  async commitInTransaction(
    request: CommitRequest,
    producer: { id: number; epoch: number },
    offsets: readonly OffsetToCommit[],
  ): Promise<ErrorName[]> {
    const shard = this.shards.for(request.groupId);
    if (typeof shard === 'string') return offsets.map(() => shard);
    const verdict = shard.core.judgeTransactionalCommit(request);
    if (verdict !== 'NONE') return offsets.map(() => verdict);
    const { groupId } = request;
    if (!this.hasRoomFor(shard, groupId)) return offsets.map(() => NO_ROOM);
    const { errors, accepted } = this.sift(offsets);
    if (accepted.length === 0) return errors;
    const records = accepted.map(({ topic, partition, value }) =>
      offsetRecord({ groupId, topic, partition }, value),
    );
    if (!this.fits(shard, records)) return errors.map(tooManyAtOnce);
    // Known as pending before it is committed: a reader of stable offsets must wait from now on.
    shard.core.ensure(groupId);
    for (const offset of accepted) shard.core.offsets.putPending(producer.id, groupId, offset);
    const error = await this.append(shard, records, {
      producerId: producer.id,
      producerEpoch: producer.epoch,
      attributes: TRANSACTIONAL_BIT,
    });
    return error === 'NONE' ? errors : errors.map((own) => (own === 'NONE' ? error : own));
  }

  /** The marker of a producer's transaction is committed in a partition of __consumer_offsets. */
  endTransaction(partition: number, producerId: number, committed: boolean): void {
    this.shards.at(partition)?.core.offsets.endTransaction(producerId, committed);
  }

  /** A group's committed offsets, or why they cannot be read here. */
  offsets(groupId: string): OffsetsCore | ErrorName {
    const shard = this.shards.for(groupId);
    return typeof shard === 'string' ? shard : shard.core.offsets;
  }

  describe(groupId: string): Group | null | ErrorName {
    const shard = this.shards.for(groupId);
    if (typeof shard === 'string') return shard;
    return shard.core.classic.groups.get(groupId) ?? null;
  }

  /** Every group on this broker. */
  groups(): Group[] {
    return [...this.shards.loaded()].flatMap(({ core }) => [...core.classic.groups.values()]);
  }

  get isLoading(): boolean {
    return this.shards.isLoading;
  }

  async deleteGroup(groupId: string): Promise<ErrorName> {
    const shard = this.shards.for(groupId);
    if (typeof shard === 'string') return shard;
    const records = shard.core.deleteGroup(groupId);
    return typeof records === 'string' ? records : this.write(shard, records);
  }

  /** Deletes single offsets; one error for each, in order. @throws KafkaError for the whole request. */
  async deleteOffsets(
    groupId: string,
    partitions: readonly { topic: string; partition: number }[],
  ): Promise<ErrorName[]> {
    const shard = this.shards.for(groupId);
    if (typeof shard === 'string') throw new KafkaError(shard);
    const decided = shard.core.deleteOffsets(groupId, partitions);
    if (typeof decided === 'string') throw new KafkaError(decided);
    const error = await this.write(shard, decided.records);
    return decided.errors.map((own) => (own === 'NONE' ? error : own));
  }

  [Symbol.dispose](): void {
    for (const timer of this.timers) timer[Symbol.dispose]();
    this.shards[Symbol.dispose]();
  }
}
