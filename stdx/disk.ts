/**
 * The disk as an argument. Calls on the append path are synchronous on purpose: a write into the
 * page cache costs less than handing it to another thread (measured 1.5-3 times less).
 */

/** The disk is full or failing. `code` is the system's (ENOSPC, EIO, …). */
export class DiskError extends Error {
  readonly code: string;
  readonly path: string;

  constructor(path: string, cause: unknown) {
    const code = (cause as { code?: string }).code ?? 'EIO';
    super(`${path}: ${(cause as Error).message ?? cause}`, { cause });
    this.code = code;
    this.path = path;
  }
}

/** Codes of a disk that takes nothing more, but gives back what it has. */
const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS']);

/** Whether nothing that was written before can be missing. */
export function isWantOfRoom({ code }: DiskError): boolean {
  return NO_ROOM.has(code);
}

export interface DiskFile {
  readonly path: string;
  /**
   * Writes all buffers one behind the other.
   * @throws DiskError; the file then holds nothing beyond `position` of what was to be written.
   */
  writeAt(position: number, buffers: readonly Buffer[]): void;
  /** Fills `target` from `position`; returns the bytes read, fewer at the end of the file. */
  readAt(position: number, target: Buffer): number;
  /** As readAt, in another thread: for what is likely not in the page cache. */
  readAtLater(position: number, target: Buffer): Promise<number>;
  byteCount(): number;
  truncate(byteCount: number): void;
  /** Resolves when the file's data is on stable storage. */
  flush(): Promise<void>;
  close(): void;
}

export interface Disk {
  /** `create`: makes the file if it is missing; otherwise a missing file is a DiskError. */
  open(path: string, options: { create: boolean }): DiskFile;
  list(folder: string): string[];
  exists(path: string): boolean;
  byteCount(path: string): number;
  makeFolder(path: string): void;
  rename(from: string, to: string): void;
  /** Gives a file that never changes a second name; false where there is no such file or it cannot have one. */
  link(from: string, to: string): boolean;
  /** Removes a file or a whole folder; what is missing already is fine. */
  remove(path: string): void;
  readBytes(path: string): Buffer | null;
  readText(path: string): string | null;
  /** Replaces a small file: after a crash it holds the old or the new content, never a part. */
  replaceFile(path: string, content: string | Buffer): void;
  /**
   * Writes over what a file holds there, which takes no room: on stable storage when it returns.
   * @throws DiskError also where the file does not reach that far; a part may have been written
   */
  overwrite(path: string, position: number, bytes: Buffer): void;
  /** Writes a file that can be rebuilt: no promise about what a power loss leaves of it. */
  writeFile(path: string, content: Buffer): void;
  /**
   * Takes the lock that an empty file stands for, until it is disposed or the process ends, however it does;
   * null where another process has it. Nobody may open that file meanwhile: closing it would give the lock up.
   */
  lock(path: string): Disposable | null;
  /**
   * Which file it is: a copy of it, wherever and however like it, is another one. Null where there is no such
   * file, or the system does not say.
   */
  idOf(path: string): string | null;
  space(path: string): { totalBytes: number; freeBytes: number };
}
