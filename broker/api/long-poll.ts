/** Waiting for records: what Fetch and ShareFetch do while there is too little to answer with. */
import type { Clock } from '../../stdx/clock.ts';
import type { Partition, ReadWaiter } from '../partition/partition.ts';

/** Resolves when any of the partitions moves, or after `waitMs`. */
export function untilReadable(
  clock: Clock,
  partitions: Iterable<Partition>,
  waitMs: number,
): Promise<void> {
  return new Promise((wake) => {
    const watched = [...partitions];
    const waiter: ReadWaiter = { onReadable: () => end() };
    const timer = clock.after(waitMs, () => end());
    const end = () => {
      timer[Symbol.dispose]();
      for (const partition of watched) partition.stopWaiting(waiter);
      wake();
    };
    for (const partition of watched) partition.waitForMore(waiter);
  });
}
