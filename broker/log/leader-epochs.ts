/**
 * Which leader epoch wrote which offsets: the history by which replicas find where they part.
 * Pure. Source: KIP-101, KIP-279. File form: Kafka's `leader-epoch-checkpoint`,
 * sealed.
 */
import { sealWithBlanks, unsealBlanks } from './sealed-text.ts';

export interface EpochStart {
  readonly epoch: number;
  readonly startOffset: number;
}

export class LeaderEpochs {
  private entries: EpochStart[];

  constructor(entries: readonly EpochStart[] = []) {
    this.entries = [...entries];
  }

  get all(): readonly EpochStart[] {
    return this.entries;
  }

  /** The newest epoch that wrote anything, or -1. */
  get latest(): number {
    return this.entries.at(-1)?.epoch ?? -1;
  }

  /** Notes that `epoch` begins at `startOffset`, if it is newer than all before. */
  assign(epoch: number, startOffset: number): void {
    if (epoch <= this.latest) return;
    // An epoch that wrote nothing leaves no trace.
    while (
      this.entries.length > 0 &&
      (this.entries.at(-1) as EpochStart).startOffset >= startOffset
    ) {
      this.entries.pop();
    }
    this.entries.push({ epoch, startOffset });
  }

  /**
   * The largest known epoch that is not above `epoch`, and the offset at which it ends;
   * -1 and -1 where every known epoch is above it.
   */
  endOffsetFor(epoch: number, logEndOffset: number): { epoch: number; endOffset: number } {
    for (let i = this.entries.length - 1; i >= 0; i--) {
      const entry = this.entries[i] as EpochStart;
      if (entry.epoch <= epoch) {
        return { epoch: entry.epoch, endOffset: this.entries[i + 1]?.startOffset ?? logEndOffset };
      }
    }
    return { epoch: -1, endOffset: -1 };
  }

  /** The epoch that wrote `offset`, or -1. */
  epochAt(offset: number): number {
    for (let i = this.entries.length - 1; i >= 0; i--) {
      const entry = this.entries[i] as EpochStart;
      if (entry.startOffset <= offset) return entry.epoch;
    }
    return -1;
  }

  truncateFromEnd(endOffset: number): void {
    this.entries = this.entries.filter(({ startOffset }) => startOffset < endOffset);
  }

  truncateFromStart(startOffset: number): void {
    const last = this.entries.findLastIndex((entry) => entry.startOffset <= startOffset);
    if (last < 0) return;
    const kept = this.entries[last] as EpochStart;
    this.entries = [{ epoch: kept.epoch, startOffset }, ...this.entries.slice(last + 1)];
  }

  toText(): string {
    const lines = this.entries.map(({ epoch, startOffset }) => `${epoch} ${startOffset}`);
    const text = `${['0', String(lines.length), ...lines].join('\n')}\n`;
    return lines.length === 0 ? text : sealWithBlanks(text);
  }

  /** Null where the text is not such a file, or damaged. */
  static fromText(text: string): LeaderEpochs | null {
    const [version, count, ...lines] = (unsealBlanks(text) ?? '').split('\n');
    if (lines.pop() !== '' || version !== '0' || count !== String(lines.length)) return null;
    const entries: EpochStart[] = [];
    for (const line of lines) {
      const [, epoch, startOffset] = /^(\d+) (\d+)$/.exec(line) ?? [];
      if (epoch === undefined) return null;
      const entry = { epoch: Number(epoch), startOffset: Number(startOffset) };
      const before = entries.at(-1);
      const grows =
        before === undefined ||
        (entry.epoch > before.epoch && entry.startOffset > before.startOffset);
      if (!grows || !Number.isSafeInteger(entry.startOffset)) return null;
      entries.push(entry);
    }
    return new LeaderEpochs(entries);
  }
}
