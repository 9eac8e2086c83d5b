/** Clients that deleted records and wait until no replica that may lead next still has them. */
import type { ErrorName } from '../../proto/kafka/errors.ts';

export interface DeletionResult {
  readonly error: ErrorName;
  /** Where the log starts on every replica that counts; -1 where that is not so. */
  readonly lowWatermark: number;
}

export interface DeletionWaiter {
  readonly offset: number;
  readonly deadlineMs: number;
  readonly done: (result: DeletionResult) => void;
}

/** Who is answered may ask for more at once: every list is let go of before anybody hears. */
export class DeletionWaiters {
  private waiting: DeletionWaiter[] = [];

  get size(): number {
    return this.waiting.length;
  }

  add(waiter: DeletionWaiter): void {
    this.waiting.push(waiter);
  }

  /** Answers whoever waits for no more than `lowWatermark`. */
  answer(lowWatermark: number): void {
    this.end(({ offset }) => offset <= lowWatermark, { error: 'NONE', lowWatermark });
  }

  /** Nobody is going to hear here what became of it. */
  fail(error: ErrorName): void {
    this.end(() => true, { error, lowWatermark: -1 });
  }

  /** Answers those whose time is up. */
  expire(nowMs: number): void {
    const late = { error: 'REQUEST_TIMED_OUT', lowWatermark: -1 } as const;
    this.end(({ deadlineMs }) => deadlineMs <= nowMs, late);
  }

  private end(isOver: (waiter: DeletionWaiter) => boolean, result: DeletionResult): void {
    const over = this.waiting.filter(isOver);
    if (over.length === 0) return;
    this.waiting = this.waiting.filter((waiter) => !isOver(waiter));
    for (const { done } of over) done(result);
  }
}
