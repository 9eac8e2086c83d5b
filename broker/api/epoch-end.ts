/** Where a leader epoch ends in a partition, for clients that ask whether they read what others now read (KIP-320). */
import type { Partition } from '../partition/partition.ts';

/**
 * The largest epoch that is not above `epoch`, and the offset at which it ends; -1 and -1: every known one is
 * above it. The present epoch has begun and ends with the log, also before it has written anything.
 */
export function epochEnd(
  { leaderEpoch, log }: Pick<Partition, 'leaderEpoch' | 'log'>,
  epoch: number,
): { epoch: number; endOffset: number } {
  const { endOffset } = log;
  return epoch === leaderEpoch ? { epoch, endOffset } : log.epochs.endOffsetFor(epoch, endOffset);
}
