/**
 * The log directories of a broker from its start to its end: locked before anything in them is looked at,
 * claimed for the cluster, asked for what they know of former lives, and in the end closed and let go.
 */
import type { Chance } from '../stdx/chance.ts';
import type { Clock } from '../stdx/clock.ts';
import { type Disk, DiskError } from '../stdx/disk.ts';
import { guardedDisk } from '../stdx/disk-guarded.ts';
import type { Logger } from '../stdx/logger.ts';
import { DirectoryLocks } from './log/directory-locks.ts';
import { FileCache } from './log/file-cache.ts';
import { LogDirectories } from './log/log-directories.ts';
import { ProducerBudget } from './log/producer-budget.ts';
import type { TailMemory } from './log/tail-memory.ts';
import type { MetadataImage } from './metadata/image.ts';
import type { Lives } from './metadata/session.ts';
import type { Partition } from './partition/partition.ts';

export interface StorageDeps {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly disk: Disk;
  readonly logger: Logger;
  readonly tail: TailMemory;
  readonly bootId: string;
  readonly processId: number;
  readonly onFatal: (why: string) => void;
}

export interface StorageOptions {
  readonly id: number;
  readonly podName: string;
  readonly advertisedHost: string;
  readonly dataFolders: readonly string[];
  readonly openFilesMax: number;
}

export class Storage {
  private readonly deps: StorageDeps;
  private readonly options: StorageOptions;
  private readonly locks: DirectoryLocks;
  /** Nothing is written through it in a directory that another process has taken over. */
  private readonly disk: Disk;
  readonly files: FileCache;
  /** How many producers all logs together remember. */
  readonly budget = new ProducerBudget();
  directories!: LogDirectories;

  constructor(deps: StorageDeps, options: StorageOptions, incarnation: string) {
    const { advertisedHost: host, openFilesMax, podName: pod } = options;
    this.deps = deps;
    this.options = options;
    this.locks = new DirectoryLocks(
      { ...deps, onLost: deps.onFatal },
      { incarnation, pod, host, pid: deps.processId },
    );
    this.disk = guardedDisk(deps.disk, () => this.locks.confirm());
    this.files = new FileCache(this.disk, openFilesMax);
  }

  /**
   * Takes the directories for this process and for a broker of a cluster.
   * @throws Error where another process has one of them, or it belongs to somebody else
   */
  async open(clusterId: string): Promise<LogDirectories> {
    const { bootId, chance, logger, tail } = this.deps;
    const { dataFolders, id } = this.options;
    await this.locks.take(dataFolders);
    const { budget, disk, files } = this;
    const deps = { disk, files, tail, budget, logger };
    this.directories = new LogDirectories(deps, dataFolders, bootId);
    this.directories.claim({
      clusterId,
      nodeId: id,
      newId: () => chance.bytes(16).toString('base64url'),
    });
    this.directories.removeLeftovers();
    return this.directories;
  }

  /**
   * What the directories tell of the life before, and where this one is to be written down.
   * @param cleanRecovery whether every log was opened and none had lost anything
   */
  lives(image: MetadataImage, cleanRecovery: boolean): Lives {
    const { directories } = this;
    const { begun, former, keptWrites } = directories;
    // After a mere kill the page cache is intact: with a clean scan nothing was lost.
    const keptData = keptWrites && cleanRecovery;
    return {
      former: former === null ? null : { ...former, begun, keptData },
      pagesEpoch: image.latestEpochOf(this.options.id),
      begin: (life) => directories.noteBegun(life),
      note: (life) => directories.noteLife(life),
    };
  }

  /**
   * Puts everything on stable storage and closes it.
   * @param wholeAt the broker epoch, if the next start may be told that nothing is missing
   */
  async closeLogs(partitions: readonly Partition[], wholeAt: number | null): Promise<void> {
    const { directories } = this;
    const works = ({ log }: Partition) => directories?.isWorking(directories.of(log)) !== false;
    const whole = partitions.filter(works);
    try {
      for (const partition of whole) partition.close();
      for (const { log } of whole) log.close();
      await Promise.all(whole.map(({ log }) => (log.failure === null ? log.flush() : undefined)));
      if (directories !== undefined) {
        directories.checkpoint(whole);
        directories.saveLinesNow();
        const isWhole = whole.every(({ log }) => log.failure === null);
        if (wholeAt !== null && isWhole) directories.markClean(wholeAt, whole);
      }
    } catch (cause) {
      if (!(cause instanceof DiskError)) throw cause;
      this.deps.logger.error('closing the logs failed: the next start will scan them', { cause });
    }
    // Whoever still works on them must not meet the files of the next process.
    for (const partition of partitions) partition.abandon();
    this.files.closeAll();
  }

  /** Lets the directories go: another process may have them. */
  [Symbol.dispose](): void {
    this.locks[Symbol.dispose]();
  }
}
