/**
 * Who may connect: how many at once, in all and from one address, and how many in a second. Pure: time
 * comes in as an argument. Sources: KIP-402, KIP-612.
 */
import { Rate } from './rate.ts';

export interface ConnectionRules {
  /** `max.connections` */
  readonly max: number;
  /** `max.connections.per.ip`, and of single addresses `max.connections.per.ip.overrides`. */
  readonly maxPerIp: number;
  readonly maxOf: ReadonlyMap<string, number>;
  /** `max.connection.creation.rate`; Infinity: none. */
  readonly creationRate: number;
  /** The quota `connection_creation_rate` of an address; Infinity: none. */
  readonly creationRateOf: (ip: string) => number;
}

export type Admission =
  /** The next one comes after this time. */
  | { readonly kind: 'accepted'; readonly pauseMs: number }
  /** Somebody must go first. */
  | { readonly kind: 'full' }
  /** To be closed, after a while where its address is too quick. */
  | { readonly kind: 'refused'; readonly afterMs: number };

/** Kafka waits no longer than one window of the quota. */
const PAUSE_MS_MAX = 1000;
/** Addresses whose rates are known at most; the one that was known longest is forgotten. */
const ADDRESSES_MAX = 10_000;
const FULL: Admission = { kind: 'full' };

export class ConnectionLimits {
  private readonly rules: () => ConnectionRules;
  private readonly counts = new Map<string, number>();
  private readonly rate = new Rate();
  private readonly rates = new Map<string, Rate>();
  private total = 0;

  constructor(rules: () => ConnectionRules) {
    this.rules = rules;
  }

  /** Connections that were accepted and have not ended. */
  get count(): number {
    return this.total;
  }

  /** Decides about a connection; one that is accepted is counted until `release`. */
  admit(ip: string, nowMs: number): Admission {
    const rules = this.rules();
    if (this.total >= rules.max) return FULL;
    const held = this.counts.get(ip) ?? 0;
    if (held >= (rules.maxOf.get(ip) ?? rules.maxPerIp)) return { kind: 'refused', afterMs: 0 };
    const delayMs = this.delayOf(ip, rules.creationRateOf(ip), nowMs);
    if (delayMs > 0) return { kind: 'refused', afterMs: delayMs };
    this.counts.set(ip, held + 1);
    this.total++;
    return { kind: 'accepted', pauseMs: pauseFor(this.rate, rules.creationRate, nowMs) };
  }

  /** Counts a connection from the address, unless there are too many already: then for how long. */
  private delayOf(ip: string, limit: number, nowMs: number): number {
    if (limit === Infinity) return 0;
    let rate = this.rates.get(ip);
    if (rate === undefined) {
      rate = new Rate();
      if (this.rates.size >= ADDRESSES_MAX)
        this.rates.delete(this.rates.keys().next().value as string);
      this.rates.set(ip, rate);
    }
    const delayMs = pauseFor(rate, limit, nowMs);
    // What is not accepted does not count.
    if (delayMs > 0) rate.add(-1, nowMs);
    return delayMs;
  }

  /** A connection that was accepted has ended. */
  release(ip: string): void {
    const left = (this.counts.get(ip) ?? 1) - 1;
    if (left === 0) this.counts.delete(ip);
    else this.counts.set(ip, left);
    this.total--;
  }
}

function pauseFor(rate: Rate, limit: number, nowMs: number): number {
  if (limit === Infinity) return 0;
  rate.add(1, nowMs);
  return Math.min(rate.delayMs(limit, nowMs), PAUSE_MS_MAX);
}
