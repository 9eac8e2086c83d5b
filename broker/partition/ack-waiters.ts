/** Producers that wait until what they sent is written, or is on every replica that counts. */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import type { RecordFault } from './records-core.ts';

export interface ProduceResult {
  readonly error: ErrorName;
  readonly message?: string;
  readonly baseOffset: number;
  readonly logAppendTimeMs: number;
  /** Which records are to blame (KIP-467). */
  readonly faults?: readonly RecordFault[];
}

export function failed(error: ErrorName, message?: string): ProduceResult {
  return message === undefined
    ? { error, baseOffset: -1, logAppendTimeMs: -1 }
    : { error, message, baseOffset: -1, logAppendTimeMs: -1 };
}

export interface AckWaiter {
  readonly lastOffset: number;
  readonly acksAll: boolean;
  readonly deadlineMs: number;
  readonly result: ProduceResult;
  readonly done: (result: ProduceResult) => void;
}

/** Who is answered may ask for more at once: every list is let go of before anybody hears. */
export class AckWaiters {
  private waiting: AckWaiter[] = [];

  get size(): number {
    return this.waiting.length;
  }

  add(waiter: AckWaiter): void {
    this.waiting.push(waiter);
  }

  /**
   * Answers whoever has what it waits for.
   * @param hasEnough whether the ISR has min.insync.replicas members
   */
  answer(writtenOffset: number, highWatermark: number, hasEnough: boolean): void {
    const all = this.waiting;
    if (all.length === 0) return;
    this.waiting = [];
    for (const waiter of all) {
      const { acksAll, done, lastOffset, result } = waiter;
      if (lastOffset >= (acksAll ? highWatermark : writtenOffset)) this.waiting.push(waiter);
      else if (!acksAll || hasEnough) done(result);
      else done({ ...result, error: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND' });
    }
  }

  /** Nobody is going to get what it waits for here. */
  fail(error: ErrorName, message?: string): void {
    const all = this.waiting;
    this.waiting = [];
    for (const { done } of all) done(failed(error, message));
  }

  /** Answers those whose time is up. */
  expire(nowMs: number): void {
    const late = this.waiting.filter(({ deadlineMs }) => deadlineMs <= nowMs);
    if (late.length === 0) return;
    this.waiting = this.waiting.filter(({ deadlineMs }) => deadlineMs > nowMs);
    for (const { done } of late)
      done(failed('REQUEST_TIMED_OUT', 'the replicas did not confirm in time'));
  }
}
