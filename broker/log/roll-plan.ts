/**
 * When a log begins a new segment. Decided when a batch is appended, because the snapshot that goes with
 * the segment is of the producers before this batch, and not before what is written then. Pure.
 */
import { batch } from '../../proto/kafka/record-batch.ts';
import type { LogConfig } from './log-config.ts';

export interface Growing {
  readonly baseOffset: number;
  readonly byteCount: number;
  /** -1 while empty. */
  readonly firstTimestampMs: number;
}

/** Offsets in a segment's indexes are 31 bits wide. */
const RELATIVE_OFFSET_MAX = 0x7fff_ffff;

/** The active segment as it will be when everything that waits is written. */
export class RollPlan {
  private baseOffset = 0;
  private byteCount = 0;
  private firstTimestampMs = -1;

  /** Nothing waits: the segment is as it is. */
  startFrom({ baseOffset, byteCount, firstTimestampMs }: Growing): void {
    this.baseOffset = baseOffset;
    this.byteCount = byteCount;
    this.firstTimestampMs = firstTimestampMs;
  }

  /** Takes the batch that comes next; true: a segment begins with it. */
  take(next: Buffer, config: LogConfig): boolean {
    const timestampMs = batch.maxTimestamp(next);
    const full = this.byteCount + next.length > config.segmentBytes;
    // By the records' own time, as Kafka does: a log of old records must not roll at every batch.
    const old =
      this.firstTimestampMs >= 0 && timestampMs - this.firstTimestampMs > config.segmentMs;
    const far = batch.lastOffset(next) - this.baseOffset > RELATIVE_OFFSET_MAX;
    const rolls = this.byteCount > 0 && (full || old || far);
    if (rolls) {
      this.baseOffset = batch.baseOffset(next);
      this.byteCount = 0;
      this.firstTimestampMs = -1;
    }
    this.byteCount += next.length;
    if (this.firstTimestampMs < 0) this.firstTimestampMs = timestampMs;
    return rolls;
  }
}
