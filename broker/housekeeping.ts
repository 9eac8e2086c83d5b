/** Periodic work on the logs of a broker: retention, checkpoints, writing dirty pages back. */
import type { Clock } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';
import type { LogDirectories } from './log/log-directories.ts';
import type { ProducerBudget } from './log/producer-budget.ts';
import type { Partitions } from './partition/partitions.ts';

const CHECKPOINT_MS = 30_000;
const FLUSH_CHECK_MS = 2_000;
const FLUSH_BYTES = 64 * 1024 * 1024;

export interface HousekeepingDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly partitions: Partitions;
  readonly directories: LogDirectories;
  readonly budget: ProducerBudget;
  readonly retentionPeriodMs: () => number;
  readonly fileDeleteDelayMs: (topicId: string) => number;
}

export class Housekeeping implements Disposable {
  private readonly deps: HousekeepingDeps;
  private readonly timers: Disposable[];
  private retention: Disposable;
  private flushing = false;

  constructor(deps: HousekeepingDeps) {
    this.deps = deps;
    this.timers = [
      deps.clock.every(CHECKPOINT_MS, () => this.checkpoint()),
      deps.clock.every(FLUSH_CHECK_MS, () => {
        deps.budget.enforce(Array.from(deps.partitions, ({ log }) => log.producers));
        void this.startWriteback();
      }),
    ];
    this.retention = this.scheduleRetention();
  }

  /** One run after the other, so that a changed period acts with the next one. */
  private scheduleRetention(): Disposable {
    return this.deps.clock.after(this.deps.retentionPeriodMs(), () => {
      this.retain();
      this.retention = this.scheduleRetention();
    });
  }

  private retain(): void {
    const { clock, logger, partitions, directories } = this.deps;
    let moved = false;
    for (const partition of partitions) {
      if (partition.log.failure !== null) continue;
      try {
        const { highWatermark, isFull, log } = partition;
        const aside = log.retain(clock.nowMs(), highWatermark, { mayRoll: !isFull });
        const expiredBeforeMs = clock.nowMs() - partition.rules.producerExpirationMs;
        partition.log.producers.expire(expiredBeforeMs);
        partition.verifications.expire(expiredBeforeMs);
        if (aside.length === 0) continue;
        moved = true;
        const { topic, partition: index } = partition;
        logger.info('old segments set aside', { topic, partition: index, files: aside.length });
        clock.after(this.deps.fileDeleteDelayMs(partition.topicId), () => {
          for (const path of aside) directories.remove(path);
        });
      } catch (cause) {
        partition.onLogError(cause);
      }
    }
    // What begins later now must not look like a loss after the next start.
    if (moved) this.checkpoint();
  }

  private checkpoint(): void {
    this.deps.directories.checkpoint(this.deps.partitions);
  }

  /** Starts writing dirty pages back before they pile up and stall the loop. */
  private async startWriteback(): Promise<void> {
    if (this.flushing) return;
    this.flushing = true;
    for (const partition of this.deps.partitions) {
      if (partition.log.dirtyBytes < FLUSH_BYTES || partition.log.failure !== null) continue;
      if (partition.isFull) continue;
      try {
        await partition.log.flush();
      } catch (cause) {
        partition.onLogError(cause);
      }
    }
    this.flushing = false;
  }

  [Symbol.dispose](): void {
    this.retention[Symbol.dispose]();
    for (const timer of this.timers) timer[Symbol.dispose]();
  }
}
