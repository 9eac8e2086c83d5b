/**
 * Runs groups on the leaders of __consumer_offsets: append what the core decides, answer when it
 * is committed, replay the log on taking over. All decisions are in group-core.ts.
 *
 * Must never know: the log, replication, sockets.
 */

import { type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import { batchesOf, buildBatch, recordsOf } from '../../proto/kafka/record-batch.ts';
import type { Chance } from '../../stdx/chance.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import type { Group } from './group.ts';
import {
  type Effects,
  type GroupRules,
  GroupsCore,
  type JoinAnswer,
  type JoinRequest,
  joinError,
  type SyncAnswer,
  syncError,
} from './group-core.ts';
import {
  type CommittedOffset,
  offsetRecord,
  type RecordPair,
  readGroupRecord,
} from './group-records.ts';

/** What a coordinator needs of its topic: the minimum. */
export interface CoordinatorLog {
  /** Partitions of the topic; 0 while it does not exist. */
  partitionCount(): number;
  /** Appends and resolves once committed: NONE, or why not. */
  append(partition: number, batch: Buffer): Promise<ErrorName>;
  /** Everything in the partition, in order. */
  read(partition: number): AsyncIterable<Buffer>;
}

export interface GroupCoordinatorDeps {
  readonly log: CoordinatorLog;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  readonly rules: () => GroupRules;
}

const TICK_MS = 200;

/** Kafka's choice: the hash code of a Java string, made positive. */
export function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash & 0x7fffffff;
}

interface Shard {
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly core: GroupsCore;
  loading: boolean;
}

/** What an append that failed means to a group's client. */
function coordinatorError(error: ErrorName): ErrorName {
  switch (error) {
    case 'NOT_LEADER_OR_FOLLOWER':
    case 'KAFKA_STORAGE_ERROR':
    case 'LEADER_NOT_AVAILABLE':
      return 'NOT_COORDINATOR';
    case 'NOT_ENOUGH_REPLICAS':
    case 'NOT_ENOUGH_REPLICAS_AFTER_APPEND':
    case 'REQUEST_TIMED_OUT':
      return 'COORDINATOR_NOT_AVAILABLE';
    default:
      return error;
  }
}

export class GroupCoordinator implements Disposable {
  private readonly deps: GroupCoordinatorDeps;
  private readonly shards = new Map<number, Shard>();
  private readonly parked = new Map<number, (answer: JoinAnswer | SyncAnswer) => void>();
  private nextToken = 1;
  private readonly timer: Disposable;

  constructor(deps: GroupCoordinatorDeps) {
    this.deps = deps;
    this.timer = deps.clock.every(TICK_MS, () => this.tick());
  }

  partitionFor(groupId: string): number {
    return javaHash(groupId) % Math.max(this.deps.log.partitionCount(), 1);
  }

  /** This broker leads the partition in that epoch now; null: it does not. */
  onLeadership(partition: number, leaderEpoch: number | null): void {
    const before = this.shards.get(partition);
    if (before?.leaderEpoch === leaderEpoch) return;
    if (before !== undefined) this.unload(before);
    if (leaderEpoch !== null) void this.load(partition, leaderEpoch);
  }

  private async load(partition: number, leaderEpoch: number): Promise<void> {
    const { clock, chance, logger } = this.deps;
    const core = new GroupsCore(this.deps.rules, () => chance.uuid());
    const shard: Shard = { partition, leaderEpoch, core, loading: true };
    this.shards.set(partition, shard);
    try {
      let records = 0;
      for await (const bytes of this.deps.log.read(partition)) {
        for (const { at } of batchesOf(bytes)) {
          for (const record of recordsOf(bytes, at)) {
            core.replay(readGroupRecord(record), clock.monotonicMs());
            records++;
          }
        }
      }
      shard.loading = false;
      if (records > 0)
        logger.info('groups loaded', { partition, groups: core.groups.size, records });
    } catch (cause) {
      logger.error('loading groups failed', { partition, cause });
      if (this.shards.get(partition) === shard) this.shards.delete(partition);
    }
  }

  private unload(shard: Shard): void {
    this.shards.delete(shard.partition);
    for (const group of shard.core.groups.values()) {
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

  /** The shard of a group, or why it cannot be used here and now. */
  private shardOf(groupId: string): Shard | ErrorName {
    if (this.deps.log.partitionCount() === 0) return 'COORDINATOR_NOT_AVAILABLE';
    const shard = this.shards.get(this.partitionFor(groupId));
    if (shard === undefined) return 'NOT_COORDINATOR';
    return shard.loading ? 'COORDINATOR_LOAD_IN_PROGRESS' : shard;
  }

  private tick(): void {
    const nowMs = this.deps.clock.monotonicMs();
    for (const shard of this.shards.values()) {
      if (!shard.loading) this.perform(shard, shard.core.expire(nowMs));
    }
  }

  private perform(shard: Shard, { replies, records }: Effects): void {
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

  private async append(shard: Shard, records: readonly RecordPair[]): Promise<ErrorName> {
    const batch = buildBatch(records, { timestampMs: this.deps.clock.nowMs() });
    const error = await this.deps.log.append(shard.partition, batch);
    if (error === 'NONE') return error;
    // What is in memory is ahead of the log now: begin again from the log.
    this.deps.logger.warn('writing group state failed', { partition: shard.partition, error });
    if (this.shards.get(shard.partition) === shard) {
      this.unload(shard);
      void this.load(shard.partition, shard.leaderEpoch);
    }
    return coordinatorError(error);
  }

  async join(request: JoinRequest): Promise<JoinAnswer> {
    const shard = this.shardOf(request.groupId);
    if (typeof shard === 'string') return joinError(shard, request.memberId);
    const { token, answer } = this.park<JoinAnswer>();
    this.perform(shard, shard.core.join(request, token, this.deps.clock.monotonicMs()));
    return answer;
  }

  async sync(request: Parameters<GroupsCore['sync']>[0]): Promise<SyncAnswer> {
    const shard = this.shardOf(request.groupId);
    if (typeof shard === 'string') return syncError(shard);
    const { token, answer } = this.park<SyncAnswer>();
    this.perform(shard, shard.core.sync(request, token, this.deps.clock.monotonicMs()));
    return answer;
  }

  heartbeat(request: Parameters<GroupsCore['heartbeat']>[0]): ErrorName {
    const shard = this.shardOf(request.groupId);
    if (typeof shard === 'string') return shard;
    return shard.core.heartbeat(request, this.deps.clock.monotonicMs());
  }

  leave(
    groupId: string,
    members: readonly { memberId: string; instanceId: string | null }[],
  ): ErrorName[] {
    const shard = this.shardOf(groupId);
    if (typeof shard === 'string') throw new KafkaError(shard);
    const { errors, ...effects } = shard.core.leave(
      groupId,
      members,
      this.deps.clock.monotonicMs(),
    );
    this.perform(shard, effects);
    return errors;
  }

  /** Commits offsets; the answer has one error for each, in order. */
  async commit(
    request: { groupId: string; generation: number; memberId: string; instanceId: string | null },
    offsets: readonly {
      topic: string;
      partition: number;
      offset: number;
      leaderEpoch: number;
      metadata: string;
    }[],
  ): Promise<ErrorName[]> {
    const shard = this.shardOf(request.groupId);
    if (typeof shard === 'string') return offsets.map(() => shard);
    const nowMs = this.deps.clock.monotonicMs();
    const verdict = shard.core.judgeCommit(request, nowMs);
    if (verdict !== 'NONE') return offsets.map(() => verdict);
    const limit = this.deps.rules().offsetMetadataBytesMax;
    const errors = offsets.map(
      ({ metadata }): ErrorName =>
        Buffer.byteLength(metadata) > limit ? 'OFFSET_METADATA_TOO_LARGE' : 'NONE',
    );
    const accepted = offsets.filter((_, i) => errors[i] === 'NONE');
    if (accepted.length === 0) return errors;
    const commitTimestampMs = this.deps.clock.nowMs();
    const values = accepted.map(
      ({ offset, leaderEpoch, metadata }): CommittedOffset => ({
        offset,
        leaderEpoch,
        metadata,
        commitTimestampMs,
      }),
    );
    const { groupId } = request;
    const records = accepted.map(({ topic, partition }, i) =>
      offsetRecord({ groupId, topic, partition }, values[i] as CommittedOffset),
    );
    const error = await this.append(shard, records);
    if (error !== 'NONE') return errors.map((own) => (own === 'NONE' ? error : own));
    for (const [i, { topic, partition }] of accepted.entries()) {
      shard.core.applyOffset(groupId, topic, partition, values[i] as CommittedOffset, nowMs);
    }
    return errors;
  }

  /** A group's committed offsets, or why they cannot be read here. */
  offsets(groupId: string): Group['offsets'] | ErrorName {
    const shard = this.shardOf(groupId);
    if (typeof shard === 'string') return shard;
    return shard.core.groups.get(groupId)?.offsets ?? new Map();
  }

  describe(groupId: string): Group | null | ErrorName {
    const shard = this.shardOf(groupId);
    if (typeof shard === 'string') return shard;
    return shard.core.groups.get(groupId) ?? null;
  }

  /** Every group on this broker. */
  groups(): Group[] {
    return [...this.shards.values()].flatMap(({ core }) => [...core.groups.values()]);
  }

  get isLoading(): boolean {
    return [...this.shards.values()].some(({ loading }) => loading);
  }

  async deleteGroup(groupId: string): Promise<ErrorName> {
    const shard = this.shardOf(groupId);
    if (typeof shard === 'string') return shard;
    const records = shard.core.deleteGroup(groupId);
    if (typeof records === 'string') return records;
    const error = await this.append(shard, records);
    if (error !== 'NONE') return error;
    shard.core.groups.delete(groupId);
    return 'NONE';
  }

  [Symbol.dispose](): void {
    this.timer[Symbol.dispose]();
    for (const shard of [...this.shards.values()]) this.unload(shard);
  }
}
