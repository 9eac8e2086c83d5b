/**
 * The batches of one producer for one partition that are not answered yet, by the rules of Kafka's
 * clients: up to five are under way; what has to be sent again goes alone and in order; a gap is the
 * broker's mistake only where everything before the batch was answered.
 */
import type { Operation } from './history.ts';

export interface Sent {
  readonly error: string;
  readonly baseOffset: number;
}

interface Batch {
  readonly bytes: Buffer;
  readonly operation: Operation;
  /** Where it was sent first. */
  readonly host: string;
  /** Nothing before it was unanswered when it was sent. */
  wasFirst: boolean;
  isFlying: boolean;
  mustRetry: boolean;
}

export interface InFlightDeps {
  readonly window: number;
  /** To that broker, or to whoever leads by now (null). Never rejects. */
  readonly send: (bytes: Buffer, host: string | null) => Promise<Sent>;
  readonly pause: () => Promise<void>;
  readonly acked: (operation: Operation, baseOffset: number) => void;
  /** Whether nothing of this producer can be written there after such an answer. */
  readonly isFinal: (error: string) => boolean;
}

const GAP = 'OUT_OF_ORDER_SEQUENCE_NUMBER';

export class InFlight {
  private readonly deps: InFlightDeps;
  private queue: Batch[] = [];
  private waiting: (() => void)[] = [];
  nextSequence = 0;
  /** What ended it. */
  failure: string | null = null;

  constructor(deps: InFlightDeps) {
    this.deps = deps;
  }

  get isEmpty(): boolean {
    return this.queue.length === 0;
  }
  /**
   * Whether another batch may be sent to that broker. While something is under way to another one it may
   * not: a leader that knows nothing of the producer takes whatever comes first for its beginning.
   */
  hasRoomAt(host: string): boolean {
    return (
      this.queue.length < this.deps.window &&
      this.queue.every((batch) => !batch.mustRetry && batch.host === host)
    );
  }
  /** What was not answered. */
  get left(): readonly Operation[] {
    return this.queue.map(({ operation }) => operation);
  }

  /** Resolves when that holds, or nothing is going to happen any more. */
  async until(holds: () => boolean): Promise<void> {
    while (this.failure === null && !holds())
      await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  add(bytes: Buffer, operation: Operation, host: string): void {
    this.nextSequence += operation.values.length;
    const batch = { bytes, operation, host, wasFirst: false, isFlying: false, mustRetry: false };
    this.queue.push(batch);
    void this.fly(batch);
  }

  /** Whoever waits goes on; nothing is sent any more. */
  end(why: string): void {
    this.failure ??= why;
    this.wake();
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }

  private async fly(batch: Batch): Promise<void> {
    const { acked, isFinal, pause, send } = this.deps;
    batch.isFlying = true;
    batch.wasFirst = this.queue[0] === batch;
    const { baseOffset, error } = await send(batch.bytes, batch.mustRetry ? null : batch.host);
    if (this.failure !== null) return;
    if (error === 'NONE') {
      this.queue.splice(this.queue.indexOf(batch), 1);
      acked(batch.operation, baseOffset);
    } else {
      batch.operation.error = error;
      if (isFinal(error) && (error !== GAP || batch.wasFirst)) return this.end(error);
      batch.mustRetry = true;
      await pause();
    }
    batch.isFlying = false;
    this.wake();
    const [first] = this.queue;
    if (this.failure === null && first?.mustRetry === true && !first.isFlying) void this.fly(first);
  }
}
