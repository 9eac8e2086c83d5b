/** Open files under a limit: the least recently used handle is closed, its owner never notices. */
import type { Disk, DiskFile } from '../../stdx/disk.ts';

/** The handles of the files of one log, or of all. */
export interface OpenFiles {
  /** The handle of a file, to be used at once and not kept. */
  get(path: string): DiskFile;
  close(path: string): void;
}

export class FileCache implements OpenFiles {
  private readonly disk: Disk;
  private readonly openFilesMax: number;
  private readonly files = new Map<string, DiskFile>();

  constructor(disk: Disk, openFilesMax: number) {
    this.disk = disk;
    this.openFilesMax = openFilesMax;
  }

  /** @param opened is told of the path where the file had to be opened */
  get(path: string, opened?: Set<string>): DiskFile {
    let file = this.files.get(path);
    if (file === undefined) {
      file = this.disk.open(path, { create: true });
      this.files.set(path, file);
      opened?.add(path);
      if (this.files.size > this.openFilesMax) this.close(this.files.keys().next().value as string);
      return file;
    }
    if (this.files.size * 2 > this.openFilesMax) {
      this.files.delete(path);
      this.files.set(path, file);
    }
    return file;
  }

  close(path: string): void {
    const file = this.files.get(path);
    if (file === undefined) return;
    this.files.delete(path);
    file.close();
  }

  closeAll(): void {
    for (const path of [...this.files.keys()]) this.close(path);
  }

  get openFiles(): number {
    return this.files.size;
  }
}
