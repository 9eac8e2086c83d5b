/** Time as an argument: the only file that may ask the machine what time it is. */

/** Node fires what is set for longer at once: nobody waits for it either way. */
const LONGEST_MS = 2 ** 31 - 1;
/** A timer that comes so late was held up by this process itself. */
const LATE_MS = 100;

export interface Clock {
  /** Wall clock, milliseconds since 1970. For timestamps that people and clients see. */
  nowMs(): number;
  /** Never steps back; for every deadline and every measurement. */
  monotonicMs(): number;
  /**
   * Runs once after the delay unless disposed first; never before it has passed by `monotonicMs`, so that who
   * waits for a time and then compares it has waited long enough. One that is late lets everything run first that has
   * arrived meanwhile: a deadline that passed while this process stood still was perhaps kept.
   */
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
    const waitMs = Math.min(delayMs, LONGEST_MS);
    const dueMs = performance.now() + waitMs;
    let late: NodeJS.Immediate | undefined;
    const fire = () => {
      const lateMs = performance.now() - dueMs;
      // Node counts whole milliseconds, and every third timer comes up to one too early.
      if (lateMs < 0) timer = setTimeout(fire, 1);
      else if (lateMs > LATE_MS) late = setImmediate(run);
      else run();
    };
    let timer = setTimeout(fire, waitMs);
    return {
      [Symbol.dispose]() {
        clearTimeout(timer);
        clearImmediate(late);
      },
    };
  },
  every(everyMs, run) {
    // Twice the period may lie ahead.
    const periodMs = Math.min(everyMs, LONGEST_MS / 2);
    // All at multiples of their periods: a process with a dozen of them wakes up a tenth as often.
    let timer: NodeJS.Timeout;
    let late: NodeJS.Immediate | undefined;
    let dueMs = 0;
    const arm = () => {
      const nowMs = performance.now();
      dueMs = (Math.round(nowMs / periodMs) + 1) * periodMs;
      timer = setTimeout(fire, dueMs - nowMs);
    };
    const fire = () => {
      const isLate = performance.now() - dueMs > LATE_MS;
      arm();
      if (isLate) late = setImmediate(run);
      else run();
    };
    arm();
    return {
      [Symbol.dispose]() {
        clearTimeout(timer);
        clearImmediate(late);
      },
    };
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
