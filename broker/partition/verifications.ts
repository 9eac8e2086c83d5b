/**
 * Proof that the transaction coordinator knows of this partition before the first record of a
 * transaction is appended here; without it a late request could leave a transaction open that
 * nobody ever ends. A marker that arrives meanwhile makes the proof void. Source: KIP-890.
 *
 * What was asked for stays until a record or a marker of the producer is appended, also where the
 * coordinator said "not yet": batches that were sent later must not be appended before those.
 */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { isSequenceBefore, type TransactionStart } from '../log/sequence-core.ts';

const ATTEMPTS = 5;
/** Producers that are known of at most; of others the coordinator is asked again. */
const PRODUCERS_MAX = 50_000;

/** Answers after which the same batches come again. */
const NOT_YET: ReadonlySet<ErrorName> = new Set([
  'CONCURRENT_TRANSACTIONS',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
]);

export interface BatchToVerify {
  readonly producerId: number;
  readonly epoch: number;
  /** Its first; negative where there are none. */
  readonly baseSequence: number;
  /** See {@link TransactionStart}. */
  readonly ownEpoch: boolean;
}

class Verification implements TransactionStart {
  readonly epoch: number;
  readonly ownEpoch: boolean;
  readonly sinceMs: number;
  lowestSequence: number;
  isProven = false;
  /** Grows with whatever makes an answer void that is still on its way. */
  round = 0;
  isAsking = false;
  /** In the order in which their batches came: so they must be appended. */
  waiting: ((error: ErrorName) => void)[] = [];

  constructor({ epoch, ownEpoch, baseSequence }: BatchToVerify, sinceMs: number) {
    this.epoch = epoch;
    this.ownEpoch = ownEpoch;
    this.lowestSequence = baseSequence;
    this.sinceMs = sinceMs;
  }
}

export class Verifications {
  private readonly byProducer = new Map<number, Verification>();
  /** Whether the producer's transaction has records here already. */
  private readonly isOpen: (producerId: number, epoch: number) => boolean;

  constructor(isOpen: (producerId: number, epoch: number) => boolean) {
    this.isOpen = isOpen;
  }

  /**
   * Asks once per producer and epoch, however many batches wait for the answer; they hear of it in the
   * order in which they came.
   * @returns NONE, or why the records must not be appended.
   */
  async verify(
    of: BatchToVerify,
    nowMs: number,
    ask: () => Promise<ErrorName>,
  ): Promise<ErrorName> {
    const { producerId, epoch } = of;
    if (this.isOpen(producerId, epoch)) return 'NONE';
    const known = this.byProducer.get(producerId);
    if (known !== undefined && known.epoch > epoch) {
      // A producer that is fenced must not wipe out what is known of the one that fenced it.
      const error = await ask();
      if (error !== 'NONE') return error;
      if (this.byProducer.get(producerId) === known) this.byProducer.delete(producerId);
    }
    const mine = this.enter(of, nowMs);
    if (mine.isProven) return 'NONE';
    return new Promise((resolve) => {
      mine.waiting.push(resolve);
      if (!mine.isAsking) void this.askFor(producerId, mine, ask);
    });
  }

  private enter(of: BatchToVerify, nowMs: number): Verification {
    const known = this.byProducer.get(of.producerId);
    if (known?.epoch === of.epoch) {
      if (isSequenceBefore(of.baseSequence, known.lowestSequence))
        known.lowestSequence = of.baseSequence;
      return known;
    }
    const fresh = new Verification(of, nowMs);
    if (this.byProducer.size >= PRODUCERS_MAX) this.dropOldest();
    this.byProducer.set(of.producerId, fresh);
    return fresh;
  }

  /** How many producers are known of. */
  get count(): number {
    return this.byProducer.size;
  }

  /** A client may write with any producer id. Who waits for an answer stays. */
  private dropOldest(): void {
    for (const [producerId, { waiting }] of this.byProducer) {
      if (waiting.length > 0) continue;
      this.byProducer.delete(producerId);
      return;
    }
  }

  private async askFor(
    producerId: number,
    mine: Verification,
    ask: () => Promise<ErrorName>,
  ): Promise<void> {
    mine.isAsking = true;
    let error: ErrorName = 'INVALID_TXN_STATE';
    for (let left = ATTEMPTS; left > 0; left--) {
      const { round } = mine;
      error = await ask();
      if (error !== 'NONE') break;
      mine.isProven = mine.round === round;
      if (mine.isProven) break;
      // The marker of the transaction before came in between: only a newer answer is proof.
      error = 'INVALID_TXN_STATE';
    }
    mine.isAsking = false;
    const isOver = error !== 'NONE' && !NOT_YET.has(error);
    if (isOver && this.byProducer.get(producerId) === mine) this.byProducer.delete(producerId);
    const { waiting } = mine;
    mine.waiting = [];
    for (const resolve of waiting) resolve(error);
  }

  /** The transaction that the producer may begin here in that epoch; null: nobody vouches for it. */
  provenStart(producerId: number, epoch: number): TransactionStart | null {
    const found = this.byProducer.get(producerId);
    return found?.isProven === true && found.epoch === epoch ? found : null;
  }

  /** A record of the transaction or its marker was appended: what was proved before is used up. */
  forget(producerId: number): void {
    if (this.byProducer.size === 0) return;
    const found = this.byProducer.get(producerId);
    if (found !== undefined) this.makeVoid(producerId, found);
  }

  /** Who waits goes on waiting, before all that come later. */
  private makeVoid(producerId: number, found: Verification): void {
    found.round++;
    found.isProven = false;
    if (found.waiting.length === 0) this.byProducer.delete(producerId);
  }

  /** Another leader may have appended what would have voided a proof. */
  clear(): void {
    for (const [producerId, found] of this.byProducer) this.makeVoid(producerId, found);
  }

  /** Forgets what nobody came back for. */
  expire(olderThanMs: number): void {
    for (const [producerId, { sinceMs, waiting }] of this.byProducer)
      if (sinceMs < olderThanMs && waiting.length === 0) this.byProducer.delete(producerId);
  }
}
