/**
 * Log directories whose disk refused in this life. A disk that fails one replica's files is not asked again:
 * everything in its directory is offline until the next start, and the other directories go on. One that
 * only has no room is full until it has some again: what it has is sound.
 */
import { DiskError, isWantOfRoom } from '../../stdx/disk.ts';
import type { LogDirectory } from './log-directory.ts';

export class DirectoryFailures {
  private readonly causes = new Map<LogDirectory, DiskError>();
  /** Called once for each directory. */
  onFailure: ((directory: LogDirectory, cause: DiskError) => void) | null = null;

  /** The first failure is the one that is told; but a disk that is full may yet fail. */
  note(directory: LogDirectory, cause: DiskError): void {
    const before = this.causes.get(directory);
    if (before !== undefined && (!isWantOfRoom(before) || isWantOfRoom(cause))) return;
    this.causes.set(directory, cause);
    this.onFailure?.(directory, cause);
  }

  /** There is room again. */
  forget(directory: LogDirectory): void {
    if (this.isFull(directory)) this.causes.delete(directory);
  }

  isFull(directory: LogDirectory): boolean {
    const cause = this.causes.get(directory);
    return cause !== undefined && isWantOfRoom(cause);
  }

  causeOf(directory: LogDirectory): DiskError | null {
    return this.causes.get(directory) ?? null;
  }

  get all(): ReadonlyMap<LogDirectory, DiskError> {
    return this.causes;
  }

  /** Does something with a directory that works; a disk that refuses makes it one that does not. */
  attempt(directory: LogDirectory, work: () => void): void {
    if (!this.causes.has(directory)) this.run(directory, work);
  }

  /** Does something that takes no room. @returns whether it was done */
  attemptWithoutRoom(directory: LogDirectory, work: () => void): boolean {
    return (!this.causes.has(directory) || this.isFull(directory)) && this.run(directory, work);
  }

  private run(directory: LogDirectory, work: () => void): boolean {
    try {
      work();
      return true;
    } catch (cause) {
      if (!(cause instanceof DiskError)) throw cause;
      this.note(directory, cause);
      return false;
    }
  }
}
