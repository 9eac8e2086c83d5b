/**
 * The next step of a member towards its target assignment: first give up what others are to have,
 * then take what others have given up. Pure. Source: KIP-848.
 */
import {
  type Assignment,
  both,
  filter,
  minus,
  NOTHING,
  overlap,
  plus,
  sizeOf,
} from './assignment.ts';
import type { MemberProgress } from './consumer-group.ts';

export interface Reconciling {
  readonly progress: MemberProgress;
  readonly target: Assignment;
  readonly targetEpoch: number;
  /** What the member says it owns; null: nothing new since its last word. */
  readonly owned: Assignment | null;
  /** Whether any other member has the partition, or has not given it up yet. */
  readonly isTaken: (topicId: string, partition: number) => boolean;
}

/** Returns the same object where nothing changes. */
export function reconcile(of: Reconciling): MemberProgress {
  const { progress, targetEpoch, owned } = of;
  switch (progress.state) {
    case 'Stable':
      return progress.epoch === targetEpoch ? progress : next(of);
    case 'UnrevokedPartitions':
      // Only the member itself can say that it gave them up.
      return owned === null || overlap(owned, progress.pendingRevocation) ? progress : next(of);
    case 'UnreleasedPartitions':
      return next(of);
  }
}

function next({ progress, target, targetEpoch, owned, isTaken }: Reconciling): MemberProgress {
  const kept = both(progress.assigned, target);
  const toRevoke = minus(progress.assigned, target);
  const toGain = minus(target, kept);
  const free = filter(toGain, (topicId, partition) => !isTaken(topicId, partition));
  const waits = sizeOf(free) < sizeOf(toGain);
  if (sizeOf(toRevoke) > 0 && (owned === null || overlap(owned, toRevoke))) {
    return {
      ...progress,
      state: 'UnrevokedPartitions',
      assigned: kept,
      pendingRevocation: toRevoke,
    };
  }
  const state = waits ? 'UnreleasedPartitions' : 'Stable';
  const same =
    progress.state === state &&
    progress.epoch === targetEpoch &&
    sizeOf(free) === 0 &&
    sizeOf(toRevoke) === 0;
  if (same) return progress;
  return {
    epoch: targetEpoch,
    previousEpoch: progress.epoch === targetEpoch ? progress.previousEpoch : progress.epoch,
    state,
    assigned: plus(kept, free),
    pendingRevocation: NOTHING,
  };
}
