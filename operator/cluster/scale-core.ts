/** How many brokers run: up at once, down as far as the leaving ones are empty. Pure. */
import type { MovesStatus } from '../../kube/kafka-objects.ts';
import { isMoving, type PartitionLine, targetReplicas } from '../../kube/partition-line.ts';
import { type Observed, wantedBrokers } from './observed.ts';

export interface ScalePlan {
  readonly replicas: number;
  /** Why fewer brokers were asked for than can be; nothing is moved then. */
  readonly refused: string | null;
  /** How many partitions the leaving brokers still hold. */
  readonly draining: number;
}

/** The partition that more brokers hold than would remain. */
function tooWide(lines: readonly PartitionLine[], wanted: number): PartitionLine | undefined {
  return lines.find((line) => targetReplicas(line).length > wanted);
}

export function planScale({ cluster, statefulSet, lines }: Observed): ScalePlan {
  const wanted = wantedBrokers(cluster);
  const settled = { refused: null, draining: 0 };
  // All stop together and none is emptied: the volumes stay.
  if (cluster.spec.hibernated === true) return { replicas: 0, ...settled };
  const highest = Math.max(-1, ...lines.flatMap(({ replicas }) => replicas));
  const current = statefulSet?.spec.replicas ?? wanted;
  // Whoever holds replicas is there or comes back: after a sleep, or gone before all was known.
  const present = Math.max(current, highest + 1);
  if (wanted >= present || highest < wanted) return { replicas: wanted, ...settled };
  const wide = tooWide(lines, wanted);
  const replicas = Math.min(present, Math.max(highest + 1, wanted));
  if (wide !== undefined) {
    const count = targetReplicas(wide).length;
    const refused = `cannot scale down to ${wanted} brokers: topic ${wide.topic} has ${count} replicas of each partition, its spec.replicas must be lowered to ${wanted} or less first`;
    return { replicas: present, refused, draining: 0 };
  }
  const draining = lines.filter((line) => line.replicas.some((id) => id >= wanted)).length;
  return { replicas, refused: null, draining };
}

const secondsBetween = (from: string, to: string) => (Date.parse(to) - Date.parse(from)) / 1000;

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** Partitions under way to other brokers, and for how long yet; null where there are none. */
export function movesOf({ cluster, lines, now }: Observed, draining: number): MovesStatus | null {
  const moving = lines.filter(isMoving).length;
  const partitions = Math.max(moving, draining);
  if (partitions === 0) return null;
  const before = cluster.status?.moves;
  const total = Math.max(partitions, before?.total ?? 0);
  const startedAt = before?.startedAt ?? now;
  const done = total - partitions;
  const elapsed = secondsBetween(startedAt, now);
  const left =
    done > 0 && elapsed > 0 ? `, about ${duration((elapsed / done) * partitions)} left` : '';
  return {
    partitions,
    total,
    startedAt,
    message: `${done} of ${total} partitions have moved${left}`,
  };
}
