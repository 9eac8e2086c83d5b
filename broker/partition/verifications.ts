/**
 * Proof that the transaction coordinator knows of this partition before the first record of a
 * transaction is appended here; without it a late request could leave a transaction open that
 * nobody ever ends. A marker that arrives meanwhile makes the proof void. Source: KIP-890.
 */
import type { ErrorName } from '../../proto/kafka/errors.ts';

const ATTEMPTS = 5;

interface Verification {
  readonly epoch: number;
  readonly proof: Promise<ErrorName>;
}

export class Verifications {
  private readonly running = new Map<number, Verification>();

  /**
   * Asks once per producer and epoch, however many batches wait for the answer.
   * @returns NONE, or why the records must not be appended.
   */
  async verify(
    producer: { id: number; epoch: number },
    ask: () => Promise<ErrorName>,
  ): Promise<ErrorName> {
    for (let left = ATTEMPTS; left > 0; left--) {
      let mine = this.running.get(producer.id);
      if (mine === undefined || mine.epoch !== producer.epoch) {
        mine = { epoch: producer.epoch, proof: ask() };
        this.running.set(producer.id, mine);
      }
      const error = await mine.proof;
      const isValid = this.running.get(producer.id) === mine;
      if (error !== 'NONE' && isValid) this.running.delete(producer.id);
      if (error !== 'NONE' || isValid) return error;
      // The marker of the transaction before came in between: only a newer answer is proof.
    }
    return 'INVALID_TXN_STATE';
  }

  /** A marker arrived: whatever was proved before says nothing any more. */
  forget(producerId: number): void {
    this.running.delete(producerId);
  }
}
