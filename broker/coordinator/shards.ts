/**
 * What every coordinator shares: one state machine per led partition of an internal topic, filled
 * by replaying the partition, fed by what is appended to it, dropped with its leadership.
 *
 * Must never know: what the records mean.
 */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { batchesOf } from '../../proto/kafka/record-batch.ts';
import { type Clock, sleep } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';

/** What a coordinator needs of its topic: the minimum. */
export interface CoordinatorLog {
  /** Partitions of the topic; 0 while it does not exist. */
  partitionCount(): number;
  /** Whether this broker leads the partition, in that epoch and at this moment. */
  isLed(partition: number, leaderEpoch: number): boolean;
  /** The largest batch that the partition takes. */
  batchBytesMax(partition: number): number;
  /** Appends and resolves once committed: NONE, or why not. */
  append(partition: number, batch: Buffer): Promise<ErrorName>;
  /** Everything in the partition, in order. */
  read(partition: number): AsyncIterable<Buffer>;
}

export interface Shard<Core> {
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly core: Core;
  loading: boolean;
}

export interface ShardsDeps<Core> {
  readonly log: CoordinatorLog;
  readonly clock: Clock;
  readonly logger: Logger;
  /** For log lines: what is being loaded. */
  readonly name: string;
  readonly create: () => Core;
  /** Applies the batch at `at`; its records, the way all state comes to be. */
  readonly replay: (core: Core, bytes: Buffer, at: number) => void;
  readonly onLoaded: (shard: Shard<Core>) => void;
  /** The shard serves nobody any more: parked requests must be answered. */
  readonly onUnload: (shard: Shard<Core>) => void;
}

/** Kafka's choice: the hash code of a Java string, made positive. */
export function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash & 0x7fffffff;
}

/** What an append that failed means to a coordinator's client. */
export function coordinatorError(error: ErrorName): ErrorName {
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

const RELOAD_DELAY_MS = 200;

export class Shards<Core> implements Disposable {
  private readonly deps: ShardsDeps<Core>;
  private readonly byPartition = new Map<number, Shard<Core>>();

  constructor(deps: ShardsDeps<Core>) {
    this.deps = deps;
  }

  partitionFor(key: string): number {
    return javaHash(key) % Math.max(this.deps.log.partitionCount(), 1);
  }

  /** This broker leads the partition in that epoch now; null: it does not. */
  onLeadership(partition: number, leaderEpoch: number | null): void {
    const before = this.byPartition.get(partition);
    if (before?.leaderEpoch === leaderEpoch) return;
    if (before !== undefined) this.unload(before);
    if (leaderEpoch !== null) void this.load(partition, leaderEpoch);
  }

  private async load(partition: number, leaderEpoch: number, delayMs = 0): Promise<void> {
    const { clock, logger, name } = this.deps;
    const shard: Shard<Core> = { partition, leaderEpoch, core: this.deps.create(), loading: true };
    this.byPartition.set(partition, shard);
    if (delayMs > 0) {
      await sleep(clock, delayMs);
      if (!this.isCurrent(shard)) return;
    }
    const startedMs = clock.monotonicMs();
    try {
      let batches = 0;
      for await (const bytes of this.deps.log.read(partition)) {
        for (const { at } of batchesOf(bytes)) {
          this.deps.replay(shard.core, bytes, at);
          batches++;
        }
      }
      shard.loading = false;
      if (!this.isCurrent(shard)) return;
      this.deps.onLoaded(shard);
      const elapsedMs = Math.round(clock.monotonicMs() - startedMs);
      if (batches > 0) logger.info(`${name} loaded`, { partition, batches, elapsedMs });
    } catch (cause) {
      logger.error(`loading ${name} failed`, { partition, cause });
      if (this.isCurrent(shard)) this.byPartition.delete(partition);
    }
  }

  private unload(shard: Shard<Core>): void {
    this.byPartition.delete(shard.partition);
    this.deps.onUnload(shard);
  }

  /** Whether the shard still serves: leadership was neither lost nor taken anew. */
  isCurrent(shard: Shard<Core>): boolean {
    return this.byPartition.get(shard.partition) === shard;
  }

  /** Leadership may end before anybody has come to announce it: nothing is answered from then on. */
  private isLed({ leaderEpoch, partition }: Shard<Core>): boolean {
    return this.deps.log.isLed(partition, leaderEpoch);
  }

  /** The shard of a key, or why it cannot be used here and now. */
  for(key: string): Shard<Core> | ErrorName {
    if (this.deps.log.partitionCount() === 0) return 'COORDINATOR_NOT_AVAILABLE';
    const shard = this.byPartition.get(this.partitionFor(key));
    if (shard === undefined || !this.isLed(shard)) return 'NOT_COORDINATOR';
    return shard.loading ? 'COORDINATOR_LOAD_IN_PROGRESS' : shard;
  }

  at(partition: number): Shard<Core> | null {
    const shard = this.byPartition.get(partition);
    return shard === undefined || shard.loading || !this.isLed(shard) ? null : shard;
  }

  /** Every shard that is loaded. */
  *loaded(): Generator<Shard<Core>> {
    for (const shard of [...this.byPartition.values()])
      if (!shard.loading && this.isLed(shard)) yield shard;
  }

  get isLoading(): boolean {
    return [...this.byPartition.values()].some(({ loading }) => loading);
  }

  /** Appends and waits for the commit; a failure makes the shard begin again from the log. */
  async append(shard: Shard<Core>, batch: Buffer): Promise<ErrorName> {
    const error = await this.deps.log.append(shard.partition, batch);
    if (error === 'NONE') return this.isCurrent(shard) ? error : 'NOT_COORDINATOR';
    // What is in memory may be ahead of the log now, or behind it.
    const { logger, name } = this.deps;
    logger.warn(`writing ${name} failed`, { partition: shard.partition, error });
    if (this.isCurrent(shard)) {
      this.unload(shard);
      // What is loaded may want to write at once: a log that refuses must not make that a busy loop.
      void this.load(shard.partition, shard.leaderEpoch, RELOAD_DELAY_MS);
    }
    return coordinatorError(error);
  }

  [Symbol.dispose](): void {
    for (const shard of [...this.byPartition.values()]) this.unload(shard);
  }
}
