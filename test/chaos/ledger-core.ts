/**
 * What clients were told and what they saw, held against what is there in the end. Pure. The words are
 * those of Jepsen's checks of Kafka: lost write, duplicate, aborted read, torn transaction, skip.
 *
 * Runs last for hours: of what is told only what the judgement needs is kept, in a few bytes. Nothing is
 * left out: from a ledger everything that was told can be had again (ledger-model.ts says what it means).
 */
import { type FinalView, placeText, type TopicHistory } from './history.ts';
import { arePair, highOf, lowOf, type Pair, PairList, pairOf } from './pairs.ts';

/** A record as it was read: partition, offset, value. */
export type ReadRecord = readonly [partition: number, offset: number, value: string];

/** A line of a client (librdkafka.py). */
export type Told =
  | {
      readonly kind: 'acked';
      readonly life: number;
      readonly partition: number;
      readonly offset: number;
      readonly value: string;
    }
  | { readonly kind: 'unknown'; readonly value: string; readonly error: string }
  | {
      readonly kind: 'txn';
      readonly outcome: 'committed' | 'aborted' | 'unknown';
      readonly values: readonly string[];
    }
  | { readonly kind: 'read'; readonly assignment: number; readonly records: readonly ReadRecord[] }
  | { readonly kind: 'died' | 'retry'; readonly error: string }
  | { readonly kind: 'done' | 'ended' };

/** Stands for a place in a list of what cannot be told by a place alone. */
const ODD = 60_000;
const isOdd = (pair: Pair) => highOf(pair) === ODD;

interface Acknowledgement {
  readonly partition: number;
  /** -1 where it is not told: a repeat of what was written already may be acknowledged without one. */
  readonly offset: number;
  readonly value: Pair;
}

/** Acknowledgements in their order: of most the place is kept, what is there the history knows. */
export class Acknowledgements {
  readonly history: TopicHistory;
  private readonly list = new PairList();
  private readonly odd: Acknowledgement[] = [];
  count = 0;

  constructor(history: TopicHistory) {
    this.history = history;
  }

  add(partition: number, offset: number, text: string): void {
    const value = this.history.values.pairOf(text);
    const place = offset < 0 ? null : pairOf(partition, offset);
    this.count++;
    if (place !== null && this.history.note(place, value) === value) this.list.push(place);
    else this.list.push(pairOf(ODD, this.odd.push({ partition, offset, value }) - 1));
  }

  private *[Symbol.iterator](): Generator<Acknowledgement> {
    for (const pair of this.list)
      if (isOdd(pair)) yield this.odd[lowOf(pair)] as Acknowledgement;
      else
        yield {
          partition: highOf(pair),
          offset: lowOf(pair),
          value: this.history.firstAt(pair) as Pair,
        };
  }

  /** Each is where it was acknowledged; calls back for those that are there at all. */
  judge(final: FinalView, found: (one: Acknowledgement, place: Pair) => void): string[] {
    const anomalies: string[] = [];
    for (const one of this) {
      const { offset, partition, value } = one;
      const place = final.placeOf(value);
      const told = () =>
        `${this.history.values.textOf(value)} was acknowledged at ${partition}:${offset}`;
      if (place === undefined) {
        anomalies.push(`lost write: ${told()}`);
        continue;
      }
      if (offset >= 0 && place !== pairOf(partition, offset))
        anomalies.push(`moved: ${told()}, is at ${placeText(place)}`);
      found(one, place);
    }
    return anomalies;
  }
}

/** A producer that sends one record after the other: what it sent later lies behind what it sent earlier. */
export class ProducerLedger extends Acknowledgements {
  judgeOrder(final: FinalView): string[] {
    const disorder: string[] = [];
    const last = new Map<number, number>();
    const anomalies = this.judge(final, ({ partition, value }, place) => {
      const offset = lowOf(place);
      if (offset <= (last.get(partition) ?? -1))
        disorder.push(
          `order: ${this.history.values.textOf(value)} is before what its producer wrote earlier`,
        );
      last.set(partition, offset);
    });
    return [...anomalies, ...disorder];
  }
}

/** What a producer with several requests under way was told of single records. */
export class SenderLedger {
  readonly acknowledged: Acknowledgements;
  /** What is wrong whatever is there in the end. */
  readonly anomalies: string[] = [];
  private readonly last = new Map<string, number>();

  constructor(history: TopicHistory) {
    this.acknowledged = new Acknowledgements(history);
  }

  take(one: Told): void {
    if (one.kind === 'died') this.anomalies.push(`a producer died: ${one.error}`);
    if (one.kind !== 'acked') return;
    const { life, offset, partition, value } = one;
    this.acknowledged.add(partition, offset, value);
    if (offset < 0) return;
    const lane = `${life}/${partition}`;
    if (offset <= (this.last.get(lane) ?? -1))
      this.anomalies.push(`order: ${value} lies before what its producer sent earlier`);
    this.last.set(lane, offset);
  }

  judge(final: FinalView): string[] {
    return [...final.duplicates, ...this.anomalies, ...this.acknowledged.judge(final, () => {})];
  }
}

const OUTCOMES = ['committed', 'aborted', 'unknown'] as const;
type OutcomeOfTransaction = (typeof OUTCOMES)[number];

/** Transactions are there as a whole or not at all, and the aborted ones not for readers of committed records. */
export class TransactionLedger {
  private readonly history: TopicHistory;
  /** The first value and how many follow it, with what became of them. */
  private readonly list = new PairList();
  private readonly odd: (readonly [OutcomeOfTransaction, readonly Pair[]])[] = [];

  constructor(history: TopicHistory) {
    this.history = history;
  }

  take(one: Told): void {
    if (one.kind !== 'txn') return;
    const values = one.values.map((value) => this.history.values.pairOf(value));
    const [first = 0] = values;
    if (values.some((value, i) => value !== first + i)) {
      this.odd.push([one.outcome, values]);
      return;
    }
    this.list.push(first);
    this.list.push(pairOf(OUTCOMES.indexOf(one.outcome), values.length));
  }

  private *[Symbol.iterator](): Generator<readonly [OutcomeOfTransaction, readonly Pair[]]> {
    yield* this.odd;
    let first: Pair | null = null;
    for (const pair of this.list)
      if (first === null) first = pair;
      else {
        const start: Pair = first;
        const values = Array.from({ length: lowOf(pair) }, (_, i) => start + i);
        yield [OUTCOMES[highOf(pair)] as OutcomeOfTransaction, values];
        first = null;
      }
  }

  judge(final: FinalView): string[] {
    const anomalies = [...final.duplicates];
    const text = (values: readonly Pair[]) =>
      values.map((value) => this.history.values.textOf(value)).join(' ');
    for (const [outcome, values] of this) {
      const seen = values.filter((value) => final.placeOf(value) !== undefined);
      if (seen.length > 0 && seen.length < values.length)
        anomalies.push(`torn transaction: ${seen.length} of ${text(values)} are there`);
      if (outcome === 'committed' && seen.length === 0)
        anomalies.push(`lost transaction: ${text(values)} were committed`);
      if (outcome === 'aborted' && seen.length > 0)
        anomalies.push(`aborted read: ${text(seen)} were aborted`);
    }
    return anomalies;
  }
}

/** What was read of a partition under one assignment: runs of offsets, first and last. */
interface Lane {
  readonly partition: number;
  readonly runs: PairList;
  from: number;
  to: number;
}

/** What somebody read is there in the end, and he read on from where he was. */
export class ReaderLedger {
  private readonly history: TopicHistory;
  private readonly lanes = new Map<string, Lane>();
  private readonly odd: { readonly place: Pair; readonly value: Pair }[] = [];
  count = 0;

  constructor(history: TopicHistory) {
    this.history = history;
  }

  take(one: Told): void {
    if (one.kind !== 'read') return;
    for (const record of one.records) this.read(one.assignment, record);
  }

  private read(assignment: number, [partition, offset, text]: ReadRecord): void {
    const place = pairOf(partition, offset);
    const value = this.history.values.pairOf(text);
    this.count++;
    const lane = this.laneOf(assignment, partition);
    const isFirst = this.history.note(place, value) === value;
    if (isFirst && offset === lane.to + 1 && lane.to >= 0) {
      lane.to = offset;
      return;
    }
    if (offset <= lane.to) this.history.notice(`${placeText(place)} was read after a later one`);
    this.close(lane);
    if (isFirst) {
      lane.from = offset;
      lane.to = offset;
    } else lane.runs.push(pairOf(ODD, this.odd.push({ place, value }) - 1));
  }

  private laneOf(assignment: number, partition: number): Lane {
    const key = `${assignment}/${partition}`;
    let lane = this.lanes.get(key);
    if (lane === undefined) {
      lane = { partition, runs: new PairList(), from: -1, to: -1 };
      this.lanes.set(key, lane);
    }
    return lane;
  }

  private close(lane: Lane): void {
    if (lane.to >= 0) {
      lane.runs.push(pairOf(lane.partition, lane.from));
      lane.runs.push(pairOf(lane.partition, lane.to));
    }
    lane.from = -1;
    lane.to = -1;
  }

  private *readsOf(lane: Lane): Generator<{ readonly place: Pair; readonly value: Pair }> {
    let from: Pair | null = null;
    for (const pair of lane.runs)
      if (isOdd(pair)) yield this.odd[lowOf(pair)] as { place: Pair; value: Pair };
      else if (from === null) from = pair;
      else {
        for (let place: Pair = from; place <= pair; place++)
          yield { place, value: this.history.firstAt(place) as Pair };
        from = null;
      }
  }

  judge(final: FinalView): string[] {
    const anomalies: string[] = [];
    for (const lane of this.lanes.values()) {
      this.close(lane);
      let last: Pair | null = null;
      for (const { place, value } of this.readsOf(lane)) {
        if (final.get(place) !== value) {
          const now = final.textAt(place) ?? 'gone';
          anomalies.push(
            `unseen: ${this.history.values.textOf(value)} was read at ${placeText(place)}, now ${now}`,
          );
          continue;
        }
        if (last !== null && place <= last)
          anomalies.push(`went back: ${placeText(place)} was read after a later one`);
        const skipped = last === null ? 0 : final.places.countBetween(last, place);
        if (skipped > 0)
          anomalies.push(`skip: ${skipped} records before ${placeText(place)} were not read`);
        last = place;
      }
    }
    return anomalies;
  }
}

/** Each record that was read has been answered once: what a program that reads, works and writes is for. */
export function judgeProcessed(input: FinalView, output: FinalView): string[] {
  const anomalies = [...output.duplicates];
  const { values } = output.history;
  for (const place of input.places)
    if (output.placeOf(values.pairOf(placeText(place))) === undefined)
      anomalies.push(`not processed: ${placeText(place)}`);
  for (const value of output.allValues()) {
    const key = values.textOf(value);
    const [partition = Number.NaN, offset = Number.NaN] = key.split(':').map(Number);
    const isAsked =
      key === `${partition}:${offset}` &&
      arePair(partition, offset) &&
      input.places.has(pairOf(partition, offset));
    if (!isAsked) anomalies.push(`processed what is not there: ${key}`);
  }
  return anomalies;
}
