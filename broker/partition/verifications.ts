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
  asked: Promise<ErrorName> | null = null;
  isProven = false;

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
   * Asks once per producer and epoch, however many batches wait for the answer.
   * @returns NONE, or why the records must not be appended.
   */
  async verify(
    of: BatchToVerify,
    nowMs: number,
    ask: () => Promise<ErrorName>,
  ): Promise<ErrorName> {
    for (let left = ATTEMPTS; left > 0; left--) {
      if (this.isOpen(of.producerId, of.epoch)) return 'NONE';
      const known = this.byProducer.get(of.producerId);
      if (known !== undefined && known.epoch > of.epoch) {
        // A producer that is fenced must not wipe out what is known of the one that fenced it.
        const error = await ask();
        if (error !== 'NONE') return error;
        if (this.byProducer.get(of.producerId) === known) this.forget(of.producerId);
      }
      const mine = this.enter(of, nowMs);
      const error = await this.answerTo(mine, ask);
      const isValid = this.byProducer.get(of.producerId) === mine;
      if (isValid && error === 'NONE') mine.isProven = true;
      if (isValid && error !== 'NONE' && !NOT_YET.has(error)) this.forget(of.producerId);
      if (isValid || error !== 'NONE') return error;
      // The marker of the transaction before came in between: only a newer answer is proof.
    }
    return 'INVALID_TXN_STATE';
  }

  private enter(of: BatchToVerify, nowMs: number): Verification {
    const known = this.byProducer.get(of.producerId);
    if (known?.epoch === of.epoch) {
      if (isSequenceBefore(of.baseSequence, known.lowestSequence))
        known.lowestSequence = of.baseSequence;
      return known;
    }
    const fresh = new Verification(of, nowMs);
    this.byProducer.set(of.producerId, fresh);
    return fresh;
  }

  private async answerTo(mine: Verification, ask: () => Promise<ErrorName>): Promise<ErrorName> {
    mine.asked ??= ask();
    const { asked } = mine;
    let error: ErrorName | null = null;
    try {
      error = await asked;
      return error;
    } finally {
      // Who comes after a refusal asks anew.
      if (error !== 'NONE' && mine.asked === asked) mine.asked = null;
    }
  }

  /** The transaction that the producer may begin here in that epoch; null: nobody vouches for it. */
  provenStart(producerId: number, epoch: number): TransactionStart | null {
    const found = this.byProducer.get(producerId);
    return found?.isProven === true && found.epoch === epoch ? found : null;
  }

  /** A record of the transaction or its marker was appended: what was proved before is used up. */
  forget(producerId: number): void {
    if (this.byProducer.size > 0) this.byProducer.delete(producerId);
  }

  /** Another leader may have appended what would have voided a proof. */
  clear(): void {
    this.byProducer.clear();
  }

  /** Forgets what nobody came back for. */
  expire(olderThanMs: number): void {
    for (const [producerId, { sinceMs }] of this.byProducer)
      if (sinceMs < olderThanMs) this.byProducer.delete(producerId);
  }
}
