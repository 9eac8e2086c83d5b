/**
 * What becomes of log directories without room. Nothing in them is lost, so nothing ends: what they have can
 * be read, what is to be written is refused, and others are asked to lead instead (`offline-replicas`). They
 * are looked at again and again, and once there is room their replicas follow on.
 *
 * A log whose write was refused is opened anew: what it has of its last moments, the files tell.
 *
 * Must never know: how files are read or written.
 */
import type { Clock } from '../stdx/clock.ts';
import { DiskError } from '../stdx/disk.ts';
import type { Logger } from '../stdx/logger.ts';
import type { LogDirectories } from './log/log-directories.ts';
import type { LogDirectory } from './log/log-directory.ts';
import type { Partition } from './partition/partition.ts';
import type { Partitions } from './partition/partitions.ts';
import type { Replicas } from './replicas.ts';

const LOOK_MS = 500;
/** A directory that was full a moment ago and is again is looked at more and more seldom. */
const LOOK_MS_MAX = 30_000;
const SOON_MS = 120_000;
/** Less than this is no room: it would be full again at once. */
const ROOM_BYTES = 256 * 1024 * 1024;
const ROOM_SHARE = 0.05;

export interface FullDirectoriesDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly directories: LogDirectories;
  readonly partitions: Partitions;
  readonly replicas: () => Pick<Replicas, 'reopen' | 'setFull' | 'retryWithoutRoom'>;
  /** Something that people are shown is another one now. */
  readonly onChange: () => void;
}

interface Full {
  lookAtMs: number;
}

export class FullDirectories implements Disposable {
  private readonly deps: FullDirectoriesDeps;
  private readonly full = new Map<LogDirectory, Full>();
  /** When a directory got room again, and how long it was waited for. */
  private readonly before = new Map<LogDirectory, { atMs: number; waitMs: number }>();
  private timer: Disposable | null = null;
  private over = false;

  constructor(deps: FullDirectoriesDeps) {
    this.deps = deps;
  }

  /** The directory takes nothing more. */
  add(directory: LogDirectory): void {
    const { clock, onChange, partitions, replicas } = this.deps;
    const nowMs = clock.monotonicMs();
    const last = this.before.get(directory);
    const isAgain = last !== undefined && nowMs - last.atMs < SOON_MS;
    const waitMs = isAgain ? Math.min(last.waitMs * 2, LOOK_MS_MAX) : LOOK_MS;
    this.before.set(directory, { atMs: nowMs, waitMs });
    this.full.set(directory, { lookAtMs: nowMs + waitMs });
    for (const partition of this.in(directory, partitions)) replicas().setFull(partition, true);
    this.schedule(0);
    onChange();
  }

  private *in(directory: LogDirectory, partitions: Iterable<Partition>): Generator<Partition> {
    const { directories } = this.deps;
    for (const partition of [...partitions])
      if (directories.of(partition.log) === directory) yield partition;
  }

  private schedule(ms: number): void {
    if (this.timer !== null || this.over || this.full.size === 0) return;
    this.timer = this.deps.clock.after(ms, () => {
      this.timer = null;
      this.look();
      this.schedule(LOOK_MS);
    });
  }

  private look(): void {
    const { clock, directories, partitions, replicas } = this.deps;
    for (const [directory, { lookAtMs }] of [...this.full]) {
      // It may have failed for good since.
      if (!directories.isFull(directory)) {
        this.full.delete(directory);
        continue;
      }
      for (const partition of this.in(directory, partitions))
        if (partition.log.failure !== null) replicas().reopen(partition);
      if (directories.isFull(directory) && clock.monotonicMs() >= lookAtMs)
        this.tryAgain(directory);
    }
  }

  /** Before anything else is written the marks are: a log may have been cut while there was no room for them. */
  private tryAgain(directory: LogDirectory): void {
    const { clock, directories, logger, onChange, partitions, replicas } = this.deps;
    if (!hasRoom(directory)) return;
    try {
      directories.checkpointOne(directory, partitions);
    } catch (cause) {
      if (!(cause instanceof DiskError)) throw cause;
      logger.debug('a full log directory has no room yet', { path: directory.path, cause });
      return;
    }
    this.full.delete(directory);
    directories.failures.forget(directory);
    const waitMs = this.before.get(directory)?.waitMs ?? LOOK_MS;
    this.before.set(directory, { atMs: clock.monotonicMs(), waitMs });
    logger.info('a full log directory has room again', { path: directory.path });
    for (const partition of this.in(directory, partitions)) replicas().setFull(partition, false);
    replicas().retryWithoutRoom();
    onChange();
  }

  [Symbol.dispose](): void {
    this.over = true;
    this.timer?.[Symbol.dispose]();
  }
}

function hasRoom(directory: LogDirectory): boolean {
  const { freeBytes, totalBytes } = directory.space();
  return freeBytes >= Math.min(ROOM_BYTES, totalBytes * ROOM_SHARE);
}
