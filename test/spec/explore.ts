/** Visits every state that can be reached, nearest first, and checks each. Pure. */
import { invariants } from './invariants.ts';
import { type Bounds, type Rules, type State, start, steps } from './model.ts';

export interface Exploration {
  readonly states: number;
  /** Steps of the longest history that was needed. */
  readonly depth: number;
  /** Whether everything within the bounds was visited. */
  readonly isComplete: boolean;
  /** The shortest history that breaks an invariant. */
  readonly violation: { readonly invariant: string; readonly history: readonly string[] } | null;
}

const member = ({ epoch, id }: { id: number; epoch: number }) => `${id}@${epoch}`;

/** Equal for states that no future can tell apart. */
function keyOf({ committed, left, line, nextValue, replicas, requests, views }: State): string {
  const lineKey = (of: State['line'] | null) =>
    of === null
      ? '-'
      : `${of.leader === null ? '' : member(of.leader)}/${of.leaderEpoch}/${of.partitionEpoch}/${of.isr.map(member).join()}/${of.elr.map(member).join()}`;
  const entries = (of: State['committed']) =>
    of.map(({ leaderEpoch, value }) => `${leaderEpoch}.${value}`).join();
  const parts = [lineKey(line), entries(committed), nextValue, Object.values(left).join()];
  for (const { draining, epoch, live } of views)
    parts.push(`${epoch}${live ? 'l' : ''}${draining ? 'd' : ''}`);
  for (const { isr, leader, leaderEpoch, partitionEpoch } of requests)
    parts.push(`${member(leader)}/${leaderEpoch}/${partitionEpoch}/${isr.map(member).join()}`);
  for (const one of replicas) {
    const { ack, epoch, highWatermark, isLeading, keptSince, led, log, lost, up, view } = one;
    parts.push(
      `${up ? 'u' : ''}${lost ? 'x' : ''}${isLeading ? 'L' : ''}${epoch}.${keptSince}.${highWatermark}`,
      entries(log),
      lineKey(view),
    );
    if (ack !== null)
      parts.push(
        `${member(ack.follower)}>${member(ack.leader)}/${ack.leaderEpoch}/${ack.logEndOffset}/${ack.lastEpoch}`,
      );
    if (led !== null) parts.push(coreKey(led, view));
  }
  return parts.join('|');
}

function coreKey(led: NonNullable<State['replicas'][number]['led']>, view: State['line'] | null) {
  // A leadership that is over is never gone back to.
  if (view !== null && view.leaderEpoch > led.line.leaderEpoch) return 'over';
  const { proposed } = led as unknown as { proposed: State['line']['isr'] | null };
  const progress = led.progress.map(
    ({ brokerEpoch, endOffset, following, id }) =>
      `${id}@${brokerEpoch}:${endOffset}${following ? 'f' : ''}`,
  );
  return `${led.line.partitionEpoch}/${led.epochStartOffset}/${led.highWatermark}/${progress.join()}/${proposed?.map(member).join() ?? ''}`;
}

export function explore(
  bounds: Bounds,
  rules: Rules,
  { statesMax, onProgress }: { statesMax: number; onProgress?: (states: number) => void },
): Exploration {
  const seen = new Set<string>();
  const parents: number[] = [-1];
  const names: string[] = ['start'];
  const interned = new Map<string, string>();
  const first = start(bounds);
  seen.add(keyOf(first));
  let level: { state: State; at: number }[] = [{ state: first, at: 0 }];
  let depth = 0;
  const historyOf = (at: number) => {
    const history: string[] = [];
    for (let i = at; i > 0; i = parents[i] as number) history.unshift(names[i] as string);
    return history;
  };
  while (level.length > 0) {
    const next: typeof level = [];
    for (const { at, state } of level) {
      for (const step of steps(state, rules)) {
        const key = keyOf(step.state);
        if (seen.has(key)) continue;
        seen.add(key);
        const index = names.length;
        const name = interned.get(step.name) ?? step.name;
        interned.set(name, name);
        names.push(name);
        parents.push(at);
        for (const [invariant, holds] of Object.entries(invariants)) {
          if (holds(state, step.state)) continue;
          const violation = { invariant, history: historyOf(index) };
          return { states: seen.size, depth: depth + 1, isComplete: false, violation };
        }
        if (seen.size % 50_000 === 0) onProgress?.(seen.size);
        if (seen.size >= statesMax)
          return { states: seen.size, depth, isComplete: false, violation: null };
        next.push({ state: step.state, at: index });
      }
    }
    level = next;
    if (level.length > 0) depth++;
  }
  return { states: seen.size, depth, isComplete: true, violation: null };
}
