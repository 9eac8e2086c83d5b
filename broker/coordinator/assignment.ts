/** Sets of partitions by topic id: what members of a consumer group own or are to own. Pure. */

export type Assignment = ReadonlyMap<string, ReadonlySet<number>>;
export const NOTHING: Assignment = new Map();

/** The form that records and messages have. */
export type TopicPartitions = readonly {
  readonly topicId: string;
  readonly partitions: readonly number[];
}[];

export function assignmentOf(list: TopicPartitions): Assignment {
  return new Map(list.map(({ topicId, partitions }) => [topicId, new Set(partitions)]));
}

/** Sorted, so that equal assignments read the same. */
export function listOf(assignment: Assignment): { topicId: string; partitions: number[] }[] {
  return [...assignment]
    .filter(([, partitions]) => partitions.size > 0)
    .map(([topicId, partitions]) => ({
      topicId,
      partitions: [...partitions].sort((a, b) => a - b),
    }))
    .sort((a, b) => (a.topicId < b.topicId ? -1 : 1));
}

export function sizeOf(assignment: Assignment): number {
  let sum = 0;
  for (const partitions of assignment.values()) sum += partitions.size;
  return sum;
}

export function has(assignment: Assignment, topicId: string, partition: number): boolean {
  return assignment.get(topicId)?.has(partition) === true;
}

export function filter(
  assignment: Assignment,
  keeps: (topicId: string, partition: number) => boolean,
): Assignment {
  const kept = new Map<string, Set<number>>();
  for (const [topicId, partitions] of assignment) {
    const some = new Set([...partitions].filter((partition) => keeps(topicId, partition)));
    if (some.size > 0) kept.set(topicId, some);
  }
  return kept;
}

export const minus = (a: Assignment, b: Assignment) => filter(a, (t, p) => !has(b, t, p));
export const both = (a: Assignment, b: Assignment) => filter(a, (t, p) => has(b, t, p));
export const overlap = (a: Assignment, b: Assignment) => sizeOf(both(a, b)) > 0;

export function plus(a: Assignment, b: Assignment): Assignment {
  const all = new Map<string, Set<number>>();
  for (const one of [a, b]) {
    for (const [topicId, partitions] of one) {
      const known = all.get(topicId);
      if (known === undefined) all.set(topicId, new Set(partitions));
      else for (const partition of partitions) known.add(partition);
    }
  }
  return all;
}

export function isEqual(a: Assignment, b: Assignment): boolean {
  return sizeOf(a) === sizeOf(b) && sizeOf(minus(a, b)) === 0;
}
