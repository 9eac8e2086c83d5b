/** What a log knows of its producers, made again from its files. */
import { BATCH_HEADER_BYTES, batch, CONTROL_BIT } from '../../proto/kafka/record-batch.ts';
import type { Disk } from '../../stdx/disk.ts';
import type { ProducerState } from './producer-state.ts';
import type { Segment } from './segment.ts';

/**
 * Loads the producers as they were where a segment begins: that segment's if its snapshot is whole,
 * else an earlier one's.
 * @returns which segment: from there on batches must be observed.
 */
export function loadProducersBefore(
  disk: Disk,
  producers: ProducerState,
  segments: readonly Segment[],
  latest: number,
): number {
  for (let i = latest; i >= 0; i--) {
    const bytes = disk.readBytes((segments[i] as Segment).path('.snapshot'));
    if (bytes !== null && producers.load(bytes)) return i;
  }
  return 0;
}

/** Removes snapshots from beyond the end, and fills `producers` from an older one and the batches after it. */
export function rebuildProducers(
  { disk, folder, producers }: { disk: Disk; folder: string; producers: ProducerState },
  segments: readonly Segment[],
  endOffset: number,
): void {
  producers.clear();
  removeSnapshots(disk, folder, endOffset);
  const from = loadProducersBefore(disk, producers, segments, segments.length - 1);
  const header = Buffer.alloc(BATCH_HEADER_BYTES);
  for (const segment of segments.slice(from)) {
    for (let position = 0; position < segment.byteCount; position += batch.byteCount(header)) {
      segment.file.readAt(position, header);
      producers.observe(wholeIfControl(header, segment, position), 0);
    }
  }
}

/** Snapshots of what is no longer in the log: a start must not take them for those of a later record there. */
export function removeSnapshots(disk: Disk, folder: string, beyondOffset: number): void {
  for (const name of disk.list(folder)) {
    const isBeyond = name.endsWith('.snapshot') && Number(name.slice(0, -9)) > beyondOffset;
    if (isBeyond) disk.remove(`${folder}/${name}`);
  }
}

/** What a marker says stands in its record. */
function wholeIfControl(header: Buffer, segment: Segment, position: number): Buffer {
  if ((batch.attributes(header) & CONTROL_BIT) === 0) return header;
  const whole = Buffer.alloc(batch.byteCount(header));
  segment.file.readAt(position, whole);
  return whole;
}
