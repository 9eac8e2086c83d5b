/** What is told of a topic by whoever writes or reads it, kept once for all of them. Pure. */
import { highOf, lowOf, type Pair, PairMap, PairSet, pairOf } from './pairs.ts';

const WRITERS_MAX = 1000;
const NUMBER_LIMIT = 2 ** 32;
const PARTS = 8;
const NOTICED_MAX = 20;
/** A writer and its number; or its transaction and the record of that. */
const NUMBERED = /^(.*?):(0|[1-9]\d{0,8})(?::([0-7]))?$/s;

export const placeText = (place: Pair): string => `${highOf(place)}:${lowOf(place)}`;

/** Values as pairs: those that count up as writer and number, others by where they stand in a list. */
export class Values {
  private readonly writers: { readonly name: string; readonly hasParts: boolean }[] = [];
  private readonly whole = new Map<string, number>();
  private readonly inParts = new Map<string, number>();
  private readonly strange = new Map<string, Pair>();
  private readonly strangers: string[] = [];

  pairOf(text: string): Pair {
    const [, name, count, part] = NUMBERED.exec(text) ?? [];
    if (name === undefined) return this.strangePair(text);
    const number = part === undefined ? Number(count) : Number(count) * PARTS + Number(part);
    if (number >= NUMBER_LIMIT) return this.strangePair(text);
    const ids = part === undefined ? this.whole : this.inParts;
    let id = ids.get(name);
    if (id === undefined) {
      if (this.writers.length === WRITERS_MAX) return this.strangePair(text);
      id = this.writers.push({ name, hasParts: part !== undefined });
      ids.set(name, id);
    }
    return pairOf(id, number);
  }

  textOf(pair: Pair): string {
    const number = lowOf(pair);
    const writer = this.writers[highOf(pair) - 1];
    if (writer === undefined) return this.strangers[number] as string;
    const { hasParts, name } = writer;
    return hasParts
      ? `${name}:${Math.floor(number / PARTS)}:${number % PARTS}`
      : `${name}:${number}`;
  }

  private strangePair(text: string): Pair {
    const known = this.strange.get(text);
    if (known !== undefined) return known;
    const pair = pairOf(0, this.strangers.push(text) - 1);
    this.strange.set(text, pair);
    return pair;
  }
}

/** The first that was told of each place: most who come later say the same, and need not be kept. */
export class TopicHistory {
  readonly values = new Values();
  private readonly first = new PairMap();
  private readonly told = new PairSet();
  /** What looks wrong already; the judgement in the end does not rest on it. */
  readonly noticed: string[] = [];
  noticedCount = 0;

  /** Returns what was told of this place first. */
  note(place: Pair, value: Pair): Pair {
    const before = this.first.get(place);
    if (before === undefined) {
      this.first.set(place, value);
      if (!this.told.add(value))
        this.notice(`${this.values.textOf(value)} is at ${placeText(place)} and was elsewhere`);
      return value;
    }
    if (before !== value)
      this.notice(
        `${placeText(place)} was ${this.values.textOf(before)}, and is ${this.values.textOf(value)}`,
      );
    return before;
  }

  firstAt(place: Pair): Pair | undefined {
    return this.first.get(place);
  }

  notice(what: string): void {
    this.noticedCount++;
    if (this.noticed.length < NOTICED_MAX) this.noticed.push(what);
  }
}

/** What one of them knows to be at each place. */
export class View {
  readonly history: TopicHistory;
  readonly places = new PairSet();
  private readonly others = new Map<Pair, Pair>();
  private readonly highest: number[] = [];

  constructor(history: TopicHistory) {
    this.history = history;
  }

  get size(): number {
    return this.places.size;
  }

  get(place: Pair): Pair | undefined {
    if (!this.places.has(place)) return undefined;
    return this.others.get(place) ?? this.history.firstAt(place);
  }

  textAt(place: Pair): string | undefined {
    const value = this.get(place);
    return value === undefined ? undefined : this.history.values.textOf(value);
  }

  /** The last offset of a partition that it knows of, or -1. */
  highestOf(partition: number): number {
    return this.highest[partition] ?? -1;
  }

  set(place: Pair, value: Pair): void {
    if (this.history.note(place, value) === value) this.others.delete(place);
    else this.others.set(place, value);
    this.places.add(place);
    const partition = highOf(place);
    this.highest[partition] = Math.max(this.highestOf(partition), lowOf(place));
  }
}

/** Everything that is committed in a topic in the end, filled as it is read. */
export class FinalView extends View {
  readonly duplicates: string[] = [];
  private readonly at = new PairMap();

  override set(place: Pair, value: Pair): void {
    super.set(place, value);
    const before = this.at.get(value);
    if (before !== undefined)
      this.duplicates.push(
        `duplicate: ${this.history.values.textOf(value)} is at ${placeText(before)} and at ${placeText(place)}`,
      );
    this.at.set(value, place);
  }

  /** Where a value is. */
  placeOf(value: Pair): Pair | undefined {
    return this.at.get(value);
  }

  allValues(): Iterable<Pair> {
    return this.at.keys();
  }

  add(partition: number, offset: number, text: string): void {
    this.set(pairOf(partition, offset), this.history.values.pairOf(text));
  }
}
