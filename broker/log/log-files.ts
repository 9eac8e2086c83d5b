/**
 * The files of one log, and whether the log still lives. Whoever works on a log (a flush, a compaction, a
 * read in another thread) comes through here: once the log has ended its folder has another name, and a
 * log that is made anew may have the old one. Nothing that began before may then open, write, rename or
 * remove a file of that name, and what fails for that reason says nothing about the disk.
 */
import { KafkaError } from '../../proto/kafka/errors.ts';
import type { Disk, DiskFile } from '../../stdx/disk.ts';
import type { FileCache, OpenFiles } from './file-cache.ts';

/**
 * `closing`: an orderly stop writes down what the next start needs; nothing else changes any more.
 * `gone`: the replica was given up, or the stop is over.
 */
export type LogState = 'open' | 'closing' | 'gone';

/**
 * The log ended while something worked on it: nobody's fault, and no news of the disk. To a client it is
 * what a partition that is not there is.
 */
export class LogGone extends KafkaError {
  constructor(folder: string) {
    super('UNKNOWN_TOPIC_OR_PARTITION', `the log ${folder} has ended`);
  }
}

export class LogFiles implements OpenFiles {
  readonly folder: string;
  /** Every call that reaches the folder by a name; refused once the log is gone. */
  readonly disk: Disk;
  private readonly cache: FileCache;
  private readonly opened = new Set<string>();
  private current: LogState = 'open';

  constructor(disk: Disk, cache: FileCache, folder: string) {
    this.disk = new LivingDisk(disk, this);
    this.cache = cache;
    this.folder = folder;
  }

  get state(): LogState {
    return this.current;
  }

  /** @throws LogGone */
  check(): void {
    if (this.current === 'gone') throw new LogGone(this.folder);
  }

  get(path: string): DiskFile {
    this.check();
    return this.cache.get(path, this.opened);
  }

  close(path: string): void {
    if (this.current === 'gone') return;
    this.opened.delete(path);
    this.cache.close(path);
  }

  /**
   * Work that goes on over several turns.
   * @throws LogGone where the log has ended meanwhile, whatever came of the work
   */
  async hold<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } finally {
      this.check();
    }
  }

  /** The orderly stop begins. */
  beginClosing(): void {
    if (this.current === 'open') this.current = 'closing';
  }

  /** Closes every file. What another thread still reads or flushes is closed when that is done. */
  end(): void {
    if (this.current === 'gone') return;
    this.current = 'gone';
    for (const path of this.opened) this.cache.close(path);
    this.opened.clear();
  }
}

/** The disk for as long as the log lives. */
class LivingDisk implements Disk {
  private readonly all: Disk;
  private readonly life: LogFiles;

  constructor(all: Disk, life: LogFiles) {
    this.all = all;
    this.life = life;
  }

  private get disk(): Disk {
    this.life.check();
    return this.all;
  }

  open(path: string, options: { create: boolean }): DiskFile {
    return this.disk.open(path, options);
  }
  list(folder: string): string[] {
    return this.disk.list(folder);
  }
  exists(path: string): boolean {
    return this.disk.exists(path);
  }
  byteCount(path: string): number {
    return this.disk.byteCount(path);
  }
  makeFolder(path: string): void {
    this.disk.makeFolder(path);
  }
  rename(from: string, to: string): void {
    this.disk.rename(from, to);
  }
  link(from: string, to: string): boolean {
    return this.disk.link(from, to);
  }
  remove(path: string): void {
    this.disk.remove(path);
  }
  readBytes(path: string): Buffer | null {
    return this.disk.readBytes(path);
  }
  readText(path: string): string | null {
    return this.disk.readText(path);
  }
  replaceFile(path: string, content: string | Buffer): void {
    this.disk.replaceFile(path, content);
  }
  overwrite(path: string, position: number, bytes: Buffer): void {
    this.disk.overwrite(path, position, bytes);
  }
  writeFile(path: string, content: Buffer): void {
    this.disk.writeFile(path, content);
  }
  lock(path: string): Disposable | null {
    return this.disk.lock(path);
  }
  idOf(path: string): string | null {
    return this.disk.idOf(path);
  }
  space(path: string): { totalBytes: number; freeBytes: number } {
    return this.disk.space(path);
  }
}
