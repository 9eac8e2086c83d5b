/**
 * When a leader wrote what its followers lack. A follower is as late as the first record that it does not
 * have is old: neither how often it confirms nor how long nothing was written has a say in that. Pure.
 */

/** Times are known to within that share of the time that a follower may lag. */
const MARKS = 16;

export class WriteTimes {
  private readonly startedMs: number;
  /** Records from `offsets[i]` on were written at `timesMs[i]` or later; both grow. */
  private readonly offsets: number[] = [];
  private readonly timesMs: number[] = [];

  /** What was written before `startedMs` counts as written then. */
  constructor(startedMs: number) {
    this.startedMs = startedMs;
  }

  /** Records were written from that offset on, which was the end. */
  onWritten(fromOffset: number, nowMs: number, lagTimeMaxMs: number): void {
    const { offsets, timesMs } = this;
    const last = timesMs[timesMs.length - 1];
    if (last !== undefined && nowMs - last < lagTimeMaxMs / MARKS) return;
    offsets.push(fromOffset);
    timesMs.push(nowMs);
    // Whoever lacks what is older than the second mark lags, however much older it is.
    if (timesMs.length > 2 && nowMs - (timesMs[1] as number) > lagTimeMaxMs) {
      offsets.shift();
      timesMs.shift();
    }
  }

  /** When the record at that offset was written, or, where it was not, the one before it. */
  at(offset: number): number {
    for (let i = this.offsets.length - 1; i >= 0; i--)
      if ((this.offsets[i] as number) <= offset) return this.timesMs[i] as number;
    return this.startedMs;
  }
}
