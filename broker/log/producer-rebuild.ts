/** What a log knows of its producers, made again from its files. */
import type { Disk } from '../../stdx/disk.ts';
import type { ProducerState } from './producer-state.ts';
import type { Segment } from './segment.ts';
import { type BatchFileBounds, BatchWalk, readBatches } from './stored-batches.ts';

/**
 * Loads the producers as they were where a segment begins: that segment's if its snapshot is whole,
 * else an earlier one's. One that is not whole goes: what a loss of power tore is no damage that
 * anybody should find later.
 * @returns which segment: from there on batches must be observed.
 */
export function loadProducersBefore(
  disk: Disk,
  producers: ProducerState,
  segments: readonly Segment[],
  latest: number,
): number {
  for (let i = latest; i >= 0; i--) {
    const path = (segments[i] as Segment).path('.snapshot');
    const bytes = disk.readBytes(path);
    if (bytes === null) continue;
    if (producers.load(bytes)) return i;
    disk.remove(path);
  }
  return 0;
}

/**
 * Removes snapshots from beyond the end, and fills `producers` from an older one and the batches after it.
 * @throws DamagedLog
 */
export function rebuildProducers(
  { disk, folder, producers }: { disk: Disk; folder: string; producers: ProducerState },
  segments: readonly Segment[],
  endOffset: number,
  boundsOf: (segment: Segment) => BatchFileBounds,
): void {
  producers.clear();
  removeSnapshots(disk, folder, endOffset);
  const from = loadProducersBefore(disk, producers, segments, segments.length - 1);
  for (const segment of segments.slice(from)) {
    const bounds = boundsOf(segment);
    readBatches(segment.file, bounds, new BatchWalk(bounds), (b, at) => {
      producers.observe(b, at);
    });
  }
}

/** Snapshots of what is no longer in the log: a start must not take them for those of a later record there. */
export function removeSnapshots(disk: Disk, folder: string, beyondOffset: number): void {
  for (const name of disk.list(folder)) {
    const isBeyond = name.endsWith('.snapshot') && Number(name.slice(0, -9)) > beyondOffset;
    if (isBeyond) disk.remove(`${folder}/${name}`);
  }
}
