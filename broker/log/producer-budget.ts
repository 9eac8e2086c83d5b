/**
 * How many producers a broker remembers. A client may write with any producer id, so that only a number
 * bounds what they cost in memory, in snapshots and at the next start (about 300 bytes each).
 *
 * Must never know: what is remembered of them.
 */

/** Most producers without an open transaction that one partition remembers. */
const PER_PARTITION = 100_000;
/** The same for all partitions of a broker. */
const PER_BROKER = 300_000;

/** Remembered producers of one partition. */
export interface CountedProducers {
  readonly idleCount: number;
  shrinkTo(count: number): void;
}

export class ProducerBudget {
  readonly perPartition: number;
  readonly perBroker: number;
  /** Producers that were forgotten for want of room, of all partitions. */
  evicted = 0;

  constructor(perPartition = PER_PARTITION, perBroker = PER_BROKER) {
    this.perPartition = perPartition;
    this.perBroker = perBroker;
  }

  /** Where all partitions together have too many, those that have most give some up until they have as many as others. */
  enforce(partitions: readonly CountedProducers[]): void {
    let total = 0;
    for (const { idleCount } of partitions) total += idleCount;
    if (total <= this.perBroker) return;
    const rising = [...partitions].sort((a, b) => a.idleCount - b.idleCount);
    let room = this.perBroker;
    for (const [i, one] of rising.entries()) {
      const share = Math.floor(room / (rising.length - i));
      one.shrinkTo(share);
      room -= one.idleCount;
    }
  }
}
