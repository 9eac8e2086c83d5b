/** Time as an argument: the only file that may ask the machine what time it is. */

export interface Clock {
  /** Wall clock, milliseconds since 1970. For timestamps that people and clients see. */
  nowMs(): number;
  /** Never steps back; for every deadline and every measurement. */
  monotonicMs(): number;
  /** Runs once after the delay unless disposed first. */
  after(delayMs: number, run: () => void): Disposable;
  /**
   * Runs again and again until disposed; a run that is late is not made up for. Runs of several may fall
   * together: the first one comes after half to one and a half periods.
   */
  every(periodMs: number, run: () => void): Disposable;
  /** Runs once at the end of this event-loop turn, after all input that is ready was handled. */
  endOfTurn(run: () => void): void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
  every(periodMs, run) {
    // All at multiples of their periods: a process with a dozen of them wakes up a tenth as often.
    let timer: NodeJS.Timeout;
    const arm = () => {
      const nowMs = performance.now();
      timer = setTimeout(fire, (Math.round(nowMs / periodMs) + 1) * periodMs - nowMs);
    };
    const fire = () => {
      arm();
      run();
    };
    arm();
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
  endOfTurn(run) {
    setImmediate(run);
  },
};

/** Resolves after the delay. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
