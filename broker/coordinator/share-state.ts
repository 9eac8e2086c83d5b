/**
 * Where share groups stand in each partition, on the leaders of __share_group_state: the start
 * offset, and what became of the records after it. Records are Kafka's snapshots (KIP-932).
 */
import { Reader } from '../../proto/kafka/cursor.ts';
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { buildBatch, recordsOf, type StoredRecord } from '../../proto/kafka/record-batch.ts';
import { shareSnapshotKey, shareSnapshotValue } from '../../proto/kafka/records/share-state.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import { pair, type RecordPair } from './record-pair.ts';
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

/** Record type: the first two bytes of a key. */
const SNAPSHOT = 0;

/** Partitions of share groups in one partition of __share_group_state. */
const STATES_MAX = 20_000;

type States = Map<string, ShareState>;
const UNKNOWN: ShareState = { leaderEpoch: -1, snapshotEpoch: 0, startOffset: -1, batches: [] };

function recordOf(key: ShareKey, state: ShareState | null, nowMs: number): RecordPair {
  return pair(
    SNAPSHOT,
    shareSnapshotKey,
    key,
    shareSnapshotValue,
    state === null
      ? null
      : {
          snapshotEpoch: state.snapshotEpoch,
          stateEpoch: 0,
          leaderEpoch: state.leaderEpoch,
          startOffset: state.startOffset,
          createTimestamp: nowMs,
          writeTimestamp: nowMs,
          stateBatches: [...state.batches],
        },
  );
}

function replay(states: States, { key, value }: StoredRecord): void {
  if (key === null || key.length < 2 || key.readInt16BE(0) !== SNAPSHOT) return;
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
  private readonly statesMax: number;
  readonly shards: Shards<States>;

  constructor(deps: ShareStateDeps, statesMax = STATES_MAX) {
    this.clock = deps.clock;
    this.statesMax = statesMax;
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
    if (state !== null && !shard.core.has(id) && shard.core.size >= this.statesMax)
      return 'POLICY_VIOLATION';
    const timestampMs = this.clock.nowMs();
    // In memory first: the next write must see it. Where the append fails, the shard itself is
    // made anew from the log.
    if (state === null) shard.core.delete(id);
    else shard.core.set(id, state);
    return this.shards.append(
      shard,
      buildBatch([recordOf(key, state, timestampMs)], { timestampMs }),
    );
  }

  [Symbol.dispose](): void {
    this.shards[Symbol.dispose]();
  }
}
