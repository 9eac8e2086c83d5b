/**
 * The time in which this process itself ran, as far as it can tell. Who judges others by their silence
 * must not take its own standing still for it: what came meanwhile is read only afterwards. On a machine
 * with too much to do everybody is late, and all the more patient.
 */
import type { Clock } from '../../stdx/clock.ts';

export class AwakeTime {
  private readonly clock: Clock;
  private readonly stepMsMax: number;
  private lookedAtMs: number;
  private sumMs = 0;

  /** `stepMsMax`: the most that may lie between two looks of a process that runs as it should. */
  constructor(clock: Clock, stepMsMax: number) {
    this.clock = clock;
    this.stepMsMax = stepMsMax;
    this.lookedAtMs = clock.monotonicMs();
  }

  /** To be asked regularly. */
  nowMs(): number {
    const lookedAtMs = this.clock.monotonicMs();
    this.sumMs += Math.min(lookedAtMs - this.lookedAtMs, this.stepMsMax);
    this.lookedAtMs = lookedAtMs;
    return this.sumMs;
  }
}
