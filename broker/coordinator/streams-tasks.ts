/**
 * Tasks of a streams application: a subtopology and a partition of its input, in one of three roles.
 * Held as an `Assignment` whose keys name role and subtopology, so that tasks are handed over the
 * way partitions are. Pure. Source: KIP-1071.
 */
import { type Assignment, filter } from './assignment.ts';

export const roles = ['active', 'standby', 'warmup'] as const;
export type Role = (typeof roles)[number];

/** The form that records and messages have. */
export type TaskIds = readonly {
  readonly subtopologyId: string;
  readonly partitions: readonly number[];
}[];

export const keyOf = (role: Role, subtopologyId: string) => `${role} ${subtopologyId}`;

export function roleOf(key: string): { role: Role; subtopologyId: string } {
  const at = key.indexOf(' ');
  return { role: key.slice(0, at) as Role, subtopologyId: key.slice(at + 1) };
}

export interface TaskLists {
  readonly active: TaskIds;
  readonly standby: TaskIds;
  readonly warmup: TaskIds;
}

/** Tasks listed twice, in one list or over several entries, count once. */
export function tasksOf(lists: TaskLists): Assignment {
  const tasks = new Map<string, Set<number>>();
  for (const role of roles) {
    for (const { subtopologyId, partitions } of lists[role]) {
      const key = keyOf(role, subtopologyId);
      const known = tasks.get(key) ?? new Set<number>();
      for (const partition of partitions) known.add(partition);
      if (known.size > 0) tasks.set(key, known);
    }
  }
  return tasks;
}

/** Sorted, so that equal tasks read the same. */
export function listsOf(tasks: Assignment): {
  [role in Role]: { subtopologyId: string; partitions: number[] }[];
} {
  const lists = { active: [], standby: [], warmup: [] } as ReturnType<typeof listsOf>;
  for (const key of [...tasks.keys()].sort()) {
    const partitions = [...(tasks.get(key) ?? [])].sort((a, b) => a - b);
    const { role, subtopologyId } = roleOf(key);
    if (partitions.length > 0) lists[role].push({ subtopologyId, partitions });
  }
  return lists;
}

export function ofRole(tasks: Assignment, wanted: Role): Assignment {
  return filter(tasks, (key) => roleOf(key).role === wanted);
}
