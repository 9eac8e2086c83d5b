/**
 * Slows clients down that are over their quota: the answer goes out at once and says for how long,
 * then the connection is not read from until that time is over (KIP-219). Rates are those of the
 * last eleven windows of a second, as in Kafka.
 */
import type { Clock } from '../../stdx/clock.ts';
import { Rate } from './rate.ts';

/** Clients that did nothing for so long are forgotten. */
const IDLE_MS = 60_000;
/** Client ids are free: of more than that who is known longest is forgotten. */
const CLIENTS_MAX = 10_000;

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

  /** Clients whose use is being counted. */
  get count(): number {
    return this.rates.size;
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
      if (this.rates.size >= CLIENTS_MAX)
        this.rates.delete(this.rates.keys().next().value as string);
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
