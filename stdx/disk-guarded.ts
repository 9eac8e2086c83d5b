/** A disk that asks before it changes anything: whoever holds it may have lost the right to. */
import type { Disk, DiskFile } from './disk.ts';

class GuardedFile implements DiskFile {
  readonly path: string;
  private readonly file: DiskFile;
  private readonly before: () => void;

  constructor(file: DiskFile, before: () => void) {
    this.path = file.path;
    this.file = file;
    this.before = before;
  }

  writeAt(position: number, buffers: readonly Buffer[]): void {
    this.before();
    this.file.writeAt(position, buffers);
  }

  truncate(byteCount: number): void {
    this.before();
    this.file.truncate(byteCount);
  }

  readAt(position: number, target: Buffer): number {
    return this.file.readAt(position, target);
  }

  readAtLater(position: number, target: Buffer): Promise<number> {
    return this.file.readAtLater(position, target);
  }

  byteCount(): number {
    return this.file.byteCount();
  }

  flush(): Promise<void> {
    return this.file.flush();
  }

  close(): void {
    this.file.close();
  }
}

/** `before` throws where nothing may be changed any more. */
export function guardedDisk(disk: Disk, before: () => void): Disk {
  return {
    open(path, options) {
      if (options.create) before();
      return new GuardedFile(disk.open(path, options), before);
    },
    list: (folder) => disk.list(folder),
    exists: (path) => disk.exists(path),
    byteCount: (path) => disk.byteCount(path),
    makeFolder(path) {
      before();
      disk.makeFolder(path);
    },
    rename(from, to) {
      before();
      disk.rename(from, to);
    },
    link(from, to) {
      before();
      return disk.link(from, to);
    },
    remove(path) {
      before();
      disk.remove(path);
    },
    idOf: (path) => disk.idOf(path),
    readBytes: (path) => disk.readBytes(path),
    readText: (path) => disk.readText(path),
    replaceFile(path, content) {
      before();
      disk.replaceFile(path, content);
    },
    overwrite(path, position, bytes) {
      before();
      disk.overwrite(path, position, bytes);
    },
    writeFile(path, content) {
      before();
      disk.writeFile(path, content);
    },
    lock: (path) => disk.lock(path),
    space: (path) => disk.space(path),
  };
}
