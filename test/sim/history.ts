/**
 * What clients did and saw, and what must hold of it. Pure. The anomalies are those that Jepsen
 * looks for in Kafka: lost writes, offsets that hold two values, duplicates, and order that breaks.
 */

export interface Operation {
  readonly producer: string;
  readonly partition: number;
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

/** What a reader took in one go: everything committed in [from, next). */
interface PolledRange {
  readonly reader: string;
  readonly from: number;
  readonly next: number;
  readonly count: number;
  readonly atMs: number;
}

export class History {
  readonly operations: Operation[] = [];
  readonly transactions: Transaction[] = [];
  private readonly ranges = new Map<number, PolledRange[]>();
  /** What the group committed and was told so, by partition. */
  private readonly commits = new Map<number, number>();
  commitCount = 0;
  /** By partition, then by offset. */
  private readonly values = new Map<number, Map<number, string>>();
  readonly anomalies: string[] = [];
  reads = 0;
  /** The longest that a producer waited for an answer. */
  longestGapMs = 0;

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
    partition: number,
    values: readonly string[],
    nowMs: number,
    transaction: Transaction | null = null,
  ): Operation {
    const operation: Operation = {
      producer,
      partition,
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
      this.put('an acknowledgement', operation.partition, baseOffset + i, value);
  }

  /** A reader asked from `from` and was given these records; it goes on at `next`. */
  polled(
    reader: string,
    partition: number,
    of: { from: number; next: number; records: readonly { offset: number; value: string }[] },
    nowMs: number,
  ): void {
    const { from, next, records } = of;
    if (next === from) return;
    this.reads += records.length;
    let before = from - 1;
    for (const { offset, value } of records) {
      if (offset <= before)
        this.anomaly(`non-monotonic poll: ${reader} got ${partition}/${offset} after ${before}`);
      before = offset;
      this.put(`${reader} at ${(nowMs / 1000).toFixed(3)}`, partition, offset, value);
    }
    let ranges = this.ranges.get(partition);
    if (ranges === undefined) this.ranges.set(partition, (ranges = []));
    ranges.push({ reader, from, next, count: records.length, atMs: nowMs });
  }

  /** Where the log must at least end, as far as anybody was told. */
  knownEnd(partition: number): number {
    return Math.max(-1, ...(this.values.get(partition)?.keys() ?? [])) + 1;
  }

  committed(partition: number, offset: number): void {
    this.commitCount++;
    this.commits.set(partition, Math.max(offset, this.committedBy(partition)));
  }
  committedBy(partition: number): number {
    return this.commits.get(partition) ?? 0;
  }

  /** Whether somebody still waits for an answer. */
  get hasOpen(): boolean {
    return (
      this.operations.some(({ outcome }) => outcome === 'open') ||
      this.transactions.some(({ outcome }) => outcome === 'open')
    );
  }

  anomaly(text: string): void {
    if (this.anomalies.length < 20) this.anomalies.push(text);
  }

  /** One offset, one value, for whoever looks and whenever. */
  private put(who: string, partition: number, offset: number, value: string): void {
    const known = this.valuesOf(partition);
    const before = known.get(offset);
    if (before === undefined) known.set(offset, value);
    else if (before !== value)
      this.anomaly(
        `inconsistent offset: ${partition}/${offset} was ${before}, and is ${value} for ${who}`,
      );
  }

  private valuesOf(partition: number): Map<number, string> {
    let known = this.values.get(partition);
    if (known === undefined) {
      known = new Map();
      this.values.set(partition, known);
    }
    return known;
  }

  /** What is in the log in the end is held against everything that was promised. */
  judge(partition: number, final: readonly { offset: number; value: string }[]): void {
    const at = new Map<string, number>();
    let before = -1;
    for (const { offset, value } of final) {
      this.put('the end', partition, offset, value);
      if (offset <= before) this.anomaly(`offsets go back: ${partition}/${offset} after ${before}`);
      before = offset;
      const twice = at.get(value);
      if (twice !== undefined)
        this.anomaly(
          `duplicate: ${value} is at ${partition}/${twice} and at ${partition}/${offset}`,
        );
      at.set(value, offset);
    }
    this.judgeSkips(partition, final);
    const last = new Map<string, number>();
    for (const operation of this.operations) {
      if (operation.partition !== partition) continue;
      const offsets = operation.values.map((value) => at.get(value));
      const present = offsets.filter((offset) => offset !== undefined);
      for (const value of operation.values) if (at.has(value)) this.present.add(value);
      const { transaction } = operation;
      const isPromised =
        transaction === null
          ? operation.outcome === 'acked'
          : transaction.outcome === 'committed' && operation.outcome === 'acked';
      if (transaction?.outcome === 'aborted' && present.length > 0)
        this.anomaly(
          `aborted read: ${operation.values.join()} in ${partition} is visible, its transaction was aborted`,
        );
      if (isPromised && present.length < offsets.length)
        this.anomaly(
          `lost write: ${operation.values.join()} in ${partition} was acknowledged at ` +
            `${(operation.endedMs / 1000).toFixed(3)} at offset ${operation.baseOffset}`,
        );
      if (present.length > 0 && present.length < offsets.length)
        this.anomaly(
          `torn batch: of ${operation.values.join()} in ${partition} only ${present.length}`,
        );
      if (operation.outcome === 'failed' && present.length > 0)
        this.anomaly(`${operation.values.join()} in ${partition} failed for good and is there`);
      for (const offset of present) {
        if (offset <= (last.get(operation.producer) ?? -1))
          this.anomaly(
            `order: ${operation.values.join()} in ${partition} is before what came first`,
          );
        last.set(operation.producer, offset);
      }
    }
    // What somebody read must be there still.
    const ends = final.at(-1)?.offset ?? -1;
    for (const [offset, value] of this.valuesOf(partition))
      if (at.get(value) === undefined)
        this.anomaly(
          `unseen: ${partition}/${offset} was ${value}; it is gone (the log ends at ${ends})`,
        );
  }

  /** Values that were found in the end. */
  private readonly present = new Set<string>();

  /** Whoever read a stretch of the log got all of it (no skip), and nothing that was not committed. */
  private judgeSkips(partition: number, final: readonly { offset: number }[]): void {
    const offsets = final.map(({ offset }) => offset);
    for (const { atMs, count, from, next, reader } of this.ranges.get(partition) ?? []) {
      const there = firstAtLeast(offsets, next) - firstAtLeast(offsets, from);
      if (there !== count)
        this.anomaly(
          `skip: ${reader} got ${count} records of ${partition}/${from} to ${next} at ` +
            `${(atMs / 1000).toFixed(3)}, in the end there are ${there}`,
        );
    }
  }

  /** All of a transaction or nothing, whatever its producer was told. Call after `judge`. */
  judgeTransactions(): void {
    for (const { id, operations, outcome, producer } of this.transactions) {
      const values = operations.flatMap((operation) => operation.values);
      const present = values.filter((value) => this.present.has(value));
      if (outcome === 'unknown' && present.length > 0 && present.length < values.length)
        this.anomaly(
          `torn transaction: of ${producer}'s ${id} ${present.length} of ${values.length} records are there`,
        );
      if (outcome === 'open') this.anomaly(`stuck: transaction ${id} of ${producer} never ended`);
    }
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
    };
  }
}

/** Where in an ascending list the first number is that is not below `bound`. */
function firstAtLeast(list: readonly number[], bound: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as number) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
