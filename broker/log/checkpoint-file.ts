/** Kafka's offset checkpoint files: version, count, then `topic partition offset` a line. Sealed. */
import type { Disk } from '../../stdx/disk.ts';
import { sealWithBlanks, unsealBlanks } from './sealed-text.ts';

/** Keyed by `topic partition`. */
export type OffsetCheckpoint = ReadonlyMap<string, number>;

const NOTHING: OffsetCheckpoint = new Map();

/** Null where the text is not such a file. */
function offsetsOf(text: string): OffsetCheckpoint | null {
  const [version, count, ...lines] = text.split('\n');
  if (lines.pop() !== '' || version !== '0' || count !== String(lines.length)) return null;
  const offsets = new Map<string, number>();
  for (const line of lines) {
    const [, key, offset] = /^(\S+ \d+) (\d+)$/.exec(line) ?? [];
    if (key === undefined || !Number.isSafeInteger(Number(offset))) return null;
    offsets.set(key, Number(offset));
  }
  return offsets.size === lines.length ? offsets : null;
}

export class CheckpointFile {
  private readonly disk: Disk;
  readonly path: string;
  /** What was written last: nothing is written, and flushed, that is there already. */
  private written: string | null = null;

  constructor(disk: Disk, path: string) {
    this.disk = disk;
    this.path = path;
  }

  /** Empty where there is none, and where it is damaged: then nothing is known. */
  read(): OffsetCheckpoint {
    const text = this.disk.readText(this.path);
    if (text === null) return NOTHING;
    const offsets = offsetsOf(unsealBlanks(text) ?? '');
    this.isDamaged = offsets === null;
    return offsets ?? NOTHING;
  }
  isDamaged = false;

  /** @throws DiskError; the file is then as it was. */
  write(offsets: OffsetCheckpoint): void {
    const lines = [...offsets].map(([key, offset]) => `${key} ${offset}`);
    const plain = `${['0', String(lines.length), ...lines].join('\n')}\n`;
    const text = lines.length === 0 ? plain : sealWithBlanks(plain);
    if (text === this.written) return;
    this.written = null; // Where it fails, either may be there.
    this.disk.replaceFile(this.path, text);
    this.written = text;
  }
}
