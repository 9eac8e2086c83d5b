/** Reading batches back from the segment files of a log. */
import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  batch,
  batchesOf,
} from '../../proto/kafka/record-batch.ts';
import type { Segment } from './segment.ts';
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
}

/** The segment in which an offset lies, or would. */
export function segmentIndexFor(segments: readonly Segment[], offset: number): number {
  return Math.max(
    segments.findLastIndex(({ baseOffset }) => baseOffset <= offset),
    0,
  );
}

/**
 * Batches from the one that holds the offset on; later where the disk may have to be waited for.
 * @param segmentsNow asked again where a segment that was read is gone meanwhile
 */
export function readSegments(
  segmentsNow: () => readonly Segment[],
  request: ReadRequest,
  of: { readonly indexIntervalBytes: number; readonly memory: TailMemory },
): LogRead | Promise<LogRead> {
  const segments = [...segmentsNow()];
  const again = () => readSegments(segmentsNow, request, of);
  return new SegmentRead(segments, request, of, again).from(
    segmentIndexFor(segments, request.offset),
  );
}

/** Bytes of a file and the memory that they lie in. */
interface Target {
  readonly bytes: Buffer;
  readonly slab: Slab | null;
}

class SegmentRead {
  private readonly segments: readonly Segment[];
  private readonly request: ReadRequest;
  private readonly indexIntervalBytes: number;
  private readonly memory: TailMemory;
  private readonly again: () => LogRead | Promise<LogRead>;

  constructor(
    segments: readonly Segment[],
    request: ReadRequest,
    { indexIntervalBytes, memory }: { indexIntervalBytes: number; memory: TailMemory },
    again: () => LogRead | Promise<LogRead>,
  ) {
    this.segments = segments;
    this.request = request;
    this.indexIntervalBytes = indexIntervalBytes;
    this.memory = memory;
    this.again = again;
  }

  private target(byteCount: number): Target {
    const slab = this.memory.forReading(byteCount);
    if (slab === null) return { bytes: Buffer.allocUnsafe(byteCount), slab };
    return { bytes: slab.buffer.subarray(0, byteCount), slab };
  }

  from(i: number): LogRead | Promise<LogRead> {
    const segment = this.segments[i];
    if (segment === undefined) return NOTHING;
    if (segment.isGone) return this.again();
    const { offset, bytesMax } = this.request;
    const position = segment.positionFor(Math.max(offset, segment.baseOffset));
    const spare = 2 * this.indexIntervalBytes + BATCH_HEADER_BYTES;
    const wanted = Math.min(bytesMax + spare, segment.byteCount - position);
    const recent = segment === this.segments.at(-1) && segment.byteCount - position < RECENT_BYTES;
    if (wanted <= 0) return this.from(i + 1);
    const { bytes, slab } = this.target(wanted);
    const found = (count: number) =>
      this.pick({ bytes: bytes.subarray(0, count), slab }, i, position, recent);
    return recent
      ? found(segment.file.readAt(position, bytes))
      : this.later(segment, position, bytes, found);
  }

  /** What another thread read of a segment that is gone meanwhile means nothing: it is read anew. */
  private later(
    segment: Segment,
    position: number,
    target: Buffer,
    found: (count: number) => LogRead | Promise<LogRead>,
  ): Promise<LogRead> {
    return segment.file.readAtLater(position, target).then(
      (count) => (segment.isGone ? this.again() : found(count)),
      (cause: unknown) => {
        if (segment.isGone) return this.again();
        throw cause;
      },
    );
  }

  /** Cuts the wanted batches out of bytes read from a segment at `position`. */
  private pick(
    { bytes, slab }: Target,
    segmentIndex: number,
    position: number,
    recent: boolean,
  ): LogRead | Promise<LogRead> {
    const { offset, bytesMax, endOffset, atLeastOne } = this.request;
    let start = -1;
    let end = 0;
    for (const found of batchesOf(bytes)) {
      end = found.end;
      if (batch.lastOffset(bytes, found.at) < offset) continue;
      if (batch.lastOffset(bytes, found.at) >= endOffset) {
        if (start < 0) return NOTHING;
        end = found.at;
        break;
      }
      if (start < 0) start = found.at;
      if (found.end - start > bytesMax) {
        end = found.at === start && atLeastOne ? found.end : found.at;
        break;
      }
    }
    if (start >= 0) {
      const slice = bytes.subarray(start, Math.max(start, end));
      return slice.length === 0
        ? NOTHING
        : {
            buffers: [slice],
            byteCount: slice.length,
            slabs: slab === null ? NO_SLABS : [slab],
          };
    }
    // The batch asked for begins in these bytes but ends beyond them, or in the next segment.
    const segment = this.segments[segmentIndex] as Segment;
    if (segment.isGone) return this.again();
    if (position + end >= segment.byteCount) return this.from(segmentIndex + 1);
    const left = bytes.length - end;
    const size =
      left >= BATCH_PREFIX_BYTES ? batch.byteCount(bytes, end) : bytesMax + BATCH_HEADER_BYTES;
    if (!atLeastOne && size > bytesMax) return NOTHING;
    const target = this.target(
      Math.min(Math.max(size, BATCH_HEADER_BYTES), segment.byteCount - position - end),
    );
    const found = (count: number) =>
      count === 0
        ? NOTHING
        : this.pick(
            { bytes: target.bytes.subarray(0, count), slab: target.slab },
            segmentIndex,
            position + end,
            recent,
          );
    return recent
      ? found(segment.file.readAt(position + end, target.bytes))
      : this.later(segment, position + end, target.bytes, found);
  }
}
