/**
 * The segments of one log, oldest first, and the newest batches in memory. They are kept by one owner, so
 * that a log cannot have two truths: what changes records that were there already (a cut, a compaction,
 * retention, a new beginning) goes through `change`, where the files, the list of segments and what memory
 * answers change together.
 *
 * A segment only ever grows. What is cut, replaced or removed is gone as an object: who still works on
 * it sees that in `isGone`, also where another segment has the same base offset by then.
 */
import { LogGone } from './log-files.ts';
import {
  boundsOf,
  type LogRead,
  type ReadOf,
  type ReadRequest,
  readSegments,
  segmentIndexFor,
} from './log-reads.ts';
import { LogTail, type TailEntry } from './log-tail.ts';
import type { EndedTransaction } from './producer-state.ts';
import { Segment, type SegmentDeps } from './segment.ts';
import type { BatchFileBounds } from './stored-batches.ts';
import type { TailMemory } from './tail-memory.ts';
import type { AbortedTransaction } from './transaction-index.ts';

/** A segment's files, written beside those that they are to replace. */
export interface Replacement {
  readonly segment: Segment;
  /** Returns files to remove later. */
  putInPlace(replaced: readonly Segment[]): string[];
}

/** What is known of the producers before a segment is still true. */
const SNAPSHOT: ReadonlySet<string> = new Set(['.snapshot']);

export class LogSegments {
  private readonly deps: SegmentDeps;
  private readonly folder: string;
  private readonly memory: TailMemory;
  private readonly tail: LogTail;
  private list: Segment[] = [];
  /** A change failed half-way: nobody knows what the files hold. */
  private broken: unknown = null;
  private readonly now = (): readonly Segment[] => {
    this.check();
    return this.list;
  };

  constructor(deps: SegmentDeps, folder: string, memory: TailMemory) {
    this.deps = deps;
    this.folder = folder;
    this.memory = memory;
    this.tail = new LogTail(memory);
  }

  /** What a start found. */
  open(found: readonly Segment[]): void {
    this.list = [...found];
  }

  get all(): readonly Segment[] {
    return this.list;
  }

  /** @throws DiskError, LogGone where nobody can say what the files hold */
  check(): void {
    if (this.broken !== null) throw this.broken;
  }

  get first(): Segment {
    return this.list[0] as Segment;
  }

  /** The one that grows. */
  get active(): Segment {
    return this.list[this.list.length - 1] as Segment;
  }

  get byteCount(): number {
    let sum = 0;
    for (const segment of this.list) sum += segment.byteCount;
    return sum;
  }

  /** Where the segment after the one at `i` begins. */
  endOf(i: number): number {
    return this.list[i + 1]?.baseOffset ?? Infinity;
  }

  /** A segment begins at the end of the log. */
  roll(baseOffset: number): void {
    const segment = new Segment(this.deps, this.folder, baseOffset);
    segment.create();
    this.list.push(segment);
  }

  /** A batch that was just written at the end of the active segment. */
  add(written: TailEntry, aborts: EndedTransaction | null, indexIntervalBytes: number): void {
    const { active } = this;
    active.account(written.bytes, 0, indexIntervalBytes);
    if (aborts !== null) active.addAborted(aborts);
    this.tail.add(written);
  }

  /** @throws DamagedLog */
  read(request: ReadRequest, of: ReadOf): LogRead | Promise<LogRead> {
    return this.tail.read(request) ?? readSegments(this.now, request, of, this.memory);
  }

  boundsOf(segment: Segment, of: ReadOf): BatchFileBounds {
    return boundsOf(this.list, this.list.indexOf(segment), of);
  }

  /** Nobody asks for what lies below the offset any more. */
  releaseBefore(offset: number): void {
    this.tail.dropBefore(offset);
  }

  distrustMemory(): void {
    this.tail.clear();
  }

  /**
   * The only way to change what was there already.
   * @param memoryFrom what lies in memory below it must be read from the files again
   */
  private change<T>(memoryFrom: number, run: () => T): T {
    if (memoryFrom === Infinity) this.tail.clear();
    else this.tail.dropBefore(memoryFrom);
    try {
      return run();
    } catch (cause) {
      this.broken = cause;
      this.tail.clear();
      throw cause;
    }
  }

  /**
   * Removes whole batches at or beyond `offset`, which lies above the first base offset; returns the new end.
   * @throws DamagedLog, and then nothing is changed
   */
  cut(offset: number, of: ReadOf): number {
    const i = segmentIndexFor(this.list, offset);
    const segment = this.list[i] as Segment;
    const cut = segment.findCut(offset, boundsOf(this.list, i, of));
    return this.change(Infinity, () => {
      this.removeFrom(i + 1);
      this.list[i] = segment.cut(cut);
      return cut.endOffset;
    });
  }

  /** Removes everything; `first` makes the segment that the log begins with then. */
  restart(first: () => Segment): void {
    this.change(Infinity, () => {
      this.removeFrom(0);
      this.list = [first()];
    });
  }

  /**
   * Sets everything aside from the segment at `baseOffset` on, and another one begins there. What is
   * damaged stays beside the log for people to look at; returns the files of the segments behind it.
   */
  giveUpFrom(baseOffset: number, keepsRest: boolean): string[] {
    const i = this.list.findIndex((segment) => segment.baseOffset === baseOffset);
    if (i < 0) return [];
    return this.change(Infinity, () => {
      const rest: string[] = [];
      while (this.list.length > i + 1) {
        const last = this.list.pop() as Segment;
        if (keepsRest) rest.push(...last.setAside('.corrupt'));
        else last.remove();
      }
      const fresh = new Segment(this.deps, this.folder, baseOffset);
      (this.list[i] as Segment).setAside('.corrupt', SNAPSHOT);
      fresh.create();
      this.list[i] = fresh;
      return rest;
    });
  }

  /** The newest first: who is killed meanwhile leaves a log without a hole. */
  private removeFrom(i: number): void {
    while (this.list.length > i) (this.list.pop() as Segment).remove();
  }

  /** Sets the oldest of several segments aside; returns files to remove later. */
  setOldestAside(): string[] {
    const { first } = this;
    return this.change(this.endOf(0), () => {
      this.list.shift();
      return first.setAside();
    });
  }

  /** Whether the segments are still neighbours in this log. */
  holds(group: readonly Segment[]): boolean {
    const from = this.list.indexOf(group[0] as Segment);
    return from >= 0 && group.every((segment, i) => this.list[from + i] === segment);
  }

  /** Swaps neighbours for their compacted form; returns files to remove later. */
  replace(fresh: Replacement, group: readonly Segment[]): string[] {
    const from = this.list.indexOf(group[0] as Segment);
    return this.change(this.endOf(from + group.length - 1), () => {
      const aside = fresh.putInPlace(group);
      this.list.splice(from, group.length, fresh.segment);
      return aside;
    });
  }

  /** Aborted transactions with records in [fromOffset, endOffset). */
  aborted(fromOffset: number, endOffset: number): AbortedTransaction[] {
    const found: AbortedTransaction[] = [];
    const segments = this.now();
    for (let i = segmentIndexFor(segments, fromOffset); i < segments.length; i++) {
      for (const aborted of (segments[i] as Segment).aborted) {
        if (aborted.lastOffset >= fromOffset && aborted.firstOffset < endOffset)
          found.push(aborted);
        if (aborted.lastStableOffset >= endOffset) return found;
      }
    }
    return found;
  }

  /** An offset before which every record is older than the timestamp; null where all of them are. */
  offsetBefore(timestampMs: number): number | null {
    const segment = this.list.find(({ maxTimestampMs }) => maxTimestampMs >= timestampMs);
    return segment === undefined ? null : segment.offsetBefore(timestampMs);
  }

  /** The batch with the largest timestamp. */
  get maxTimestamp(): { timestampMs: number; offset: number } | null {
    let best: { timestampMs: number; offset: number } | null = null;
    for (const { maxTimestampMs, maxTimestampOffset } of this.list) {
      if (maxTimestampMs >= 0 && (best === null || maxTimestampMs > best.timestampMs)) {
        best = { timestampMs: maxTimestampMs, offset: maxTimestampOffset };
      }
    }
    return best;
  }

  /** Lets go of memory and files; what is read afterwards is opened again, if the log still lives. */
  close(): void {
    this.tail.clear();
    for (const segment of this.list) segment.closeFiles();
  }

  /** The log is gone: nothing is read any more. */
  end(): void {
    this.broken ??= new LogGone(this.folder);
    this.tail.clear();
  }
}
