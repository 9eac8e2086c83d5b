/** What must hold in every state that can be reached. The names are those of docs/explanation/safety.md. */
import { hasMember } from '../../kube/partition-line.ts';
import type { Entry, Replica, State } from './model.ts';

const same = (a: Entry | undefined, b: Entry | undefined) =>
  a?.leaderEpoch === b?.leaderEpoch && a?.value === b?.value;

function hasAll({ log }: Replica, entries: readonly Entry[]): boolean {
  return entries.every((entry, offset) => same(log[offset], entry));
}

export type Invariant = (before: State, state: State) => boolean;

export const invariants: Readonly<Record<string, Invariant>> = {
  /** What is committed stays what it is: no offset gets another record. */
  CommittedNeverChanges: (before, { committed }) =>
    before.committed.every((entry, offset) => same(committed[offset], entry)),

  /** Whoever the line names as leader, if it lives, has everything that is committed. */
  LeaderIsComplete: (_, { committed, line, replicas }) =>
    replicas.every(
      (replica) =>
        !replica.up ||
        line.leader?.id !== replica.id ||
        line.leader.epoch !== replica.epoch ||
        hasAll(replica, committed),
    ),

  /** Whoever may be elected without losing anything has everything that is committed. */
  CandidatesAreComplete: (_, { committed, line, replicas }) =>
    replicas.every((replica) => {
      const { epoch, id, keptSince, lost } = replica;
      const standing = [...line.isr, ...line.elr].find((member) => member.id === id);
      const keeps =
        standing !== undefined &&
        !lost &&
        (keptSince <= standing.epoch || epoch === standing.epoch);
      return !keeps || hasAll(replica, committed);
    }),

  /** Two brokers never lead in the same leader epoch. */
  OneLeaderPerEpoch: (_, { replicas }) => {
    const epochs = replicas
      .filter(({ isLeading, up }) => up && isLeading)
      .map(({ view }) => view?.leaderEpoch);
    return new Set(epochs).size === epochs.length;
  },

  /** Up to the lower of two high watermarks, two logs hold the same. */
  LogsMatchBelowHighWatermark: (_, { replicas }) =>
    replicas.every((a) =>
      replicas.every((b) => {
        const end = Math.min(a.highWatermark, b.highWatermark, a.log.length, b.log.length);
        return a.log.slice(0, end).every((entry, offset) => same(entry, b.log[offset]));
      }),
    ),

  /** What a broker calls committed is. */
  HighWatermarkIsCommitted: (_, { committed, replicas }) =>
    replicas.every(({ highWatermark, log }) =>
      log.slice(0, highWatermark).every((entry, offset) => same(entry, committed[offset])),
    ),

  /** Epochs only grow, and a new leader comes with a new leader epoch. */
  EpochsGrow: (before, { line }) =>
    line === before.line ||
    (line.partitionEpoch > before.line.partitionEpoch &&
      (line.leaderEpoch > before.line.leaderEpoch ||
        (line.leaderEpoch === before.line.leaderEpoch &&
          line.leader?.id === before.line.leader?.id &&
          line.leader?.epoch === before.line.leader?.epoch))),

  /** The leader that a line names is in the line's ISR. */
  LeaderIsInSync: (_, { line }) => line.leader === null || hasMember(line.isr, line.leader),
};
