/** Compacts the logs of this broker, the dirtiest first, one at a time and at a bounded rate. */
import { type Clock, sleep } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';
import type { BrokerConfig } from './config/config.ts';
import { compactLog } from './log/compaction.ts';
import { dirtyRatio, isDue } from './log/compaction-core.ts';
import type { LogDirectories } from './log/log-directories.ts';
import type { Partition } from './partition/partition.ts';
import type { Partitions } from './partition/partitions.ts';

/** Kafka's dedupe buffer needs 24 bytes a key; ours keeps the keys themselves. */
const KEY_MEMORY_SHARE = 0.25;

export interface CleanerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: BrokerConfig;
  readonly partitions: Partitions;
  readonly directories: LogDirectories;
  readonly fileDeleteDelayMs: (topicId: string) => number;
}

export class Cleaner implements Disposable {
  private readonly deps: CleanerDeps;
  private timer: Disposable;
  private over = false;

  constructor(deps: CleanerDeps) {
    this.deps = deps;
    this.timer = this.schedule();
  }

  private schedule(): Disposable {
    const { clock, config } = this.deps;
    return clock.after(config.number('log.cleaner.backoff.ms'), () => {
      void this.run().then(() => {
        if (!this.over) this.timer = this.schedule();
      });
    });
  }

  /** Compacts until nothing is due. */
  private async run(): Promise<void> {
    if (!this.deps.config.flag('log.cleaner.enable')) return;
    const done = new Set<Partition>();
    for (;;) {
      const next = this.dirtiest(done);
      if (next === null || this.over) return;
      done.add(next);
      await this.clean(next);
    }
  }

  /** Only what is committed and decided may be compacted. */
  private limitOf(partition: Partition): number {
    const nowMs = this.deps.clock.nowMs();
    return partition.log.compactableBefore(partition.lastStableOffset, nowMs);
  }

  private dirtiest(except: ReadonlySet<Partition>): Partition | null {
    const nowMs = this.deps.clock.nowMs();
    let best: Partition | null = null;
    let bestRatio = -1;
    for (const partition of this.deps.partitions) {
      const { log } = partition;
      if (!log.config.compacts || log.failure !== null || except.has(partition)) continue;
      if (partition.damage !== null || partition.isFull) continue;
      const dirtiness = log.dirtiness(this.limitOf(partition));
      const ratio = dirtyRatio(dirtiness);
      if (!isDue(dirtiness, log.config, nowMs) || ratio <= bestRatio) continue;
      best = partition;
      bestRatio = ratio;
    }
    return best;
  }

  private async clean(partition: Partition): Promise<void> {
    const { clock, logger, config, directories } = this.deps;
    const { topic, partition: index, log } = partition;
    const startedMs = clock.monotonicMs();
    try {
      const rules = {
        nowMs: clock.nowMs(),
        deleteRetentionMs: log.config.deleteRetentionMs,
        producers: log.producers,
      };
      // What is compacted is never scanned again: holes in it are no loss.
      await log.flush();
      directories.checkpoint(this.deps.partitions);
      const bytesPerMs = config.number('log.cleaner.io.max.bytes.per.second') / 1000;
      const result = await compactLog(log, this.limitOf(partition), rules, {
        keyBytesMax: config.number('log.cleaner.dedupe.buffer.size') * KEY_MEMORY_SHARE,
        pause: (byteCount) => sleep(clock, Math.min(byteCount / bytesPerMs, 1000)),
      });
      if (result === null) return;
      const { aside, unreadable, firstUnreadableOffset, ...counts } = result;
      if (unreadable > 0)
        logger.warn('batches that cannot be unpacked stay as they are', {
          topic,
          partition: index,
          batches: unreadable,
          firstOffset: firstUnreadableOffset,
        });
      logger.info('log compacted', {
        topic,
        partition: index,
        ...counts,
        elapsedMs: Math.round(clock.monotonicMs() - startedMs),
      });
      clock.after(this.deps.fileDeleteDelayMs(partition.topicId), () => {
        for (const path of aside) directories.remove(path);
      });
    } catch (cause) {
      partition.onLogError(cause);
    }
  }

  [Symbol.dispose](): void {
    this.over = true;
    this.timer[Symbol.dispose]();
  }
}
