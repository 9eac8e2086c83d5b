/**
 * The log of one replica: segments, epochs, producers, and the newest batches in memory.
 *
 * Appending is two steps: `append` takes the batch into memory and gives it its offsets,
 * `writePending` puts everything appended since into the file with one vectored write. Only what
 * is written counts for replication and answers.
 *
 * Must never know: who leads, who follows, what the high watermark is for.
 */

import { batch, stampBatch } from '../../proto/kafka/record-batch.ts';
import { assert } from '../../stdx/assert.ts';
import type { Disk } from '../../stdx/disk.ts';
import { type Cleanable, cleanable, cleanableBefore, dirtinessOf } from './cleanable.ts';
import { CompactedSegment } from './compacted-segment.ts';
import type { Dirtiness } from './compaction-core.ts';
import type { FileCache } from './file-cache.ts';
import { LeaderEpochs } from './leader-epochs.ts';
import type { LogConfig } from './log-config.ts';
import { LogFiles, type LogState } from './log-files.ts';
import type { NotedLog } from './log-inventory.ts';
import {
  epochsPath,
  hasLeftOvers,
  type KnownOfLog,
  missingPath,
  NO_EPOCHS,
  type OpenedFiles,
  openFiles,
  openNoted,
  type Recovery,
  snapshotPath,
} from './log-opening.ts';
import { type LogRead, NOTHING, type ReadRequest } from './log-reads.ts';
import { LogSegments } from './log-segments.ts';
import type { TailEntry } from './log-tail.ts';
import type { ProducerBudget } from './producer-budget.ts';
import { rebuildProducers, removeSnapshots } from './producer-rebuild.ts';
import { type EndedTransaction, ProducerState } from './producer-state.ts';
import { RollPlan } from './roll-plan.ts';
import { Segment, type SegmentDeps } from './segment.ts';
import { writeSums } from './segment-sums.ts';
import type { BatchFileBounds, DamagedLog } from './stored-batches.ts';
import type { TailMemory } from './tail-memory.ts';
import type { AbortedTransaction } from './transaction-index.ts';

/** The file in the folder of a log that says whose it is. */
export interface FolderTag {
  readonly path: string;
  /** In a new folder. */
  readonly write: () => void;
}

/** What a log tells the directory that it lies in. */
export interface LogHooks {
  readonly tag: FolderTag | null;
  /** The recovery point went back. @throws DiskError */
  readonly onCut: (recoveryPoint: number) => void;
}
const NO_HOOKS: LogHooks = { tag: null, onCut: () => {} };

export interface LogDeps {
  readonly disk: Disk;
  readonly files: FileCache;
  readonly tail: TailMemory;
  /** Of the whole broker; absent: as many producers as usual. */
  readonly budget?: ProducerBudget;
}

interface TailBatch extends TailEntry {
  /** The transaction that this batch, a marker, aborts. */
  readonly aborts: EndedTransaction | null;
  /** A segment begins here: the snapshot of the producers before this batch. */
  readonly rollsWith: Buffer | null;
}

export class PartitionLog {
  readonly folder: string;
  config: LogConfig;
  private readonly deps: SegmentDeps;
  private readonly memory: TailMemory;
  private readonly files: LogFiles;
  private readonly segments: LogSegments;
  epochs = new LeaderEpochs();
  readonly producers: ProducerState;
  startOffset = 0;
  /** The offset that the next record gets. */
  endOffset = 0;
  /** Records below this are in the file. */
  writtenOffset = 0;
  /** Records below this are on stable storage. */
  recoveryPoint = 0;
  /**
   * Where the log should begin after a loss of power, if the first segments did not survive it; null
   * where nothing is known to be missing. A follower begins anew there.
   */
  missingFrom: number | null = null;
  /** Records below this went through compaction. */
  cleanedOffset = 0;
  private pending: TailBatch[] = [];
  private readonly plan = new RollPlan();
  private unflushedBytes = 0;
  /** What the epoch file on stable storage says; it is written again only where that changed. */
  private safeEpochs = NO_EPOCHS;
  /** Whether the next start would need more than what lies on the disk already. */
  private changed = false;
  /** Segments were set aside or a compaction begun in this life: not all of that may have been ended. */
  private isUntidy = false;
  private readonly hooks: LogHooks;
  private isTagSafe = false;
  /** Set once by the first failed write: nothing is appended afterwards. */
  failure: Error | null = null;

  constructor(of: LogDeps, folder: string, config: LogConfig, hooks = NO_HOOKS) {
    const { disk, files, tail } = of;
    this.producers = new ProducerState(of.budget);
    this.folder = folder;
    this.config = config;
    this.hooks = hooks;
    this.memory = tail;
    this.files = new LogFiles(disk, files, folder);
    this.deps = { disk: this.files.disk, files: this.files };
    this.segments = new LogSegments(this.deps, folder, tail);
  }

  get state(): LogState {
    return this.files.state;
  }

  get segmentCount(): number {
    return this.segments.all.length;
  }

  get byteCount(): number {
    return this.segments.byteCount;
  }

  /** The epoch of the last batch in the log, or -1. */
  get latestEpoch(): number {
    return this.epochs.latest;
  }

  /**
   * Makes the folder before anything is written to it: of ten thousand new replicas most get no record
   * for long, and a replica that was never written to is as good as one that is not there.
   */
  private makeFolder(): void {
    if (this.isMade) return;
    this.isMade = true;
    this.deps.disk.makeFolder(this.folder);
    this.hooks.tag?.write();
  }
  private isMade = false;

  /**
   * Loads what is on disk.
   * @param isThere whether the folder is, where that is known
   * @param noted what the orderly stop noted of this log
   */
  open(
    known: KnownOfLog,
    isThere = this.deps.disk.exists(this.folder),
    noted: NotedLog | null = null,
  ): Recovery {
    this.isMade = isThere;
    const opened = isThere ? this.openFolder(known, noted) : this.beginNew(known.startOffset);
    const { segments, epochs, safeEpochs, endOffset, isScanned, missingFrom, recovery } = opened;
    this.recoveryPoint = opened.recoveryPoint;
    if (isScanned && this.recoveryPoint < known.recoveryPoint) this.hooks.onCut(this.recoveryPoint);
    this.segments.open(segments);
    this.epochs = epochs;
    this.safeEpochs = safeEpochs;
    this.endOffset = endOffset;
    this.missingFrom = missingFrom;
    const { baseOffset } = this.segments.first;
    this.writtenOffset = endOffset;
    this.startOffset = Math.min(Math.max(known.startOffset, baseOffset), endOffset);
    this.epochs.truncateFromStart(this.startOffset);
    this.cleanedOffset = Math.min(known.cleanedOffset ?? 0, endOffset);
    // A log without a record needs nothing, however it was left.
    this.changed = isScanned && (endOffset > 0 || segments.length > 1);
    return recovery;
  }

  private openFolder(known: KnownOfLog, noted: NotedLog | null): OpenedFiles {
    const { folder, producers } = this;
    const { disk, files } = this.deps;
    const { indexIntervalBytes } = this.config;
    const deps = { disk, files, folder, indexIntervalBytes, producers };
    return noted === null ? openFiles(deps, known) : openNoted(deps, known, noted);
  }

  /** What the next start need not look for, once the log is closed; null where there is no folder. */
  get note(): NotedLog | null {
    if (!this.isMade) return null;
    return {
      isTidy:
        this.segments.all.every(({ isIndexed }) => isIndexed) &&
        !(this.isUntidy && hasLeftOvers(this.deps.disk, this.folder)),
      segments: this.segments.all.map(({ note }) => note),
      endOffset: this.endOffset,
      epochs: this.epochs.toText(),
      producers: this.producers.isEmpty ? null : this.producers.toSnapshot().toString('base64'),
      missingFrom: this.missingFrom,
    };
  }

  /** Nothing is looked for where there is no folder: of ten thousand new replicas that would be noticed. */
  private beginNew(offset: number): OpenedFiles {
    return {
      segments: [this.firstSegment(offset)],
      epochs: new LeaderEpochs(),
      safeEpochs: NO_EPOCHS,
      endOffset: offset,
      missingFrom: null,
      recovery: { clean: true, scannedBytes: 0 },
      isScanned: false,
      recoveryPoint: offset,
    };
  }

  /** For the next start after a kill; the next flush makes it safe from a loss of power. */
  private writeEpochs(): void {
    this.makeFolder();
    this.deps.disk.writeFile(epochsPath(this.folder), Buffer.from(this.epochs.toText()));
    this.safeEpochs = '';
  }

  private firstSegment(offset: number): Segment {
    const segment = new Segment(this.deps, this.folder, offset);
    // A log without a file begins at 0 too.
    if (offset === 0) segment.startNew();
    else {
      this.makeFolder();
      segment.create();
    }
    return segment;
  }

  /**
   * Takes the batch at `bytes` (exactly one batch) into the log.
   * A leader passes its epoch and the batch gets the next offsets; a follower's batch has them.
   * @returns the batch as kept in memory.
   */
  append(bytes: Buffer, stamp: { leaderEpoch: number } | null): Buffer {
    assert(this.failure === null, 'a failed log takes no appends');
    const { bytes: kept, slab } = this.memory.keep(bytes);
    if (stamp !== null) stampBatch(kept, 0, this.endOffset, stamp.leaderEpoch);
    const baseOffset = batch.baseOffset(kept);
    assert(baseOffset >= this.endOffset, 'offsets only grow');
    const lastOffset = batch.lastOffset(kept);
    this.epochs.assign(batch.leaderEpoch(kept), baseOffset);
    if (this.pending.length === 0) this.plan.startFrom(this.segments.active);
    const rollsWith = this.plan.take(kept, this.config) ? this.producers.toSnapshot() : null;
    const ended = this.producers.observe(kept, 0);
    const aborts = ended?.committed === false ? ended : null;
    this.pending.push({ baseOffset, lastOffset, bytes: kept, slab, aborts, rollsWith });
    this.endOffset = lastOffset + 1;
    return kept;
  }

  get hasPending(): boolean {
    return this.pending.length > 0;
  }

  /**
   * Writes what was appended since the last call.
   * @throws DiskError; the appended batches are then gone and the log takes no more.
   */
  writePending(): void {
    const { pending } = this;
    if (pending.length === 0) return;
    this.pending = [];
    try {
      let from = 0;
      while (from < pending.length) from = this.writeSome(pending, from);
    } catch (cause) {
      this.failure = cause as Error;
      this.endOffset = this.writtenOffset;
      this.epochs.truncateFromEnd(this.endOffset);
      throw cause;
    }
  }

  /** Writes batches into the active segment until it is full; returns where to go on. */
  private writeSome(pending: readonly TailBatch[], from: number): number {
    const { baseOffset, rollsWith } = pending[from] as TailBatch;
    if (rollsWith !== null) this.roll(baseOffset, rollsWith);
    const { active } = this.segments;
    const buffers: Buffer[] = [];
    let byteCount = 0;
    let to = from;
    for (; to < pending.length; to++) {
      const { bytes, rollsWith: rolls } = pending[to] as TailBatch;
      if (to > from && rolls !== null) break;
      buffers.push(bytes);
      byteCount += bytes.length;
    }
    this.changed = true;
    this.makeFolder();
    active.file.writeAt(active.byteCount, buffers);
    for (let i = from; i < to; i++) {
      const written = pending[i] as TailBatch;
      this.segments.add(written, written.aborts, this.config.indexIntervalBytes);
      this.writtenOffset = written.lastOffset + 1;
    }
    this.unflushedBytes += byteCount;
    return to;
  }

  private roll(baseOffset: number, snapshot: Buffer): void {
    this.changed = true;
    this.segments.active.writeIndexes();
    this.writeSnapshot(baseOffset, snapshot);
    this.writeEpochs();
    this.segments.roll(baseOffset);
    this.writeSums();
  }

  /** Indexes were made anew. */
  noteIndexes(): void {
    this.writeSums();
  }

  /** Of all segments but the one that grows. */
  private writeSums(): void {
    const closed = this.segments.all.slice(0, -1);
    const rows = closed.map(({ baseOffset, sums }) => [baseOffset, ...sums] as const);
    writeSums(this.deps.disk, this.folder, rows);
  }

  /** Even of no producers: an older snapshot must not be taken for this one. */
  private writeSnapshot(offset: number, snapshot = this.producers.toSnapshot()): void {
    this.deps.disk.writeFile(snapshotPath(this.folder, offset), snapshot);
  }

  /** How much of the log a power loss could take. */
  get dirtyBytes(): number {
    return this.unflushedBytes;
  }

  /**
   * Puts what is written on stable storage and moves the recovery point.
   * @throws LogGone where the log ends meanwhile
   */
  flush(): Promise<void> {
    return this.files.hold(this.flushWritten());
  }

  private async flushWritten(): Promise<void> {
    const { files, folder, segments } = this;
    segments.check();
    // A segment that is closed meanwhile gets its indexes then: they are not among what is flushed here.
    const target = Math.min(this.writtenOffset, segments.active.baseOffset);
    this.unflushedBytes = 0;
    const dirty = segments.all.filter(
      ({ byteCount }, i) => segments.endOf(i) > this.recoveryPoint && byteCount > 0,
    );
    for (const segment of dirty) await segment.flush();
    if (dirty.length > 0) await this.flushTag();
    const isClosing = files.state === 'closing';
    // The snapshot of an orderly stop.
    const atEnd = snapshotPath(folder, this.endOffset);
    if (isClosing && this.changed && this.deps.disk.exists(atEnd)) await this.flushFile(atEnd);
    // The recovery point may only cover what the epoch file and a snapshot cover as well.
    const epochs = this.epochs.toText();
    if (epochs !== this.safeEpochs) {
      // After `close` it is the file that was just written; before, the old one must not be lost.
      if (isClosing) await this.flushFile(epochsPath(folder));
      else this.deps.disk.replaceFile(epochsPath(folder), epochs);
    }
    this.safeEpochs = epochs;
    // What took the place of a segment in the meantime was not flushed here.
    if (dirty.some(({ isGone }) => isGone)) return this.flushWritten();
    this.recoveryPoint = Math.max(this.recoveryPoint, Math.min(target, segments.active.baseOffset));
  }

  /** What is safe of a log is worth nothing where it is not known whose it is. */
  private async flushTag(): Promise<void> {
    const { tag } = this.hooks;
    if (tag === null || this.isTagSafe) return;
    await this.flushFile(tag.path);
    this.isTagSafe = true;
  }

  private async flushFile(path: string): Promise<void> {
    await this.files.get(path).flush();
    this.files.close(path);
  }

  /**
   * Batches from the one that holds `offset` on. Answers at once from memory or the page cache,
   * later where the disk may have to be waited for. The caller has checked the range.
   */
  read(request: ReadRequest): LogRead | Promise<LogRead> {
    if (request.offset >= Math.min(request.endOffset, this.writtenOffset)) return NOTHING;
    const read = this.segments.read(request, this);
    return read instanceof Promise ? this.files.hold(read) : read;
  }

  /** What lies in memory was refused as damaged: it is read from the files, where it is checked. */
  distrustMemory(): void {
    this.segments.distrustMemory();
  }

  /** Removes every record at or beyond `offset`; what a follower does where it parted from the leader. */
  truncateTo(offset: number): void {
    assert(!this.hasPending, 'pending batches are written before a log is cut');
    if (offset >= this.endOffset) return;
    this.changed = true;
    if (offset <= this.segments.first.baseOffset) {
      this.restartAt(offset);
      return;
    }
    this.endAt(this.segments.cut(offset, this));
  }

  /**
   * Gives up everything from a damaged segment on, to be copied from the leader again. The files of that
   * segment are kept beside the log; of those behind it too, if there is room for a second copy.
   * @returns what is to be removed once the log is whole again
   */
  giveUpFrom({ baseOffset }: DamagedLog): string[] {
    assert(!this.hasPending, 'pending batches are written before a log is given up');
    this.changed = true;
    const { freeBytes } = this.deps.disk.space(this.folder);
    const rest = this.segments.giveUpFrom(baseOffset, freeBytes > 2 * this.byteCount);
    this.endAt(Math.min(baseOffset, this.endOffset));
    return rest;
  }

  /** Removes files that were set aside; the log may have ended meanwhile. */
  removeAside(paths: readonly string[]): void {
    if (this.files.state === 'open') for (const path of paths) this.deps.disk.remove(path);
  }

  /** Segments as they are now, oldest first. */
  get segmentsNow(): readonly Segment[] {
    return this.segments.all;
  }

  /** Nothing at or beyond `endOffset` is in the files any more. */
  private endAt(endOffset: number): void {
    this.endOffset = endOffset;
    this.writtenOffset = this.endOffset;
    this.recoveryPoint = Math.min(this.recoveryPoint, this.segments.active.baseOffset);
    this.hooks.onCut(this.recoveryPoint);
    this.startOffset = Math.min(this.startOffset, this.endOffset);
    this.cleanedOffset = Math.min(this.cleanedOffset, this.endOffset);
    this.epochs.truncateFromEnd(this.endOffset);
    this.writeEpochs();
    rebuildProducers(
      { disk: this.deps.disk, folder: this.folder, producers: this.producers },
      this.segments.all,
      this.endOffset,
      (segment) => this.boundsOf(segment),
    );
  }

  /** What must hold for the batches of a segment of this log. */
  boundsOf(segment: Segment): BatchFileBounds {
    return this.segments.boundsOf(segment, this);
  }

  /** Aborted transactions with records in [fromOffset, endOffset), for readers of committed records. */
  abortedTransactions(fromOffset: number, endOffset: number): AbortedTransaction[] {
    return this.segments.aborted(fromOffset, endOffset);
  }

  /** Throws everything away and begins at `offset`: the leader no longer has what came before. */
  restartAt(offset: number): void {
    assert(!this.hasPending, 'pending batches are written before a log is emptied');
    this.changed = true;
    if (this.isMade) removeSnapshots(this.deps.disk, this.folder, -1);
    this.segments.restart(() => this.firstSegment(offset));
    this.endOffset = offset;
    this.startOffset = offset;
    this.cleanedOffset = offset;
    this.writtenOffset = offset;
    this.recoveryPoint = offset;
    this.hooks.onCut(offset);
    this.missingFrom = null;
    this.deps.disk.remove(missingPath(this.folder));
    this.epochs = new LeaderEpochs();
    this.producers.clear();
    this.writeEpochs();
  }

  /** Moves the start of the log; whole segments before it are set aside by the next retention run. */
  advanceStartOffset(offset: number): void {
    if (offset <= this.startOffset) return;
    this.startOffset = Math.min(offset, this.endOffset);
    this.changed = true;
    this.epochs.truncateFromStart(this.startOffset);
    this.segments.releaseBefore(this.startOffset);
  }

  /** Sets segments aside that time, size or the start offset condemn; returns files to remove later. */
  retain(nowMs: number, highWatermark: number, { mayRoll } = { mayRoll: true }): string[] {
    const { retentionMs, retentionBytes, deletes } = this.config;
    let excess = retentionBytes >= 0 && deletes ? this.byteCount - retentionBytes : -1;
    // A time that is not known is not long ago.
    const isOld = ({ byteCount, maxTimestampMs }: Segment) =>
      deletes &&
      retentionMs >= 0 &&
      byteCount > 0 &&
      maxTimestampMs >= 0 &&
      nowMs - maxTimestampMs > retentionMs;
    const { segments } = this;
    if (mayRoll && isOld(segments.active) && this.endOffset <= highWatermark)
      this.roll(this.endOffset, this.producers.toSnapshot());
    const aside: string[] = [];
    while (segments.all.length > 1) {
      const oldest = segments.first;
      const nextOffset = segments.endOf(0);
      if (nextOffset > highWatermark) break;
      const tooBig = excess >= oldest.byteCount;
      if (!isOld(oldest) && !tooBig && nextOffset > this.startOffset) break;
      excess -= oldest.byteCount;
      this.isUntidy = true;
      aside.push(...segments.setOldestAside());
      this.advanceStartOffset(nextOffset);
    }
    return aside;
  }

  /** Closed segments below `until`: those that were compacted before, and the others. */
  compactable(until: number): Cleanable {
    const { cleanedOffset } = this;
    return cleanable(this.segments.all, { until, cleanedOffset });
  }

  /** How far compaction may go by the age of the records. */
  compactableBefore(limit: number, nowMs: number): number {
    const { minCompactionLagMs } = this.config;
    if (minCompactionLagMs <= 0) return limit;
    const beforeMs = nowMs - minCompactionLagMs;
    return Math.min(limit, cleanableBefore(this.segments.all, this.cleanedOffset, beforeMs));
  }

  dirtiness(until: number): Dirtiness {
    return dirtinessOf(this.compactable(until));
  }

  /** @param aborted what is known of the transactions whose abort markers may be written into it */
  newCompacted(baseOffset: number, aborted: readonly AbortedTransaction[]): CompactedSegment {
    this.isUntidy = true;
    return new CompactedSegment(this.deps, this.folder, { baseOffset, aborted });
  }

  /** Whether the segments are still neighbours in this log, and nothing forbids to touch them. */
  holds(group: readonly Segment[]): boolean {
    return this.state === 'open' && this.failure === null && this.segments.holds(group);
  }

  /** Swaps neighbours for their compacted form; returns files to remove later. */
  putInPlace(fresh: CompactedSegment, group: readonly Segment[]): string[] {
    assert(this.holds(group), 'what is replaced is as it was read');
    const aside = this.segments.replace(fresh, group);
    this.writeSums();
    return aside;
  }

  /** First offset whose record may have a timestamp at or after `timestampMs`, with what is known of it. */
  segmentForTimestamp(timestampMs: number): { readFrom: number } | null {
    const offset = this.segments.offsetBefore(timestampMs);
    return offset === null ? null : { readFrom: Math.max(offset, this.startOffset) };
  }

  /** The batch with the largest timestamp. */
  get maxTimestamp(): { timestampMs: number; offset: number } | null {
    return this.segments.maxTimestamp;
  }

  /**
   * Writes what makes the next start need no scan. Who needs it safe from a loss of power flushes then;
   * nothing else changes any more.
   */
  close(): void {
    if (this.state === 'gone') return;
    this.files.beginClosing();
    if (this.failure === null && this.changed) {
      this.segments.active.writeIndexes();
      if (this.endOffset > 0) this.writeSnapshot(this.endOffset);
      if (this.epochs.toText() !== this.safeEpochs) this.writeEpochs();
    }
    this.segments.close();
  }

  /**
   * Closes the files without writing anything, before the folder is moved or removed, or when a stop is
   * over: whoever still works on the log meets LogGone.
   */
  abandon(): void {
    this.pending = [];
    this.endOffset = this.writtenOffset;
    this.segments.end();
    this.files.end();
  }
}
