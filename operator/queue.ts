/** A queue of keys: each is worked on by one worker at a time, again if it was added meanwhile. */
import { isBug } from '../stdx/bug.ts';
import type { Clock } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';

const RETRY_MS = 500;
const RETRY_MS_MAX = 30_000;
/** Timers hold no longer times. */
const LATER_MS_MAX = 24 * 3600 * 1000;

export class WorkQueue implements AsyncDisposable {
  private readonly waiting = new Set<string>();
  private readonly busy = new Set<string>();
  private readonly failures = new Map<string, number>();
  private readonly later = new Map<string, Disposable>();
  private readonly deps: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly work: (key: string) => Promise<void>;
    /** The work on that object met a bug: this is to be seen at the object. Must not fail. */
    readonly onBug: (key: string, cause: unknown) => Promise<void>;
  };
  private stopped = false;
  private whenIdle: (() => void) | null = null;
  reconciled = 0;
  failed = 0;

  constructor(deps: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly work: (key: string) => Promise<void>;
    readonly onBug: (key: string, cause: unknown) => Promise<void>;
  }) {
    this.deps = deps;
  }

  add(key: string): void {
    if (this.stopped) return;
    this.waiting.add(key);
    if (!this.busy.has(key)) void this.run(key);
  }

  /** Once that time has passed; an earlier look does not take its place. */
  addAfter(key: string, delayMs: number): void {
    if (this.stopped) return;
    this.later.get(key)?.[Symbol.dispose]();
    const timer = this.deps.clock.after(Math.min(delayMs, LATER_MS_MAX), () => {
      this.later.delete(key);
      this.add(key);
    });
    this.later.set(key, timer);
  }

  private async run(key: string): Promise<void> {
    this.busy.add(key);
    while (this.waiting.delete(key) && !this.stopped) {
      try {
        await this.deps.work(key);
        this.reconciled++;
        this.failures.delete(key);
      } catch (cause) {
        // One object that meets a bug must not keep all others from being looked after.
        if (isBug(cause)) await this.deps.onBug(key, cause);
        this.failed++;
        const failures = (this.failures.get(key) ?? 0) + 1;
        this.failures.set(key, failures);
        const delayMs = Math.min(RETRY_MS * 2 ** (failures - 1), RETRY_MS_MAX);
        this.deps.logger.warn('reconcile failed, trying again', { key, delayMs, cause });
        this.addAfter(key, delayMs);
      }
    }
    this.busy.delete(key);
    if (this.busy.size === 0) this.whenIdle?.();
  }

  get inProgress(): number {
    return this.busy.size;
  }

  /** Begins nothing more, and resolves once what is under way has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stopped = true;
    for (const timer of this.later.values()) timer[Symbol.dispose]();
    if (this.busy.size === 0) return;
    await new Promise<void>((resolve) => {
      this.whenIdle = resolve;
    });
  }
}
