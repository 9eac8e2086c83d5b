/** Objects that are asked for where it is tried who may do what. */
import {
  API_VERSION,
  CLUSTER_LABEL,
  type KafkaCluster,
  kafkaBrokers,
  kafkaClusterStates,
  kafkaPartitionMaps,
} from '../../kube/kafka-objects.ts';
import type { KubeObject, Resource } from '../../kube/objects.ts';

export const NAMESPACE = 'default';

/** Of an object, with the label of a cluster if it has one. */
export const metadata = (name: string, cluster?: string, namespace = NAMESPACE) => ({
  name,
  namespace,
  ...(cluster === undefined ? {} : { labels: { [CLUSTER_LABEL]: cluster } }),
});
/** An object of ours that belongs to a cluster. */
export const own = (of: Resource, name: string, cluster: string, spec: object = {}) =>
  ({
    apiVersion: API_VERSION,
    kind: of.kind,
    metadata: metadata(name, cluster),
    spec: { clusterRef: { name: cluster }, ...spec },
  }) as KubeObject;
/** A KafkaCluster. */
export const clusterNamed = (name: string, spec: object = {}) =>
  ({
    apiVersion: API_VERSION,
    kind: 'KafkaCluster',
    metadata: metadata(name),
    spec: { replicas: 3, ...spec },
  }) as unknown as KafkaCluster;
/** A Lease, of a cluster or of somebody else. */
export const lease = (name: string, cluster?: string) =>
  ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: metadata(name, cluster),
    spec: { holderIdentity: '0/x' },
  }) as KubeObject;
/** A page without partitions. */
export const page = (name: string, cluster: string) =>
  own(kafkaPartitionMaps as Resource, name, cluster, { controllerEpoch: 1, partitions: '' });
/** A cluster's state. */
export const state = (name: string, cluster: string) =>
  own(kafkaClusterStates as Resource, name, cluster, {
    clusterId: 'x',
    controllerEpoch: 1,
    nextProducerId: 0,
  });
/** A registered broker. */
export const broker = (name: string, cluster: string) =>
  own(kafkaBrokers as Resource, name, cluster, {
    id: 0,
    epoch: 1,
    host: 'h',
    port: 9092,
    replicationPort: 9091,
    version: '0',
    incarnation: 'i',
    keptSince: 1,
  });
/** An empty Secret. */
export const secret = (name: string, cluster?: string, namespace = NAMESPACE) =>
  ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: metadata(name, cluster, namespace),
    type: 'Opaque',
  }) as KubeObject;
/** A service account. */
export const account = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name, namespace: NAMESPACE },
});
/** Binds a service account to a role of its own name or another. */
export const bound = (who: string, roleRef: object) =>
  ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: who, namespace: NAMESPACE },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', ...roleRef },
    subjects: [{ kind: 'ServiceAccount', name: who, namespace: NAMESPACE }],
  }) as unknown as KubeObject;
