/** A disk in memory for tests: fills up when told to, fails when told to. */
import { type Disk, DiskError, type DiskFile } from './disk.ts';

export interface MemoryDisk extends Disk {
  readonly files: Map<string, Buffer>;
  /** Writes beyond this many bytes in all files fail with ENOSPC. */
  capacityBytes: number;
  /** Paths containing this text fail every write with EIO. */
  failingPath: string | null;
  /** Paths containing this text fail every read with EIO. */
  unreadablePath: string | null;
  /** Who holds which lock: whether that process is still there. */
  readonly locks: Map<string, () => boolean>;
  /** The disk as one process has it: its locks end with it. */
  as(isAlive: () => boolean): Disk;
}

/** Takes a lock on such a disk for a process. */
export function lockOn(
  { locks }: MemoryDisk,
  path: string,
  isAlive: () => boolean,
): Disposable | null {
  if (locks.get(path)?.() === true) return null;
  locks.set(path, isAlive);
  return {
    [Symbol.dispose]() {
      if (locks.get(path) === isAlive) locks.delete(path);
    },
  };
}

export function memoryDisk(): MemoryDisk {
  const files = new Map<string, Buffer>();
  const folders = new Set<string>();
  const fail = (path: string, code: string): never => {
    throw new DiskError(path, Object.assign(new Error(code), { code }));
  };
  const used = () => [...files.values()].reduce((sum, { length }) => sum + length, 0);

  const replace = (path: string, content: Buffer) => {
    const growth = content.length - (files.get(path)?.length ?? 0);
    if (growth > 0 && used() + growth > disk.capacityBytes) fail(path, 'ENOSPC');
    files.set(path, content);
  };
  const open = (path: string): DiskFile => ({
    path,
    writeAt(position, buffers) {
      if (disk.failingPath !== null && path.includes(disk.failingPath)) fail(path, 'EIO');
      const added = Buffer.concat(buffers);
      const before = files.get(path) ?? Buffer.alloc(0);
      const growth = Math.max(0, position + added.length - before.length);
      if (used() + growth > disk.capacityBytes) {
        files.set(path, before.subarray(0, position));
        fail(path, 'ENOSPC');
      }
      const after = Buffer.alloc(Math.max(before.length, position + added.length));
      before.copy(after);
      added.copy(after, position);
      files.set(path, after);
    },
    readAt(position, target) {
      if (disk.unreadablePath !== null && path.includes(disk.unreadablePath)) fail(path, 'EIO');
      return (files.get(path) ?? Buffer.alloc(0)).copy(target, 0, position);
    },
    async readAtLater(position, target) {
      return this.readAt(position, target);
    },
    byteCount: () => files.get(path)?.length ?? 0,
    truncate(byteCount) {
      const after = Buffer.alloc(byteCount);
      files.get(path)?.copy(after);
      files.set(path, after);
    },
    flush: () => Promise.resolve(),
    close() {},
  });

  const disk: MemoryDisk = {
    files,
    capacityBytes: Number.MAX_SAFE_INTEGER,
    failingPath: null,
    unreadablePath: null,
    open(path, { create }) {
      if (!files.has(path)) {
        if (!create) fail(path, 'ENOENT');
        files.set(path, Buffer.alloc(0));
      }
      return open(path);
    },
    list(folder) {
      const names = new Set<string>();
      for (const path of [...files.keys(), ...folders]) {
        if (path.startsWith(`${folder}/`))
          names.add(path.slice(folder.length + 1).split('/')[0] as string);
      }
      return [...names].sort();
    },
    exists: (path) =>
      files.has(path) ||
      folders.has(path) ||
      [...files.keys()].some((p) => p.startsWith(`${path}/`)),
    byteCount: (path) => files.get(path)?.length ?? fail(path, 'ENOENT'),
    makeFolder: (path) => void folders.add(path),
    rename(from, to) {
      for (const set of [...files.keys()]) {
        if (set === from || set.startsWith(`${from}/`)) {
          files.set(to + set.slice(from.length), files.get(set) as Buffer);
          files.delete(set);
        }
      }
      if (folders.delete(from)) folders.add(to);
    },
    link(from, to) {
      const content = files.get(from);
      if (content === undefined || files.has(to)) return false;
      files.set(to, content);
      return true;
    },
    remove(path) {
      for (const name of [...files.keys()]) {
        if (name === path || name.startsWith(`${path}/`)) files.delete(name);
      }
      folders.delete(path);
    },
    readBytes: (path) => files.get(path) ?? null,
    readText: (path) => files.get(path)?.toString('utf8') ?? null,
    replaceFile: (path, content) => replace(path, Buffer.from(content as string)),
    overwrite(path, position, bytes) {
      const file = files.get(path) ?? fail(path, 'ENOENT');
      if (file.length < position + bytes.length) fail(path, 'EINVAL');
      const after = Buffer.from(file);
      bytes.copy(after, position);
      files.set(path, after);
    },
    writeFile: (path, content) => replace(path, Buffer.from(content)),
    locks: new Map(),
    as: (isAlive) => ({ ...disk, lock: (path) => lockOn(disk, path, isAlive) }),
    lock: (path) => lockOn(disk, path, () => true),
    idOf: () => null,
    space: () => ({
      totalBytes: disk.capacityBytes,
      freeBytes: disk.capacityBytes - used(),
    }),
  };
  return disk;
}
