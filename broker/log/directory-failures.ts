/**
 * Log directories whose disk failed in this life. A disk that refuses one replica's files is not asked
 * again: everything in its directory is offline until the next start, and the other directories go on.
 */
import { DiskError } from '../../stdx/disk.ts';
import type { LogDirectory } from './log-directory.ts';

export class DirectoryFailures {
  private readonly causes = new Map<LogDirectory, DiskError>();
  /** Called once for each directory. */
  onFailure: ((directory: LogDirectory, cause: DiskError) => void) | null = null;

  /** The first failure is the one that is told. */
  note(directory: LogDirectory, cause: DiskError): void {
    if (this.causes.has(directory)) return;
    this.causes.set(directory, cause);
    this.onFailure?.(directory, cause);
  }

  causeOf(directory: LogDirectory): DiskError | null {
    return this.causes.get(directory) ?? null;
  }

  get all(): ReadonlyMap<LogDirectory, DiskError> {
    return this.causes;
  }

  /** Does something with a directory that works; a disk that refuses makes it one that does not. */
  attempt(directory: LogDirectory, work: () => void): void {
    if (this.causes.has(directory)) return;
    try {
      work();
    } catch (cause) {
      if (!(cause instanceof DiskError)) throw cause;
      this.note(directory, cause);
    }
  }
}
