/**
 * What clients did and saw of every partition, and what is wrong at once: an offset that holds two
 * values, a poll that goes back, a record of another partition. Pure. What must hold in the end is
 * judged in `judge.ts`.
 */

export interface Operation {
  readonly producer: string;
  /** Of which life of which topic, as `placeOf` names it. */
  readonly place: string;
  readonly values: readonly string[];
  readonly beganMs: number;
  readonly transaction: Transaction | null;
  outcome: 'open' | 'acked' | 'failed' | 'unknown';
  /** It was sent at least once: it may be there even if it failed. */
  isDoubtful: boolean;
  baseOffset: number;
  endedMs: number;
  error: string;
}

export type TransactionOutcome = 'committed' | 'aborted' | 'unknown';

export interface Transaction {
  readonly producer: string;
  readonly id: number;
  readonly operations: Operation[];
  outcome: 'open' | TransactionOutcome;
}

export interface SeenRecord {
  readonly offset: number;
  /** Names what was written: no two records have the same. */
  readonly value: string;
}

/** What a reader took in one go: everything that it may see in [from, next). */
export interface PolledRange {
  readonly reader: string;
  readonly from: number;
  readonly next: number;
  readonly count: number;
  readonly atMs: number;
  readonly committed: boolean;
}

/** What is known of one partition. */
export class PlaceHistory {
  readonly name: string;
  readonly operations: Operation[] = [];
  readonly ranges: PolledRange[] = [];
  /** By offset: what was promised or seen by anybody; what of it readers of committed records saw. */
  readonly values = new Map<number, string>();
  readonly committed = new Set<number>();
  /** What the group committed and was told so. */
  groupOffset = 0;
  /** Up to where somebody asked for records to be deleted, and was told that they are. */
  deletedAsked = 0;
  deletedTold = 0;
  /** The last beginning that was seen in the end. */
  startSeen = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Where the log must at least end, as far as anybody was told. */
  get knownEnd(): number {
    return Math.max(-1, ...this.values.keys()) + 1;
  }
}

export class History {
  readonly operations: Operation[] = [];
  readonly transactions: Transaction[] = [];
  private readonly places = new Map<string, PlaceHistory>();
  /** Where each value was written to. */
  private readonly homes = new Map<string, string>();
  commitCount = 0;
  deletions = 0;
  topicsDeleted = 0;
  /** Batches that were not taken the first time. */
  refusals = 0;
  readonly anomalies: string[] = [];
  reads = 0;
  /** The longest that a producer waited for an answer. */
  longestGapMs = 0;

  /**
   * The API forgot what became of topics: of those that come and go nobody can say what they hold, for
   * one that was deleted is there again, and one that was made is not.
   */
  forgetPassing(): void {
    this.isPassingVoid = true;
  }
  private isPassingVoid = false;
  isVoid(place: string): boolean {
    return this.isPassingVoid && place.includes('@');
  }

  of(place: string): PlaceHistory {
    let known = this.places.get(place);
    if (known === undefined) this.places.set(place, (known = new PlaceHistory(place)));
    return known;
  }

  beginTransaction(producer: string): Transaction {
    const id = this.transactions.length;
    const transaction: Transaction = { producer, id, operations: [], outcome: 'open' };
    this.transactions.push(transaction);
    return transaction;
  }

  endTransaction(transaction: Transaction, outcome: TransactionOutcome, nowMs: number): void {
    transaction.outcome = outcome;
    for (const operation of transaction.operations) {
      // Nothing is told of records before the transaction is: they may never be seen.
      if (outcome === 'committed') this.promise(operation);
      if (operation.outcome === 'open') operation.outcome = 'unknown';
      operation.endedMs = nowMs;
    }
  }

  begin(
    producer: string,
    place: string,
    values: readonly string[],
    nowMs: number,
    transaction: Transaction | null = null,
  ): Operation {
    const operation: Operation = {
      producer,
      place,
      values,
      beganMs: nowMs,
      transaction,
      outcome: 'open',
      isDoubtful: false,
      baseOffset: -1,
      endedMs: -1,
      error: '',
    };
    this.operations.push(operation);
    this.of(place).operations.push(operation);
    for (const value of values) this.homes.set(value, place);
    transaction?.operations.push(operation);
    return operation;
  }

  acked(operation: Operation, baseOffset: number, nowMs: number): void {
    operation.outcome = 'acked';
    operation.baseOffset = baseOffset;
    operation.endedMs = nowMs;
    this.longestGapMs = Math.max(this.longestGapMs, nowMs - operation.beganMs);
    if (operation.transaction === null) this.promise(operation);
  }

  /** From now on these records are where the answer said. */
  private promise(operation: Operation): void {
    const { baseOffset } = operation;
    if (baseOffset < 0) return;
    for (const [i, value] of operation.values.entries())
      this.put('an acknowledgement', operation.place, baseOffset + i, value);
  }

  /** A reader asked from `from` and was given these records; it goes on at `next`. */
  polled(
    reader: string,
    place: string,
    of: Pick<PolledRange, 'from' | 'next' | 'committed'> & { records: readonly SeenRecord[] },
    nowMs: number,
  ): void {
    const { committed, from, next, records } = of;
    if (next === from || this.isVoid(place)) return;
    this.reads += records.length;
    const history = this.of(place);
    let before = from - 1;
    for (const { offset, value } of records) {
      if (offset <= before)
        this.anomaly(`non-monotonic poll: ${reader} got ${place}/${offset} after ${before}`);
      before = offset;
      this.put(`${reader} at ${(nowMs / 1000).toFixed(3)}`, place, offset, value);
      if (committed) history.committed.add(offset);
      const home = this.homes.get(value);
      if (home !== place)
        this.anomaly(
          `foreign record: ${reader} got ${value} in ${place}, it is of ${home ?? 'nobody'}`,
        );
    }
    const count = records.length;
    history.ranges.push({ reader, from, next, count, atMs: nowMs, committed });
  }

  committed(place: string, offset: number): void {
    this.commitCount++;
    const history = this.of(place);
    history.groupOffset = Math.max(offset, history.groupOffset);
  }

  /** Whether somebody still waits for an answer. */
  get hasOpen(): boolean {
    return (
      this.operations.some(({ outcome }) => outcome === 'open') ||
      this.transactions.some(({ outcome }) => outcome === 'open')
    );
  }

  /** A producer id is never given to two producers. */
  producerBegan(producer: string, producerId: number, epoch: number): void {
    const other = this.producers.get(producerId);
    if (other !== undefined && other.producer !== producer)
      this.anomaly(`producer id ${producerId} was given to ${other.producer}, and to ${producer}`);
    if (other !== undefined && epoch <= other.epoch)
      this.anomaly(`${producer} got epoch ${epoch} of ${producerId} after ${other.epoch}`);
    this.producers.set(producerId, { producer, epoch });
  }
  private readonly producers = new Map<number, { producer: string; epoch: number }>();

  anomaly(text: string): void {
    if (this.anomalies.length < 20) this.anomalies.push(text);
  }

  /** One offset, one value, for whoever looks and whenever. */
  put(who: string, place: string, offset: number, value: string): void {
    if (this.isVoid(place)) return;
    const { values } = this.of(place);
    const before = values.get(offset);
    if (before === undefined) values.set(offset, value);
    else if (before !== value)
      this.anomaly(
        `inconsistent offset: ${place}/${offset} was ${before}, and is ${value} for ${who}`,
      );
  }

  get counts() {
    const of = (outcome: Operation['outcome']) =>
      this.operations.filter((one) => one.outcome === outcome).length;
    return {
      acked: of('acked'),
      failed: of('failed'),
      unknown: of('unknown'),
      open: of('open'),
      reads: this.reads,
      committed: this.transactions.filter(({ outcome }) => outcome === 'committed').length,
      aborted: this.transactions.filter(({ outcome }) => outcome === 'aborted').length,
      commits: this.commitCount,
      deletions: this.deletions,
      topicsDeleted: this.topicsDeleted,
      refusals: this.refusals,
    };
  }
}
