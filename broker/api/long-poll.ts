/** Waiting for records: what Fetch and ShareFetch do while there is too little to answer with. */
import type { Clock } from '../../stdx/clock.ts';
import type { Turn, TurnTask } from '../../stdx/turn.ts';
import { type Partition, type ReadWaiter, TURN_READ } from '../partition/partition.ts';
import type { ClientConnection } from './handler.ts';

/** Calls `wake` once: when any of the partitions moves, after `waitMs`, or when what it returns is called. */
function whenReadable(
  clock: Clock,
  partitions: Iterable<Partition>,
  waitMs: number,
  wake: () => void,
): () => void {
  const watched = [...partitions];
  const waiter: ReadWaiter = { onReadable: () => end() };
  const timer = clock.after(waitMs, () => end());
  let over = false;
  const end = () => {
    if (over) return;
    over = true;
    timer[Symbol.dispose]();
    for (const partition of watched) partition.stopWaiting(waiter);
    wake();
  };
  for (const partition of watched) partition.waitForMore(waiter);
  return end;
}

/** Resolves when any of the partitions moves, after `waitMs`, or when the connection ends, if one is given. */
export function untilReadable(
  { clock, connection }: { readonly clock: Clock; readonly connection?: ClientConnection },
  partitions: Iterable<Partition>,
  waitMs: number,
): Promise<void> {
  return new Promise((wake) => {
    const end = whenReadable(clock, partitions, waitMs, wake);
    connection?.whenClosed(untilReadable, end);
  });
}

/**
 * Runs `read` when any of the partitions moved, after all that moved in that turn, or after `waitMs`; at once
 * where the connection ends.
 */
export function readWhenReadable(
  { connection, turn }: { readonly connection: ClientConnection; readonly turn: Turn },
  partitions: Iterable<Partition>,
  waitMs: number,
  read: () => void,
): void {
  const task: TurnTask = { scheduled: false, runInTurn: read };
  const wake = () => turn.schedule(TURN_READ, task);
  connection.whenClosed(readWhenReadable, whenReadable(turn.clock, partitions, waitMs, wake));
}
