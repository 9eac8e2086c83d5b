/** What the operator tells Prometheus, in the shapes that operators of Kafka are watched by. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { conditionOf } from '../kube/conditions.ts';
import type { Views } from './cluster-views.ts';
import type { WorkQueue } from './queue.ts';

export function operatorMetrics(of: {
  queue: WorkQueue;
  views: Views;
  isLeading: () => boolean;
}): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  const registers = [registry];
  const { queue, views, isLeading } = of;
  const count = (name: string, help: string, value: () => number) =>
    new Counter({
      name,
      help,
      labelNames: ['kind'],
      registers,
      collect() {
        this.reset();
        this.inc({ kind: 'KafkaCluster' }, value());
      },
    });
  count('tenure_reconciliations_total', 'Reconciles.', () => queue.reconciled + queue.failed);
  count(
    'tenure_reconciliations_successful_total',
    'Reconciles that ended well.',
    () => queue.reconciled,
  );
  count(
    'tenure_reconciliations_failed_total',
    'Reconciles that failed and are tried again.',
    () => queue.failed,
  );
  const gauge = (name: string, help: string, labelNames: string[], set: (of: Gauge) => void) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        set(this);
      },
    });
  gauge('tenure_resources', 'Objects that the operator answers for.', ['kind'], (of) => {
    of.set({ kind: 'KafkaCluster' }, views.clusters.size);
    of.set({ kind: 'KafkaTopic' }, views.topics.size);
  });
  gauge('tenure_reconciliations_in_progress', 'Reconciles under way.', [], (of) => {
    of.set(queue.inProgress);
  });
  gauge('tenure_operator_leading', 'Whether this operator is the one that acts.', [], (of) => {
    of.set(Number(isLeading()));
  });
  gauge(
    'tenure_cluster_condition',
    'Conditions of clusters: 1 where the condition is True.',
    ['namespace', 'cluster', 'condition'],
    (of) => {
      for (const { metadata, status } of views.clusters.all())
        for (const condition of ['Ready', 'Available', 'Progressing', 'Degraded', 'ConfigValid'])
          of.set(
            { namespace: metadata.namespace ?? '', cluster: metadata.name, condition },
            Number(conditionOf(status?.conditions, condition)?.status === 'True'),
          );
    },
  );
  gauge(
    'tenure_certificate_expiration_timestamp_ms',
    'When a certificate expires.',
    ['namespace', 'cluster', 'certificate'],
    (of) => {
      for (const { metadata, status } of views.clusters.all())
        for (const { name, notAfter } of status?.certificates ?? [])
          of.set(
            { namespace: metadata.namespace ?? '', cluster: metadata.name, certificate: name },
            Date.parse(notAfter),
          );
    },
  );
  return registry;
}
