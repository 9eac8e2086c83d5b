/**
 * What must hold in the end, of every partition: what is read, as a reader of committed records and as
 * one of all of them, is held against everything that was promised and everything that anybody saw. The
 * anomalies are those that Jepsen looks for in Kafka, and those of logs from which something is removed.
 * Pure.
 */
import type { History, Operation, PlaceHistory, SeenRecord, Transaction } from './history.ts';
import type { TopicKind } from './scene.ts';

/** How a partition is in the end. */
export interface FinalLog {
  readonly kind: TopicKind;
  /** Where it begins. */
  readonly start: number;
  readonly committed: readonly SeenRecord[];
  readonly all: readonly SeenRecord[];
}

/** Whether a reader of committed records must find what was written. */
const isPromised = ({ outcome, transaction }: Operation) =>
  outcome === 'acked' && (transaction === null || transaction.outcome === 'committed');

export class Judge {
  private readonly history: History;
  private readonly place: PlaceHistory;
  private readonly log: FinalLog;
  /** Of committed records. */
  private readonly at = new Map<string, number>();
  private readonly atAll = new Map<string, number>();

  constructor(history: History, place: string, log: FinalLog) {
    this.history = history;
    this.place = history.of(place);
    this.log = log;
  }

  run(): void {
    const { all, committed, kind } = this.log;
    this.index(committed, this.at);
    this.index(all, this.atAll);
    this.judgeViews();
    for (const operation of this.place.operations) this.judgeVisible(operation);
    if (kind === 'compacted') this.judgeKeys();
    else {
      this.judgeWrites();
      this.judgeSeen();
      this.judgeSkips();
    }
    this.judgeOrder();
  }

  private say(text: string): void {
    this.history.anomaly(text);
  }
  private get name(): string {
    return this.place.name;
  }

  /** Offsets grow, each value is there once, and where it was for everybody else. */
  private index(records: readonly SeenRecord[], at: Map<string, number>): void {
    let before = -1;
    for (const { offset, value } of records) {
      this.history.put('the end', this.name, offset, value);
      if (offset <= before) this.say(`offsets go back: ${this.name}/${offset} after ${before}`);
      before = offset;
      const twice = at.get(value);
      if (twice !== undefined)
        this.say(`duplicate: ${value} is at ${this.name}/${twice} and at ${this.name}/${offset}`);
      at.set(value, offset);
    }
  }

  /** Readers of committed records see of all records those that nobody aborted, and no others. */
  private judgeViews(): void {
    for (const [value, offset] of this.at)
      if (this.atAll.get(value) !== offset)
        this.say(`${this.name}/${offset} is ${value} for readers of committed records alone`);
    for (const { place, transaction, values } of this.place.operations) {
      if (transaction !== null && transaction.outcome !== 'committed') continue;
      for (const value of values)
        if (this.atAll.has(value) && !this.at.has(value))
          this.say(
            `hidden: ${value} is at ${place}/${this.atAll.get(value)}, and readers of committed records do not get it`,
          );
    }
  }

  private present({ values }: Operation): readonly number[] {
    return values.flatMap((value) => this.at.get(value) ?? []);
  }

  private judgeVisible(operation: Operation): void {
    const { outcome, place, transaction, values } = operation;
    if (this.present(operation).length === 0) return;
    if (transaction?.outcome === 'aborted')
      this.say(
        `aborted read: ${values.join()} in ${place} is visible, its transaction was aborted`,
      );
    if (outcome === 'failed') this.say(`${values.join()} in ${place} failed for good and is there`);
  }

  /** What of an operation must be there still: what lies below the beginning was deleted. */
  private remaining({ baseOffset, values }: Operation): readonly string[] {
    if (baseOffset < 0) return this.log.start === 0 ? values : [];
    return values.filter((_, i) => baseOffset + i >= this.log.start);
  }

  private judgeWrites(): void {
    for (const operation of this.place.operations) {
      const { baseOffset, endedMs, place, values } = operation;
      const missing = this.remaining(operation).filter((value) => !this.at.has(value));
      if (isPromised(operation) && missing.length > 0)
        this.say(
          `lost write: ${missing.join()} in ${place} was acknowledged at ` +
            `${(endedMs / 1000).toFixed(3)} at offset ${baseOffset}`,
        );
      const gone = this.remaining(operation).filter((value) => !this.atAll.has(value));
      if (operation.outcome === 'acked' && !isPromised(operation) && gone.length > 0)
        this.say(`gone: ${gone.join()} in ${place} was answered, and no reader finds it`);
      const present = this.present(operation);
      const below = this.log.kind === 'trimmed' && present[0] === this.log.start;
      if (present.length > 0 && present.length < values.length && !below)
        this.say(`torn batch: of ${values.join()} in ${place} only ${present.length}`);
    }
  }

  /** What somebody read must be there still. */
  private judgeSeen(): void {
    const { all, committed, start } = this.log;
    const seen = new Set(all.map(({ offset }) => offset));
    const seenCommitted = new Set(committed.map(({ offset }) => offset));
    const end = all.at(-1)?.offset ?? -1;
    for (const [offset, value] of this.place.values) {
      if (offset < start) continue;
      const isThere = this.place.committed.has(offset) ? seenCommitted : seen;
      if (!isThere.has(offset))
        this.say(
          `unseen: ${this.name}/${offset} was ${value}; it is gone (the log ends at ${end})`,
        );
    }
  }

  /** Whoever read a stretch of the log got all of it (no skip), and nothing that he should not see. */
  private judgeSkips(): void {
    const offsetsOf = (records: readonly SeenRecord[]) => records.map(({ offset }) => offset);
    const [all, committed] = [offsetsOf(this.log.all), offsetsOf(this.log.committed)];
    for (const { atMs, committed: isCommitted, count, from, next, reader } of this.place.ranges) {
      if (from < this.log.start) continue;
      const offsets = isCommitted ? committed : all;
      const there = firstAtLeast(offsets, next) - firstAtLeast(offsets, from);
      if (there !== count)
        this.say(
          `skip: ${reader} got ${count} records of ${this.name}/${from} to ${next} at ` +
            `${(atMs / 1000).toFixed(3)}, in the end there are ${there}`,
        );
    }
  }

  /** Each producer's records stand in the order in which it wrote them. */
  private judgeOrder(): void {
    const last = new Map<string, number>();
    for (const operation of this.place.operations)
      for (const offset of this.present(operation)) {
        const { place, producer, values } = operation;
        if (offset <= (last.get(producer) ?? -1))
          this.say(`order: ${values.join()} in ${place} is before what came first`);
        last.set(producer, offset);
      }
  }

  /** The newest of every key is there, and nothing that it replaced has come back in its place. */
  private judgeKeys(): void {
    const newest = new Map<string, { offset: number; value: string }>();
    for (const operation of this.place.operations) {
      if (!isPromised(operation)) continue;
      for (const [i, value] of operation.values.entries()) {
        const offset = operation.baseOffset + i;
        if (offset >= (newest.get(keyOf(value))?.offset ?? 0))
          newest.set(keyOf(value), { offset, value });
      }
    }
    const found = new Map<string, SeenRecord>();
    for (const record of this.log.committed) found.set(keyOf(record.value), record);
    for (const [key, { offset, value }] of newest) {
      const is = found.get(key);
      if (is === undefined && isTombstone(value)) continue;
      if (is === undefined || is.offset < offset)
        this.say(
          `lost key: ${value} was acknowledged at ${this.name}/${offset}, and ` +
            `${is === undefined ? 'nothing' : `${is.value} at ${is.offset}`} is what is read in the end`,
        );
    }
  }
}

/** Values of records with a key begin with it. */
const keyOf = (value: string) => value.slice(0, value.indexOf('|'));
const isTombstone = (value: string) => value.includes('|†');

/** All of a transaction or nothing, whatever its producer was told: `present` are values of logs that keep everything. */
export function judgeTransactions(
  history: History,
  keepsAll: (place: string) => boolean,
  present: ReadonlySet<string>,
): void {
  for (const { id, operations, outcome, producer } of history.transactions) {
    if (outcome === 'open') history.anomaly(`stuck: transaction ${id} of ${producer} never ended`);
    if (outcome !== 'unknown') continue;
    const values = valuesOf(operations, keepsAll);
    const there = values.filter((value) => present.has(value)).length;
    if (there > 0 && there < values.length)
      history.anomaly(
        `torn transaction: of ${producer}'s ${id} ${there} of ${values.length} records are there`,
      );
  }
}

const valuesOf = (operations: Transaction['operations'], keepsAll: (place: string) => boolean) =>
  operations.flatMap(({ place, values }) => (keepsAll(place) ? values : []));

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
