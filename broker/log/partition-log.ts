/**
 * The log of one replica: segments, epochs, producers, and the newest batches in memory.
 *
 * Appending is two steps: `append` takes the batch into memory and gives it its offsets,
 * `writePending` puts everything appended since into the file with one vectored write. Only what
 * is written counts for replication and answers.
 *
 * Must never know: who leads, who follows, what the high watermark is for.
 */

import {
  BATCH_HEADER_BYTES,
  batch,
  CONTROL_BIT,
  stampBatch,
} from '../../proto/kafka/record-batch.ts';
import { assert } from '../../stdx/assert.ts';
import type { Disk } from '../../stdx/disk.ts';
import { CompactedSegment } from './compacted-segment.ts';
import type { Dirtiness } from './compaction-core.ts';
import type { FileCache } from './file-cache.ts';
import { LeaderEpochs } from './leader-epochs.ts';
import type { LogConfig } from './log-config.ts';
import type { NotedLog } from './log-inventory.ts';
import {
  epochsPath,
  hasLeftOvers,
  type KnownOfLog,
  loadProducersBefore,
  missingPath,
  NO_EPOCHS,
  type OpenedFiles,
  openFiles,
  openNoted,
  type Recovery,
  snapshotPath,
} from './log-opening.ts';
import {
  type LogRead,
  NOTHING,
  type ReadRequest,
  readSegments,
  segmentIndexFor,
} from './log-reads.ts';
import { LogTail, type TailEntry } from './log-tail.ts';
import { type EndedTransaction, ProducerState } from './producer-state.ts';
import { Segment } from './segment.ts';
import type { TailMemory } from './tail-memory.ts';
import type { AbortedTransaction } from './transaction-index.ts';

export interface LogDeps {
  readonly disk: Disk;
  readonly files: FileCache;
  readonly tail: TailMemory;
}

interface TailBatch extends TailEntry {
  /** The transaction that this batch, a marker, aborts. */
  readonly aborts: EndedTransaction | null;
  /** A segment begins here: the snapshot of the producers before this batch. */
  readonly rollsWith: Buffer | null;
}

export class PartitionLog {
  readonly folder: string;
  private readonly deps: LogDeps;
  config: LogConfig;
  private segments: Segment[] = [];
  epochs = new LeaderEpochs();
  readonly producers = new ProducerState();
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
  private readonly tail: LogTail;
  private pending: TailBatch[] = [];
  private unflushedBytes = 0;
  /** What the epoch file on stable storage says; it is written again only where that changed. */
  private safeEpochs = NO_EPOCHS;
  /** Whether the next start would need more than what lies on the disk already. */
  private changed = false;
  private closed = false;
  /** Segments were set aside or a compaction begun in this life: not all of that may have been ended. */
  private isUntidy = false;
  /** Says in a new folder whose it is; null where it says so already. */
  private readonly tagFolder: (() => void) | null;
  /** Set once by the first failed write: nothing is appended afterwards. */
  failure: Error | null = null;

  constructor(
    deps: LogDeps,
    folder: string,
    config: LogConfig,
    tagFolder: (() => void) | null = null,
  ) {
    this.deps = deps;
    this.tagFolder = tagFolder;
    this.folder = folder;
    this.config = config;
    this.tail = new LogTail(deps.tail);
  }

  private get active(): Segment {
    return this.segments[this.segments.length - 1] as Segment;
  }

  get segmentCount(): number {
    return this.segments.length;
  }

  get byteCount(): number {
    let sum = 0;
    for (const segment of this.segments) sum += segment.byteCount;
    return sum;
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
    this.tagFolder?.();
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
    const { segments, epochs, safeEpochs, endOffset, missingFrom, recovery } = opened;
    this.segments = segments;
    this.epochs = epochs;
    this.safeEpochs = safeEpochs;
    this.endOffset = endOffset;
    this.missingFrom = missingFrom;
    const { baseOffset } = segments[0] as Segment;
    this.writtenOffset = endOffset;
    this.startOffset = Math.min(Math.max(known.startOffset, baseOffset), endOffset);
    this.cleanedOffset = Math.min(known.cleanedOffset ?? 0, endOffset);
    this.recoveryPoint = known.clean ? endOffset : Math.min(known.recoveryPoint, endOffset);
    // A log without a record needs nothing, however it was left.
    this.changed = !known.clean && (endOffset > 0 || segments.length > 1);
    return recovery;
  }

  private openFolder(known: KnownOfLog, noted: NotedLog | null): OpenedFiles {
    const { folder, producers } = this;
    const { disk, files } = this.deps;
    const { indexIntervalBytes } = this.config;
    const deps = { disk, files, folder, indexIntervalBytes, producers };
    const asNoted = known.clean && noted !== null ? openNoted(deps, noted) : null;
    return asNoted ?? openFiles(deps, known);
  }

  /**
   * What the next start need not look for, once the log is closed; null where there is no folder, or something
   * in it for a start to do: files to remove, indexes to make anew.
   */
  get note(): NotedLog | null {
    if (!this.isMade || !this.segments.every(({ isIndexed }) => isIndexed)) return null;
    if (this.isUntidy && hasLeftOvers(this.deps.disk, this.folder)) return null;
    return {
      segments: this.segments.map(({ note }) => note),
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
    const { bytes: kept, slab } = this.deps.tail.keep(bytes);
    if (stamp !== null) stampBatch(kept, 0, this.endOffset, stamp.leaderEpoch);
    const baseOffset = batch.baseOffset(kept);
    assert(baseOffset >= this.endOffset, 'offsets only grow');
    const lastOffset = batch.lastOffset(kept);
    this.epochs.assign(batch.leaderEpoch(kept), baseOffset);
    const rollsWith = this.mustRoll(kept) ? this.producers.toSnapshot() : null;
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
    const segment = this.active;
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
    segment.file.writeAt(segment.byteCount, buffers);
    for (let i = from; i < to; i++) {
      const written = pending[i] as TailBatch;
      segment.account(written.bytes, 0, this.config.indexIntervalBytes);
      if (written.aborts !== null) segment.addAborted(written.aborts);
      this.writtenOffset = written.lastOffset + 1;
      this.tail.add(written);
    }
    this.unflushedBytes += byteCount;
    return to;
  }

  /**
   * Whether the batch begins a segment. Decided when it is appended, because the snapshot that goes
   * with the segment is of the producers before this batch, and not before what is written then.
   */
  private mustRoll(next: Buffer): boolean {
    if (this.pending.length === 0) {
      const { baseOffset, byteCount, firstTimestampMs } = this.active;
      this.planned = { baseOffset, byteCount, firstTimestampMs };
    }
    const { planned } = this;
    const timestampMs = batch.maxTimestamp(next);
    const full = planned.byteCount + next.length > this.config.segmentBytes;
    // By the records' own time, as Kafka does: a log of old records must not roll at every batch.
    const old =
      planned.firstTimestampMs >= 0 &&
      timestampMs - planned.firstTimestampMs > this.config.segmentMs;
    const far = batch.lastOffset(next) - planned.baseOffset > 0x7fff_ffff;
    const rolls = planned.byteCount > 0 && (full || old || far);
    if (rolls)
      this.planned = { baseOffset: batch.baseOffset(next), byteCount: 0, firstTimestampMs: -1 };
    this.planned.byteCount += next.length;
    if (this.planned.firstTimestampMs < 0) this.planned.firstTimestampMs = timestampMs;
    return rolls;
  }
  /** The active segment as it will be when everything that waits is written. */
  private planned = { baseOffset: 0, byteCount: 0, firstTimestampMs: -1 };

  private roll(baseOffset: number, snapshot: Buffer): void {
    this.changed = true;
    const before = this.active;
    before.writeIndexes();
    this.writeSnapshot(baseOffset, snapshot);
    this.writeEpochs();
    const segment = new Segment(this.deps, this.folder, baseOffset);
    segment.create();
    this.segments.push(segment);
  }

  /** Even of no producers: an older snapshot must not be taken for this one. */
  private writeSnapshot(offset: number, snapshot = this.producers.toSnapshot()): void {
    this.deps.disk.writeFile(snapshotPath(this.folder, offset), snapshot);
  }

  /** How much of the log a power loss could take. */
  get dirtyBytes(): number {
    return this.unflushedBytes;
  }

  /** Puts the active segment on stable storage and moves the recovery point. */
  async flush(): Promise<void> {
    const target = this.writtenOffset;
    this.unflushedBytes = 0;
    const dirty = this.segments.filter(
      (segment, i) =>
        (this.segments[i + 1]?.baseOffset ?? Infinity) > this.recoveryPoint &&
        segment.byteCount > 0,
    );
    for (const segment of dirty) await segment.flush();
    // The snapshot of an orderly stop.
    const atEnd = snapshotPath(this.folder, this.endOffset);
    if (this.closed && this.changed && this.deps.disk.exists(atEnd)) await this.flushFile(atEnd);
    // The recovery point may only cover what the epoch file and a snapshot cover as well.
    const epochs = this.epochs.toText();
    if (epochs !== this.safeEpochs) {
      // After `close` it is the file that was just written; before, the old one must not be lost.
      if (this.closed) await this.flushFile(epochsPath(this.folder));
      else this.deps.disk.replaceFile(epochsPath(this.folder), epochs);
    }
    this.safeEpochs = epochs;
    this.recoveryPoint = Math.max(this.recoveryPoint, Math.min(target, this.active.baseOffset));
  }

  private async flushFile(path: string): Promise<void> {
    await this.deps.files.get(path).flush();
    this.deps.files.close(path);
  }

  /**
   * Batches from the one that holds `offset` on. Answers at once from memory or the page cache,
   * later where the disk may have to be waited for. The caller has checked the range.
   */
  read(request: ReadRequest): LogRead | Promise<LogRead> {
    if (request.offset >= Math.min(request.endOffset, this.writtenOffset)) return NOTHING;
    return (
      this.tail.read(request) ??
      readSegments(() => this.segments, request, {
        indexIntervalBytes: this.config.indexIntervalBytes,
        memory: this.deps.tail,
      })
    );
  }

  /** Removes every record at or beyond `offset`; what a follower does where it parted from the leader. */
  truncateTo(offset: number): void {
    assert(!this.hasPending, 'pending batches are written before a log is cut');
    if (offset >= this.endOffset) return;
    this.changed = true;
    this.tail.clear();
    if (offset <= (this.segments[0] as Segment).baseOffset) {
      this.restartAt(offset);
      return;
    }
    const i = segmentIndexFor(this.segments, offset);
    for (const later of this.segments.splice(i + 1)) later.remove();
    const cut = this.findCut(this.active, offset);
    this.active.truncate(cut.position, cut.endOffset);
    this.endOffset = cut.endOffset;
    this.writtenOffset = cut.endOffset;
    this.recoveryPoint = Math.min(this.recoveryPoint, this.active.baseOffset);
    this.startOffset = Math.min(this.startOffset, this.endOffset);
    this.cleanedOffset = Math.min(this.cleanedOffset, this.endOffset);
    this.epochs.truncateFromEnd(this.endOffset);
    this.writeEpochs();
    this.rebuildProducers();
  }

  /** The boundary after the last batch that lies wholly below `offset`. */
  private findCut(segment: Segment, offset: number): { position: number; endOffset: number } {
    let position = segment.positionFor(offset);
    let endOffset = segment.baseOffset;
    const header = Buffer.alloc(BATCH_HEADER_BYTES);
    if (position > 0) {
      segment.file.readAt(position, header);
      endOffset = batch.baseOffset(header);
    }
    while (position < segment.byteCount) {
      segment.file.readAt(position, header);
      if (batch.lastOffset(header) >= offset) break;
      endOffset = batch.lastOffset(header) + 1;
      position += batch.byteCount(header);
    }
    return { position, endOffset };
  }

  private rebuildProducers(): void {
    this.producers.clear();
    for (const name of this.deps.disk.list(this.folder)) {
      const beyond = name.endsWith('.snapshot') && Number(name.slice(0, -9)) > this.endOffset;
      if (beyond) this.deps.disk.remove(`${this.folder}/${name}`);
    }
    const { disk } = this.deps;
    const from = loadProducersBefore(disk, this.producers, this.segments, this.segments.length - 1);
    const header = Buffer.alloc(BATCH_HEADER_BYTES);
    for (const segment of this.segments.slice(from)) {
      for (let position = 0; position < segment.byteCount; position += batch.byteCount(header)) {
        segment.file.readAt(position, header);
        this.producers.observe(this.wholeIfControl(header, segment, position), 0);
      }
    }
  }

  /** What a marker says stands in its record. */
  private wholeIfControl(header: Buffer, segment: Segment, position: number): Buffer {
    if ((batch.attributes(header) & CONTROL_BIT) === 0) return header;
    const whole = Buffer.alloc(batch.byteCount(header));
    segment.file.readAt(position, whole);
    return whole;
  }

  /** Aborted transactions with records in [fromOffset, endOffset), for readers of committed records. */
  abortedTransactions(fromOffset: number, endOffset: number): AbortedTransaction[] {
    const found: AbortedTransaction[] = [];
    for (let i = segmentIndexFor(this.segments, fromOffset); i < this.segments.length; i++) {
      for (const aborted of (this.segments[i] as Segment).aborted) {
        if (aborted.lastOffset >= fromOffset && aborted.firstOffset < endOffset)
          found.push(aborted);
        if (aborted.lastStableOffset >= endOffset) return found;
      }
    }
    return found;
  }

  /** Throws everything away and begins at `offset`: the leader no longer has what came before. */
  restartAt(offset: number): void {
    assert(!this.hasPending, 'pending batches are written before a log is emptied');
    this.changed = true;
    this.tail.clear();
    for (const segment of this.segments) segment.remove();
    this.segments = [this.firstSegment(offset)];
    this.endOffset = offset;
    this.startOffset = offset;
    this.cleanedOffset = offset;
    this.writtenOffset = offset;
    this.recoveryPoint = offset;
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
  }

  /** Sets segments aside that time, size or the start offset condemn; returns files to remove later. */
  retain(nowMs: number, highWatermark: number): string[] {
    const { retentionMs, retentionBytes, deletes } = this.config;
    let excess = retentionBytes >= 0 && deletes ? this.byteCount - retentionBytes : -1;
    const isOld = (s: Segment) =>
      deletes && retentionMs >= 0 && s.byteCount > 0 && nowMs - s.maxTimestampMs > retentionMs;
    if (isOld(this.active) && this.endOffset <= highWatermark)
      this.roll(this.endOffset, this.producers.toSnapshot());
    const aside: string[] = [];
    while (this.segments.length > 1) {
      const oldest = this.segments[0] as Segment;
      const next = this.segments[1] as Segment;
      if (next.baseOffset > highWatermark) break;
      const tooBig = excess >= oldest.byteCount;
      if (!isOld(oldest) && !tooBig && next.baseOffset > this.startOffset) break;
      excess -= oldest.byteCount;
      aside.push(...oldest.setAside());
      this.segments.shift();
      this.advanceStartOffset(next.baseOffset);
      this.isUntidy = true;
    }
    return aside;
  }

  /** Closed segments below `until`: those that were compacted before, and the others. */
  compactable(until: number): { clean: Segment[]; dirty: Segment[] } {
    const closed = this.segments.filter(
      (_, i) => (this.segments[i + 1]?.baseOffset ?? Infinity) <= until,
    );
    return {
      clean: closed.filter(({ baseOffset }) => baseOffset < this.cleanedOffset),
      dirty: closed.filter(({ baseOffset }) => baseOffset >= this.cleanedOffset),
    };
  }

  /** How far compaction may go by the age of the records. */
  compactableBefore(limit: number, nowMs: number): number {
    const { minCompactionLagMs } = this.config;
    if (minCompactionLagMs <= 0) return limit;
    const young = this.segments.find(
      ({ baseOffset, maxTimestampMs }) =>
        baseOffset >= this.cleanedOffset && maxTimestampMs > nowMs - minCompactionLagMs,
    );
    return Math.min(limit, young?.baseOffset ?? limit);
  }

  dirtiness(until: number): Dirtiness {
    const { clean, dirty } = this.compactable(until);
    const sum = (segments: Segment[]) => segments.reduce((n, { byteCount }) => n + byteCount, 0);
    return {
      cleanBytes: sum(clean),
      dirtyBytes: sum(dirty),
      oldestDirtyMs: dirty[0]?.maxTimestampMs ?? null,
    };
  }

  /** @param aborted what is known of the transactions whose abort markers may be written into it */
  newCompacted(baseOffset: number, aborted: readonly AbortedTransaction[]): CompactedSegment {
    this.isUntidy = true;
    return new CompactedSegment(this.deps, this.folder, { baseOffset, aborted });
  }

  /** Whether the segments are still neighbours in this log, and nothing forbids to touch them. */
  holds(group: readonly Segment[]): boolean {
    const first = this.segments.indexOf(group[0] as Segment);
    return (
      first >= 0 &&
      this.failure === null &&
      group.every((segment, i) => this.segments[first + i] === segment)
    );
  }

  /** Swaps neighbours for their compacted form; returns files to remove later. */
  putInPlace(fresh: CompactedSegment, group: readonly Segment[]): string[] {
    const first = this.segments.indexOf(group[0] as Segment);
    const aside = fresh.putInPlace(group);
    this.segments.splice(first, group.length, fresh.segment);
    return aside;
  }

  /** First offset whose record may have a timestamp at or after `timestampMs`, with what is known of it. */
  segmentForTimestamp(timestampMs: number): { readFrom: number } | null {
    for (const segment of this.segments) {
      if (segment.maxTimestampMs >= timestampMs) {
        return { readFrom: Math.max(segment.offsetBefore(timestampMs), this.startOffset) };
      }
    }
    return null;
  }

  /** The batch with the largest timestamp. */
  get maxTimestamp(): { timestampMs: number; offset: number } | null {
    let best: { timestampMs: number; offset: number } | null = null;
    for (const { maxTimestampMs, maxTimestampOffset } of this.segments) {
      if (maxTimestampMs >= 0 && (best === null || maxTimestampMs > best.timestampMs)) {
        best = { timestampMs: maxTimestampMs, offset: maxTimestampOffset };
      }
    }
    return best;
  }

  /** Writes what makes the next start need no scan. Who needs it safe from a loss of power flushes then. */
  close(): void {
    this.closed = true;
    if (this.failure === null && this.changed) {
      this.active.writeIndexes();
      if (this.endOffset > 0) this.writeSnapshot(this.endOffset);
      if (this.epochs.toText() !== this.safeEpochs) this.writeEpochs();
    }
    this.tail.clear();
    for (const segment of this.segments) segment.closeFiles();
  }

  /** Closes the files without writing anything, before the folder is moved or removed. */
  abandon(): void {
    this.tail.clear();
    for (const segment of this.segments) segment.closeFiles();
  }
}
