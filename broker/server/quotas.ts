/**
 * Slows clients down that are over their quota: the answer goes out at once and says for how long,
 * then the connection is not read from until that time is over (KIP-219). Rates are those of the
 * last eleven windows of a second, as in Kafka.
 */
import type { Clock } from '../../stdx/clock.ts';

const WINDOW_MS = 1000;
const WINDOWS = 11;
const THROTTLE_MAX_MS = 30_000;
/** Clients that did nothing for so long are forgotten. */
const IDLE_MS = 60_000;

/** Bytes, percents of time or changes of one client in the last seconds. */
class Rate {
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

export interface QuotasDeps {
  readonly clock: Clock;
  /** The limit a second; Infinity for none. */
  readonly limit: (key: QuotaKey, clientId: string) => number;
  readonly isUsed: () => boolean;
}
export type QuotaKey =
  | 'producer_byte_rate'
  | 'consumer_byte_rate'
  | 'request_percentage'
  | 'controller_mutation_rate';

export class Quotas implements Disposable {
  private readonly deps: QuotasDeps;
  private readonly rates = new Map<string, Rate>();
  private readonly timer: Disposable;

  constructor(deps: QuotasDeps) {
    this.deps = deps;
    this.timer = deps.clock.every(IDLE_MS, () => this.forgetIdle());
  }

  get isUsed(): boolean {
    return this.deps.isUsed();
  }

  /** Counts what a client used; returns for how many milliseconds it is to be held. */
  charge(key: QuotaKey, clientId: string | null, amount: number): number {
    if (!this.isUsed) return 0;
    const name = clientId ?? '';
    const limit = this.deps.limit(key, name);
    if (limit === Infinity) return 0;
    const id = `${key} ${name}`;
    let rate = this.rates.get(id);
    if (rate === undefined) {
      rate = new Rate();
      this.rates.set(id, rate);
    }
    const nowMs = this.deps.clock.monotonicMs();
    rate.add(amount, nowMs);
    return Math.round(rate.delayMs(limit, nowMs));
  }

  private forgetIdle(): void {
    const before = this.deps.clock.monotonicMs() - IDLE_MS;
    for (const [id, { lastMs }] of this.rates) if (lastMs < before) this.rates.delete(id);
  }

  [Symbol.dispose](): void {
    this.timer[Symbol.dispose]();
  }
}
