/** What a KafkaCluster's status says. Pure: the same observation gives the same status. */
import { conditionsWith } from '../../kube/conditions.ts';
import {
  clusterIdOf,
  type KafkaCluster,
  type LastRestart,
  RECOVERED_CONDITION,
} from '../../kube/kafka-objects.ts';
import type { Condition, Pod } from '../../kube/objects.ts';
import { listenerStatuses } from './addresses-core.ts';
import type { CertificateState } from './certificates.ts';
import { bootstrapName, kafkaPort, selectorLabels } from './desired/names.ts';
import {
  isPaused,
  isReady,
  isSetSeen,
  type Observed,
  ordinalOf,
  wantedBrokers,
} from './observed.ts';
import { type DueRestart, type RollPlan, shownPlan } from './roll-core.ts';
import { movesOf, type ScalePlan } from './scale-core.ts';
import type { StorageState } from './storage-core.ts';

export type ClusterStatus = NonNullable<KafkaCluster['status']>;

const LAST_RESTARTS_MAX = 10;

export interface Decided {
  readonly scale: ScalePlan;
  readonly roll: RollPlan;
  readonly storage: StorageState;
  /** What to show as the bootstrap address; null: the Service's name. */
  readonly bootstrap: string | null;
  /** Null: no listener has TLS. */
  readonly certificates: CertificateState | null;
  /** Whether something was changed just now whose effect is not to be seen yet. */
  readonly isApplying: boolean;
  /** What stands in the way of applying the objects, in words; null: nothing. */
  readonly fault: string | null;
}

type Judgement = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

function judge(type: string, holds: boolean, reason: string, message: string): Judgement {
  return { type, status: holds ? 'True' : 'False', reason, message };
}

function readyCondition({ cluster, pods }: Observed, { scale, fault }: Decided): Judgement {
  const wanted = wantedBrokers(cluster);
  const ready = pods.filter(isReady).length;
  if (fault !== null) return judge('Ready', false, 'ReconcileFailed', fault);
  if (cluster.spec.hibernated === true)
    return judge(
      'Ready',
      false,
      'Hibernated',
      pods.length === 0
        ? 'the cluster sleeps: set spec.hibernated to false to wake it'
        : `${pods.length} brokers are stopping`,
    );
  if (scale.refused !== null) return judge('Ready', false, 'ScaleDownRefused', scale.refused);
  const holds = ready >= Math.min(wanted, scale.replicas) && pods.length >= wanted;
  return judge(
    'Ready',
    holds,
    holds ? 'BrokersReady' : 'BrokersNotReady',
    `${Math.min(ready, wanted)} of ${wanted} brokers are ready`,
  );
}

function available({ pods, lines }: Observed): Judgement {
  const offline = lines.filter(({ leader }) => leader === null);
  if (!pods.some(isReady)) return judge('Available', false, 'NoBroker', 'no broker is ready');
  const [first] = offline;
  if (first === undefined)
    return judge('Available', true, 'Serving', 'every partition has a leader');
  const named = `${first.topic}-${first.partition}`;
  const which =
    offline.length === 1 ? `partition ${named} has` : `${offline.length} partitions have`;
  const hint = offline.length === 1 ? '' : `, ${named} among them`;
  return judge('Available', false, 'PartitionsOffline', `${which} no leader${hint}`);
}

function degraded({ brokers, lines }: Observed): Judgement {
  const failed = brokers.flatMap(({ spec, status }) =>
    (status?.failedLogDirs ?? []).map((one) => `broker ${spec.id}, ${one}`),
  );
  if (failed.length > 0) return judge('Degraded', true, 'LogDirectoryFailed', failed.join('; '));
  const weak = lines.filter(({ isr, replicas }) => isr.length < replicas.length);
  const [first] = weak;
  if (first === undefined) return judge('Degraded', false, 'InSync', 'every replica is in sync');
  return judge(
    'Degraded',
    true,
    'UnderReplicated',
    `${weak.length} partitions lack replicas in sync: ${first.topic}-${first.partition} has ${first.isr.length} of ${first.replicas.length}`,
  );
}

function progressing(observed: Observed, { scale, roll, isApplying }: Decided): Judgement {
  const { cluster, pods } = observed;
  const ready = pods.filter(isReady).length;
  const { due } = roll;
  if (due.length > 0) {
    const done = pods.length - due.length;
    const begun = due.filter(({ waitsFor }) => waitsFor === null);
    const [first] = due;
    const what =
      begun.length > 0
        ? `restarting ${begun.map(({ pod, reason }) => `${pod.metadata.name}: ${reason}`).join('; ')}`
        : `restart of ${first?.pod.metadata.name} waits: ${first?.waitsFor}`;
    const message = `${done} of ${pods.length} brokers are current; ${what}`;
    const isHeld =
      begun.length === 0 && /^(approval|the next maintenance)/.test(first?.waitsFor ?? '');
    return judge('Progressing', !isHeld, isHeld ? 'RestartHeld' : 'Rolling', message);
  }
  if (isApplying || !isSetSeen(observed))
    return judge('Progressing', true, 'Applying', 'Kubernetes is taking in what was applied');
  const moves = movesOf(observed, scale.draining);
  if (scale.draining > 0)
    return judge(
      'Progressing',
      true,
      'Draining',
      `brokers from ${wantedBrokers(cluster)} on are being emptied: ${moves?.message}`,
    );
  if (moves !== null) return judge('Progressing', true, 'Moving', moves.message);
  if (ready !== scale.replicas || pods.length !== scale.replicas)
    return judge('Progressing', true, 'Scaling', `${ready} of ${scale.replicas} brokers are ready`);
  return judge('Progressing', false, 'Settled', 'nothing is left to do');
}

function configValid({ brokers }: Observed): Judgement {
  const problems = brokers.flatMap(({ spec, status }) =>
    (status?.configProblems ?? []).map((problem) => ({ id: spec.id, problem })),
  );
  const [first] = problems;
  if (first === undefined)
    return judge('ConfigValid', true, 'Valid', 'every setting is known and possible');
  const all = [...new Set(problems.map(({ problem }) => problem))];
  return judge('ConfigValid', false, 'InvalidConfig', all.join('; '));
}

function certificatesValid({ certificates, fault }: CertificateState, now: string): Judgement {
  if (fault !== null) return judge('CertificatesValid', false, 'CertificateMissing', fault);
  const expired = certificates.find(({ notAfter }) => Date.parse(notAfter) <= Date.parse(now));
  if (expired !== undefined)
    return judge(
      'CertificatesValid',
      false,
      'CertificateExpired',
      `${expired.name} expired at ${expired.notAfter}`,
    );
  const [first] = [...certificates].sort((a, b) => a.notAfter.localeCompare(b.notAfter));
  return judge(
    'CertificatesValid',
    true,
    'Valid',
    `${first?.name} is the first to expire, at ${first?.notAfter}`,
  );
}

/** The restarts of before, and those that begin now; how long they took is filled in when it is known. */
export function restartsWith(
  { cluster, pods, now }: Observed,
  begun: readonly DueRestart[],
): LastRestart[] {
  const before = (cluster.status?.lastRestarts ?? []).map((one) => {
    if (one.seconds !== undefined) return one;
    const pod = pods.find((candidate) => ordinalOf(candidate) === one.broker);
    const readyAt = pod === undefined ? null : readySince(pod, one);
    return readyAt === null
      ? one
      : { ...one, seconds: Math.round((readyAt - Date.parse(one.startedAt)) / 1000) };
  });
  // One that was written down and never came to pass is begun again, not twice.
  const over = before.filter(
    (one) => one.seconds !== undefined || !begun.some(({ id }) => id === one.broker),
  );
  const fresh = begun.map(({ id, pod, reason }) => ({
    broker: id,
    reason,
    podUid: pod.metadata.uid ?? '',
    startedAt: now,
  }));
  return [...fresh, ...over].slice(0, LAST_RESTARTS_MAX);
}

/** When the pod that took the place of a deleted one became ready; null: not yet. */
function readySince(pod: Pod, { podUid, startedAt }: LastRestart): number | null {
  if (!isReady(pod) || pod.metadata.uid === podUid) return null;
  const ready = pod.status?.conditions?.find(({ type }) => type === 'Ready');
  const at = Date.parse(ready?.lastTransitionTime ?? '');
  return Number.isNaN(at) ? null : Math.max(at, Date.parse(startedAt));
}

export function clusterStatus(observed: Observed, decided: Decided): ClusterStatus {
  const { cluster, pods, now } = observed;
  const { scale, roll, storage, bootstrap } = decided;
  const generation = cluster.metadata.generation ?? 0;
  const wanted = wantedBrokers(cluster);
  const ready = pods.filter(isReady).length;
  const begun = roll.due.filter(({ waitsFor }) => waitsFor === null);
  const conditions = [
    readyCondition(observed, decided),
    available(observed),
    progressing(observed, decided),
    degraded(observed),
    configValid(observed),
    judge('StorageReady', storage.ready, storage.reason, storage.message),
    pausedCondition(isPaused(cluster)),
    ...(decided.certificates === null ? [] : [certificatesValid(decided.certificates, now)]),
  ].map((one) => ({ ...one, observedGeneration: generation }));
  const moves = movesOf(observed, scale.draining);
  const restarts = restartsWith(observed, begun);
  return {
    observedGeneration: generation,
    replicas: pods.length,
    readyReplicas: ready,
    brokers: `${ready}/${wanted}`,
    selector: Object.entries(selectorLabels(cluster))
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
    bootstrapServers:
      bootstrap ??
      `${bootstrapName(cluster)}.${cluster.metadata.namespace}.svc:${kafkaPort(cluster)}`,
    clusterId: clusterIdOf(cluster),
    listeners: listenerStatuses(observed),
    ...(roll.due.length === 0 ? {} : { plan: shownPlan(roll), planId: roll.planId ?? '' }),
    ...(restarts.length === 0 ? {} : { lastRestarts: restarts }),
    ...(moves === null ? {} : { moves }),
    ...(decided.certificates === null ? {} : { certificates: decided.certificates.certificates }),
    conditions: conditionsWith(ownConditions(cluster), conditions, now),
  };
}

/** Without what brokers say: that is theirs to change. */
export function ownConditions({ status }: KafkaCluster): readonly Condition[] {
  return (status?.conditions ?? []).filter(({ type }) => type !== RECOVERED_CONDITION);
}

function pausedCondition(paused: boolean): Judgement {
  return judge(
    'ReconciliationPaused',
    paused,
    paused ? 'Paused' : 'Active',
    paused
      ? 'changes wait until the annotation kafka.tenure.dev/paused is removed'
      : 'changes are acted on',
  );
}

/** A paused cluster: everything as it was last seen, and that it is paused. */
export function pausedStatus({ cluster, now }: Observed): ClusterStatus {
  const before = cluster.status ?? {};
  const observedGeneration = cluster.metadata.generation ?? 0;
  const condition = { ...pausedCondition(true), observedGeneration };
  return { ...before, conditions: conditionsWith(ownConditions(cluster), [condition], now) };
}
