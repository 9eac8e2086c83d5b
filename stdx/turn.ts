/**
 * Work that is put off to the end of the event-loop turn, so that everything which arrived in one
 * turn is written, replicated and answered together.
 */
import type { Clock } from './clock.ts';
import { LoopShare } from './loop-share.ts';

export interface TurnTask {
  /** Owned by Turn: whether the task is waiting for the end of this turn. */
  scheduled: boolean;
  runInTurn(): void;
}

/** One read of a socket brings as much, and one turn many of them. */
const HEAVY_BYTES = 1024 * 1024;

export class Turn {
  /** For timers whose work waits for a turn. */
  readonly clock: Clock;
  private readonly phases: TurnTask[][];
  private armed = false;
  /** Changes with every turn in which something was put off to its end. */
  ordinal = 0;
  /** Who has the event loop in it. */
  readonly share: LoopShare;
  /** Bytes in memory that wait for the end of this turn. */
  private waitingBytes = 0;
  private readonly onError: (cause: unknown) => void;
  private readonly onBegin: () => void;

  /** `onBegin` runs before the work of a turn that was put off to its end. */
  constructor(
    clock: Clock,
    phaseCount: number,
    onError: (cause: unknown) => void,
    onBegin: () => void = () => {},
  ) {
    this.clock = clock;
    this.share = new LoopShare(clock, this);
    this.phases = Array.from({ length: phaseCount }, () => []);
    this.onError = onError;
    this.onBegin = onBegin;
  }

  /** Runs the task once in the given phase of this turn; asking again changes nothing. */
  schedule(phase: number, task: TurnTask): void {
    if (task.scheduled) return;
    task.scheduled = true;
    (this.phases[phase] as TurnTask[]).push(task);
    if (this.armed) return;
    this.armed = true;
    this.clock.endOfTurn(() => this.run());
  }

  weigh(byteCount: number): void {
    this.waitingBytes += byteCount;
  }

  /**
   * Does the turn's work at once where much waits for it: memory that is used again soon is still in the
   * processor's caches, and there is a bound to it. To be called by who brings input, once it is taken.
   */
  endIfHeavy(): void {
    if (this.waitingBytes >= HEAVY_BYTES) this.runPhases();
  }

  private run(): void {
    this.ordinal = (this.ordinal + 1) | 0;
    this.onBegin();
    this.runPhases();
    // A late phase may have made work for an early one: that waits for the next turn.
    if (this.phases.some(({ length }) => length > 0)) this.clock.endOfTurn(() => this.run());
    else this.armed = false;
  }

  private runPhases(): void {
    this.waitingBytes = 0;
    for (let phase = 0; phase < this.phases.length; phase++) {
      const tasks = this.phases[phase] as TurnTask[];
      if (tasks.length === 0) continue;
      this.phases[phase] = [];
      for (const task of tasks) {
        task.scheduled = false;
        try {
          task.runInTurn();
        } catch (cause) {
          this.onError(cause);
        }
      }
    }
  }
}
