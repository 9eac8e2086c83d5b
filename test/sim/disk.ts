/**
 * The disk of a node, as Linux has it: a name leads to a file, and what is open stays the file that it
 * was, whatever becomes of the name. What was written lives in the page cache and outlives the process;
 * what a power loss leaves is what was flushed, and as much of the rest as chance wants.
 */
import { dirname } from 'node:path';
import { type Disk, DiskError, type DiskFile } from '../../stdx/disk.ts';
import { SimFile } from './file.ts';
import type { Random } from './random.ts';
import type { Process, Scheduler } from './scheduler.ts';

/** `torn`: part of what is to be written gets there, and then the write fails. */
export type DiskFault = 'ENOSPC' | 'EIO' | 'torn';

/** A copy of everything on a disk. */
export interface DiskImage {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly folders: ReadonlySet<string>;
}

const fail = (path: string, code: string): never => {
  throw new DiskError(path, Object.assign(new Error(code), { code }));
};

export class SimDisk {
  private readonly random: Random;
  private readonly files = new Map<string, SimFile>();
  private readonly folders = new Set<string>();
  /** Every write fails from now on, until it is set back. */
  fails: DiskFault | null = null;
  /** Which paths that is about. */
  failsAt: (path: string) => boolean = () => true;
  /** How many writes failed. */
  failures = 0;
  /** In which log directories. */
  readonly failedIn = new Set<string>();
  /** Whether what is on it was ever changed by anybody but its broker. */
  isDamaged = false;
  /** Called before every write: a slow disk holds its process up. */
  stall: (() => void) | null = null;
  private readonly ids = new WeakMap<SimFile, string>();
  private made = 0;
  /** Who holds which lock; it ends with the process, and no other machine sees it. */
  readonly locks = new Map<string, () => boolean>();

  constructor(random: Random) {
    this.random = random;
  }

  /** The disk as one process sees it: what takes time there ends with the process. */
  for(process: Process, scheduler: Scheduler): Disk {
    return viewOf(this, {
      later: (run) => void scheduler.after(this.latency(), process, run),
      isAlive: () => process.alive,
    });
  }

  /** The disk as a test has it that knows no time: nothing takes any. */
  atOnce(): Disk {
    return viewOf(this, { later: (run) => run(), isAlive: () => true });
  }

  private latency(): number {
    return this.random.chance(0.05) ? this.random.between(5, 60) : this.random.between(0.1, 2);
  }

  // What every process does to it.

  checkWrite(path: string): void {
    if (this.fails === null || !this.failsAt(path)) return;
    this.failures++;
    this.failedIn.add(path.split('/')[1] as string);
    fail(path, this.fails === 'torn' ? 'EIO' : this.fails);
  }

  write(path: string, file: SimFile, position: number, buffers: readonly Buffer[]): void {
    this.stall?.();
    const bytes = buffers.length === 1 ? (buffers[0] as Buffer) : Buffer.concat(buffers);
    if (this.fails === 'torn' && this.failsAt(path))
      file.write(position, bytes.subarray(0, this.random.below(bytes.length + 1)));
    // What lies within a file has its room.
    if (this.fails !== 'ENOSPC' || position + bytes.length > file.byteCount) this.checkWrite(path);
    file.write(position, bytes);
  }

  find(path: string): SimFile | null {
    return this.files.get(path) ?? null;
  }

  make(path: string): SimFile {
    if (!this.folders.has(dirname(path))) fail(path, 'ENOENT');
    return this.put(path, new SimFile());
  }

  private put(path: string, file: SimFile): SimFile {
    this.ids.set(file, String(++this.made));
    this.files.set(path, file);
    return file;
  }

  idOf(path: string): string | null {
    const file = this.files.get(path);
    return file === undefined ? null : (this.ids.get(file) ?? null);
  }

  makeFolder(path: string): void {
    for (let at = path; at.length > 1; at = dirname(at)) this.folders.add(at);
  }

  list(folder: string): string[] {
    const names = new Set<string>();
    for (const paths of [this.files.keys(), this.folders])
      for (const path of paths)
        if (path.startsWith(`${folder}/`))
          names.add(path.slice(folder.length + 1).split('/')[0] as string);
    return [...names].sort();
  }

  exists(path: string): boolean {
    return this.files.has(path) || this.folders.has(path);
  }

  rename(from: string, to: string): void {
    if (!this.exists(from)) fail(from, 'ENOENT');
    const moved = (path: string) => path === from || path.startsWith(`${from}/`);
    for (const [path, file] of [...this.files].filter(([path]) => moved(path))) {
      this.files.delete(path);
      this.files.set(to + path.slice(from.length), file);
    }
    for (const path of [...this.folders].filter(moved)) {
      this.folders.delete(path);
      this.folders.add(to + path.slice(from.length));
    }
  }

  link(from: string, to: string): boolean {
    const file = this.files.get(from);
    if (file === undefined || this.files.has(to) || !this.folders.has(dirname(to))) return false;
    this.files.set(to, file);
    return true;
  }

  remove(path: string): void {
    const gone = (name: string) => name === path || name.startsWith(`${path}/`);
    for (const name of [...this.files.keys()].filter(gone)) this.files.delete(name);
    for (const name of [...this.folders].filter(gone)) this.folders.delete(name);
  }

  // What happens to it.

  /** The node loses its power. */
  losePower(): void {
    const lost = new Set<SimFile>();
    for (const file of new Set(this.files.values()))
      if (!file.losePower(this.random)) lost.add(file);
    for (const [path, file] of [...this.files]) if (lost.has(file)) this.files.delete(path);
  }

  get paths(): string[] {
    return [...this.files.keys()].sort();
  }
  contentOf(path: string): Buffer | null {
    return this.files.get(path)?.content ?? null;
  }

  /** A copy, as it is taken of a volume in use: what was not flushed is in it by chance. */
  image(random: Random): DiskImage {
    const files = new Map<string, Buffer>();
    const copies = new Map([...this.files.values()].map((file) => [file, file.copy(random)]));
    for (const [path, file] of this.files) {
      const content = copies.get(file);
      if (content !== null && content !== undefined) files.set(path, content);
    }
    return { files, folders: new Set(this.folders) };
  }
  /** Another volume in place of what is mounted there; who has files open keeps those. */
  replaceBy({ files, folders }: DiskImage, under = ''): void {
    this.isDamaged = true;
    const isUnder = (path: string) => path.startsWith(under);
    for (const path of [...this.files.keys()].filter(isUnder)) this.files.delete(path);
    for (const path of [...this.folders].filter(isUnder)) this.folders.delete(path);
    for (const path of folders) if (isUnder(path)) this.folders.add(path);
    for (const [path, bytes] of files) if (isUnder(path)) this.put(path, new SimFile(bytes));
  }
  /** One bit is another one from now on, and nobody was told. */
  flipBit(path: string, bit: number): void {
    this.isDamaged = true;
    this.files.get(path)?.flipBit(bit);
  }
  /** The end of a file is gone. */
  cut(path: string, byteCount: number): void {
    this.isDamaged = true;
    this.files.get(path)?.truncate(byteCount);
  }
  /** Writes succeed again. */
  heal(): void {
    this.fails = null;
    this.failsAt = () => true;
    this.stall = null;
  }
}

interface Holder {
  readonly later: (run: () => void) => void;
  readonly isAlive: () => boolean;
}

function viewOf(disk: SimDisk, holder: Holder): Disk {
  const replace = (path: string, content: string | Buffer): SimFile => {
    disk.checkWrite(path);
    const file = disk.make(path);
    file.write(0, Buffer.from(content as string));
    return file;
  };
  return {
    open(path, { create }) {
      const file = disk.find(path) ?? (create ? disk.make(path) : fail(path, 'ENOENT'));
      return handleOf(disk, holder, path, file);
    },
    list: (folder) => disk.list(folder),
    exists: (path) => disk.exists(path),
    byteCount: (path) => disk.find(path)?.byteCount ?? fail(path, 'ENOENT'),
    makeFolder: (path) => disk.makeFolder(path),
    rename: (from, to) => disk.rename(from, to),
    link: (from, to) => disk.link(from, to),
    remove: (path) => disk.remove(path),
    readBytes: (path) => {
      const file = disk.find(path);
      return file === null ? null : Buffer.from(file.content);
    },
    readText: (path) => disk.find(path)?.content.toString('utf8') ?? null,
    replaceFile: (path, content) => replace(path, content).flush(),
    overwrite: (path, position, bytes) => {
      const file = disk.find(path) ?? fail(path, 'ENOENT');
      if (file.byteCount < position + bytes.length) fail(path, 'EINVAL');
      disk.write(path, file, position, [bytes]);
      file.flush();
    },
    writeFile: (path, content) => {
      disk.checkWrite(path);
      const file = disk.find(path);
      if (file === null) return void replace(path, content);
      file.truncate(0);
      file.write(0, content);
    },
    lock: (path) => {
      if (disk.locks.get(path)?.() === true) return null;
      if (disk.find(path) === null) disk.make(path);
      disk.locks.set(path, holder.isAlive);
      return {
        [Symbol.dispose]() {
          if (disk.locks.get(path) === holder.isAlive) disk.locks.delete(path);
        },
      };
    },
    idOf: (path) => disk.idOf(path),
    space: () => ({ totalBytes: 2 ** 50, freeBytes: 2 ** 50 }),
  };
}

function handleOf(
  disk: SimDisk,
  { isAlive, later }: Holder,
  path: string,
  file: SimFile,
): DiskFile {
  let isOpen = true;
  const check = () => (isOpen ? undefined : fail(path, 'EBADF'));
  return {
    path,
    writeAt(position, buffers) {
      check();
      disk.write(path, file, position, buffers);
    },
    readAt(position, target) {
      check();
      return file.read(position, target);
    },
    readAtLater(position, target) {
      check();
      return new Promise((resolve) => later(() => resolve(file.read(position, target))));
    },
    byteCount() {
      check();
      return file.byteCount;
    },
    truncate(byteCount) {
      check();
      file.truncate(byteCount);
    },
    flush() {
      check();
      const finish = file.beginFlush();
      return new Promise((resolve, reject) =>
        later(() => {
          if (!isAlive()) return;
          try {
            if (disk.fails !== 'ENOSPC' || !file.hasItsRoom) disk.checkWrite(path);
            finish();
            resolve();
          } catch (cause) {
            reject(cause);
          }
        }),
      );
    },
    close() {
      isOpen = false;
    },
  };
}
