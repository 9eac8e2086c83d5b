/**
 * Moving a partition to other brokers: new replicas are added, and when all of them are in sync
 * the old ones go. Pure: a line in, a line out. Source: KIP-455.
 */
import {
  isMoving,
  type PartitionLine,
  sameMember,
  targetReplicas,
} from '../../kube/partition-line.ts';
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { type Brokers, elect, type LineRules, withIsr } from './election-core.ts';

export interface Refusal {
  readonly error: ErrorName;
  readonly message: string;
}

export function isRefusal(result: PartitionLine | Refusal): result is Refusal {
  return 'error' in result;
}

/** The replicas that a moving partition had before, or has, if it does not move. */
function originalReplicas({ replicas, adding }: PartitionLine): number[] {
  return replicas.filter((id) => !adding.includes(id));
}

/** Begins to move a partition; one that moves already changes its direction. */
export function startReassignment(
  line: PartitionLine,
  target: readonly number[],
  of: { brokers: Brokers; allowReplicationFactorChange: boolean },
): PartitionLine | Refusal {
  const refuse = (error: ErrorName, message: string): Refusal => ({ error, message });
  if (target.length === 0)
    return refuse('INVALID_REPLICA_ASSIGNMENT', 'a partition must have at least one replica');
  if (new Set(target).size !== target.length)
    return refuse('INVALID_REPLICA_ASSIGNMENT', 'a broker must be named once');
  const unknown = target.find((id) => !of.brokers.has(id));
  if (unknown !== undefined)
    return refuse('INVALID_REPLICA_ASSIGNMENT', `broker ${unknown} is not registered`);
  const original = originalReplicas(line);
  if (!of.allowReplicationFactorChange && target.length !== original.length) {
    const message = `the partition has ${original.length} replicas, and the request forbids to change that`;
    return refuse('INVALID_REPLICATION_FACTOR', message);
  }
  const removing = original.filter((id) => !target.includes(id));
  const adding = target.filter((id) => !original.includes(id));
  const replicas = [...target, ...removing];
  const same =
    !isMoving(line) && removing.length + adding.length === 0 && replicas.join() === original.join();
  return same ? line : safely(line, { replicas, adding, removing });
}

/** Goes back to where a moving partition came from. */
export function cancelReassignment(line: PartitionLine): PartitionLine | Refusal {
  if (!isMoving(line))
    return { error: 'NO_REASSIGNMENT_IN_PROGRESS', message: 'the partition does not move' };
  return safely(line, { replicas: originalReplicas(line), adding: [], removing: [] });
}

/** Replicas that are dropped at once must not be the only ones that have everything. */
function safely(
  line: PartitionLine,
  to: Pick<PartitionLine, 'replicas' | 'adding' | 'removing'>,
): PartitionLine | Refusal {
  const next = moved(line, to);
  if (next.isr.length > 0 || line.isr.length === 0) return next;
  const message = 'only replicas that would be dropped are in sync: records would be lost';
  return { error: 'INVALID_REPLICA_ASSIGNMENT', message };
}

/**
 * A replica that goes takes its files with it once it hears of that, and may go on following until
 * then. The new leader epoch keeps what it confirms meanwhile from counting when it comes back.
 */
function moved(
  line: PartitionLine,
  to: Pick<PartitionLine, 'replicas' | 'adding' | 'removing'>,
): PartitionLine {
  const stays = ({ id }: { id: number }) => to.replicas.includes(id);
  const loses = line.replicas.some((id) => !to.replicas.includes(id));
  return {
    ...line,
    ...to,
    leaderEpoch: line.leaderEpoch + Number(loses),
    isr: line.isr.filter(stays),
    elr: line.elr.filter(stays),
    partitionEpoch: line.partitionEpoch + 1,
  };
}

/**
 * Takes the last step where all new replicas are in sync, and gives a partition whose leader is
 * no replica any more another one. Returns the same object where nothing is due.
 */
export function advanceReassignment(
  line: PartitionLine,
  brokers: Brokers,
  rules: LineRules,
): PartitionLine {
  let next = line;
  if (isMoving(line)) {
    const inSync = new Set(line.isr.map(({ id }) => id));
    const isr = line.isr.filter(({ id }) => !line.removing.includes(id));
    if (isr.length > 0 && line.adding.every((id) => inSync.has(id))) {
      const replicas = targetReplicas(line);
      next = moved(line, { replicas, adding: [], removing: [] });
      next = { ...withIsr(next, isr, rules), partitionEpoch: line.partitionEpoch + 1 };
    }
  }
  const { leader } = next;
  if (leader === null || next.replicas.includes(leader.id)) return next;
  const elected = elect(next, brokers, rules);
  if (sameMember(elected.leader, leader)) return next;
  return {
    ...next,
    leader: elected.leader,
    leaderEpoch: next.leaderEpoch + 1,
    partitionEpoch: line.partitionEpoch + 1,
  };
}
