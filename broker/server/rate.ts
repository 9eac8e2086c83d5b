/** How much of something there was in a second, over the last eleven windows of one, as in Kafka. Pure. */

const WINDOW_MS = 1000;
const WINDOWS = 11;
const THROTTLE_MAX_MS = 30_000;

/** Bytes, percents of time or changes of one client in the last seconds. */
export class Rate {
  private readonly sums = Array.from({ length: WINDOWS }, () => 0);
  private window = -1;
  private firstWindow = -1;
  lastMs = 0;

  add(amount: number, nowMs: number): void {
    const window = Math.floor(nowMs / WINDOW_MS);
    if (this.firstWindow < 0) this.firstWindow = window;
    const gap = this.window < 0 ? WINDOWS : Math.min(window - this.window, WINDOWS);
    for (let i = 1; i <= gap; i++) this.sums[(window - gap + i) % WINDOWS] = 0;
    this.window = window;
    this.lastMs = nowMs;
    this.sums[window % WINDOWS] = (this.sums[window % WINDOWS] ?? 0) + amount;
  }

  /** How long the client must pause so that its rate comes down to the limit. */
  delayMs(limit: number, nowMs: number): number {
    const window = Math.floor(nowMs / WINDOW_MS);
    const windows = Math.min(window - this.firstWindow, WINDOWS - 1);
    const elapsedMs = Math.max(
      windows * WINDOW_MS + (nowMs % WINDOW_MS),
      (WINDOWS - 1) * WINDOW_MS,
    );
    const total = this.sums.reduce((sum, bytes) => sum + bytes, 0);
    const rate = (total / elapsedMs) * 1000;
    return rate <= limit ? 0 : Math.min(((rate - limit) / limit) * elapsedMs, THROTTLE_MAX_MS);
  }
}
