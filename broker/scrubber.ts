/**
 * Reads everything that is stored here, again and again, before anybody needs it: disks forget bits without
 * saying so. The replica that was looked at longest ago comes first; the rate is what a round within
 * `log.scrub.interval.ms` needs, within `log.scrub.bytes.per.second`. Pieces are read by another thread,
 * and whenever the event loop is late there is more time between them.
 */
import { type Clock, sleep } from '../stdx/clock.ts';
import { DiskError } from '../stdx/disk.ts';
import type { Logger } from '../stdx/logger.ts';
import type { BrokerConfig } from './config/config.ts';
import { CheckpointFile } from './log/checkpoint-file.ts';
import type { LogDirectories } from './log/log-directories.ts';
import { checkSegment } from './log/segment-check.ts';
import { DamagedLog } from './log/stored-batches.ts';
import type { Partition } from './partition/partition.ts';
import { paceOf } from './scrub-core.ts';

const FILE = 'tenure-scrub-checkpoint';
/** Between two looks for something that is due. */
const LOOK_MS_MAX = 60_000;
const SAVE_MS = 60_000;
/** A loop that is so late has other things to do. */
const LATE_MS = 20;
const BUSY_PAUSE_MS = 500;

export interface ScrubberDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: Pick<BrokerConfig, 'number'>;
  readonly partitions: Iterable<Partition>;
  readonly directories: Pick<LogDirectories, 'all' | 'of'>;
  readonly disk: ConstructorParameters<typeof CheckpointFile>[0];
  readonly onRepaired: (partition: Partition) => void;
}

export class Scrubber implements Disposable {
  private readonly deps: ScrubberDeps;
  /** When replicas were last read to their end, by `topic partition`. */
  private readonly readAtMs = new Map<string, number>();
  private readonly files: ReadonlyMap<string, CheckpointFile>;
  private savedAtMs = 0;
  private timer: Disposable;
  private over = false;
  /** Bytes that were read and compared. */
  byteCount = 0;

  constructor(deps: ScrubberDeps) {
    this.deps = deps;
    this.files = new Map(
      deps.directories.all.map(({ path }) => [
        path,
        new CheckpointFile(deps.disk, `${path}/${FILE}`),
      ]),
    );
    const nowMs = deps.clock.nowMs();
    for (const file of this.files.values())
      for (const [key, readAtMs] of file.read()) this.readAtMs.set(key, Math.min(readAtMs, nowMs));
    this.savedAtMs = nowMs;
    this.timer = this.schedule();
  }

  private get intervalMs(): number {
    return this.deps.config.number('log.scrub.interval.ms');
  }

  /** Age of what was not read for longest. */
  get oldestAgeMs(): number {
    const nowMs = this.deps.clock.nowMs();
    let oldest = nowMs;
    for (const partition of this.deps.partitions)
      oldest = Math.min(oldest, this.readAtMs.get(keyOf(partition)) ?? nowMs);
    return nowMs - oldest;
  }

  private schedule(): Disposable {
    const delayMs = Math.min(Math.max(this.intervalMs / 10, 100), LOOK_MS_MAX);
    return this.deps.clock.after(delayMs, () => {
      void this.run().then(() => {
        if (!this.over) this.timer = this.schedule();
      });
    });
  }

  /** Reads until nothing is due. */
  private async run(): Promise<void> {
    const done = new Set<Partition>();
    for (;;) {
      const next = this.mostDue(done);
      if (next === null || this.over) return;
      done.add(next);
      await this.read(next);
      if (this.over) return;
      this.readAtMs.set(keyOf(next), this.deps.clock.nowMs());
      this.saveNowAndThen();
    }
  }

  private mostDue(except: ReadonlySet<Partition>): Partition | null {
    const nowMs = this.deps.clock.nowMs();
    let best: Partition | null = null;
    let oldestMs = nowMs - this.intervalMs / 2;
    for (const partition of this.deps.partitions) {
      const key = keyOf(partition);
      const readAtMs = this.readAtMs.get(key);
      // What was just written, or is new to this life, has its time.
      if (readAtMs === undefined) this.readAtMs.set(key, nowMs);
      if (readAtMs === undefined || readAtMs > oldestMs || except.has(partition)) continue;
      if (partition.log.failure !== null || partition.damage !== null || partition.isFull) continue;
      best = partition;
      oldestMs = readAtMs;
    }
    return best;
  }

  private async read(partition: Partition): Promise<void> {
    const { log } = partition;
    for (const segment of [...log.segmentsNow]) {
      if (this.over || partition.damage !== null) return;
      if (segment.isGone || segment.byteCount === 0) continue;
      try {
        const result = await checkSegment(log, segment, (byteCount) => this.pause(byteCount));
        if (result === 'repaired') this.deps.onRepaired(partition);
      } catch (cause) {
        this.onFault(partition, segment.baseOffset, cause);
        return;
      }
    }
  }

  private onFault(partition: Partition, baseOffset: number, cause: unknown): void {
    if (this.over) return;
    if (cause instanceof DamagedLog) return partition.damaged(cause);
    if (cause instanceof DiskError && cause.code === 'EIO') {
      // A sector that cannot be read is damage of this replica, and not the end of its disk.
      const { path } = cause;
      return partition.damaged(
        new DamagedLog({ path, baseOffset, position: 0, fault: 'unreadable' }),
      );
    }
    const { topic, partition: index } = partition;
    this.deps.logger.warn('reading a log through failed', { topic, partition: index, cause });
  }

  private async pause(byteCount: number): Promise<void> {
    const { clock, config } = this.deps;
    this.byteCount += byteCount;
    let totalBytes = 0;
    for (const { log } of this.deps.partitions) totalBytes += log.byteCount;
    const { intervalMs } = this;
    const bytesPerSecondMax = config.number('log.scrub.bytes.per.second');
    const waitMs = (byteCount / paceOf({ totalBytes, intervalMs, bytesPerSecondMax })) * 1000;
    const beganMs = clock.monotonicMs();
    await sleep(clock, waitMs);
    if (clock.monotonicMs() - beganMs - waitMs > LATE_MS) await sleep(clock, BUSY_PAUSE_MS);
  }

  private saveNowAndThen(): void {
    const nowMs = this.deps.clock.nowMs();
    if (nowMs - this.savedAtMs < SAVE_MS) return;
    this.savedAtMs = nowMs;
    this.save();
  }

  private save(): void {
    const byPath = new Map([...this.files.keys()].map((path) => [path, new Map<string, number>()]));
    for (const partition of this.deps.partitions) {
      const key = keyOf(partition);
      const readAtMs = this.readAtMs.get(key);
      const { path } = this.deps.directories.of(partition.log);
      if (readAtMs !== undefined) byPath.get(path)?.set(key, readAtMs);
    }
    try {
      for (const [path, file] of this.files) file.write(byPath.get(path) ?? new Map());
    } catch (cause) {
      this.deps.logger.debug('noting what was read through failed', { cause });
    }
  }

  [Symbol.dispose](): void {
    this.over = true;
    this.timer[Symbol.dispose]();
    this.save();
  }
}

const keyOf = ({ topic, partition }: Partition) => `${topic} ${partition}`;
