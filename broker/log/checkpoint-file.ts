/** Kafka's offset checkpoint files: version, count, then `topic partition offset` a line. */
import type { Disk } from '../../stdx/disk.ts';

/** Keyed by `topic partition`. */
export type OffsetCheckpoint = ReadonlyMap<string, number>;

export function readOffsets(disk: Disk, path: string): OffsetCheckpoint {
  const offsets = new Map<string, number>();
  const [version, , ...lines] = (disk.readText(path) ?? '').trim().split('\n');
  if (version !== '0') return offsets;
  for (const line of lines) {
    const [topic, partition, offset] = line.split(' ');
    const value = Number(offset);
    if (Number.isSafeInteger(value) && value >= 0) offsets.set(`${topic} ${partition}`, value);
  }
  return offsets;
}

export function writeOffsets(disk: Disk, path: string, offsets: OffsetCheckpoint): void {
  const lines = [...offsets].map(([key, offset]) => `${key} ${offset}`);
  disk.replaceFile(path, `${['0', String(lines.length), ...lines].join('\n')}\n`);
}
