/**
 * Which brokers are to be restarted, why, in which order, and which of them now. Pure.
 *
 * Brokers that share no partition restart together. A restart waits while it would cost a partition
 * more than the one replica that stops; the reason is for people to read, word for word in the status.
 */
import { annotations, type PlannedRestart } from '../../kube/kafka-objects.ts';
import type { Container, Pod, StatefulSet } from '../../kube/objects.ts';
import { isMoving, type PartitionLine } from '../../kube/partition-line.ts';
import {
  isReady,
  isSetSeen,
  minInsyncReplicas,
  type Observed,
  ordinalOf,
  wantedBrokers,
} from './observed.ts';
import { windowState } from './windows-core.ts';

const REVISION_LABEL = 'controller-revision-hash';

export interface DueRestart {
  readonly pod: Pod;
  readonly id: number;
  readonly reason: string;
  /** Null: it begins now. */
  readonly waitsFor: string | null;
}

export interface RollPlan {
  readonly due: readonly DueRestart[];
  /** What an approval must repeat. */
  readonly planId: string | null;
  /** ISO time at which nothing but time may have changed the plan. */
  readonly lookAgainAt: string | null;
}

const NOTHING: RollPlan = { due: [], planId: null, lookAgainAt: null };

/** What differs between a pod and the template that it should be of, in words. */
function difference(pod: Pod, set: StatefulSet): string {
  const [wanted] = set.spec.template.spec.containers;
  const [actual] = pod.spec.containers;
  if (wanted === undefined || actual === undefined) return 'its pod template changed';
  if (wanted.image !== actual.image) return `its image changes to ${wanted.image}`;
  const restart = set.spec.template.metadata?.annotations?.[annotations.restart];
  if (restart !== undefined && restart !== pod.metadata.annotations?.[annotations.restart])
    return 'a restart of all brokers was asked for';
  const values = ({ env = [] }: Container) =>
    new Map(env.map(({ name, value }) => [name, value ?? '']));
  const before = values(actual);
  const changed = [...values(wanted)].filter(([name, value]) => before.get(name) !== value);
  if (changed.some(([name]) => name === 'TENURE_LISTENERS')) return 'its listeners changed';
  if (changed.length > 0) return `${changed.map(([name]) => name).join(', ')} changed`;
  return 'its pod template changed';
}

function reasonFor(pod: Pod, { claims, statefulSet }: Observed): string | null {
  const revision = statefulSet?.status?.updateRevision;
  if (statefulSet === null || revision === undefined) return null;
  const own = pod.metadata.labels?.[REVISION_LABEL];
  if (own !== undefined && own !== revision) return difference(pod, statefulSet);
  const asked = pod.metadata.annotations?.[annotations.restart];
  const template = statefulSet.spec?.template?.metadata?.annotations?.[annotations.restart];
  if (asked !== undefined && asked !== template) return 'a restart of it was asked for';
  const mounted = new Set(
    (pod.spec.volumes ?? []).map(
      ({ persistentVolumeClaim: claim }) =>
        (claim as { claimName?: string } | undefined)?.claimName,
    ),
  );
  const resized = claims.some(
    ({ metadata, status }) =>
      mounted.has(metadata.name) &&
      status?.conditions?.some(
        ({ type, status: state }) => type === 'FileSystemResizePending' && state === 'True',
      ),
  );
  return resized ? 'its volume has grown and must be mounted anew' : null;
}

type Gate = (observed: Observed, ids: ReadonlySet<number>) => string | null;

/** Each says why these brokers must not be stopped now, or null. */
const gates: readonly Gate[] = [
  function othersAreReady({ cluster, pods }, ids) {
    const missing = wantedBrokers(cluster) - pods.length;
    if (missing > 0) return `${missing} broker pods are missing`;
    const down = pods.filter((pod) => !ids.has(ordinalOf(pod)) && !isReady(pod));
    if (down.length === 0) return null;
    return `${down.map(({ metadata }) => metadata.name).join(', ')} is not ready`;
  },
  function partitionsCanLoseOne(observed, ids) {
    for (const line of observed.lines) {
      const why = faultOf(observed, line, ids);
      if (why !== null) return `partition ${line.topic}-${line.partition} ${why}`;
    }
    return null;
  },
];

function faultOf(observed: Observed, line: PartitionLine, ids: ReadonlySet<number>): string | null {
  const { replicas } = line;
  // A member of an earlier life has not caught up yet, whatever the line still says.
  const isr = line.isr.filter(({ id, epoch }) => {
    const broker = observed.brokers.find(({ spec }) => spec.id === id);
    return broker === undefined || broker.spec.epoch === epoch;
  });
  const stopping = replicas.filter((id) => ids.has(id)).length;
  if (stopping === 0 || replicas.length === 1) return null;
  if (stopping > 1) return 'has replicas on several of them';
  if (isMoving(line)) return 'is moving to other brokers';
  if (isr.length === replicas.length) return null;
  const left = isr.filter(({ id }) => !ids.has(id)).length;
  const min = minInsyncReplicas(observed, line.topicId);
  const inSync = `has ${isr.length} of ${replicas.length} replicas in sync`;
  return left < min && replicas.length > min
    ? `would drop below min.insync.replicas ${min}: it ${inSync}`
    : inSync;
}

/** Why none of these brokers may be stopped now; null: they may. */
export function stopsNothing(observed: Observed, ids: ReadonlySet<number>): string | null {
  for (const gate of gates) {
    const why = gate(observed, ids);
    if (why !== null) return why;
  }
  return null;
}

/** Whether any broker may be evicted: every partition has all its replicas. */
export function mayEvict({ lines }: Observed): boolean {
  return lines.every(({ isr, replicas }) => replicas.length === 1 || isr.length >= replicas.length);
}

/** What everybody waits for, whatever the partitions: approval, or a maintenance window. */
function hold(observed: Observed, planId: string): { why: string | null; until: string | null } {
  const { cluster, now } = observed;
  const approved = cluster.metadata.annotations?.[annotations.approve];
  if (cluster.spec.updatePolicy === 'Plan' && approved !== planId) {
    const { name, namespace } = cluster.metadata;
    const command = `kubectl -n ${namespace} annotate --overwrite kafkacluster ${name} ${annotations.approve}=${planId}`;
    return { why: `approval: ${command}`, until: null };
  }
  const { open, opensAt } = windowState(cluster.spec.maintenanceWindows, now);
  if (open) return { why: null, until: null };
  return {
    why: `the next maintenance window${opensAt === null ? '' : `, which opens at ${opensAt}`}`,
    until: opensAt,
  };
}

export function planRoll(observed: Observed): RollPlan {
  const { controllerId, pods, statefulSet } = observed;
  const revision = statefulSet?.status?.updateRevision;
  if (revision === undefined || !isSetSeen(observed)) return NOTHING;
  const outdated = pods.flatMap((pod) => {
    if (pod.metadata.deletionTimestamp !== undefined) return [];
    const reason = reasonFor(pod, observed);
    return reason === null ? [] : [{ pod, id: ordinalOf(pod), reason }];
  });
  if (outdated.length === 0) return NOTHING;
  const planId = revision.slice(revision.lastIndexOf('-') + 1);
  const last = (id: number) => Number(id === controllerId);
  outdated.sort(
    (a, b) =>
      Number(isReady(a.pod)) - Number(isReady(b.pod)) || last(a.id) - last(b.id) || a.id - b.id,
  );
  const held = hold(observed, planId);
  const parallelMax = Math.max(1, Math.floor(pods.length / 3));
  const now = new Set<number>();
  const due = outdated.map((one): DueRestart => {
    const waits = (why: string): DueRestart => ({ ...one, waitsFor: why });
    const begins = (): DueRestart => {
      now.add(one.id);
      return { ...one, waitsFor: null };
    };
    const needsApproval = held.why?.startsWith('approval') === true;
    // A broker that does not serve is not made worse by a restart; only approval can hold it.
    if (!isReady(one.pod)) return needsApproval ? waits(held.why as string) : begins();
    if (held.why !== null) return waits(held.why);
    if (now.size >= parallelMax) return waits('those before it');
    if (one.id === controllerId && outdated.length > 1)
      return waits('the others: it is the controller');
    const why = stopsNothing(observed, new Set([...now, one.id]));
    if (why !== null) return waits(now.size > 0 ? 'those before it' : why);
    return begins();
  });
  return { due, planId, lookAgainAt: held.until };
}

/** The plan as the status shows it. */
export function shownPlan({ due }: RollPlan): PlannedRestart[] {
  return due.map(({ id, reason, waitsFor }) => ({
    broker: id,
    reason,
    ...(waitsFor === null ? {} : { waitsFor }),
  }));
}
