/**
 * A segment that compaction writes beside the ones it replaces. Its file goes by three names:
 * `.cleaned` while it is written (removed at a start), `.swap` once it is whole (a start finishes
 * what was begun), then the segment's own.
 */
import { BATCH_HEADER_BYTES, batch } from '../../proto/kafka/record-batch.ts';
import type { Disk } from '../../stdx/disk.ts';
import type { FileCache } from './file-cache.ts';
import { Segment, segmentFileName } from './segment.ts';
import { type AbortedTransaction, abortedToBytes } from './transaction-index.ts';

export const CLEANED = '.cleaned';
export const SWAP = '.swap';

interface Deps {
  readonly disk: Disk;
  readonly files: FileCache;
}

export class CompactedSegment {
  readonly baseOffset: number;
  private readonly deps: Deps;
  private readonly path: string;
  /** Counts and indexes as they will be; its files are written under the other name. */
  readonly segment: Segment;
  private readonly aborted: AbortedTransaction[] = [];

  constructor(deps: Deps, folder: string, baseOffset: number) {
    this.deps = deps;
    this.baseOffset = baseOffset;
    this.path = `${folder}/${segmentFileName(baseOffset, '.log')}`;
    this.segment = new Segment(deps, folder, baseOffset);
    this.segment.startBeside();
    deps.disk.remove(this.path + CLEANED);
  }

  get byteCount(): number {
    return this.segment.byteCount;
  }

  add(batches: readonly Buffer[], indexIntervalBytes: number): void {
    if (batches.length === 0) return;
    this.deps.files.get(this.path + CLEANED).writeAt(this.segment.byteCount, batches);
    for (const bytes of batches) this.segment.account(bytes, 0, indexIntervalBytes);
  }

  addAborted(aborted: readonly AbortedTransaction[]): void {
    this.aborted.push(...aborted);
  }

  async flush(): Promise<void> {
    await this.deps.files.get(this.path + CLEANED).flush();
  }

  /** The files take the place of the old ones, which are set aside. */
  putInPlace(replaced: readonly Segment[]): string[] {
    const { disk, files } = this.deps;
    files.close(this.path + CLEANED);
    disk.rename(this.path + CLEANED, this.path + SWAP);
    const aside = replaced.flatMap((segment) => segment.setAside('.deleted', KEPT_FILES));
    disk.rename(this.path + SWAP, this.path);
    this.segment.writeIndexes();
    if (this.aborted.length > 0) {
      const bytes = Buffer.concat(this.aborted.map(abortedToBytes));
      disk.writeFile(this.segment.path('.txnindex'), bytes);
    }
    return aside;
  }

  discard(): void {
    this.deps.files.close(this.path + CLEANED);
    this.deps.disk.remove(this.path + CLEANED);
  }
}

/** What says something about the log as a whole stays where it is. */
const KEPT_FILES: ReadonlySet<string> = new Set(['.snapshot']);

/** At a start: finishes swaps that were whole, forgets files that were not. */
export function finishSwaps(disk: Disk, files: FileCache, folder: string): string[] {
  const names = disk.list(folder);
  if (!names.some((name) => name.endsWith(CLEANED) || name.endsWith(SWAP))) return names;
  for (const name of names) if (name.endsWith(CLEANED)) disk.remove(`${folder}/${name}`);
  for (const name of names) {
    if (!name.endsWith(`.log${SWAP}`)) continue;
    const path = `${folder}/${name}`;
    const base = Number(name.slice(0, 20));
    const last = lastOffsetIn(files, path);
    for (const other of names) {
      if (!other.endsWith('.log')) continue;
      const otherBase = Number(other.slice(0, 20));
      if (otherBase < base || otherBase > Math.max(last, base)) continue;
      for (const suffix of ['.log', '.index', '.timeindex', '.txnindex'])
        disk.remove(`${folder}/${segmentFileName(otherBase, suffix)}`);
    }
    files.close(path);
    disk.rename(path, path.slice(0, -SWAP.length));
  }
  return disk.list(folder);
}

function lastOffsetIn(files: FileCache, path: string): number {
  const file = files.get(path);
  const byteCount = file.byteCount();
  const header = Buffer.alloc(BATCH_HEADER_BYTES);
  let last = -1;
  for (let position = 0; position + BATCH_HEADER_BYTES <= byteCount; ) {
    file.readAt(position, header);
    last = batch.lastOffset(header);
    position += Math.max(batch.byteCount(header), BATCH_HEADER_BYTES);
  }
  return last;
}
