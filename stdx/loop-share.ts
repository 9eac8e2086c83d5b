/**
 * Who has the event loop. Nothing interrupts what runs, so that work is cut up: what takes long rests after
 * each slice, and what others want done meanwhile goes first. Of those that wait, the one goes on that had
 * least of the loop lately.
 */
import type { Clock } from './clock.ts';

/** Nobody has the loop longer at a time. */
const SLICE_MS = 2;
/** In a simulation, where no time passes meanwhile, so many steps are a slice. */
const SLICE_STEPS = 256;
/** Once requests had so much of a turn, others wait for the next one. */
const TURN_MS = 6;
/** What somebody had so long ago counts half. */
const HALF_LIFE_MS = 1000;

/** Somebody who has work done; owned by LoopShare. */
export interface Sharer {
  usedMs: number;
  usedAtMs: number;
}

interface Waiting {
  readonly sharer: Sharer;
  readonly resume: () => void;
}

export class LoopShare {
  readonly clock: Pick<Clock, 'monotonicMs' | 'endOfTurn'>;
  /** Changes with every turn. */
  private readonly turn: { readonly ordinal: number };
  private ordinal = -1;
  /** What requests had of this turn. */
  private turnMs = 0;
  private waiting: Waiting[] = [];
  private armed = false;

  constructor(clock: Pick<Clock, 'monotonicMs' | 'endOfTurn'>, turn: { readonly ordinal: number }) {
    this.clock = clock;
    this.turn = turn;
  }

  /** Whether what is begun now has to wait for the next turn. */
  get isSpent(): boolean {
    return this.turnMs >= TURN_MS && this.ordinal === this.turn.ordinal;
  }
  get waitingCount(): number {
    return this.waiting.length;
  }

  /** Somebody had the loop from then until now. */
  charge(sharer: Sharer, sinceMs: number, nowMs: number): void {
    const ms = nowMs - sinceMs;
    if (this.ordinal !== this.turn.ordinal) {
      this.ordinal = this.turn.ordinal;
      this.turnMs = 0;
    }
    this.turnMs += ms;
    sharer.usedMs = usedAt(sharer, nowMs) + ms;
    sharer.usedAtMs = nowMs;
  }

  /** Calls `resume` in a later turn: soon for who had little, late for who had much. */
  wait(sharer: Sharer, resume: () => void): void {
    this.waiting.push({ sharer, resume });
    this.arm();
  }

  private arm(): void {
    if (this.armed) return;
    this.armed = true;
    this.clock.endOfTurn(() => this.run());
  }

  private run(): void {
    this.armed = false;
    this.turnMs = 0;
    this.ordinal = this.turn.ordinal;
    // Who waits again meanwhile has had this turn.
    const due = this.waiting;
    this.waiting = [];
    const nowMs = this.clock.monotonicMs();
    while (due.length > 0 && !this.isSpent) {
      const next = takeLeast(due, nowMs);
      const { usedMs } = next.sharer;
      next.resume();
      // What goes on by itself, and is not charged yet, will have a slice.
      if (next.sharer.usedMs === usedMs) this.turnMs += SLICE_MS;
    }
    this.waiting = [...due, ...this.waiting];
    if (this.waiting.length > 0) this.arm();
  }
}

function usedAt({ usedAtMs, usedMs }: Sharer, nowMs: number): number {
  return usedMs === 0 ? 0 : usedMs * 0.5 ** ((nowMs - usedAtMs) / HALF_LIFE_MS);
}

function takeLeast(waiting: Waiting[], nowMs: number): Waiting {
  let least = 0;
  for (let i = 1; i < waiting.length; i++) {
    const [one, other] = [waiting[i] as Waiting, waiting[least] as Waiting];
    if (usedAt(one.sharer, nowMs) < usedAt(other.sharer, nowMs)) least = i;
  }
  return waiting.splice(least, 1)[0] as Waiting;
}

/** The pace of one piece of work: when it has to rest. */
export class Pace {
  private readonly share: LoopShare;
  private readonly sharer: Sharer;
  private sinceMs: number;
  private steps = 0;

  constructor(share: LoopShare, sharer: Sharer) {
    this.share = share;
    this.sharer = sharer;
    this.sinceMs = share.clock.monotonicMs();
  }

  /** To be asked before each step; null: it may go on at once. */
  rest(): Promise<void> | null {
    const nowMs = this.share.clock.monotonicMs();
    if (nowMs - this.sinceMs < SLICE_MS && ++this.steps < SLICE_STEPS) return null;
    return this.untilNext(nowMs);
  }

  /** The work waits for something else: what comes then is a slice of its own. */
  begin(): void {
    this.steps = 0;
    this.sinceMs = this.share.clock.monotonicMs();
  }

  private untilNext(nowMs: number): Promise<void> {
    this.share.charge(this.sharer, this.sinceMs, nowMs);
    return new Promise((resolve) => {
      this.share.wait(this.sharer, () => {
        this.begin();
        resolve();
      });
    });
  }
}

/** What `change` makes of each, one after the other. */
export async function mapInTurns<T, R>(
  pace: Pace,
  list: Iterable<T>,
  change: (item: T, index: number) => R | Promise<R>,
): Promise<R[]> {
  const changed: R[] = [];
  for (const item of list) {
    const rest = pace.rest();
    if (rest !== null) await rest;
    const result = change(item, changed.length);
    changed.push(result instanceof Promise ? await result : result);
  }
  return changed;
}

/** As `mapInTurns` of what waits for others: so many at once. */
export async function mapSomeAtOnce<T, R>(
  pace: Pace,
  list: readonly T[],
  atOnce: number,
  change: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const changed: R[] = [];
  const entries = list.entries();
  const work = async () => {
    for (const [index, item] of entries) {
      changed[index] = await change(item, index);
      const rest = pace.rest();
      if (rest !== null) await rest;
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, list.length) }, work));
  return changed;
}

/** Goes through the steps of a generator at that pace; what it returns. */
export async function inTurns<T>(pace: Pace, steps: Generator<void, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    const rest = pace.rest();
    if (rest !== null) await rest;
  }
}
