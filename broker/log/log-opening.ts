/**
 * What a log finds in its folder at a start and makes of it: after an orderly stop what is noted there
 * holds; after any other, batches from the recovery point on are checked, and what is torn or damaged is
 * cut.
 */
import { batch } from '../../proto/kafka/record-batch.ts';
import { type Disk, DiskError, isWantOfRoom } from '../../stdx/disk.ts';
import { CLEANED, finishSwaps, SWAP } from './compacted-segment.ts';
import type { OpenFiles } from './file-cache.ts';
import { LeaderEpochs } from './leader-epochs.ts';
import type { NotedLog, NotedSegment } from './log-inventory.ts';
import { loadProducersBefore, rebuildProducers } from './producer-rebuild.ts';
import type { ProducerState } from './producer-state.ts';
import { seal, unseal } from './sealed-text.ts';
import { Segment, segmentFileName } from './segment.ts';
import { readSums, type SegmentSums } from './segment-sums.ts';
import { BatchWalk, DamagedLog, readBatches } from './stored-batches.ts';

export interface Recovery {
  /** No whole batch was lost or damaged: only a torn, never acknowledged tail may have been cut. */
  readonly clean: boolean;
  readonly scannedBytes: number;
}

/** What is known of a log before its folder is looked at. */
export interface KnownOfLog {
  /** The last stop was orderly, so nothing needs scanning. */
  readonly clean: boolean;
  /** The machine may have lost its power: what was not flushed may be gone, in any order. */
  readonly lossy?: boolean;
  readonly recoveryPoint: number;
  readonly startOffset: number;
  readonly cleanedOffset?: number;
}

export interface OpenedFiles {
  readonly segments: Segment[];
  readonly epochs: LeaderEpochs;
  /** What the epoch file on stable storage says. */
  readonly safeEpochs: string;
  readonly endOffset: number;
  /** Where the log should begin, if its first segments did not survive a loss of power. */
  readonly missingFrom: number | null;
  readonly recovery: Recovery;
  /** Batches were read and checked, and indexes made anew: nothing was taken for what somebody noted. */
  readonly isScanned: boolean;
  /** What lies before is on stable storage, with what stands beside it: nothing of that was made anew. */
  readonly recoveryPoint: number;
}

export const NO_EPOCHS = new LeaderEpochs().toText();

const NOT_KNOWN = { indexSum: -1, abortedSum: -1 };

const MISSING = 'missing-from';
const EPOCHS = 'leader-epoch-checkpoint';
export const missingPath = (folder: string) => `${folder}/${MISSING}`;
export const epochsPath = (folder: string) => `${folder}/${EPOCHS}`;
export const snapshotPath = (folder: string, offset: number) =>
  `${folder}/${segmentFileName(offset, '.snapshot')}`;

const isLeftOver = (name: string) => name.endsWith('.deleted') || name.endsWith('.tmp');

/** Whether a start has something to end or to remove in the folder. */
export function hasLeftOvers(disk: Disk, folder: string): boolean {
  return disk
    .list(folder)
    .some((name) => isLeftOver(name) || name.endsWith(CLEANED) || name.endsWith(SWAP));
}

export interface OpeningDeps {
  readonly disk: Disk;
  readonly files: OpenFiles;
  readonly folder: string;
  readonly indexIntervalBytes: number;
  /** Of the log; filled in. */
  readonly producers: ProducerState;
}

/**
 * The files of a log after an orderly stop. Where they are not what it noted the whole log is scanned, and
 * one that lacks something of what there was has lost it.
 */
export function openNoted(deps: OpeningDeps, known: KnownOfLog, noted: NotedLog): OpenedFiles {
  const opened = noted.isTidy ? takeNoted(deps, noted) : lookAtNoted(deps, known, noted);
  if (opened !== null) return opened;
  deps.producers.clear();
  const found = openFiles(deps, { ...known, clean: false, recoveryPoint: 0 });
  const { clean, scannedBytes } = found.recovery;
  const isWhole = clean && found.endOffset >= noted.endOffset;
  return { ...found, recovery: { clean: isWhole, scannedBytes } };
}

/** Looks into files only when they are needed; null where the newest of them is not what was noted. */
function takeNoted(deps: OpeningDeps, noted: NotedLog): OpenedFiles | null {
  const { disk, folder, producers } = deps;
  const epochs = LeaderEpochs.fromText(noted.epochs);
  const segments = noted.segments.map((of) => Segment.noted(deps, folder, of));
  const active = segments.at(-1);
  if (epochs === null || active === undefined) return null;
  const path = active.path('.log');
  if (active.byteCount > 0 && !(disk.exists(path) && disk.byteCount(path) === active.byteCount))
    return null;
  if (!segments.every((segment) => segment.isAbortedSound)) return null;
  if (noted.producers !== null && !producers.load(Buffer.from(noted.producers, 'base64')))
    return null;
  return {
    segments,
    epochs,
    safeEpochs: noted.epochs,
    endOffset: noted.endOffset,
    missingFrom: noted.missingFrom,
    recovery: { clean: true, scannedBytes: 0 },
    isScanned: false,
    recoveryPoint: noted.endOffset,
  };
}

/** The stop left something to do in the folder; what is there then must be what was noted. */
function lookAtNoted(deps: OpeningDeps, known: KnownOfLog, noted: NotedLog): OpenedFiles | null {
  const { producers } = deps;
  const found = openFiles(deps, known);
  const isSame =
    !found.isScanned &&
    found.endOffset === noted.endOffset &&
    found.epochs.toText() === noted.epochs &&
    found.segments.length === noted.segments.length &&
    found.segments.every(({ baseOffset, byteCount }, i) => {
      const [base, bytes] = noted.segments[i] as NotedSegment;
      return baseOffset === base && byteCount === bytes;
    });
  if (!isSame) return null;
  producers.clear();
  if (noted.producers !== null && !producers.load(Buffer.from(noted.producers, 'base64')))
    return null;
  return found;
}

/** Opens the folder, which is there. */
export function openFiles(deps: OpeningDeps, known: KnownOfLog): OpenedFiles {
  return new LogOpening(deps, known).run();
}

class LogOpening {
  private readonly deps: OpeningDeps;
  private known: KnownOfLog;
  private isScanned = false;
  /** Where the first segment begins that was made anew. */
  private scannedFrom = Infinity;
  private sums: SegmentSums = new Map();
  private segments: Segment[] = [];
  private epochs = new LeaderEpochs();
  private endOffset = 0;
  private scannedBytes = 0;

  constructor(deps: OpeningDeps, known: KnownOfLog) {
    this.deps = deps;
    this.known = known;
  }

  run(): OpenedFiles {
    const { deps, known } = this;
    const { disk, folder } = deps;
    const names = this.tidyUp();
    const epochsText = names.includes(EPOCHS) ? disk.readText(epochsPath(folder)) : null;
    const epochs = epochsText === null ? this.epochs : LeaderEpochs.fromText(epochsText);
    if (epochs !== null) this.epochs = epochs;
    // Where the history is damaged every batch must tell again who wrote it.
    else this.known = { ...known, clean: false, recoveryPoint: 0 };
    this.sums = readSums(disk, folder);
    this.segments = names
      .filter((name) => name.endsWith('.log'))
      .map((name) => new Segment(deps, folder, Number(name.slice(0, -4))));
    if (this.segments.length === 0) this.begin(known.startOffset);
    const clean = this.loadSegments();
    const { baseOffset } = this.segments[0] as Segment;
    const { endOffset } = this;
    return {
      segments: this.segments,
      epochs: this.epochs,
      safeEpochs: epochsText === null ? NO_EPOCHS : this.isScanned ? '' : epochsText,
      endOffset,
      missingFrom: this.findMissing(baseOffset, names),
      recovery: { clean, scannedBytes: this.scannedBytes },
      isScanned: this.isScanned,
      recoveryPoint: this.isScanned ? this.safeUpTo(known.recoveryPoint) : endOffset,
    };
  }

  /** Indexes and snapshots that were made anew are flushed again, however safe those were that they replace. */
  private safeUpTo(recoveryPoint: number): number {
    const next = this.segments.find(({ baseOffset }) => baseOffset > this.scannedFrom);
    const isRedone = next !== undefined && next.baseOffset <= recoveryPoint;
    return Math.min(isRedone ? this.scannedFrom : recoveryPoint, this.endOffset);
  }

  /** Ends what a stop interrupted; returns the files that there are. */
  private tidyUp(): string[] {
    const { disk, files, folder } = this.deps;
    const names = finishSwaps(disk, files, folder);
    for (const name of names) if (isLeftOver(name)) disk.remove(`${folder}/${name}`);
    return names.filter((name) => !isLeftOver(name));
  }

  private begin(offset: number): void {
    const segment = new Segment(this.deps, this.deps.folder, offset);
    // A log without a file begins at 0 too.
    if (offset === 0) segment.startEmpty();
    else segment.create();
    this.segments = [segment];
  }

  /** What is missing is noted beside the log: the next start of this boot knows nothing of a loss. */
  private findMissing(baseOffset: number, names: readonly string[]): number | null {
    const { disk, folder } = this.deps;
    const { lossy, startOffset } = this.known;
    const noted = names.includes(MISSING) ? disk.readText(missingPath(folder)) : null;
    if (noted !== null) return this.missingIn(noted);
    if (lossy !== true || baseOffset <= startOffset) return null;
    disk.replaceFile(missingPath(folder), seal(String(startOffset)));
    return startOffset;
  }

  /** Something is missing; where the note of it is damaged, nobody knows from where on. */
  private missingIn(noted: string): number {
    const text = unseal(Buffer.from(noted)) ?? noted.trim();
    return /^\d+$/.test(text) ? Number(text) : this.known.startOffset;
  }

  /** @returns whether nothing whole was lost. */
  private loadSegments(): boolean {
    if (this.known.clean && this.trustAll()) return true;
    this.isScanned = true;
    this.deps.producers.clear();
    return this.recover();
  }

  /** @returns whether the files are such as an orderly stop leaves. */
  private trustAll(): boolean {
    try {
      for (const segment of this.segments) this.trust(segment);
      if (!this.segments.every((segment) => segment.isAbortedSound)) return false;
      this.endOffset = this.findEndOffset();
      this.loadProducersAtStop();
      return true;
    } catch (cause) {
      if (!(cause instanceof DamagedLog)) throw cause;
      return false;
    }
  }

  private trust(segment: Segment): void {
    if (!this.deps.disk.exists(segment.path('.log'))) return;
    this.expectSums(segment);
    // A stop between two steps of a compaction may have left a segment without its indexes.
    if (segment.hasIndexes) segment.openComplete();
    else segment.reindex(this.deps.indexIntervalBytes);
  }

  private isTrusted(segment: Segment): boolean {
    try {
      this.trust(segment);
      return true;
    } catch (cause) {
      if (!(cause instanceof DamagedLog)) throw cause;
      return false;
    }
  }

  /** Everything from the recovery point on is checked. */
  private recover(): boolean {
    const { disk, producers } = this.deps;
    const { lossy, recoveryPoint } = this.known;
    let end = (this.segments[0] as Segment).baseOffset;
    const recoverFrom = this.segments.findLastIndex(
      ({ baseOffset }) => baseOffset <= recoveryPoint || baseOffset === end,
    );
    const scanFrom = loadProducersBefore(
      disk,
      producers,
      this.segments,
      this.firstUnsound(recoverFrom),
    );
    const { baseOffset: scannedFrom } = this.segments[scanFrom] as Segment;
    this.scannedFrom = Math.min(this.scannedFrom, scannedFrom);
    for (const [i, segment] of this.segments.entries()) {
      if (i < scanFrom) {
        if (this.isTrusted(segment)) continue;
        // What was flushed once is damaged, index and records: it is looked at from here on.
        this.known = { ...this.known, recoveryPoint: Math.min(recoveryPoint, segment.baseOffset) };
        producers.clear();
        return this.recover();
      }
      if (!disk.exists(segment.path('.log'))) continue;
      if (i > scanFrom && lossy === true && segment.baseOffset !== end) {
        // A whole segment in between did not make it: what comes after it has no beginning.
        this.setAsideFrom(i);
        this.endOffset = end;
        return false;
      }
      if (i === scanFrom || segment.baseOffset < end)
        this.epochs.truncateFromEnd(segment.baseOffset);
      end = segment.baseOffset;
      // It may be what a loss of power took; the next scan begins at one.
      if (i > scanFrom) this.keepSnapshot(end);
      const next = this.segments[i + 1]?.baseOffset ?? Infinity;
      const result = segment.scan(this.deps.indexIntervalBytes, next, (b, at) => {
        end = batch.lastOffset(b, at) + 1;
        this.note(b, at, segment);
      });
      this.scannedBytes += segment.byteCount;
      if (result.kind === 'whole') continue;
      if (result.kind === 'corrupt') segment.keepDamaged(result.position);
      segment.file.truncate(result.position);
      const dropped = this.setAsideFrom(i + 1);
      if (result.position < segment.byteCount) {
        // It was taken for good at first: what is left is looked at once more.
        producers.clear();
        this.recover();
        return false;
      }
      this.endOffset = end;
      return result.kind === 'torn' && dropped === 0;
    }
    this.endOffset = end;
    return true;
  }

  /** Work that is saved for the next start: where there is no room for it, that one begins further back. */
  private keepSnapshot(offset: number): void {
    const { disk, folder, producers } = this.deps;
    const path = snapshotPath(folder, offset);
    try {
      disk.writeFile(path, producers.toSnapshot());
    } catch (cause) {
      if (!(cause instanceof DiskError && isWantOfRoom(cause))) throw cause;
      disk.remove(path);
    }
  }

  /** The newest segment may have been a closed one before the log was cut: what is known of that is past. */
  private expectSums(segment: Segment): void {
    if (segment !== this.segments.at(-1))
      segment.expect(this.sums.get(segment.baseOffset) ?? NOT_KNOWN);
  }

  /** A segment whose transaction index is damaged must be scanned, and with it all that come after it. */
  private firstUnsound(before: number): number {
    for (const [i, segment] of this.segments.slice(0, before).entries()) {
      this.expectSums(segment);
      if (!segment.isAbortedSound) return i;
    }
    return before;
  }

  private note(b: Buffer, at: number, segment: Segment): void {
    this.epochs.assign(batch.leaderEpoch(b, at), batch.baseOffset(b, at));
    const ended = this.deps.producers.observe(b, at);
    if (ended?.committed === false) segment.addAborted(ended);
  }

  private setAsideFrom(index: number): number {
    const later = this.segments.splice(index);
    for (const segment of later) segment.setAside('.corrupt');
    return later.length;
  }

  /**
   * The end of the last batch, found from the last index entry on.
   * @throws DamagedLog
   */
  private findEndOffset(): number {
    const active = this.segments[this.segments.length - 1] as Segment;
    if (active.byteCount === 0) return active.baseOffset;
    const bounds = active.bounds({ endOffset: Infinity, epochAt: () => -1 });
    const walk = new BatchWalk(bounds, active.entryFor(Number.MAX_SAFE_INTEGER));
    readBatches(active.file, bounds, walk, () => {});
    return walk.nextOffset;
  }

  /** What an orderly stop wrote; the log itself tells where that is not whole. */
  private loadProducersAtStop(): void {
    const { disk, folder, producers } = this.deps;
    const bytes = disk.readBytes(snapshotPath(folder, this.endOffset));
    if (bytes !== null && producers.load(bytes)) return;
    rebuildProducers({ disk, folder, producers }, this.segments, this.endOffset, (segment) => {
      const next = this.segments[this.segments.indexOf(segment) + 1];
      const endOffset = next?.baseOffset ?? this.endOffset;
      return segment.bounds({ endOffset, epochAt: (offset) => this.epochs.epochAt(offset) });
    });
  }
}
