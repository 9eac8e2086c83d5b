/**
 * Where replicas go when brokers come and leave, and when a topic gets more or fewer of them. Pure.
 *
 * Moves are few: a broker that leaves is replaced replica by replica, a new one takes its share and no
 * more. Nothing is moved to make numbers nicer.
 */
import { type PartitionLine, targetReplicas } from '../../kube/partition-line.ts';
import type { Brokers, BrokerView } from './election-core.ts';
import { addLoad, emptyLoad, type Load, placePartition } from './placement-core.ts';

export interface Move {
  readonly line: PartitionLine;
  readonly target: readonly number[];
}

export interface BalanceInput {
  readonly lines: readonly PartitionLine[];
  readonly brokers: Brokers;
  /** How many brokers there should be, ids from 0 on; null where nobody says. */
  readonly wanted: number | null;
  /** Brokers that are to be emptied although they stay. */
  readonly drained: ReadonlySet<number>;
  /** How many there were when replicas were last spread over all; null where that is not known. */
  readonly balanced: number | null;
  /** Topics whose placement somebody chose. */
  readonly isPinned: (topicId: string) => boolean;
}

export interface BalancePlan {
  readonly moves: readonly Move[];
  /** To be noted once the moves are written; null where nothing is to be noted. */
  readonly balanced: number | null;
}

const NOBODY: ReadonlySet<number> = new Set();

/** Brokers that may get new replicas: alive, staying, and within the number that is wanted. */
export function placeable(
  brokers: Brokers,
  wanted: number | null,
  drained: ReadonlySet<number> = NOBODY,
): BrokerView[] {
  return [...brokers.values()].filter(
    ({ id, live, draining }) =>
      live && !draining && !drained.has(id) && (wanted === null || id < wanted),
  );
}

export function loadOf(lines: Iterable<PartitionLine>): Load {
  const load = emptyLoad();
  for (const line of lines) addLoad(load, targetReplicas(line));
  return load;
}

export function planBalance(input: BalanceInput): BalancePlan {
  const { lines, wanted, balanced } = input;
  const none = { moves: [], balanced: null };
  if (wanted === null) return none;
  const leaves = (id: number) => id >= wanted || input.drained.has(id);
  // Who goes for good must be empty before anything is spread anew.
  const leaving = lines.some((line) => line.replicas.some((id) => id >= wanted));
  const moves = lines.some((line) => targetReplicas(line).some(leaves)) ? drain(input, leaves) : [];
  if (leaving || moves.length > 0) return { moves, balanced: null };
  if (balanced === null || wanted < balanced) return { moves: [], balanced: wanted };
  if (wanted === balanced) return none;
  const usable = placeable(input.brokers, wanted, input.drained);
  // Spread once, over all of them: a broker that is late would be left empty.
  if (usable.length < wanted - [...input.drained].filter((id) => id < wanted).length) return none;
  return { moves: spread(input, usable, balanced), balanced: wanted };
}

const rackOf = (brokers: Brokers, id: number) => brokers.get(id)?.rack ?? null;

/** Gives every replica on a leaving broker another home; nothing where some partition has none. */
function drain(
  { lines, brokers, drained, wanted }: BalanceInput,
  leaves: (id: number) => boolean,
): Move[] {
  if (lines.some((line) => targetReplicas(line).length > (wanted ?? 0))) return [];
  const usable = placeable(brokers, wanted, drained);
  const load = loadOf(lines);
  const moves: Move[] = [];
  for (const line of lines) {
    const target = targetReplicas(line);
    if (!target.some(leaves)) continue;
    const next: number[] = [];
    for (const [i, id] of target.entries()) {
      if (!leaves(id)) {
        next.push(id);
        continue;
      }
      const others = [...next, ...target.slice(i + 1)];
      const best = pick(usable, others, brokers, i === 0 ? load.leaders : load.replicas, load);
      if (best === null) break;
      count(load.replicas, best, 1);
      if (i === 0) count(load.leaders, best, 1);
      next.push(best);
    }
    if (next.length === target.length) moves.push({ line, target: next });
  }
  return moves;
}

const of = (counts: ReadonlyMap<number, number>, id: number) => counts.get(id) ?? 0;
function count(counts: Map<number, number>, id: number, by: number): void {
  counts.set(id, of(counts, id) + by);
}

/** The broker with least to do that holds none of them, in a rack of its own if there is one. */
function pick(
  usable: readonly BrokerView[],
  others: readonly number[],
  brokers: Brokers,
  first: ReadonlyMap<number, number>,
  load: Load,
): number | null {
  const racks = new Set(others.map((id) => rackOf(brokers, id)));
  const free = usable.filter(({ id }) => !others.includes(id));
  const apart = free.filter(({ rack }) => rack === null || !racks.has(rack));
  const [best] = (apart.length > 0 ? apart : free).sort(
    (a, b) =>
      of(first, a.id) - of(first, b.id) ||
      of(load.replicas, a.id) - of(load.replicas, b.id) ||
      a.id - b.id,
  );
  return best?.id ?? null;
}

/** New brokers take replicas, leaderships among them, from those that have most, up to their share. */
function spread(
  { lines, brokers, isPinned }: BalanceInput,
  usable: readonly BrokerView[],
  firstNew: number,
): Move[] {
  const load = loadOf(lines);
  const total = lines.reduce((sum, line) => sum + targetReplicas(line).length, 0);
  const share = Math.floor(total / usable.length);
  const leaderShare = Math.floor(lines.length / usable.length);
  const targets = new Map<PartitionLine, number[]>();
  const heldBy = new Map<number, PartitionLine[]>();
  for (const line of lines) {
    if (isPinned(line.topicId)) continue;
    targets.set(line, targetReplicas(line));
    for (const id of targetReplicas(line)) heldBy.set(id, [...(heldBy.get(id) ?? []), line]);
  }
  const newcomers = usable.filter(({ id }) => id >= firstNew);
  const fits = (target: readonly number[], from: number, to: BrokerView) => {
    if (target.includes(to.id)) return false;
    const racks = target.filter((id) => id !== from).map((id) => rackOf(brokers, id));
    // A move must not bring two replicas into one rack that were in two.
    return to.rack === null || !racks.includes(to.rack) || racks.includes(rackOf(brokers, from));
  };
  const give = (to: BrokerView, asLeader: boolean): boolean => {
    const counts = asLeader ? load.leaders : load.replicas;
    const donors = usable
      .filter(({ id }) => id < firstNew && of(load.replicas, id) > share)
      .sort((a, b) => of(counts, b.id) - of(counts, a.id) || a.id - b.id);
    for (const { id: from } of donors) {
      const list = heldBy.get(from) ?? [];
      const at = list.findIndex((line) => {
        const target = targets.get(line) as number[];
        return (target[0] === from) === asLeader && fits(target, from, to);
      });
      if (at < 0) continue;
      const [line] = list.splice(at, 1) as [PartitionLine];
      const target = targets.get(line) as number[];
      targets.set(
        line,
        target.map((id) => (id === from ? to.id : id)),
      );
      count(load.replicas, from, -1);
      count(load.replicas, to.id, 1);
      if (asLeader) {
        count(load.leaders, from, -1);
        count(load.leaders, to.id, 1);
      }
      return true;
    }
    return false;
  };
  // Round by round, so that several new brokers fill evenly.
  for (let isMoving = true; isMoving; ) {
    isMoving = false;
    for (const to of newcomers) {
      if (of(load.replicas, to.id) >= share) continue;
      const leads = of(load.leaders, to.id) < leaderShare;
      if ((leads && give(to, true)) || give(to, false) || give(to, true)) isMoving = true;
    }
  }
  return [...targets].flatMap(([line, target]) =>
    target.join() === targetReplicas(line).join() ? [] : [{ line, target }],
  );
}

/** A partition with another number of replicas; null: there are not enough brokers. */
export function resized(
  line: PartitionLine,
  replicaCount: number,
  usable: readonly BrokerView[],
  load: Load,
): number[] | null {
  const target = targetReplicas(line);
  if (replicaCount <= target.length) {
    // Who leads and who is in sync stays.
    const rank = (id: number) =>
      id === line.leader?.id ? 0 : line.isr.some((member) => member.id === id) ? 1 : 2;
    const kept = new Set([...target].sort((a, b) => rank(a) - rank(b)).slice(0, replicaCount));
    return target.filter((id) => kept.has(id));
  }
  return placePartition(usable, replicaCount, load, target);
}
