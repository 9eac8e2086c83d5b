/** How late the event loop is with what is due: everything that a broker does waits as long. */
import type { Clock } from '../../stdx/clock.ts';
import { Sample } from './quantiles.ts';

/** Other timers of a broker fall on the same instants: looking wakes nobody up. */
const LOOK_MS = 200;

export class LoopDelay implements Disposable {
  private readonly sample = new Sample();
  private readonly timer: Disposable;

  constructor(clock: Clock) {
    let lookedAtMs = clock.monotonicMs();
    this.timer = clock.every(LOOK_MS, () => {
      const nowMs = clock.monotonicMs();
      this.sample.add(Math.max(nowMs - lookedAtMs - LOOK_MS, 0));
      lookedAtMs = nowMs;
    });
  }

  /** Of the last minutes, in milliseconds. */
  quantiles(of: readonly number[]): number[] {
    return this.sample.quantiles(of);
  }

  [Symbol.dispose](): void {
    this.timer[Symbol.dispose]();
  }
}
