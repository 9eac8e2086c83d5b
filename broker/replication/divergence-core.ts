/** Where two logs part, and what a follower does about it. Pure. Source: KIP-101, KIP-279, KIP-320. */
import type { LeaderEpochs } from '../log/leader-epochs.ts';

/** What matters of a log here. */
export interface LogEnds {
  readonly epochs: LeaderEpochs;
  readonly startOffset: number;
  readonly endOffset: number;
}

/** Up to where a log agrees with another one: the end of an epoch that both may have. */
export interface EpochEnd {
  readonly epoch: number;
  readonly endOffset: number;
}

export type Parting =
  | { readonly diverging: EpochEnd }
  /** The leader no longer has what comes next. */
  | { readonly logStartOffset: number };

/** Whether a follower that ends there can go on from there; null: it can. */
export function partingOf(
  leader: LogEnds,
  follower: { readonly logEndOffset: number; readonly lastEpoch: number },
): Parting | null {
  const { lastEpoch, logEndOffset } = follower;
  if (lastEpoch >= 0) {
    const end = leader.epochs.endOffsetFor(lastEpoch, leader.endOffset);
    if (end.epoch !== lastEpoch || end.endOffset < logEndOffset) return { diverging: end };
  } else if (logEndOffset > leader.endOffset) {
    return { diverging: { epoch: -1, endOffset: leader.endOffset } };
  }
  return logEndOffset < leader.startOffset ? { logStartOffset: leader.startOffset } : null;
}

/** To where the follower cuts its log: the end of the last epoch that both logs have. */
export function cutTarget(follower: LogEnds, leader: EpochEnd): number {
  const mine = follower.epochs.endOffsetFor(leader.epoch, follower.endOffset);
  const common =
    leader.epoch < 0
      ? Math.min(leader.endOffset, follower.startOffset)
      : Math.min(leader.endOffset, mine.endOffset);
  return Math.max(common, 0);
}
