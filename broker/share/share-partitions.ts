/**
 * Share groups at the leaders of partitions: state is read from the share coordinator before the
 * first record is given out, and written there before an acknowledgement is answered.
 */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { batch, CONTROL_BIT, TRANSACTIONAL_BIT } from '../../proto/kafka/record-batch.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import type { Partition } from '../partition/partition.ts';
import { type ShareLimits, SharePartitionCore, type StateBatch } from './share-partition-core.ts';

export interface ShareKey {
  readonly groupId: string;
  readonly topicId: string;
  readonly partition: number;
}

/** The share coordinator, wherever it is. */
export interface ShareStore {
  read(
    key: ShareKey,
    leaderEpoch: number,
  ): Promise<{ startOffset: number; batches: readonly StateBatch[] } | ErrorName>;
  /** Null: forget it. */
  write(
    key: ShareKey,
    leaderEpoch: number,
    state: { startOffset: number; batches: readonly StateBatch[] } | null,
  ): Promise<ErrorName>;
}

export interface SharePartitionsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: ShareStore;
  readonly limits: (groupId: string) => ShareLimits;
  /** Where a group that was never here begins to read. */
  readonly firstOffset: (groupId: string, partition: Partition) => Promise<number>;
  /** Whether the group sees only what committed transactions wrote. */
  readonly readsCommitted: (groupId: string) => boolean;
}

const TICK_MS = 200;
/** A view that nobody asked for is read again when somebody does. */
const UNUSED_MS = 600_000;

export class SharePartition {
  readonly core: SharePartitionCore;
  readonly partition: Partition;
  readonly leaderEpoch: number;
  usedAtMs = 0;
  private readonly save: () => Promise<ErrorName>;
  private writing: Promise<ErrorName> | null = null;
  private next: Promise<ErrorName> | null = null;

  constructor(
    core: SharePartitionCore,
    partition: Partition,
    leaderEpoch: number,
    save: (core: SharePartitionCore) => Promise<ErrorName>,
  ) {
    this.core = core;
    this.partition = partition;
    this.leaderEpoch = leaderEpoch;
    this.save = () => save(core);
  }

  get isSaving(): boolean {
    return this.writing !== null;
  }

  /** Resolves when everything up to this call is written down; calls in between share a write. */
  persist(): Promise<ErrorName> {
    if (this.writing === null) {
      this.writing = this.save().finally(() => {
        this.writing = null;
      });
      return this.writing;
    }
    this.next ??= this.writing.then(() => {
      this.next = null;
      return this.persist();
    });
    return this.next;
  }
}

export class SharePartitions implements Disposable {
  private readonly deps: SharePartitionsDeps;
  private readonly known = new Map<string, Promise<SharePartition | ErrorName>>();
  private readonly loaded = new Map<string, SharePartition>();
  private readonly timer: Disposable;

  constructor(deps: SharePartitionsDeps) {
    this.deps = deps;
    this.timer = deps.clock.every(TICK_MS, () => this.tick());
  }

  /** The group's view of a partition that is led here, or why there is none. */
  async get(groupId: string, partition: Partition): Promise<SharePartition | ErrorName> {
    if (!partition.isLeader) return 'NOT_LEADER_OR_FOLLOWER';
    const key = { groupId, topicId: partition.topicId, partition: partition.partition };
    const id = JSON.stringify(key);
    const current = this.loaded.get(id);
    if (current !== undefined && current.leaderEpoch === partition.leaderEpoch) {
      current.usedAtMs = this.deps.clock.monotonicMs();
      return current;
    }
    if (current !== undefined) this.drop(id);
    let loading = this.known.get(id);
    if (loading === undefined) {
      loading = this.load(key, id, partition);
      this.known.set(id, loading);
    }
    const result = await loading;
    if (typeof result === 'string') this.known.delete(id);
    return result;
  }

  /** A new reader begins: what an administrator changed meanwhile holds, if nothing is out. */
  refresh(groupId: string, of: { topicId: string; partition: number }): void {
    const id = JSON.stringify({ groupId, topicId: of.topicId, partition: of.partition });
    if (this.loaded.get(id)?.core.isIdle === true) this.drop(id);
  }

  private async load(
    key: ShareKey,
    id: string,
    partition: Partition,
  ): Promise<SharePartition | ErrorName> {
    const { leaderEpoch, log } = partition;
    const state = await this.deps.store.read(key, leaderEpoch);
    if (typeof state === 'string') return state;
    const isNew = state.startOffset < 0;
    const startOffset = isNew
      ? await this.deps.firstOffset(key.groupId, partition)
      : Math.max(state.startOffset, log.startOffset);
    const core = new SharePartitionCore(() => this.deps.limits(key.groupId), {
      startOffset,
      batches: state.batches,
    });
    const share = new SharePartition(core, partition, leaderEpoch, async (of) => {
      const next = { startOffset: of.startOffset, batches: of.batches() };
      const error = await this.deps.store.write(key, leaderEpoch, next);
      // What is in memory may be ahead: the next one to ask reads it again.
      if (error !== 'NONE') this.drop(id);
      return error;
    });
    if (isNew) {
      const error = await share.persist();
      if (error !== 'NONE') return error;
    }
    share.usedAtMs = this.deps.clock.monotonicMs();
    this.loaded.set(id, share);
    return share;
  }

  /** Views that are in memory. */
  get count(): number {
    return this.loaded.size;
  }

  private drop(id: string): void {
    this.known.delete(id);
    this.loaded.delete(id);
  }

  /** Up to where a group may read. */
  endOffset(groupId: string, partition: Partition): number {
    return this.deps.readsCommitted(groupId) ? partition.lastStableOffset : partition.highWatermark;
  }

  /** Whether the batch is of a transaction that was aborted, and not for this group to see. */
  isHidden(groupId: string, partition: Partition, bytes: Buffer, at: number): boolean {
    if (!this.deps.readsCommitted(groupId)) return false;
    const attributes = batch.attributes(bytes, at);
    if ((attributes & TRANSACTIONAL_BIT) === 0 || (attributes & CONTROL_BIT) !== 0) return false;
    const base = batch.baseOffset(bytes, at);
    const producerId = batch.producerId(bytes, at);
    return partition
      .ask((log) => log.abortedTransactions(base, base + 1))
      .some((of) => of.producerId === producerId && of.firstOffset <= base);
  }

  /** How long a member of the group has a record for itself. */
  lockMs(groupId: string): number {
    return this.deps.limits(groupId).lockMs;
  }

  /** Forgets the views of a group, after its offsets were changed by an administrator. */
  forget(groupId: string): void {
    for (const id of [...this.known.keys()])
      if ((JSON.parse(id) as ShareKey).groupId === groupId) this.drop(id);
  }

  private tick(): void {
    const nowMs = this.deps.clock.monotonicMs();
    for (const [id, share] of this.loaded) {
      if (!share.partition.isLeader || share.partition.leaderEpoch !== share.leaderEpoch)
        this.drop(id);
      else if (share.core.isIdle && !share.isSaving && nowMs - share.usedAtMs >= UNUSED_MS)
        this.drop(id);
      else if (share.core.expireLocks(nowMs)) void share.persist();
    }
  }

  [Symbol.dispose](): void {
    this.timer[Symbol.dispose]();
  }
}
