/** Kafka's offset checkpoint files: version, count, then `topic partition offset` a line. */
import type { Disk } from '../../stdx/disk.ts';

/** Keyed by `topic partition`. */
export type OffsetCheckpoint = ReadonlyMap<string, number>;

export class CheckpointFile {
  private readonly disk: Disk;
  private readonly path: string;
  /** What was written last: nothing is written, and flushed, that is there already. */
  private written: string | null = null;

  constructor(disk: Disk, path: string) {
    this.disk = disk;
    this.path = path;
  }

  read(): OffsetCheckpoint {
    const offsets = new Map<string, number>();
    const [version, , ...lines] = (this.disk.readText(this.path) ?? '').trim().split('\n');
    if (version !== '0') return offsets;
    for (const line of lines) {
      const [topic, partition, offset] = line.split(' ');
      const value = Number(offset);
      if (Number.isSafeInteger(value) && value >= 0) offsets.set(`${topic} ${partition}`, value);
    }
    return offsets;
  }

  /** @throws DiskError; the file is then as it was. */
  write(offsets: OffsetCheckpoint): void {
    const lines = [...offsets].map(([key, offset]) => `${key} ${offset}`);
    const text = `${['0', String(lines.length), ...lines].join('\n')}\n`;
    if (text === this.written) return;
    this.written = null; // Where it fails, either may be there.
    this.disk.replaceFile(this.path, text);
    this.written = text;
  }
}
