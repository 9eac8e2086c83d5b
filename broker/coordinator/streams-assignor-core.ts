/**
 * Who of a streams group runs which task: as even as can be, moving as little as can be. Stand-bys
 * of a task live in other processes than the task, spread over client tags where those are named.
 * Pure; the same input always gives the same answer. Source: KIP-1071, KIP-925.
 */
import { type Assignment, has } from './assignment.ts';
import { keyOf } from './streams-tasks.ts';

export interface StreamsMemberSpec {
  readonly memberId: string;
  readonly processId: string;
  readonly tags: ReadonlyMap<string, string>;
  /** What it was to run until now. */
  readonly previous: Assignment;
}

export interface SubtopologySpec {
  readonly subtopologyId: string;
  readonly taskCount: number;
  readonly isStateful: boolean;
}

export interface StandbyRules {
  readonly count: number;
  /** Tags whose values are to differ between a task and its stand-bys. */
  readonly tags: readonly string[];
}

interface Thread {
  readonly spec: StreamsMemberSpec;
  readonly process: Process;
  active: number;
  total: number;
  readonly tasks: Map<string, Set<number>>;
}
interface Process {
  readonly id: string;
  readonly threads: Thread[];
  readonly tags: ReadonlyMap<string, string>;
  /** Tasks in any role, so that no process has one twice. */
  readonly holds: Set<string>;
}
interface Task {
  readonly subtopologyId: string;
  readonly partition: number;
  readonly name: string;
}

const loadOf = ({ threads }: Process) =>
  threads.reduce((sum, { total }) => sum + total, 0) / threads.length;

function give(thread: Thread, role: 'active' | 'standby', task: Task): void {
  const key = keyOf(role, task.subtopologyId);
  const partitions = thread.tasks.get(key) ?? new Set<number>();
  thread.tasks.set(key, partitions.add(task.partition));
  thread.process.holds.add(task.name);
  thread.total++;
  if (role === 'active') thread.active++;
}

/** The first of those with the lowest scores, compared number by number. */
function best<T>(candidates: Iterable<T>, score: (one: T) => readonly number[]): T | undefined {
  let found: { one: T; scores: readonly number[] } | undefined;
  for (const one of candidates) {
    const scores = score(one);
    const before = found?.scores;
    const at = before === undefined ? 0 : scores.findIndex((value, i) => value !== before[i]);
    if (before === undefined || (at >= 0 && (scores[at] as number) < (before[at] as number)))
      found = { one, scores };
  }
  return found?.one;
}

export function assignTasks(
  members: readonly StreamsMemberSpec[],
  subtopologies: readonly SubtopologySpec[],
  standbys: StandbyRules,
): Map<string, Assignment> {
  const processes = new Map<string, Process>();
  const threads: Thread[] = [];
  for (const spec of [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))) {
    let process = processes.get(spec.processId);
    if (process === undefined) {
      process = { id: spec.processId, threads: [], tags: spec.tags, holds: new Set() };
      processes.set(spec.processId, process);
    }
    const thread = { spec, process, active: 0, total: 0, tasks: new Map() };
    process.threads.push(thread);
    threads.push(thread);
  }
  const result = () => new Map(threads.map(({ spec, tasks }) => [spec.memberId, tasks]));
  if (threads.length === 0) return result();
  const tasks = subtopologies.flatMap(({ subtopologyId, taskCount }) =>
    Array.from({ length: taskCount }, (_, partition): Task => {
      return { subtopologyId, partition, name: `${subtopologyId} ${partition}` };
    }),
  );
  assignActive(threads, tasks);
  const stateful = new Set(subtopologies.filter((s) => s.isStateful).map((s) => s.subtopologyId));
  for (let i = 0; i < standbys.count; i++) {
    for (const task of tasks)
      if (stateful.has(task.subtopologyId)) addStandby([...processes.values()], task, standbys);
  }
  return result();
}

function assignActive(threads: readonly Thread[], tasks: readonly Task[]): void {
  const floor = Math.floor(tasks.length / threads.length);
  let extra = tasks.length % threads.length;
  const left = new Set(tasks);
  const take = (thread: Thread, task: Task) => {
    if (thread.active === floor) extra--;
    give(thread, 'active', task);
    left.delete(task);
  };
  const hasRoom = ({ active }: Thread) => active < floor || (active === floor && extra > 0);
  const had = ({ spec }: Thread, role: 'active' | 'standby', { subtopologyId, partition }: Task) =>
    has(spec.previous, keyOf(role, subtopologyId), partition);
  // Where it ran, first up to what everybody gets, then with what is over; else where its state is.
  for (const limit of [floor, floor + 1]) {
    for (const task of left) {
      const thread = threads.find((one) => had(one, 'active', task));
      if (thread !== undefined && thread.active < limit && hasRoom(thread)) take(thread, task);
    }
  }
  for (const task of left) {
    const able = threads.filter((one) => hasRoom(one) && had(one, 'standby', task));
    const thread = best(able, (one) => [one.total]);
    if (thread !== undefined) take(thread, task);
  }
  for (const task of left) {
    const thread = best(threads.filter(hasRoom), (one) => [one.active, loadOf(one.process)]);
    if (thread !== undefined) take(thread, task);
  }
}

function addStandby(processes: readonly Process[], task: Task, { tags }: StandbyRules): void {
  const holders = processes.filter(({ holds }) => holds.has(task.name));
  const shared = (process: Process) =>
    tags.filter((tag) => holders.some((one) => one.tags.get(tag) === process.tags.get(tag))).length;
  const kept = ({ threads }: Process) =>
    threads.some(({ spec }) =>
      (['standby', 'active'] as const).some((role) =>
        has(spec.previous, keyOf(role, task.subtopologyId), task.partition),
      ),
    );
  const able = processes.filter(({ holds }) => !holds.has(task.name));
  const lightest = Math.min(...able.map(loadOf));
  const process = best(able, (one) => {
    // It stays where it was while that is not loaded more than a task beyond the others.
    const stays = kept(one) && loadOf(one) < lightest + 1;
    return [shared(one), stays ? 0 : 1, loadOf(one)];
  });
  if (process === undefined) return;
  const key = keyOf('standby', task.subtopologyId);
  const thread = best(process.threads, (one) => [
    has(one.spec.previous, key, task.partition) ? 0 : 1,
    one.total,
  ]);
  const lighter = best(process.threads, (one) => [one.total]);
  const chosen = (thread?.total ?? 0) > (lighter?.total ?? 0) + 1 ? lighter : thread;
  if (chosen !== undefined) give(chosen, 'standby', task);
}
