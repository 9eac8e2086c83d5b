/** What to do for a cluster: how many brokers, which restart, and what its status says. Pure. */
import { conditionsWith } from '../../kube/conditions.ts';
import type { KafkaBroker, KafkaCluster } from '../../kube/kafka-objects.ts';
import type { Condition, Pod, StatefulSet } from '../../kube/objects.ts';
import type { PartitionLine } from '../../kube/partition-line.ts';
import { bootstrapName, kafkaPort, selectorLabels } from './desired.ts';

/** Everything that a decision is made from, read at one moment. */
export interface Observed {
  readonly cluster: KafkaCluster;
  readonly statefulSet: StatefulSet | null;
  readonly pods: readonly Pod[];
  readonly brokers: readonly KafkaBroker[];
  readonly lines: readonly PartitionLine[];
  /** ISO time of this moment, to the second. */
  readonly now: string;
}

export const PAUSE_ANNOTATION = 'kafka.tenure.dev/paused';

export function ordinalOf({ metadata }: Pod): number {
  return Number(/-(\d+)$/.exec(metadata.name)?.[1] ?? -1);
}

export function isReady({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True') ===
      true
  );
}

export interface ScalePlan {
  readonly replicas: number;
  /** Why fewer brokers were asked for than can be. */
  readonly refused: string | null;
}

/** Up at once; down only as far as the leaving brokers hold nothing. */
export function planScale({ cluster, statefulSet, lines }: Observed): ScalePlan {
  const wanted = cluster.spec.replicas;
  const current = statefulSet?.spec.replicas ?? wanted;
  if (wanted >= current) return { replicas: wanted, refused: null };
  const highest = Math.max(-1, ...lines.flatMap(({ replicas }) => replicas));
  if (highest < wanted) return { replicas: wanted, refused: null };
  const held = lines.filter(({ replicas }) => replicas.some((id) => id >= wanted)).length;
  return {
    replicas: Math.min(current, highest + 1),
    refused: `cannot scale down to ${wanted} brokers: brokers ${wanted} to ${highest} still hold replicas of ${held} partitions, which must be moved first`,
  };
}

export type RestartPlan =
  | { readonly kind: 'restart'; readonly pod: Pod; readonly why: string }
  | { readonly kind: 'wait'; readonly why: string }
  | { readonly kind: 'none' };

type Gate = (observed: Observed, id: number) => string | null;

/** Each says why the broker must not be stopped now, or null. */
const gates: readonly Gate[] = [
  ({ pods, cluster }, id) => {
    const down = pods
      .filter((pod) => ordinalOf(pod) !== id && !isReady(pod))
      .map(({ metadata }) => metadata.name);
    const missing = cluster.spec.replicas - pods.length;
    if (missing > 0) return `${missing} broker pods are missing`;
    return down.length === 0 ? null : `${down.join(', ')} is not ready`;
  },
  ({ lines }, id) => {
    const weak = lines.find(
      ({ isr, replicas }) =>
        replicas.length > 1 && replicas.includes(id) && isr.length < replicas.length,
    );
    return weak === undefined
      ? null
      : `partition ${weak.topic}-${weak.partition} has ${weak.isr.length} of ${weak.replicas.length} replicas in sync`;
  },
];

/** One broker at a time, the controller last; the reason for waiting is for people to read. */
export function planRestart(observed: Observed, controllerId: number): RestartPlan {
  const { statefulSet, pods } = observed;
  const revision = statefulSet?.status?.updateRevision;
  if (revision === undefined) return { kind: 'none' };
  const outdated = pods.filter(({ metadata }) => {
    const own = metadata.labels?.['controller-revision-hash'];
    return own !== undefined && own !== revision && metadata.deletionTimestamp === undefined;
  });
  if (outdated.length === 0) return { kind: 'none' };
  const order = [...outdated].sort((a, b) => {
    const last = (pod: Pod) => Number(ordinalOf(pod) === controllerId);
    return (
      Number(isReady(a)) - Number(isReady(b)) || last(a) - last(b) || ordinalOf(a) - ordinalOf(b)
    );
  });
  const pod = order[0] as Pod;
  const why = gates.map((gate) => gate(observed, ordinalOf(pod))).find((reason) => reason !== null);
  // A broker that does not serve is not made worse by a restart.
  if (why != null && isReady(pod))
    return { kind: 'wait', why: `restart of ${pod.metadata.name} waits: ${why}` };
  return { kind: 'restart', pod, why: 'its pod template changed' };
}

export function clusterStatus(
  observed: Observed,
  of: { scale: ScalePlan; restart: RestartPlan; bootstrap: string | null },
): NonNullable<KafkaCluster['status']> {
  const { cluster, pods, lines, now } = observed;
  const wanted = cluster.spec.replicas;
  const ready = pods.filter(isReady).length;
  const generation = cluster.metadata.generation ?? 0;
  const offline = lines.filter(({ leader }) => leader === null).length;
  const condition = (
    type: string,
    holds: boolean,
    reason: string,
    message: string,
  ): Omit<Condition, 'lastTransitionTime'> => ({
    type,
    status: holds ? 'True' : 'False',
    reason,
    message,
    observedGeneration: generation,
  });
  const allReady = ready >= of.scale.replicas && of.scale.refused === null;
  const moving = of.restart.kind !== 'none' || ready < of.scale.replicas;
  const progress =
    of.restart.kind === 'wait'
      ? of.restart.why
      : of.restart.kind === 'restart'
        ? `restarting ${of.restart.pod.metadata.name}: ${of.restart.why}`
        : `${ready} of ${of.scale.replicas} brokers are ready`;
  const conditions = [
    condition(
      'Ready',
      allReady,
      of.scale.refused !== null
        ? 'ScaleDownRefused'
        : allReady
          ? 'BrokersReady'
          : 'BrokersNotReady',
      of.scale.refused ?? `${ready} of ${wanted} brokers are ready`,
    ),
    condition(
      'Available',
      ready > 0 && offline === 0,
      offline > 0 ? 'PartitionsOffline' : ready > 0 ? 'Serving' : 'NoBroker',
      offline > 0
        ? `${offline} partitions have no leader`
        : ready > 0
          ? 'every partition has a leader'
          : 'no broker is ready',
    ),
    condition('Progressing', moving, moving ? 'Rolling' : 'Settled', progress),
  ];
  const uid = (cluster.metadata.uid ?? '').replaceAll('-', '');
  return {
    observedGeneration: generation,
    replicas: pods.length,
    readyReplicas: ready,
    brokers: `${ready}/${wanted}`,
    selector: Object.entries(selectorLabels(cluster))
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
    bootstrapServers:
      of.bootstrap ??
      `${bootstrapName(cluster)}.${cluster.metadata.namespace}.svc:${kafkaPort(cluster)}`,
    clusterId: Buffer.from(uid, 'hex').toString('base64url'),
    conditions: conditionsWith(cluster.status?.conditions ?? [], conditions, now),
  };
}
