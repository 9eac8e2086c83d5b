/**
 * A segment that compaction writes beside the ones it replaces. Its file goes by three names:
 * `.cleaned` while it is written (removed at a start), `.swap` once it is whole (a start finishes
 * what was begun), then the segment's own.
 *
 * An abort marker and its entry in the index go together: the entry of a marker that is gone would hide
 * everything that its producer committed later, because readers look for that marker.
 */
import { batch, CONTROL_BIT, transactionEndOf } from '../../proto/kafka/record-batch.ts';
import type { Disk } from '../../stdx/disk.ts';
import type { OpenFiles } from './file-cache.ts';
import { Segment, segmentFileName } from './segment.ts';
import { BatchWalk, DamagedLog, readBatches, unknownBounds } from './stored-batches.ts';
import { type AbortedTransaction, abortedToBytes } from './transaction-index.ts';

export const CLEANED = '.cleaned';
export const SWAP = '.swap';

interface Deps {
  readonly disk: Disk;
  readonly files: OpenFiles;
}

export class CompactedSegment {
  readonly baseOffset: number;
  private readonly deps: Deps;
  private readonly path: string;
  /** Counts and indexes as they will be; its files are written under the other name. */
  readonly segment: Segment;
  /** What is known of transactions, by the offset of their abort marker. */
  private readonly known: ReadonlyMap<number, AbortedTransaction>;
  /** Those whose marker was written, in order. */
  private readonly aborted: AbortedTransaction[] = [];

  constructor(
    deps: Deps,
    folder: string,
    of: { readonly baseOffset: number; readonly aborted: readonly AbortedTransaction[] },
  ) {
    const { baseOffset } = of;
    this.deps = deps;
    this.baseOffset = baseOffset;
    this.path = `${folder}/${segmentFileName(baseOffset, '.log')}`;
    this.known = new Map(of.aborted.map((one) => [one.lastOffset, one]));
    this.segment = new Segment(deps, folder, baseOffset);
    this.segment.startBeside();
    this.discard();
  }

  get byteCount(): number {
    return this.segment.byteCount;
  }

  add(batches: readonly Buffer[], indexIntervalBytes: number): void {
    if (batches.length === 0) return;
    this.deps.files.get(this.path + CLEANED).writeAt(this.segment.byteCount, batches);
    for (const bytes of batches) {
      this.segment.account(bytes, 0, indexIntervalBytes);
      this.indexMarker(bytes);
    }
  }

  private indexMarker(bytes: Buffer): void {
    if ((batch.attributes(bytes) & CONTROL_BIT) === 0) return;
    if (transactionEndOf(bytes)?.committed !== false) return;
    const aborted = this.known.get(batch.lastOffset(bytes));
    if (aborted !== undefined) this.aborted.push(aborted);
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
    // A start that misses it misses nothing: no record of an aborted transaction is left here.
    if (this.aborted.length > 0) {
      const bytes = Buffer.concat(this.aborted.map(abortedToBytes));
      disk.writeFile(this.segment.path('.txnindex'), bytes);
    }
    this.segment.noteAborted(this.aborted);
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
export function finishSwaps(disk: Disk, files: OpenFiles, folder: string): string[] {
  const names = disk.list(folder);
  if (!names.some((name) => name.endsWith(CLEANED) || name.endsWith(SWAP))) return names;
  for (const name of names) if (name.endsWith(CLEANED)) disk.remove(`${folder}/${name}`);
  for (const name of names) {
    if (!name.endsWith(`.log${SWAP}`)) continue;
    const path = `${folder}/${name}`;
    const base = Number(name.slice(0, 20));
    const last = Math.max(lastOffsetIn(files, path), base);
    // Each by itself: of a segment that was being set aside only some files may be left.
    for (const other of names) {
      if (!REPLACED_FILES.has(other.slice(20))) continue;
      const otherBase = Number(other.slice(0, 20));
      if (otherBase >= base && otherBase <= last) disk.remove(`${folder}/${other}`);
    }
    files.close(path);
    disk.rename(path, path.slice(0, -SWAP.length));
  }
  return disk.list(folder);
}

const REPLACED_FILES: ReadonlySet<string> = new Set(['.log', '.index', '.timeindex', '.txnindex']);

const LOG_SWAP_NAME_LENGTH = segmentFileName(0, '.log').length + SWAP.length;

function lastOffsetIn(files: OpenFiles, path: string): number {
  const file = files.get(path);
  const baseOffset = Number(path.slice(-LOG_SWAP_NAME_LENGTH).slice(0, 20));
  const bounds = unknownBounds(path, { baseOffset, byteCount: file.byteCount() });
  const walk = new BatchWalk(bounds);
  try {
    readBatches(file, bounds, walk, () => {});
  } catch (cause) {
    // What comes after the damage is not known to be in it: those files stay.
    if (!(cause instanceof DamagedLog)) throw cause;
  }
  return walk.nextOffset - 1;
}
