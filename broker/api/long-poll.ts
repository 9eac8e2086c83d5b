/** Waiting for records: what Fetch and ShareFetch do while there is too little to answer with. */
import type { Clock } from '../../stdx/clock.ts';
import type { Turn, TurnTask } from '../../stdx/turn.ts';
import { type Partition, type ReadWaiter, TURN_READ } from '../partition/partition.ts';

/** Calls `wake` once: when any of the partitions moves, or after `waitMs`. */
function whenReadable(
  clock: Clock,
  partitions: Iterable<Partition>,
  waitMs: number,
  wake: () => void,
): void {
  const watched = [...partitions];
  const waiter: ReadWaiter = { onReadable: () => end() };
  const timer = clock.after(waitMs, () => end());
  const end = () => {
    timer[Symbol.dispose]();
    for (const partition of watched) partition.stopWaiting(waiter);
    wake();
  };
  for (const partition of watched) partition.waitForMore(waiter);
}

/** Resolves when any of the partitions moves, or after `waitMs`. */
export function untilReadable(
  clock: Clock,
  partitions: Iterable<Partition>,
  waitMs: number,
): Promise<void> {
  return new Promise((wake) => whenReadable(clock, partitions, waitMs, wake));
}

/** Runs `read` when any of the partitions moved, after all that moved in that turn, or after `waitMs`. */
export function readWhenReadable(
  { turn }: { readonly turn: Turn },
  partitions: Iterable<Partition>,
  waitMs: number,
  read: () => void,
): void {
  const task: TurnTask = { scheduled: false, runInTurn: read };
  whenReadable(turn.clock, partitions, waitMs, () => turn.schedule(TURN_READ, task));
}
