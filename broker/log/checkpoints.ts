/**
 * The offsets of the logs of a directory, in Kafka's four checkpoint files. They are written now and then and
 * say of a log what was so then, which is no lie as long as the log only grows. What it must not survive is
 * written at once: a cut below the recovery point, and a log that is made anew under a name that had another.
 */
import type { Disk } from '../../stdx/disk.ts';
import { CheckpointFile } from './checkpoint-file.ts';

const FILES = {
  recovery: 'recovery-point-offset-checkpoint',
  start: 'log-start-offset-checkpoint',
  highWatermark: 'replication-offset-checkpoint',
  cleaned: 'cleaner-offset-checkpoint',
} as const;
type Kind = keyof typeof FILES;
const KINDS = Object.keys(FILES) as Kind[];

/** Kafka's: topic and partition, which a deleted topic and one of the same name share. */
const keyOf = ({ topic, partition }: LogName) => `${topic} ${partition}`;

export interface LogName {
  readonly topic: string;
  readonly partition: number;
}

/** Null: nothing is to be said. */
export type LogOffsets = Readonly<Record<Kind, number | null>>;

export class Checkpoints {
  private readonly files: Record<Kind, CheckpointFile>;
  /** What the files say. */
  private known: Record<Kind, Map<string, number>>;
  /** Names of logs that have ended since the files were written. */
  private readonly ended = new Set<string>();

  constructor(disk: Disk, folder: string) {
    const file = (kind: Kind) => new CheckpointFile(disk, `${folder}/${FILES[kind]}`);
    this.files = {
      recovery: file('recovery'),
      start: file('start'),
      highWatermark: file('highWatermark'),
      cleaned: file('cleaned'),
    };
    this.known = forEachKind((kind) => new Map(this.files[kind].read()));
  }

  /** Paths of those files that were found damaged. */
  damaged(kinds: readonly Kind[]): string[] {
    return kinds.filter((kind) => this.files[kind].isDamaged).map((kind) => this.files[kind].path);
  }

  /** What is known of a log; zeros where nothing is. */
  of(name: LogName): Record<Kind, number> {
    const key = keyOf(name);
    return forEachKind((kind) => this.known[kind].get(key) ?? 0);
  }

  /**
   * Writes down what logs of the directory have come to. Of those that are not told of and have not ended,
   * because they could not be opened yet, the files say what they said. @throws DiskError
   */
  write(logs: Iterable<readonly [LogName, LogOffsets]>): void {
    const next = forEachKind((kind) => new Map(this.known[kind]));
    for (const old of this.ended) for (const kind of KINDS) next[kind].delete(old);
    for (const [name, offsets] of logs) {
      const key = keyOf(name);
      for (const kind of KINDS) {
        const offset = offsets[kind];
        if (offset === null) next[kind].delete(key);
        else next[kind].set(key, offset);
      }
    }
    this.known = next;
    this.ended.clear();
    this.save(KINDS);
  }

  private save(kinds: readonly Kind[]): void {
    for (const kind of kinds) this.files[kind].write(this.known[kind]);
  }

  /** A log is gone; nothing is written until another one has its name. */
  end(name: LogName): void {
    this.ended.add(keyOf(name));
  }

  /**
   * A log is made anew: what the files say under its name is of another one. All that have ended are
   * forgotten with it, because a topic that is made anew has many partitions. @throws DiskError
   */
  begin(name: LogName): void {
    const key = keyOf(name);
    if (!KINDS.some((kind) => this.known[kind].has(key))) return;
    for (const old of [key, ...this.ended]) for (const kind of KINDS) this.known[kind].delete(old);
    this.ended.clear();
    this.save(KINDS);
  }

  /** The log was cut: what is written there from now on is not on stable storage. @throws DiskError */
  lowerRecoveryPoint(name: LogName, offset: number): void {
    const key = keyOf(name);
    if ((this.known.recovery.get(key) ?? 0) <= offset) return;
    this.known.recovery.set(key, offset);
    this.save(['recovery']);
  }
}

function forEachKind<T>(make: (kind: Kind) => T): Record<Kind, T> {
  return {
    recovery: make('recovery'),
    start: make('start'),
    highWatermark: make('highWatermark'),
    cleaned: make('cleaned'),
  };
}
