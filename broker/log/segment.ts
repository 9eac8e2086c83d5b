/** One segment of a log: a file of batches and its two sparse indexes. */

import { batch } from '../../proto/kafka/record-batch.ts';
import { assert } from '../../stdx/assert.ts';
import { crc32c } from '../../stdx/crc32c.ts';
import { type Disk, DiskError, isWantOfRoom } from '../../stdx/disk.ts';
import type { OpenFiles } from './file-cache.ts';
import type { NotedSegment } from './log-inventory.ts';
import { OffsetIndex, TimeIndex } from './offset-index.ts';
import {
  type BatchFileBounds,
  BatchWalk,
  DamagedLog,
  type IndexedBatch,
  isTornEnd,
  readBatches,
  unknownBounds,
} from './stored-batches.ts';
import {
  ABORTED_BYTES,
  type AbortedTransaction,
  abortedFromBytes,
  abortedSum,
  abortedToBytes,
} from './transaction-index.ts';

export interface SegmentDeps {
  readonly disk: Disk;
  readonly files: OpenFiles;
}

/** Kafka's file name: the base offset as 20 digits. */
export function segmentFileName(baseOffset: number, suffix: string): string {
  return `${String(baseOffset).padStart(20, '0')}${suffix}`;
}

const PIECE_BYTES = 1024 * 1024;
/** Kafka's default. */
const REBUILT_INTERVAL_BYTES = 4096;
const NO_ABORTED = abortedSum([]);
const indexSumOf = (offsets: Buffer, times: Buffer) => crc32c(Buffer.concat([offsets, times]));
/** The snapshot is of the producers before the segment's first batch. */
const BESIDE = ['.index', '.timeindex', '.txnindex', '.snapshot'] as const;

export type ScanEnd =
  | { readonly kind: 'whole' }
  /** The file ends inside a batch: a write that was cut short. Nobody was told that it happened. */
  | { readonly kind: 'torn'; readonly position: number }
  /** A batch that was once written whole is damaged. */
  | { readonly kind: 'corrupt'; readonly position: number };

/** Entries of the index files; null where a file cannot be one. */
export interface SavedIndexes {
  readonly offsets:
    | readonly { readonly relativeOffset: number; readonly position: number }[]
    | null;
  readonly times:
    | readonly { readonly timestampMs: number; readonly relativeOffset: number }[]
    | null;
}

/** Where a segment is cut. */
export interface Cut {
  readonly position: number;
  /** The log ends there then. */
  readonly endOffset: number;
  /** The largest timestamp since the last index entry before the cut, and the end of its batch. */
  readonly newest: { readonly timestampMs: number; readonly offset: number };
}

export class Segment {
  readonly baseOffset: number;
  readonly folder: string;
  private readonly deps: SegmentDeps;
  /** It was cut, replaced, set aside or removed: what was read of it means nothing any more. */
  isGone = false;
  /** Bytes of batches in the file. */
  byteCount = 0;
  /** Largest record timestamp, and the last offset of its batch; -1 while empty. */
  maxTimestampMs = -1;
  maxTimestampOffset = -1;
  /** When the first batch was appended, for rolling by time; -1 while empty. */
  firstTimestampMs = -1;
  private bytesSinceIndexEntry = 0;
  private indexes: { offsets: OffsetIndex; times: TimeIndex } | null = null;
  private abortedHere: AbortedTransaction[] | null = null;

  constructor(deps: SegmentDeps, folder: string, baseOffset: number) {
    this.deps = deps;
    this.folder = folder;
    this.baseOffset = baseOffset;
  }

  /** A segment as an orderly stop left it: its files are read when they are needed. */
  static noted(
    deps: SegmentDeps,
    folder: string,
    [baseOffset, byteCount, maxTimestampMs, maxTimestampOffset, indexSum, aborted]: NotedSegment,
  ): Segment {
    const segment = new Segment(deps, folder, baseOffset);
    segment.byteCount = byteCount;
    segment.maxTimestampMs = maxTimestampMs;
    segment.maxTimestampOffset = maxTimestampOffset;
    segment.hasSavedIndexes = true;
    segment.expect({ indexSum, abortedSum: aborted });
    return segment;
  }

  /** What was written beside the file, by its checksums; -1 where nobody knows. */
  expect({ abortedSum: aborted, indexSum }: { indexSum: number; abortedSum: number }): void {
    this.indexSum = indexSum;
    this.abortedSum = aborted;
  }
  private indexSum = -1;
  private abortedSum = -1;

  /** Whether what stands beside the file is enough to open it; not after a scan, until it is written. */
  get isIndexed(): boolean {
    return this.byteCount === 0 || this.hasSavedIndexes;
  }
  private hasSavedIndexes = false;

  get note(): NotedSegment {
    const { baseOffset, byteCount, maxTimestampMs, maxTimestampOffset } = this;
    return [baseOffset, byteCount, maxTimestampMs, maxTimestampOffset, ...this.sums];
  }

  /** Of `.index` and `.timeindex`, and of `.txnindex`. */
  get sums(): readonly [indexSum: number, abortedSum: number] {
    if (this.abortedHere !== null) this.abortedSum = abortedSum(this.abortedHere);
    return [this.indexSum, this.abortedSum];
  }

  path(suffix: string): string {
    return `${this.folder}/${segmentFileName(this.baseOffset, suffix)}`;
  }

  get file() {
    // By its name another segment's file would be opened, or an empty one made.
    assert(!this.isGone, 'a segment that is gone is not opened again');
    this.logPath ??= this.path('.log');
    return this.deps.files.get(this.logPath);
  }
  private logPath: string | null = null;

  private get index(): { offsets: OffsetIndex; times: TimeIndex } {
    return (this.indexes ??= this.readIndexes() ?? this.rebuildIndexes());
  }

  /** Null where they are damaged. */
  private readIndexes(): { offsets: OffsetIndex; times: TimeIndex } | null {
    const { disk } = this.deps;
    const offsetBytes = disk.readBytes(this.path('.index')) ?? Buffer.alloc(0);
    const timeBytes = disk.readBytes(this.path('.timeindex')) ?? Buffer.alloc(0);
    if (this.indexSum >= 0 && this.indexSum !== indexSumOf(offsetBytes, timeBytes)) return null;
    const offsets = OffsetIndex.fromBytes(offsetBytes, this.byteCount);
    const times = TimeIndex.fromBytes(timeBytes);
    return offsets === null || times === null ? null : { offsets, times };
  }

  /** From the file, whose length is known. @throws DamagedLog */
  private rebuildIndexes(): { offsets: OffsetIndex; times: TimeIndex } {
    const { byteCount } = this;
    this.reindex(REBUILT_INTERVAL_BYTES);
    this.byteCount = byteCount;
    const rebuilt = this.indexes as { offsets: OffsetIndex; times: TimeIndex };
    try {
      this.writeIndexes();
    } catch (cause) {
      // They are known, and the sum says of what lies there that it is not them: made anew the next time.
      if (!(cause instanceof DiskError && isWantOfRoom(cause))) throw cause;
    }
    return rebuilt;
  }

  /** One of the files beside the segment cannot be what was written. */
  damagedBeside(suffix: string): DamagedLog {
    const { baseOffset } = this;
    return new DamagedLog({ path: this.path(suffix), baseOffset, position: 0, fault: 'index' });
  }

  /** What must hold for every batch in the file. */
  bounds(of: Pick<BatchFileBounds, 'endOffset' | 'epochAt'>): BatchFileBounds {
    const { baseOffset, byteCount } = this;
    return {
      ...of,
      path: this.path('.log'),
      baseOffset,
      byteCount,
      nextKnown: (position) => this.index.offsets.positionBehind(position) ?? byteCount,
    };
  }

  /**
   * Transactions whose abort marker lies in this segment, in order.
   * @throws DamagedLog where what is written of them is damaged
   */
  get aborted(): readonly AbortedTransaction[] {
    this.abortedHere ??= this.readAborted();
    if (this.abortedHere === null) throw this.damagedBeside('.txnindex');
    return this.abortedHere;
  }

  /** What the file says; null where it is damaged. */
  readAborted(): AbortedTransaction[] | null {
    const bytes = this.deps.disk.readBytes(this.path('.txnindex')) ?? Buffer.alloc(0);
    const aborted = abortedFromBytes(bytes);
    // More of them may have come since somebody noted a sum.
    const [, expected] = this.sums;
    if (aborted === null || expected < 0) return aborted;
    return abortedSum(aborted) === expected ? aborted : null;
  }

  /** Writes what is known of aborted transactions over a file that is damaged; null where it is not known. */
  restoreAborted(): readonly AbortedTransaction[] | null {
    const known = this.abortedHere;
    if (known !== null) this.keepAborted(known);
    return known;
  }

  /** Whether what is written of aborted transactions can be read; looked at only where there is something. */
  get isAbortedSound(): boolean {
    if (this.abortedSum === NO_ABORTED || this.abortedHere !== null) return true;
    this.abortedHere = this.readAborted();
    return this.abortedHere !== null;
  }

  /** What compaction wrote there. */
  noteAborted(aborted: readonly AbortedTransaction[]): void {
    this.abortedHere = [...aborted];
  }

  addAborted(aborted: AbortedTransaction): void {
    const position = this.aborted.length * ABORTED_BYTES;
    this.deps.files.get(this.path('.txnindex')).writeAt(position, [abortedToBytes(aborted)]);
    this.abortedHere?.push(aborted);
  }

  private keepAborted(keep: readonly AbortedTransaction[]): void {
    const path = this.path('.txnindex');
    this.deps.files.close(path);
    if (keep.length === 0) this.deps.disk.remove(path);
    else this.deps.disk.writeFile(path, Buffer.concat(keep.map(abortedToBytes)));
    this.abortedHere = [...keep];
  }

  /** A segment whose indexes start empty: a new one, or one that is about to be scanned. */
  startEmpty(): void {
    if (this.readAborted()?.length !== 0) this.keepAborted([]);
    else this.abortedHere ??= [];
    this.startIndexes();
  }

  /** A segment of a folder in which there is none: nothing is looked for. */
  startNew(): void {
    this.abortedHere = [];
    this.startIndexes();
  }

  private startIndexes(): void {
    this.indexes = { offsets: new OffsetIndex(), times: new TimeIndex() };
    this.hasSavedIndexes = false;
    this.indexSum = -1;
    this.byteCount = 0;
    this.maxTimestampMs = -1;
    this.maxTimestampOffset = -1;
    this.firstTimestampMs = -1;
    this.bytesSinceIndexEntry = 0;
  }

  /** A new segment: its file is there from the start, so that a restart knows how far the log was. */
  create(): void {
    this.startEmpty();
    this.deps.files.get(this.path('.log'));
  }

  /** For a segment that is written under another name: nothing on the disk is touched. */
  startBeside(): void {
    this.abortedHere = null;
    this.indexes = { offsets: new OffsetIndex(), times: new TimeIndex() };
  }

  get hasIndexes(): boolean {
    const { disk } = this.deps;
    if (disk.byteCount(this.path('.log')) === 0) return true;
    // The index of times ends with the newest one: where it is empty it did not survive.
    const times = this.path('.timeindex');
    return disk.exists(this.path('.index')) && disk.exists(times) && disk.byteCount(times) > 0;
  }

  /** Opens a segment whose indexes are known to be complete. */
  openComplete(): void {
    this.hasSavedIndexes = true;
    this.byteCount = this.deps.disk.byteCount(this.path('.log'));
    const last = this.index.times.last;
    this.maxTimestampMs = last?.timestampMs ?? -1;
    this.maxTimestampOffset = last === null ? -1 : last.relativeOffset + this.baseOffset;
  }

  /** Takes note of a batch at the end of the file, whether just written or just scanned. */
  account(b: Buffer, at: number, indexIntervalBytes: number): void {
    const byteCount = batch.byteCount(b, at);
    const relative = batch.lastOffset(b, at) - this.baseOffset;
    assert(relative >= 0, 'a batch never lies before its segment');
    const timestampMs = batch.maxTimestamp(b, at);
    if (this.firstTimestampMs < 0) this.firstTimestampMs = timestampMs;
    if (timestampMs > this.maxTimestampMs) {
      this.maxTimestampMs = timestampMs;
      this.maxTimestampOffset = batch.lastOffset(b, at);
    }
    if (this.bytesSinceIndexEntry > indexIntervalBytes) {
      this.index.offsets.add(relative, this.byteCount);
      this.index.times.add(this.maxTimestampMs, this.maxTimestampOffset - this.baseOffset);
      this.bytesSinceIndexEntry = 0;
    }
    this.bytesSinceIndexEntry += byteCount;
    this.byteCount += byteCount;
  }

  /**
   * Reads every batch of the file, checks it and rebuilds the indexes; stops at the first fault.
   * @param endOffset where the next segment begins
   */
  scan(
    indexIntervalBytes: number,
    endOffset: number,
    visit: (b: Buffer, at: number) => void,
  ): ScanEnd {
    this.startEmpty();
    const byteCount = this.deps.disk.byteCount(this.path('.log'));
    const { baseOffset } = this;
    const bounds = unknownBounds(this.path('.log'), { baseOffset, byteCount, endOffset });
    try {
      readBatches(this.file, bounds, new BatchWalk(bounds), (b, at) => {
        visit(b, at);
        this.account(b, at, indexIntervalBytes);
      });
    } catch (cause) {
      if (!(cause instanceof DamagedLog)) throw cause;
      const { position } = cause;
      return { kind: isTornEnd(this.file, position, byteCount) ? 'torn' : 'corrupt', position };
    }
    return { kind: 'whole' };
  }

  /** Rebuilds the indexes of a segment that is whole; aborted transactions stay as they are known. */
  reindex(indexIntervalBytes: number): void {
    const byteCount = this.deps.disk.byteCount(this.path('.log'));
    const bounds = unknownBounds(this.path('.log'), { baseOffset: this.baseOffset, byteCount });
    const fresh = this.beside();
    readBatches(this.file, bounds, new BatchWalk(bounds), (b, at) =>
      fresh.account(b, at, indexIntervalBytes),
    );
    this.startIndexes();
    this.indexes = fresh.indexes;
    this.byteCount = fresh.byteCount;
    this.maxTimestampMs = fresh.maxTimestampMs;
    this.maxTimestampOffset = fresh.maxTimestampOffset;
    this.firstTimestampMs = fresh.firstTimestampMs;
    this.bytesSinceIndexEntry = fresh.bytesSinceIndexEntry;
  }

  /** Where to start reading to find `offset`, and what lies there. */
  entryFor(offset: number): IndexedBatch {
    const { position, relativeOffset } = this.index.offsets.entryFor(offset - this.baseOffset);
    const lastOffset = relativeOffset === null ? null : relativeOffset + this.baseOffset;
    return { position, lastOffset };
  }

  /** Where to start reading to find `offset`. */
  positionFor(offset: number): number {
    return this.index.offsets.positionFor(offset - this.baseOffset);
  }

  /** An offset before which all records of this segment are older than `timestampMs`. */
  offsetBefore(timestampMs: number): number {
    return this.baseOffset + this.index.times.offsetBefore(timestampMs);
  }

  /**
   * Where the last batch ends that lies wholly below `offset`.
   * @throws DamagedLog
   */
  findCut(offset: number, bounds: BatchFileBounds): Cut {
    if (offset <= this.baseOffset)
      return { position: 0, endOffset: this.baseOffset, newest: { timestampMs: -1, offset: -1 } };
    // From the last indexed batch that stays on: the largest timestamp behind it stands nowhere else.
    const from = this.entryFor(offset - 1);
    let { position } = from;
    let endOffset = this.baseOffset;
    let newest = { timestampMs: -1, offset: -1 };
    readBatches(this.file, bounds, new BatchWalk(bounds, from), (b, at, start) => {
      if (batch.lastOffset(b, at) >= offset) return false;
      endOffset = batch.lastOffset(b, at) + 1;
      position = start + batch.byteCount(b, at);
      const timestampMs = batch.maxTimestamp(b, at);
      if (timestampMs > newest.timestampMs) newest = { timestampMs, offset: endOffset - 1 };
      return true;
    });
    return { position, endOffset, newest };
  }

  /**
   * Cuts the file. What is left is a segment of its own: what was read of this one, or is being read, may
   * lie beyond the cut.
   */
  cut({ position, endOffset, newest: found }: Cut): Segment {
    const { index } = this;
    let newest = found;
    this.file.truncate(position);
    index.offsets.truncate(position);
    index.times.truncate(endOffset - this.baseOffset);
    const indexed = index.times.last;
    if (indexed !== null && indexed.timestampMs >= newest.timestampMs)
      newest = {
        timestampMs: indexed.timestampMs,
        offset: indexed.relativeOffset + this.baseOffset,
      };
    const kept = this.aborted.filter(({ lastOffset }) => lastOffset < endOffset);
    if (kept.length < this.aborted.length) this.keepAborted(kept);
    const rest = new Segment(this.deps, this.folder, this.baseOffset);
    rest.indexes = index;
    rest.abortedHere = this.abortedHere;
    rest.byteCount = position;
    rest.maxTimestampMs = newest.timestampMs;
    rest.maxTimestampOffset = newest.offset;
    rest.firstTimestampMs = position === 0 ? -1 : this.firstTimestampMs;
    rest.bytesSinceIndexEntry = this.bytesSinceIndexEntry;
    this.isGone = true;
    return rest;
  }

  /** Writes the indexes beside the file; after that `openComplete` may be used. */
  writeIndexes(): void {
    const { offsets, times } = this.index;
    if (this.maxTimestampMs >= 0) {
      times.add(this.maxTimestampMs, this.maxTimestampOffset - this.baseOffset);
    }
    const offsetBytes = offsets.toBytes();
    const timeBytes = times.toBytes();
    this.indexSum = indexSumOf(offsetBytes, timeBytes);
    this.hasSavedIndexes = false;
    this.deps.disk.writeFile(this.path('.index'), offsetBytes);
    this.deps.disk.writeFile(this.path('.timeindex'), timeBytes);
    this.hasSavedIndexes = true;
  }

  /** What the index files say; null: there are none. */
  savedIndexes(): SavedIndexes | null {
    const { disk } = this.deps;
    const offsets = disk.readBytes(this.path('.index'));
    const times = disk.readBytes(this.path('.timeindex'));
    if (offsets === null || times === null || !this.hasSavedIndexes) return null;
    const isAsWritten = this.indexSum < 0 || this.indexSum === indexSumOf(offsets, times);
    const offsetIndex = isAsWritten ? OffsetIndex.fromBytes(offsets, this.byteCount) : null;
    const timeIndex = isAsWritten ? TimeIndex.fromBytes(times) : null;
    return {
      offsets: offsetIndex === null ? null : [...offsetIndex.entries()],
      times: timeIndex === null ? null : [...timeIndex.entries()],
    };
  }

  /** The same segment as nobody knows it: its indexes are made by `account`. */
  beside(): Segment {
    const segment = new Segment(this.deps, this.folder, this.baseOffset);
    segment.startBeside();
    return segment;
  }

  /** Takes indexes that were made anew from all of the file. */
  takeIndexes(of: Segment): void {
    this.indexes = of.indexes;
    this.maxTimestampMs = of.maxTimestampMs;
    this.maxTimestampOffset = of.maxTimestampOffset;
    this.writeIndexes();
  }

  readSnapshot(): Buffer | null {
    return this.deps.disk.readBytes(this.path('.snapshot'));
  }

  /** A start takes the one before it. */
  removeSnapshot(): void {
    this.deps.disk.remove(this.path('.snapshot'));
  }

  /** Frees the memory of the indexes; they are read again when needed. */
  unloadIndexes(): void {
    // What is read again must be what it is now.
    this.abortedSum = this.sums[1];
    this.indexes = null;
    this.abortedHere = null;
  }

  /**
   * Puts the batches on stable storage, and what stands beside them: what is not scanned again after
   * a loss of power must be whole then. What is gone meanwhile is left alone.
   */
  async flush(): Promise<void> {
    if (this.isGone) return;
    await this.file.flush();
    for (const suffix of BESIDE) {
      const path = this.path(suffix);
      if (this.isGone) return;
      if (!this.deps.disk.exists(path)) continue;
      const isOpen = suffix === '.txnindex';
      await this.deps.files.get(path).flush();
      if (!isOpen) this.deps.files.close(path);
    }
  }

  /** Copies the end of the file, from a damaged batch on, beside it: somebody may want to look. */
  keepDamaged(position: number): void {
    const path = this.path(`.log.${position}.corrupt`);
    this.deps.disk.remove(path);
    const copy = this.deps.disk.open(path, { create: true });
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    for (let at = position, count = 0; ; at += count) {
      count = this.file.readAt(at, piece);
      if (count === 0) break;
      copy.writeAt(at - position, [piece.subarray(0, count)]);
    }
    copy.close();
  }

  closeFiles(): void {
    this.deps.files.close(this.path('.log'));
    this.deps.files.close(this.path('.txnindex'));
  }

  /** Sets the files aside under another ending and returns where they are. */
  setAside(
    ending: '.deleted' | '.corrupt' = '.deleted',
    keep: ReadonlySet<string> = new Set(),
  ): string[] {
    this.isGone = true;
    this.closeFiles();
    const aside: string[] = [];
    for (const suffix of ['.log', '.index', '.timeindex', '.txnindex', '.snapshot']) {
      const path = this.path(suffix);
      if (keep.has(suffix) || !this.deps.disk.exists(path)) continue;
      this.deps.disk.rename(path, `${path}${ending}`);
      aside.push(`${path}${ending}`);
    }
    return aside;
  }

  remove(): void {
    for (const path of this.setAside()) this.deps.disk.remove(path);
  }
}
