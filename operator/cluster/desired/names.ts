/** What the objects of a cluster are called, and what they have in common. Pure. */
import {
  API_VERSION,
  CLUSTER_LABEL,
  type KafkaCluster,
  type ListenerSpec,
} from '../../../kube/kafka-objects.ts';
import type { KubeObject, OwnerReference, Resource } from '../../../kube/objects.ts';

export interface Desired {
  readonly resource: Resource;
  readonly object: KubeObject;
}

export const KAFKA_PORT = 9092;
export const REPLICATION_PORT = 9091;
export const ADMIN_PORT = 9404;
/** On the Services of a listener: its name. */
export const LISTENER_LABEL = 'kafka.tenure.dev/listener';

export function brokersName({ metadata }: KafkaCluster): string {
  return `${metadata.name}-broker`;
}
export function headlessName({ metadata }: KafkaCluster): string {
  return `${metadata.name}-brokers`;
}
export function bootstrapName({ metadata }: KafkaCluster): string {
  return `${metadata.name}-bootstrap`;
}
export function podName(cluster: KafkaCluster, id: number): string {
  return `${brokersName(cluster)}-${id}`;
}
export function listenerBootstrapName({ metadata }: KafkaCluster, listener: string): string {
  return `${metadata.name}-${listener}-bootstrap`;
}
export function listenerBrokerName(
  { metadata }: KafkaCluster,
  listener: string,
  id: number,
): string {
  return `${metadata.name}-${listener}-${id}`;
}

export function listenersOf({ spec }: KafkaCluster): readonly ListenerSpec[] {
  return spec.listeners ?? [{ name: 'internal', port: KAFKA_PORT, type: 'internal' }];
}

export function isExternal({ type }: ListenerSpec): boolean {
  return type !== 'internal';
}

/** The port of the first listener inside the cluster, or of the first one at all. */
export function kafkaPort(cluster: KafkaCluster): number {
  const all = listenersOf(cluster);
  return (all.find((one) => !isExternal(one)) ?? all[0])?.port ?? KAFKA_PORT;
}

export function selectorLabels({ metadata }: KafkaCluster): Record<string, string> {
  return { [CLUSTER_LABEL]: metadata.name, 'app.kubernetes.io/component': 'broker' };
}

export function labels(cluster: KafkaCluster): Record<string, string> {
  return {
    ...selectorLabels(cluster),
    'app.kubernetes.io/name': 'kafka',
    'app.kubernetes.io/instance': cluster.metadata.name,
    'app.kubernetes.io/managed-by': 'tenure',
  };
}

function owner({ metadata }: KafkaCluster): OwnerReference {
  return {
    apiVersion: API_VERSION,
    kind: 'KafkaCluster',
    name: metadata.name,
    uid: metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** An object of the cluster's: in its namespace, with its labels, owned by it. */
export function object(
  cluster: KafkaCluster,
  of: { resource: Resource; name: string; labels?: object; annotations?: object | undefined },
  body: object,
): Desired {
  const { group, version, kind } = of.resource;
  const { namespace = 'default' } = cluster.metadata;
  return {
    resource: of.resource,
    object: {
      apiVersion: group === '' ? version : `${group}/${version}`,
      kind,
      metadata: {
        name: of.name,
        namespace,
        labels: { ...labels(cluster), ...of.labels },
        ...(of.annotations === undefined ? {} : { annotations: of.annotations }),
        ownerReferences: [owner(cluster)],
      },
      ...body,
    } as KubeObject,
  };
}

export function resource(group: string, kind: string, plural: string): Resource {
  return { group, version: 'v1', plural, kind, namespaced: true };
}
