/**
 * Simulated time. Everything that happens is an event at a time; between two events all promises
 * that can settle have settled. Events belong to a process: they die with it, and wait while it is
 * stopped.
 */
import type { Clock } from '../../stdx/clock.ts';

/** A process of the simulated world: it may be stopped for a while, and it dies once. */
export class Process {
  readonly name: string;
  alive = true;
  private stopped = false;
  private backlog: (() => void)[] = [];
  /** How often it was let go on. */
  turns = 0;

  constructor(name: string) {
    this.name = name;
  }

  get isStopped(): boolean {
    return this.stopped;
  }
  stop(): void {
    this.stopped = true;
  }
  /** What should have happened meanwhile happens now, late and in order. */
  resume(scheduler: Scheduler): void {
    this.stopped = false;
    this.turns++;
    const late = this.backlog;
    this.backlog = [];
    for (const run of late) scheduler.at(scheduler.nowMs, this, run);
  }
  /** Does what is due and stands still again: as a process does that hardly ever gets a processor. */
  turn(scheduler: Scheduler): void {
    this.resume(scheduler);
    scheduler.at(scheduler.nowMs, null, () => this.stop());
  }
  kill(): void {
    this.alive = false;
    this.backlog = [];
  }

  run(event: () => void): void {
    if (!this.alive) return;
    if (this.stopped) this.backlog.push(event);
    else event();
  }
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly process: Process | null;
  run: (() => void) | null;
}

/** Who has so much to do without time going on never comes to an end. */
const EVENTS_NOW_MAX = 100_000;

export class Scheduler {
  nowMs = 0;
  private order = 0;
  private readonly heap: Event[] = [];
  events = 0;

  at(atMs: number, process: Process | null, run: () => void): Disposable {
    const event: Event = { atMs: Math.max(atMs, this.nowMs), order: this.order++, process, run };
    this.push(event);
    return {
      [Symbol.dispose]() {
        event.run = null;
      },
    };
  }

  after(delayMs: number, process: Process | null, run: () => void): Disposable {
    return this.at(this.nowMs + Math.max(delayMs, 0), process, run);
  }

  /** Runs everything up to that time. */
  async runUntil(endMs: number): Promise<void> {
    // Promises can be settled from here only where none is being settled already.
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        try {
          this.runAll(endMs);
          resolve();
        } catch (cause) {
          reject(cause);
        }
      });
    });
  }

  /** Events at the present moment. */
  private eventsNow = 0;

  private runAll(endMs: number): void {
    for (;;) {
      const next = this.heap[0];
      if (next === undefined || next.atMs > endMs) break;
      this.pop();
      const { process, run } = next;
      if (run === null || process?.alive === false) continue;
      if (next.atMs > this.nowMs) this.eventsNow = 0;
      if (++this.eventsNow > EVENTS_NOW_MAX)
        throw new Error(
          `time stands still at ${this.nowMs}: ${process?.name ?? 'the world'} ${run}`,
        );
      this.nowMs = next.atMs;
      this.events++;
      if (process === null) run();
      else process.run(run);
      settlePromises();
    }
    this.nowMs = endMs;
  }

  private before(a: Event, b: Event): boolean {
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  }

  private push(event: Event): void {
    const { heap } = this;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.before(event, heap[parent] as Event)) break;
      heap[i] = heap[parent] as Event;
      i = parent;
    }
    heap[i] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      const right = child + 1;
      if (right < heap.length && this.before(heap[right] as Event, heap[child] as Event))
        child = right;
      if (!this.before(heap[child] as Event, last)) break;
      heap[i] = heap[child] as Event;
      i = child;
    }
    heap[i] = last;
  }
}

/**
 * Settles every promise that can settle without an event. A turn of the real event loop would do
 * the same at three times the price, which is most of what a seed costs.
 */
const settlePromises = (process as unknown as { _tickCallback: () => void })._tickCallback;

const EPOCH_MS = 1_800_000_000_000;

/** The clock of one process. `rate`: how fast it goes; `skewMs`: what it shows too much, and that may change. */
export function clockOf(
  scheduler: Scheduler,
  process: Process,
  of: { readonly rate: number; readonly skewMs: number },
): Clock {
  const { rate } = of;
  const monotonicMs = () => scheduler.nowMs * rate;
  const after = (delayMs: number, run: () => void) => scheduler.after(delayMs / rate, process, run);
  return {
    nowMs: () => Math.floor(EPOCH_MS + of.skewMs + monotonicMs()),
    monotonicMs,
    after,
    every(periodMs, run) {
      let timer: Disposable;
      const again = () => {
        timer = after(periodMs, () => {
          again();
          run();
        });
      };
      again();
      return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
    },
    endOfTurn: (run) => void scheduler.after(0, process, run),
  };
}
