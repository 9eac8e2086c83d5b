/** What all seeds together did: a fault that never strikes, or work that never gets done, proves nothing. */
import type { FaultKind } from './fault-kinds.ts';
import type { Verdict } from './run.ts';
import type { Feature } from './scene.ts';

type Counts = Verdict['counts'];

/** What shows that a feature was at work. */
const worked: Readonly<Record<Feature, (counts: Counts) => number>> = {
  compacted: ({ compactions }) => compactions,
  trimmed: ({ deletions, retentions }) => Math.min(deletions, retentions),
  passing: ({ topicsDeleted }) => topicsDeleted,
  'in-flight': ({ refusals }) => refusals,
  'every-leader': ({ leaderTurns }) => leaderTurns,
  'end-stop': ({ endStops }) => endStops,
  'own-topics': ({ ownCompactions }) => ownCompactions,
  scrub: ({ heals }) => heals,
  'lasting-deletions': ({ deletions }) => deletions,
};

export class Tally {
  private readonly startedMs = performance.now();
  private readonly faults = new Map<FaultKind, number>();
  private readonly counts = new Map<keyof Counts, number>();
  private seeds = 0;
  private events = 0;
  private simulatedMs = 0;
  failures = 0;

  add({ anomalies, counts, events, faults, simulatedMs }: Verdict): void {
    this.seeds++;
    this.events += events;
    this.simulatedMs += simulatedMs;
    if (anomalies.length > 0) this.failures++;
    for (const [kind, count] of faults) this.faults.set(kind, (this.faults.get(kind) ?? 0) + count);
    for (const [name, count] of Object.entries(counts) as [keyof Counts, number][])
      this.counts.set(name, this.of(name) + count);
  }

  private of(name: keyof Counts): number {
    return this.counts.get(name) ?? 0;
  }

  /** One seed in one line. */
  static line({ anomalies, counts, events, longestGapMs, seed }: Verdict): string {
    const { aborted, acked, committed, commits, failed, reads, unknown } = counts;
    return (
      `seed ${seed}: ${anomalies.length > 0 ? 'ANOMALIES' : 'ok'} · ${acked} acked, ${failed} failed, ` +
      `${unknown} unknown, ${committed} transactions committed, ${aborted} aborted, ` +
      `${commits} offsets committed, ${reads} read · ` +
      `longest wait ${(longestGapMs / 1000).toFixed(1)} s · ${events} events`
    );
  }

  get summary(): string {
    const seconds = (performance.now() - this.startedMs) / 1000;
    const struck = [...this.faults].filter(([, count]) => count > 0);
    const shown = struck.map(([kind, count]) => `${kind} ${count}`).join(', ');
    return (
      `${this.seeds} seeds, ${(this.simulatedMs / 60_000).toFixed(0)} simulated minutes in ${seconds.toFixed(0)} s, ${this.events} events: ` +
      `${this.of('acked')} writes acknowledged, ${this.of('refusals')} refused and sent again, ` +
      `${this.of('committed')} transactions and ${this.of('commits')} offsets committed, ${this.of('reads')} records read, ` +
      `${this.of('compactions')} logs compacted, ${this.of('retentions')} times segments aged, ${this.of('deletions')} times records and ` +
      `${this.of('topicsDeleted')} times a topic deleted, ${this.of('leaderTurns')} times every next replica led, ` +
      `${this.of('endStops')} times all stopped in the end, ${this.of('heals')} times damage healed, ${this.failures} seeds with anomalies\n` +
      `faults: ${shown}`
    );
  }

  /** What was wanted and never happened. */
  idle(kinds: readonly FaultKind[], wanted: readonly Feature[]): string[] {
    const counts = Object.fromEntries(this.counts) as unknown as Counts;
    return [
      ...kinds.filter((kind) => (this.faults.get(kind) ?? 0) === 0),
      ...wanted.filter((feature) => worked[feature](counts) === 0),
    ];
  }
}
