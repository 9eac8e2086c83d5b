/**
 * Whether a broker that starts still has what its lives before had: what its volumes say against what the
 * Kubernetes API remembers. A volume that did not live through the last life of its broker lacks what was
 * acknowledged in it, however clean it looks. Pure. Compare KIP-966: the previous broker epoch.
 */

/** What the data folder tells of the life before. */
export interface FormerLife {
  readonly epoch: number;
  readonly keptSince: number;
  /** Of that life's process; empty where an earlier version wrote it. */
  readonly incarnation: string;
  /** Processes that were about to begin a life with these very volumes, and wrote nothing in it. */
  readonly begun: readonly string[];
  /** Nothing that was written in that life can be missing. */
  readonly keptData: boolean;
}

/** A life that somebody remembers. */
export interface Witness {
  readonly epoch: number;
  /** Empty: not known. */
  readonly incarnation: string;
}

export interface Seen {
  /** The broker's Lease. */
  readonly lease: Witness | null;
  /** Its KafkaBroker, written once the life was noted on the volumes. */
  readonly broker: Witness | null;
  /** The highest epoch that partition lines name this broker with; -1 where none does. */
  readonly pagesEpoch: number;
  /** This very process: what it wrote itself in an earlier try says nothing of others. */
  readonly self: string;
}

export interface Standing {
  /** Of the life that begins. */
  readonly epoch: number;
  readonly keptSince: number;
  /** Why nothing counts of what the volumes have; null where it does, or where there is nothing. */
  readonly lost: string | null;
}

function isLaterLife(former: FormerLife, seen: Witness, known: readonly string[]): boolean {
  if (known.includes(seen.incarnation)) return false;
  if (seen.epoch !== former.epoch) return seen.epoch > former.epoch;
  // Of one epoch and two processes: each had volumes of its own.
  return seen.incarnation !== '' && former.incarnation !== '';
}

function lossOf(former: FormerLife, { broker, lease, pagesEpoch, self }: Seen): string | null {
  if (!former.keptData) return 'what was written last may be missing';
  const lived = [former.incarnation, self].filter((name) => name !== '');
  if (lease !== null && isLaterLife(former, lease, [...lived, ...former.begun]))
    return `the Lease knows life ${lease.epoch} of this broker, and these volumes only life ${former.epoch}`;
  if (broker !== null && isLaterLife(former, broker, lived))
    return `the KafkaBroker is of life ${broker.epoch}, and these volumes only of life ${former.epoch}`;
  if (pagesEpoch > former.epoch)
    return `partitions name life ${pagesEpoch} of this broker, and these volumes know only life ${former.epoch}`;
  return null;
}

export function judgeStanding(former: FormerLife | null, seen: Seen): Standing {
  const epochs = [former?.epoch, seen.lease?.epoch, seen.broker?.epoch, seen.pagesEpoch, 0];
  const epoch = Math.max(...epochs.map((one) => one ?? 0)) + 1;
  if (former === null) {
    const hadLives = seen.lease !== null || seen.broker !== null || seen.pagesEpoch >= 0;
    return { epoch, keptSince: epoch, lost: hadLives ? 'the volumes know of no life' : null };
  }
  const lost = lossOf(former, seen);
  return { epoch, keptSince: lost === null ? former.keptSince : epoch, lost };
}
