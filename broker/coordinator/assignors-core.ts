/**
 * Who of a consumer group is to read what: the broker's own assignors (KIP-848). Pure; the same
 * input always gives the same answer.
 */
import type { Assignment } from './assignment.ts';

export interface MemberSpec {
  readonly memberId: string;
  readonly instanceId: string | null;
  /** Topic ids, of topics that exist. */
  readonly topics: ReadonlySet<string>;
  /** What it was to own until now. */
  readonly previous: Assignment;
}

/** Partitions by topic id. */
export type TopicSizes = ReadonlyMap<string, number>;
export type Assignor = (
  members: readonly MemberSpec[],
  topics: TopicSizes,
) => Map<string, Map<string, Set<number>>>;

const sortKey = ({ instanceId, memberId }: MemberSpec) => instanceId ?? memberId;
const inOrder = (members: readonly MemberSpec[]) =>
  [...members].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));

function emptyFor(members: readonly MemberSpec[]): Map<string, Map<string, Set<number>>> {
  return new Map(members.map(({ memberId }) => [memberId, new Map<string, Set<number>>()]));
}

function give(to: Map<string, Set<number>>, topicId: string, partition: number): void {
  const known = to.get(topicId);
  if (known === undefined) to.set(topicId, new Set([partition]));
  else known.add(partition);
}

/** Neighbouring partitions of every topic go to one member, the same one for every topic. */
export const range: Assignor = (members, topics) => {
  const result = emptyFor(members);
  const sorted = inOrder(members);
  for (const [topicId, count] of topics) {
    const readers = sorted.filter((member) => member.topics.has(topicId));
    if (readers.length === 0) continue;
    const share = Math.floor(count / readers.length);
    const extra = count % readers.length;
    let next = 0;
    readers.forEach(({ memberId }, i) => {
      const end = next + share + (i < extra ? 1 : 0);
      for (; next < end; next++)
        give(result.get(memberId) as Map<string, Set<number>>, topicId, next);
    });
  }
  return result;
};

interface Load {
  readonly spec: MemberSpec;
  readonly owned: Map<string, Set<number>>;
  count: number;
}

/** As even as subscriptions allow, moving as little as possible from what was before. */
export const uniform: Assignor = (members, topics) => {
  const result = emptyFor(members);
  const loads: Load[] = inOrder(members).map((spec) => ({
    spec,
    owned: result.get(spec.memberId) as Map<string, Set<number>>,
    count: 0,
  }));
  const readers = new Map<string, Load[]>();
  for (const topicId of topics.keys())
    readers.set(
      topicId,
      loads.filter(({ spec }) => spec.topics.has(topicId)),
    );
  const taken = new Map<string, Set<number>>();
  keepPrevious(loads, topics, taken);
  for (const [topicId, count] of topics) {
    const eligible = readers.get(topicId) ?? [];
    if (eligible.length === 0) continue;
    for (let partition = 0; partition < count; partition++) {
      if (taken.get(topicId)?.has(partition)) continue;
      const least = eligible.reduce((best, load) => (load.count < best.count ? load : best));
      give(least.owned, topicId, partition);
      least.count++;
    }
  }
  level(loads, readers);
  return result;
};

/** Partitions stay where they are, as long as nobody keeps more than a fair share. */
function keepPrevious(loads: Load[], topics: TopicSizes, taken: Map<string, Set<number>>): void {
  let total = 0;
  for (const [topicId, count] of topics)
    if (loads.some(({ spec }) => spec.topics.has(topicId))) total += count;
  const share = Math.floor(total / Math.max(loads.length, 1));
  let extra = total - share * loads.length;
  const wholes: { load: Load; partitions: [string, number][] }[] = loads.map((load) => ({
    load,
    partitions: [...load.spec.previous].flatMap(([topicId, ids]) =>
      [...ids]
        .filter((id) => load.spec.topics.has(topicId) && id < (topics.get(topicId) ?? 0))
        .sort((a, b) => a - b)
        .map((id): [string, number] => [topicId, id]),
    ),
  }));
  const sameForAll = loads.every(({ spec }) => spec.topics.size === loads[0]?.spec.topics.size);
  for (const { load, partitions } of wholes) {
    let limit = sameForAll ? share : Infinity;
    if (sameForAll && partitions.length > share && extra > 0) {
      limit++;
      extra--;
    }
    for (const [topicId, id] of partitions) {
      if (load.count >= limit || taken.get(topicId)?.has(id)) continue;
      give(load.owned, topicId, id);
      give(taken, topicId, id);
      load.count++;
    }
  }
}

/** Moves single partitions from those who have most to those who have at least two fewer. */
function level(loads: Load[], readers: ReadonlyMap<string, Load[]>): void {
  for (let moved = true; moved; ) {
    moved = false;
    for (const from of [...loads].sort((a, b) => b.count - a.count)) {
      for (const [topicId, ids] of from.owned) {
        if (ids.size === 0) continue;
        const least = (readers.get(topicId) ?? []).reduce(
          (best, load) => (load.count < best.count ? load : best),
          from,
        );
        if (least.count > from.count - 2) continue;
        const id = Math.max(...ids);
        ids.delete(id);
        give(least.owned, topicId, id);
        from.count--;
        least.count++;
        moved = true;
        break;
      }
      if (moved) break;
    }
  }
}

/** In the order of preference where members do not ask for one. */
export const assignors: ReadonlyMap<string, Assignor> = new Map([
  ['uniform', uniform],
  ['range', range],
]);
