/**
 * Where share groups stand in each partition, on the leaders of __share_group_state: the start
 * offset, and what became of the records after it. Records are Kafka's snapshots (KIP-932).
 */
import { Reader, Writer } from '../../proto/kafka/cursor.ts';
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { buildBatch, recordsOf, type StoredRecord } from '../../proto/kafka/record-batch.ts';
import { shareSnapshotKey, shareSnapshotValue } from '../../proto/kafka/records/share-state.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import { type CoordinatorLog, Shards } from './shards.ts';

export interface ShareKey {
  readonly groupId: string;
  readonly topicId: string;
  readonly partition: number;
}
export interface StateBatch {
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** 0 available, 2 acknowledged, 4 archived. */
  readonly deliveryState: number;
  readonly deliveryCount: number;
}
export interface ShareState {
  readonly leaderEpoch: number;
  readonly snapshotEpoch: number;
  /** -1: nothing is known yet. */
  readonly startOffset: number;
  readonly batches: readonly StateBatch[];
}

/** The coordinator of a share group's partition is found by this text. */
export function coordinatorKey({ groupId, topicId, partition }: ShareKey): string {
  return `${groupId}:${topicId}:${partition}`;
}

type States = Map<string, ShareState>;
const UNKNOWN: ShareState = { leaderEpoch: -1, snapshotEpoch: 0, startOffset: -1, batches: [] };

function recordOf(key: ShareKey, state: ShareState | null, nowMs: number) {
  const k = new Writer(64);
  k.int16(0);
  shareSnapshotKey.write(k, 0, key);
  if (state === null) return { key: k.toBuffer(), value: null };
  const v = new Writer(128);
  v.int16(0);
  shareSnapshotValue.write(v, 0, {
    snapshotEpoch: state.snapshotEpoch,
    stateEpoch: 0,
    leaderEpoch: state.leaderEpoch,
    startOffset: state.startOffset,
    createTimestamp: nowMs,
    writeTimestamp: nowMs,
    stateBatches: [...state.batches],
  });
  return { key: k.toBuffer(), value: v.toBuffer() };
}

function replay(states: States, { key, value }: StoredRecord): void {
  if (key === null || key.length < 2 || key.readInt16BE(0) !== 0) return;
  const id = coordinatorKey(shareSnapshotKey.read(new Reader(key, 2), 0));
  if (value === null) {
    states.delete(id);
    return;
  }
  const of = shareSnapshotValue.read(new Reader(value, 2), value.readInt16BE(0));
  const { leaderEpoch, snapshotEpoch, startOffset, stateBatches } = of;
  states.set(id, { leaderEpoch, snapshotEpoch, startOffset, batches: stateBatches });
}

export interface ShareStateDeps {
  readonly log: CoordinatorLog;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class ShareStateCoordinator implements Disposable {
  private readonly clock: Clock;
  readonly shards: Shards<States>;

  constructor(deps: ShareStateDeps) {
    this.clock = deps.clock;
    this.shards = new Shards({
      ...deps,
      name: 'share states',
      create: () => new Map(),
      replay: (states, bytes, at) => {
        for (const record of recordsOf(bytes, at)) replay(states, record);
      },
      onLoaded: () => {},
      onUnload: () => {},
    });
  }

  partitionFor(key: string): number {
    return this.shards.partitionFor(key);
  }

  /** What is known; from now on an older leader of the partition is refused. */
  async read(key: ShareKey, leaderEpoch: number): Promise<ShareState | ErrorName> {
    const id = coordinatorKey(key);
    const shard = this.shards.for(id);
    if (typeof shard === 'string') return shard;
    const known = shard.core.get(id) ?? UNKNOWN;
    if (leaderEpoch < known.leaderEpoch) return 'FENCED_LEADER_EPOCH';
    if (known === UNKNOWN || leaderEpoch === known.leaderEpoch) return known;
    const error = await this.put(key, { ...known, leaderEpoch });
    return error === 'NONE' ? (shard.core.get(id) ?? UNKNOWN) : error;
  }

  async write(
    key: ShareKey,
    leaderEpoch: number,
    state: Pick<ShareState, 'startOffset' | 'batches'> | null,
  ): Promise<ErrorName> {
    const shard = this.shards.for(coordinatorKey(key));
    if (typeof shard === 'string') return shard;
    const known = shard.core.get(coordinatorKey(key)) ?? UNKNOWN;
    if (leaderEpoch < known.leaderEpoch) return 'FENCED_LEADER_EPOCH';
    if (state === null) return this.put(key, null);
    return this.put(key, { ...state, leaderEpoch, snapshotEpoch: known.snapshotEpoch + 1 });
  }

  private async put(key: ShareKey, state: ShareState | null): Promise<ErrorName> {
    const id = coordinatorKey(key);
    const shard = this.shards.for(id);
    if (typeof shard === 'string') return shard;
    const timestampMs = this.clock.nowMs();
    const before = shard.core.get(id);
    // In memory first: the next write must see it. What fails is read again from the log.
    if (state === null) shard.core.delete(id);
    else shard.core.set(id, state);
    const error = await this.shards.append(
      shard,
      buildBatch([recordOf(key, state, timestampMs)], { timestampMs }),
    );
    if (error !== 'NONE' && before !== undefined) shard.core.set(id, before);
    return error;
  }

  /** Every group's state that is known here, for those who look after groups. */
  *states(): Generator<readonly [string, ShareState]> {
    for (const { core } of this.shards.loaded()) yield* core;
  }

  [Symbol.dispose](): void {
    this.shards[Symbol.dispose]();
  }
}
