/** Reading batches back from the segment files of a log. */
import { BATCH_HEADER_BYTES, batch } from '../../proto/kafka/record-batch.ts';
import type { LeaderEpochs } from './leader-epochs.ts';
import type { Segment } from './segment.ts';
import { type BatchFileBounds, BatchWalk, MORE } from './stored-batches.ts';
import type { Slab, TailMemory } from './tail-memory.ts';

/** Reads this close to the end of the log are likely in the page cache and done at once. */
const RECENT_BYTES = 32 * 1024 * 1024;

export interface LogRead {
  readonly buffers: readonly Buffer[];
  readonly byteCount: number;
  /**
   * Memory that the buffers lie in and that is used again: who needs them beyond the current
   * call must hold it (`TailMemory.hold`) or copy them.
   */
  readonly slabs: readonly Slab[];
  /** So much has to be read for the first batch, which is more than was allowed: nothing was. */
  readonly neededBytes?: number;
}
const NO_SLABS: readonly Slab[] = [];
export const NOTHING: LogRead = { buffers: [], byteCount: 0, slabs: NO_SLABS };

export interface ReadRequest {
  readonly offset: number;
  readonly bytesMax: number;
  /** Nothing at or beyond this offset is returned. */
  readonly endOffset: number;
  /** Return the first batch even where it is larger than `bytesMax` (KIP-74). */
  readonly atLeastOne: boolean;
  /** No memory for more than this is made for that batch where it lies in a file; absent: whatever it takes. */
  readonly firstBytesMax?: number;
}

/** What must be read beyond the wanted bytes to find where batches begin and end. */
export function bytesBeside({
  indexIntervalBytes,
}: {
  readonly indexIntervalBytes: number;
}): number {
  return 2 * indexIntervalBytes + BATCH_HEADER_BYTES;
}

/** The segment in which an offset lies, or would. */
export function segmentIndexFor(segments: readonly Segment[], offset: number): number {
  return Math.max(
    segments.findLastIndex(({ baseOffset }) => baseOffset <= offset),
    0,
  );
}

/** What a log knows of its batches. */
export interface ReadOf {
  readonly config: { readonly indexIntervalBytes: number };
  readonly writtenOffset: number;
  readonly epochs: LeaderEpochs;
}

/** What must hold for the batches of the segment at `i`. */
export function boundsOf(
  segments: readonly Segment[],
  i: number,
  { writtenOffset, epochs }: ReadOf,
): BatchFileBounds {
  const endOffset = segments[i + 1]?.baseOffset ?? writtenOffset;
  const epochAt = (offset: number) => epochs.epochAt(offset);
  return (segments[i] as Segment).bounds({ endOffset, epochAt });
}

/**
 * Batches from the one that holds the offset on; later where the disk may have to be waited for. What the
 * disk gives is checked before anybody gets it.
 * @param segmentsNow asked again where a segment that was read is gone meanwhile
 * @throws DamagedLog
 */
export function readSegments(
  segmentsNow: () => readonly Segment[],
  request: ReadRequest,
  of: ReadOf,
  memory: TailMemory,
): LogRead | Promise<LogRead> {
  const segments = [...segmentsNow()];
  const again = () => readSegments(segmentsNow, request, of, memory);
  return new SegmentRead(segments, request, { of, memory, again }).from(
    segmentIndexFor(segments, request.offset),
  );
}

/** Bytes of a file and the memory that they lie in. */
interface Target {
  readonly bytes: Buffer;
  readonly slab: Slab | null;
}

/** Bytes that are read from a segment: by what walk they are checked, and how many there must be. */
interface Reading {
  readonly segmentIndex: number;
  readonly walk: BatchWalk;
  readonly wanted: number;
  readonly recent: boolean;
}

class SegmentRead {
  private readonly segments: readonly Segment[];
  private readonly request: ReadRequest;
  private readonly of: ReadOf;
  private readonly memory: TailMemory;
  private readonly again: () => LogRead | Promise<LogRead>;

  constructor(
    segments: readonly Segment[],
    request: ReadRequest,
    context: { of: ReadOf; memory: TailMemory; again: () => LogRead | Promise<LogRead> },
  ) {
    this.segments = segments;
    this.request = request;
    this.of = context.of;
    this.memory = context.memory;
    this.again = context.again;
  }

  private target(byteCount: number): Target {
    const slab = this.memory.forReading(byteCount);
    if (slab === null) return { bytes: Buffer.allocUnsafe(byteCount), slab };
    return { bytes: slab.buffer.subarray(0, byteCount), slab };
  }

  from(segmentIndex: number): LogRead | Promise<LogRead> {
    const segment = this.segments[segmentIndex];
    if (segment === undefined) return NOTHING;
    if (segment.isGone) return this.again();
    const { offset, bytesMax } = this.request;
    const entry = segment.entryFor(Math.max(offset, segment.baseOffset));
    const left = segment.byteCount - entry.position;
    if (left <= 0) return this.from(segmentIndex + 1);
    const walk = new BatchWalk(boundsOf(this.segments, segmentIndex, this.of), entry);
    const spare = bytesBeside(this.of.config);
    const recent = segment === this.segments.at(-1) && left < RECENT_BYTES;
    return this.read({ segmentIndex, walk, wanted: Math.min(bytesMax + spare, left), recent });
  }

  private read(reading: Reading): LogRead | Promise<LogRead> {
    const { segmentIndex, walk, wanted, recent } = reading;
    const segment = this.segments[segmentIndex] as Segment;
    const { bytes, slab } = this.target(wanted);
    const found = (count: number) => this.pick({ bytes: bytes.subarray(0, count), slab }, reading);
    if (recent) return found(segment.file.readAt(walk.position, bytes));
    // What another thread read of a segment that is gone meanwhile means nothing: it is read anew.
    return segment.file.readAtLater(walk.position, bytes).then(
      (count) => (segment.isGone ? this.again() : found(count)),
      (cause: unknown) => {
        if (segment.isGone) return this.again();
        throw cause;
      },
    );
  }

  /** Cuts the wanted batches out of bytes that were read where the walk stands. */
  private pick({ bytes, slab }: Target, reading: Reading): LogRead | Promise<LogRead> {
    const { segmentIndex, walk, wanted } = reading;
    const { offset, bytesMax, endOffset, atLeastOne } = this.request;
    let start = -1;
    let end = 0;
    let seen = 0;
    for (let at = 0; at < bytes.length; ) {
      const next = walk.step(bytes, at, bytes.length);
      if (next === MORE) break;
      seen = next;
      end = next;
      const last = batch.lastOffset(bytes, at);
      if (last >= endOffset) {
        if (start < 0) return NOTHING;
        end = at;
        break;
      }
      if (last >= offset) {
        if (start < 0) start = at;
        if (next - start > bytesMax) {
          end = at === start && atLeastOne ? next : at;
          break;
        }
      }
      at = next;
    }
    if (start >= 0) {
      const slice = bytes.subarray(start, end);
      if (slice.length === 0) return NOTHING;
      if (end === seen) walk.peek(bytes, end, bytes.length);
      const slabs = slab === null ? NO_SLABS : [slab];
      return { buffers: [slice], byteCount: slice.length, slabs };
    }
    // The batch asked for begins in these bytes but ends beyond them, or in the next segment.
    if (walk.isAtEnd) return this.from(segmentIndex + 1);
    if (bytes.length < wanted) throw walk.missing();
    const isKnown = bytes.length - end >= BATCH_HEADER_BYTES;
    const size = isKnown ? walk.wanted : bytesMax;
    if (isKnown && !atLeastOne && size > bytesMax) return NOTHING;
    const { firstBytesMax = Infinity } = this.request;
    if (isKnown && size + BATCH_HEADER_BYTES > firstBytesMax)
      return { ...NOTHING, neededBytes: size + BATCH_HEADER_BYTES };
    const segment = this.segments[segmentIndex] as Segment;
    const left = segment.byteCount - walk.position;
    return this.read({ ...reading, wanted: Math.min(size + BATCH_HEADER_BYTES, left) });
  }
}
