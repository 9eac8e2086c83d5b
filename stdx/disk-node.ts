/** The real disk. */
import fs from 'node:fs';
import { dirname } from 'node:path';
import { type Disk, DiskError, type DiskFile } from './disk.ts';

function guarded<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new DiskError(path, cause);
  }
}

/** Linux takes at most 1024 buffers a call. */
const BUFFERS_PER_CALL_MAX = 1000;

class NodeFile implements DiskFile {
  readonly path: string;
  private readonly fd: number;
  /** Calls that another thread is busy with: the descriptor must not be given back meanwhile. */
  private busy = 0;
  private closing = false;

  constructor(path: string, fd: number) {
    this.path = path;
    this.fd = fd;
  }

  writeAt(position: number, buffers: readonly Buffer[]): void {
    guarded(this.path, () => {
      let at = position;
      try {
        for (let i = 0; i < buffers.length; i += BUFFERS_PER_CALL_MAX) {
          const some =
            buffers.length <= BUFFERS_PER_CALL_MAX
              ? buffers
              : buffers.slice(i, i + BUFFERS_PER_CALL_MAX);
          let wanted = 0;
          for (const buffer of some) wanted += buffer.length;
          const wrote =
            some.length === 1
              ? fs.writeSync(this.fd, some[0] as Buffer, 0, wanted, at)
              : fs.writevSync(this.fd, some, at);
          // A full disk shows as a short count first and as an error only on the next call.
          if (wrote !== wanted) {
            throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
          }
          at += wrote;
        }
      } catch (cause) {
        fs.ftruncateSync(this.fd, position);
        throw cause;
      }
    });
  }

  readAt(position: number, target: Buffer): number {
    return guarded(this.path, () => fs.readSync(this.fd, target, 0, target.length, position));
  }

  readAtLater(position: number, target: Buffer): Promise<number> {
    return this.later((done) => fs.read(this.fd, target, 0, target.length, position, done));
  }

  private later<T>(run: (done: (cause: unknown, value?: T) => void) => void): Promise<T> {
    this.busy++;
    return new Promise((resolve, reject) => {
      run((cause, value) => {
        this.busy--;
        if (this.closing && this.busy === 0) fs.closeSync(this.fd);
        if (cause) reject(new DiskError(this.path, cause));
        else resolve(value as T);
      });
    });
  }

  byteCount(): number {
    return guarded(this.path, () => fs.fstatSync(this.fd).size);
  }

  truncate(byteCount: number): void {
    guarded(this.path, () => fs.ftruncateSync(this.fd, byteCount));
  }

  flush(): Promise<void> {
    return this.later((done) => fs.fdatasync(this.fd, done));
  }

  close(): void {
    this.closing = true;
    if (this.busy === 0) guarded(this.path, () => fs.closeSync(this.fd));
  }
}

function isMissing(cause: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((cause as { code?: string }).code ?? '');
}

const SQLITE_BUSY = 5;

/**
 * Node has no call for the kernel's file locks, but SQLite, which is built in, takes them: an exclusive
 * transaction on an empty database is one, with nothing written and 8 KB of memory.
 */
function lockFile(path: string): Disposable | null {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const database = new DatabaseSync(path, { open: false, timeout: 0 });
  try {
    database.open();
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    if (database.isOpen) database.close();
    if ((cause as { errcode?: number }).errcode === SQLITE_BUSY) return null;
    throw new DiskError(path, cause);
  }
  return { [Symbol.dispose]: () => database.close() };
}

export const nodeDisk: Disk = {
  open(path, { create }) {
    const flags = fs.constants.O_RDWR | (create ? fs.constants.O_CREAT : 0);
    return guarded(path, () => new NodeFile(path, fs.openSync(path, flags, 0o644)));
  },
  list: (folder) => guarded(folder, () => fs.readdirSync(folder).sort()),
  exists: (path) => fs.existsSync(path),
  byteCount: (path) => guarded(path, () => fs.statSync(path).size),
  makeFolder: (path) => guarded(path, () => void fs.mkdirSync(path, { recursive: true })),
  rename: (from, to) => guarded(from, () => fs.renameSync(from, to)),
  link(from, to) {
    try {
      fs.linkSync(from, to);
      return true;
    } catch {
      return false; // Gone, too many names already, or a file system without them.
    }
  },
  remove: (path) => guarded(path, () => fs.rmSync(path, { recursive: true, force: true })),
  readBytes(path) {
    try {
      return fs.readFileSync(path);
    } catch (cause) {
      if (isMissing(cause)) return null;
      throw new DiskError(path, cause);
    }
  },
  readText(path) {
    return this.readBytes(path)?.toString('utf8') ?? null;
  },
  replaceFile(path, content) {
    guarded(path, () => {
      const temporary = `${path}.tmp`;
      const fd = fs.openSync(temporary, 'w', 0o644);
      try {
        fs.writeFileSync(fd, content);
        fs.fdatasyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
      fs.renameSync(temporary, path);
      const folder = fs.openSync(dirname(path), 'r');
      try {
        fs.fsyncSync(folder);
      } finally {
        fs.closeSync(folder);
      }
    });
  },
  overwrite(path, position, bytes) {
    guarded(path, () => {
      const fd = fs.openSync(path, 'r+');
      try {
        if (fs.fstatSync(fd).size < position + bytes.length)
          throw Object.assign(new Error('the file is too short'), { code: 'EINVAL' });
        if (fs.writeSync(fd, bytes, 0, bytes.length, position) !== bytes.length)
          throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        fs.fdatasyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    });
  },
  writeFile: (path, content) => guarded(path, () => fs.writeFileSync(path, content)),
  lock: lockFile,
  idOf(path) {
    const found = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
    return found === undefined ? null : `${found.ino}-${found.birthtimeNs}`;
  },
  space(path) {
    const { bsize, blocks, bavail } = guarded(path, () => fs.statfsSync(path));
    return { totalBytes: bsize * blocks, freeBytes: bsize * bavail };
  },
};
