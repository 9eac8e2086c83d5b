/** Which segments of a log compaction may take, and how much there is to gain. Pure. */
import type { Dirtiness } from './compaction-core.ts';
import type { Segment } from './segment.ts';

/** Closed segments: those that were compacted before, and the others. */
export interface Cleanable {
  readonly clean: Segment[];
  readonly dirty: Segment[];
}

/** Segments of which the whole lies below `until`. */
export function cleanable(
  segments: readonly Segment[],
  { until, cleanedOffset }: { until: number; cleanedOffset: number },
): Cleanable {
  const closed = segments.filter((_, i) => (segments[i + 1]?.baseOffset ?? Infinity) <= until);
  return {
    clean: closed.filter(({ baseOffset }) => baseOffset < cleanedOffset),
    dirty: closed.filter(({ baseOffset }) => baseOffset >= cleanedOffset),
  };
}

/** How far compaction may go where records must be older than `beforeMs`. */
export function cleanableBefore(
  segments: readonly Segment[],
  cleanedOffset: number,
  beforeMs: number,
): number {
  const young = segments.find(
    ({ baseOffset, maxTimestampMs }) => baseOffset >= cleanedOffset && maxTimestampMs > beforeMs,
  );
  return young?.baseOffset ?? Infinity;
}

export function dirtinessOf({ clean, dirty }: Cleanable): Dirtiness {
  const sum = (segments: readonly Segment[]) =>
    segments.reduce((bytes, { byteCount }) => bytes + byteCount, 0);
  return {
    cleanBytes: sum(clean),
    dirtyBytes: sum(dirty),
    oldestDirtyMs: dirty[0]?.maxTimestampMs ?? null,
  };
}
