/** What the ledgers of ledger-core.ts mean, said with all that was told at hand; tests hold them against this. Pure. */
import type { ReadRecord, Told } from './ledger-core.ts';

/** Everything in a topic in the end. */
export interface View {
  readonly committed: readonly ReadRecord[];
  readonly uncommitted: readonly ReadRecord[];
}

const place = ([partition, offset]: ReadRecord) => `${partition}:${offset}`;

function placesOf(records: readonly ReadRecord[], anomalies: string[]): Map<string, string> {
  const at = new Map<string, string>();
  for (const record of records) {
    const before = at.get(record[2]);
    if (before !== undefined)
      anomalies.push(`duplicate: ${record[2]} is at ${before} and at ${place(record)}`);
    at.set(record[2], place(record));
  }
  return at;
}

/** What a producer was told of single records. */
export function judgeAcknowledged(told: readonly Told[], view: View): string[] {
  const anomalies: string[] = [];
  const at = placesOf(view.committed, anomalies);
  const last = new Map<string, number>();
  for (const one of told) {
    if (one.kind === 'died') anomalies.push(`a producer died: ${one.error}`);
    if (one.kind !== 'acked') continue;
    const { life, offset, partition, value } = one;
    const found = at.get(value);
    if (found === undefined)
      anomalies.push(`lost write: ${value} was acknowledged at ${partition}:${offset}`);
    // A repeat of what was written already may be acknowledged without an offset.
    else if (offset >= 0 && found !== `${partition}:${offset}`)
      anomalies.push(`moved: ${value} was acknowledged at ${partition}:${offset}, is at ${found}`);
    if (offset < 0) continue;
    const lane = `${life}/${partition}`;
    if (offset <= (last.get(lane) ?? -1))
      anomalies.push(`order: ${value} lies before what its producer sent earlier`);
    last.set(lane, offset);
  }
  return anomalies;
}

/** Transactions are there as a whole or not at all, and the aborted ones not for readers of committed records. */
export function judgeTransactions(told: readonly Told[], view: View): string[] {
  const anomalies: string[] = [];
  const visible = placesOf(view.committed, anomalies);
  for (const one of told) {
    if (one.kind !== 'txn') continue;
    const { outcome, values } = one;
    const seen = values.filter((value) => visible.has(value));
    if (seen.length > 0 && seen.length < values.length)
      anomalies.push(`torn transaction: ${seen.length} of ${values.join(' ')} are there`);
    if (outcome === 'committed' && seen.length === 0)
      anomalies.push(`lost transaction: ${values.join(' ')} were committed`);
    if (outcome === 'aborted' && seen.length > 0)
      anomalies.push(`aborted read: ${seen.join(' ')} were aborted`);
  }
  return anomalies;
}

/** What somebody read is there in the end, and he read on from where he was. */
export function judgeReader(told: readonly Told[], view: View): string[] {
  const anomalies: string[] = [];
  const final = new Map(view.committed.map((record) => [place(record), record[2]]));
  const offsets = new Map<number, number[]>();
  for (const [partition, offset] of view.committed) {
    const of = offsets.get(partition);
    if (of === undefined) offsets.set(partition, [offset]);
    else of.push(offset);
  }
  const index = new Map<string, number>();
  for (const [partition, of] of offsets)
    for (const [i, offset] of of.sort((a, b) => a - b).entries())
      index.set(`${partition}:${offset}`, i);
  const last = new Map<string, number>();
  for (const one of told) {
    if (one.kind !== 'read') continue;
    for (const record of one.records) {
      const now = final.get(place(record));
      if (now !== record[2]) {
        anomalies.push(`unseen: ${record[2]} was read at ${place(record)}, now ${now ?? 'gone'}`);
        continue;
      }
      const lane = `${one.assignment}/${record[0]}`;
      const i = index.get(place(record)) as number;
      const before = last.get(lane);
      if (before !== undefined && i <= before)
        anomalies.push(`went back: ${place(record)} was read after a later one`);
      if (before !== undefined && i > before + 1)
        anomalies.push(`skip: ${i - before - 1} records before ${place(record)} were not read`);
      last.set(lane, i);
    }
  }
  return anomalies;
}

/** Each record that was read has been answered once: what a program that reads, works and writes is for. */
export function judgeProcessed(input: View, output: View): string[] {
  const anomalies: string[] = [];
  const answers = placesOf(output.committed, anomalies);
  const asked = new Set(input.committed.map(place));
  for (const key of asked) if (!answers.has(key)) anomalies.push(`not processed: ${key}`);
  for (const key of answers.keys())
    if (!asked.has(key)) anomalies.push(`processed what is not there: ${key}`);
  return anomalies;
}

/** What a producer was told that sends one record after the other (clients.ts). */
export interface Acknowledged {
  readonly value: string;
  readonly producer: number;
  readonly partition: number;
  readonly offset: number;
}

/** By partition and offset. */
export type Seen = Map<string, string>;

/** What the producers and the group of kafkajs were told and saw. */
export function judge(
  final: Seen,
  acknowledged: readonly Acknowledged[],
  seen: readonly Seen[],
): string[] {
  const anomalies: string[] = [];
  const at = new Map<string, string>();
  for (const [key, value] of final) {
    const twice = at.get(value);
    if (twice !== undefined) anomalies.push(`duplicate: ${value} is at ${twice} and at ${key}`);
    at.set(value, key);
  }
  const last = new Map<string, number>();
  for (const { offset, partition, producer, value } of acknowledged) {
    const where = at.get(value);
    if (where === undefined) {
      anomalies.push(`lost write: ${value} was acknowledged at ${partition}:${offset}`);
      continue;
    }
    const found = Number(where.split(':')[1]);
    // A repeat of what was written already is acknowledged without an offset by some clients.
    if (offset >= 0 && where !== `${partition}:${offset}`)
      anomalies.push(`moved: ${value} was acknowledged at ${partition}:${offset}, is at ${where}`);
    const lane = `${producer}/${partition}`;
    if (found <= (last.get(lane) ?? -1))
      anomalies.push(`order: ${value} is before what its producer wrote earlier`);
    last.set(lane, found);
  }
  for (const one of seen)
    for (const [key, value] of one)
      if (final.get(key) !== value)
        anomalies.push(
          `unseen: somebody read ${value} at ${key}, and now it is ${final.get(key) ?? 'gone'}`,
        );
  return anomalies;
}
