/**
 * Notices that this broker is alone: neither the Kubernetes API nor any other broker was reached
 * for a session timeout. Others may have been elected by then, so it must not go on answering as
 * if it led; it could commit nothing anyway.
 */
import type { Clock } from '../stdx/clock.ts';

const CHECK_MS = 500;

export interface IsolationDeps {
  readonly clock: Clock;
  /** Whether the cluster has other brokers at all. */
  readonly hasPeers: () => boolean;
  /** Whether a connection to any other broker stands. */
  readonly reachesPeer: () => boolean;
  /** When the API answered last, by the monotonic clock. */
  readonly apiAnsweredAtMs: () => number;
  readonly timeoutMs: () => number;
  readonly onChange: (isAlone: boolean) => void;
}

export class Isolation implements Disposable {
  private readonly deps: IsolationDeps;
  private readonly timer: Disposable;
  private contactAtMs: number;
  isAlone = false;

  constructor(deps: IsolationDeps) {
    this.deps = deps;
    this.contactAtMs = deps.clock.monotonicMs();
    this.timer = deps.clock.every(CHECK_MS, () => this.check());
  }

  private check(): void {
    const { apiAnsweredAtMs, clock, hasPeers, onChange, reachesPeer, timeoutMs } = this.deps;
    const nowMs = clock.monotonicMs();
    if (reachesPeer() || !hasPeers()) this.contactAtMs = nowMs;
    this.contactAtMs = Math.max(this.contactAtMs, apiAnsweredAtMs());
    const isAlone = nowMs - this.contactAtMs > timeoutMs();
    if (isAlone === this.isAlone) return;
    this.isAlone = isAlone;
    onChange(isAlone);
  }

  [Symbol.dispose](): void {
    this.timer[Symbol.dispose]();
  }
}
