/** What keeps others from harming a cluster: disruption budget, network policy, and who watches it. Pure. */
import type { KafkaCluster } from '../../../kube/kafka-objects.ts';
import {
  ADMIN_PORT,
  brokersName,
  type Desired,
  listenersOf,
  object,
  REPLICATION_PORT,
  resource,
  selectorLabels,
} from './names.ts';

const budgets = resource('policy', 'PodDisruptionBudget', 'poddisruptionbudgets');
const networkPolicies = resource('networking.k8s.io', 'NetworkPolicy', 'networkpolicies');
export const podMonitors = resource('monitoring.coreos.com', 'PodMonitor', 'podmonitors');

/**
 * While some partition lacks a replica nobody may evict a broker: Kubernetes knows when a pod is
 * ready, and only we know when it has caught up.
 */
export function protection(cluster: KafkaCluster, mayEvict: boolean): Desired[] {
  const name = brokersName(cluster);
  const matchLabels = selectorLabels(cluster);
  const port = (number: number) => ({ port: number, protocol: 'TCP' });
  return [
    object(
      cluster,
      { resource: budgets, name },
      {
        spec: {
          maxUnavailable: mayEvict ? 1 : 0,
          selector: { matchLabels },
          unhealthyPodEvictionPolicy: 'AlwaysAllow',
        },
      },
    ),
    object(
      cluster,
      { resource: networkPolicies, name },
      {
        spec: {
          podSelector: { matchLabels },
          policyTypes: ['Ingress'],
          ingress: [
            { ports: [...listenersOf(cluster).map((one) => port(one.port)), port(ADMIN_PORT)] },
            { from: [{ podSelector: { matchLabels } }], ports: [port(REPLICATION_PORT)] },
          ],
        },
      },
    ),
  ];
}

/** For the Prometheus operator, where it is asked for. */
export function monitors(cluster: KafkaCluster): Desired[] {
  if (cluster.spec.metrics?.podMonitor !== true) return [];
  return [
    object(
      cluster,
      { resource: podMonitors, name: brokersName(cluster) },
      {
        spec: {
          selector: { matchLabels: selectorLabels(cluster) },
          podMetricsEndpoints: [{ port: 'metrics', path: '/metrics' }],
        },
      },
    ),
  ];
}
