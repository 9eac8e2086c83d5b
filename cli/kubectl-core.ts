/** What `kubectl tenure` says of a cluster. Pure: objects in, lines of text out. */
import { conditionOf } from '../kube/conditions.ts';
import {
  type KafkaBroker,
  type KafkaCluster,
  type KafkaTopic,
  RECOVERED_CONDITION,
} from '../kube/kafka-objects.ts';
import type { Pod } from '../kube/objects.ts';
import { isMoving, type PartitionLine } from '../kube/partition-line.ts';

export interface ClusterFacts {
  readonly cluster: KafkaCluster;
  readonly brokers: readonly KafkaBroker[];
  readonly topics: readonly KafkaTopic[];
  readonly lines: readonly PartitionLine[];
  readonly pods: readonly Pod[];
}

export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>(
    (most, row) => row.map((cell, i) => Math.max(most[i] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('   ')
      .trimEnd(),
  );
}

const shown = (value: number | string | undefined) => String(value ?? '-');

export function statusLines({ cluster, brokers, lines, topics }: ClusterFacts): string[] {
  const { metadata, status } = cluster;
  const weak = lines.filter(({ isr, replicas }) => isr.length < replicas.length).length;
  const offline = lines.filter(({ leader }) => leader === null).length;
  const conditions = (status?.conditions ?? []).map(({ type, status: state, reason, message }) => [
    type,
    state,
    reason,
    message,
  ]);
  const sorted = [...brokers].sort((a, b) => a.spec.id - b.spec.id);
  return [
    `${metadata.namespace}/${metadata.name}   ${status?.brokers ?? '0/?'} brokers   ${status?.bootstrapServers ?? ''}`,
    `${topics.length} topics, ${lines.length} partitions: ${weak} under-replicated, ${offline} offline, ${lines.filter(isMoving).length} moving`,
    '',
    ...table([['CONDITION', 'STATUS', 'REASON', 'MESSAGE'], ...conditions]),
    '',
    ...table([
      ['BROKER', 'STATE', 'LEADERS', 'REPLICAS', 'UNDER-REPLICATED', 'RACK', 'VERSION', 'HOST'],
      ...sorted.map(({ spec, status: of }) => [
        String(spec.id),
        shown(of?.state),
        shown(of?.leaders),
        shown(of?.replicas),
        shown(of?.underReplicated),
        shown(spec.rack),
        spec.version,
        spec.host,
      ]),
    ]),
    ...lastRestartLines(cluster),
  ];
}

function lastRestartLines({ status }: KafkaCluster): string[] {
  const restarts = status?.lastRestarts ?? [];
  if (restarts.length === 0) return [];
  return [
    '',
    ...table([
      ['RESTARTED', 'AT', 'TOOK', 'WHY'],
      ...restarts.map(({ broker, reason, seconds, startedAt }) => [
        `broker ${broker}`,
        startedAt,
        seconds === undefined ? 'not ready yet' : `${seconds} s`,
        reason,
      ]),
    ]),
  ];
}

export function planLines({ status }: KafkaCluster): string[] {
  const plan = status?.plan ?? [];
  if (plan.length === 0) return ['nothing is to be restarted'];
  return [
    `plan ${status?.planId}`,
    ...table([
      ['RESTART', 'WHY', 'WAITS FOR'],
      ...plan.map(({ broker, reason, waitsFor }) => [
        `broker ${broker}`,
        reason,
        waitsFor ?? 'nothing: it begins now',
      ]),
    ]),
  ];
}

/** What is wrong or will be, each with what to do about it; empty: nothing is. */
export function findings(facts: ClusterFacts, now: string): string[] {
  const { cluster, brokers, lines, pods, topics } = facts;
  const found: string[] = [];
  const { conditions = [] } = cluster.status ?? {};
  const recovered = conditionOf(conditions, RECOVERED_CONDITION);
  if (recovered?.status === 'False' || recovered?.reason === 'RecoveredWithLoss')
    found.push(`${recovered.reason}: ${recovered.message}`);
  for (const type of ['Ready', 'Available', 'StorageReady', 'ConfigValid', 'CertificatesValid']) {
    const condition = conditionOf(conditions, type);
    if (condition?.status === 'False') found.push(`${type}: ${condition.message}`);
  }
  if (conditions.length === 0)
    found.push(
      'the operator has not looked at this cluster: is it running, and does it watch this namespace?',
    );
  for (const type of ['Degraded', 'ReconciliationPaused']) {
    const condition = conditionOf(conditions, type);
    if (condition?.status === 'True') found.push(`${type}: ${condition.message}`);
  }
  if (
    cluster.status !== undefined &&
    cluster.status.observedGeneration !== cluster.metadata.generation
  )
    found.push('the last change of the spec has not been acted on yet');
  for (const pod of pods) {
    const waiting = pod.status?.containerStatuses?.[0]?.state?.waiting;
    if (waiting !== undefined)
      found.push(
        `pod ${pod.metadata.name} waits: ${waiting.reason} ${waiting.message ?? ''}`.trim(),
      );
    const scheduled = conditionOf(pod.status?.conditions, 'PodScheduled');
    if (scheduled?.status === 'False')
      found.push(`pod ${pod.metadata.name} has no node: ${scheduled.message}`);
    const restarts = pod.status?.containerStatuses?.[0]?.restartCount ?? 0;
    if (restarts > 3)
      found.push(`pod ${pod.metadata.name} was restarted ${restarts} times: see its logs`);
  }
  for (const { metadata, spec, status } of topics) {
    const ready = conditionOf(status?.conditions, 'Ready');
    if (ready?.status === 'False') found.push(`topic ${metadata.name}: ${ready.message}`);
    const min = Number(
      spec.config?.['min.insync.replicas'] ?? cluster.spec.config?.['min.insync.replicas'] ?? 1,
    );
    const replicas = status?.replicas ?? spec.replicas ?? 0;
    if (replicas > 1 && replicas <= min)
      found.push(
        `topic ${metadata.name} has ${replicas} replicas and min.insync.replicas ${min}: one lost broker stops acks=all producers`,
      );
    if (replicas === 1 && cluster.spec.replicas > 1)
      found.push(`topic ${metadata.name} has one replica: a lost volume loses its records`);
  }
  const left = lines.filter(
    ({ elr, isr, leader }) =>
      leader === null &&
      ![...isr, ...elr].some(({ id, epoch }) =>
        brokers.some(({ spec }) => spec.id === id && spec.epoch === epoch),
      ),
  );
  if (left.length > 0)
    found.push(
      `${left.length} partitions have no leader, ${left[0]?.topic}-${left[0]?.partition} among them, and nobody who is here has everything: wait for the volumes of brokers that were in sync, or let the fullest replica lead, whatever it lacks: kubectl patch kafkacluster ${cluster.metadata.name} --type merge --patch '{"spec":{"recovery":{"allowLoss":true}}}'`,
    );
  const alone = lines.filter(({ isr, replicas }) => replicas.length > 1 && isr.length === 1);
  if (alone.length > 0)
    found.push(`${alone.length} partitions have a single replica in sync: do not stop brokers now`);
  const versions = new Set(brokers.map(({ spec }) => spec.version));
  if (versions.size > 1)
    found.push(`brokers run ${[...versions].join(' and ')}: an upgrade is under way`);
  for (const { name, notAfter } of cluster.status?.certificates ?? [])
    if (Date.parse(notAfter) - Date.parse(now) < 7 * 24 * 3600 * 1000)
      found.push(`certificate ${name} expires at ${notAfter}`);
  return found;
}
