/** Has the lines of replicas written down a while after they changed: many changes, one small file. */
import type { Clock } from '../stdx/clock.ts';
import type { LogDirectories } from './log/log-directories.ts';

const DELAY_MS = 1_000;
/** A broker with ten thousand replicas writes megabytes: so much more seldom. */
const DELAY_PER_LINE_MS = 1;
const DELAY_MS_MAX = 30_000;

export class LineKeeper implements Disposable {
  private readonly clock: Clock;
  private readonly directories: LogDirectories;
  private timer: Disposable | null = null;
  private isOver = false;

  constructor(clock: Clock, directories: LogDirectories) {
    this.clock = clock;
    this.directories = directories;
    directories.onStale = () => this.schedule();
    this.schedule();
  }

  private schedule(): void {
    if (this.timer !== null || this.isOver) return;
    const delayMs = DELAY_MS + this.directories.lineCount * DELAY_PER_LINE_MS;
    this.timer = this.clock.after(Math.min(delayMs, DELAY_MS_MAX), () => void this.save());
  }

  private async save(): Promise<void> {
    await this.directories.saveLines();
    this.timer = null;
    if (this.directories.hasStaleLines) this.schedule();
  }

  [Symbol.dispose](): void {
    this.isOver = true;
    this.directories.onStale = null;
    this.timer?.[Symbol.dispose]();
  }
}
