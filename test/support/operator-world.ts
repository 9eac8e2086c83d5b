/** Pieces of a cluster for tests of the operator's decisions. */

import type { KafkaCluster } from '../../kube/kafka-objects.ts';
import type { Pod, StatefulSet } from '../../kube/objects.ts';
import type { PartitionLine } from '../../kube/partition-line.ts';
import type { Observed } from '../../operator/cluster/observed.ts';

export const clusterOf = (
  spec: Partial<KafkaCluster['spec']> = {},
  more: { annotations?: Record<string, string>; status?: KafkaCluster['status'] } = {},
): KafkaCluster => ({
  apiVersion: 'kafka.tenure.dev/v1beta1',
  kind: 'KafkaCluster',
  metadata: {
    name: 'c',
    namespace: 'n',
    uid: '00000000-0000-4000-8000-000000000001',
    generation: 1,
    ...(more.annotations === undefined ? {} : { annotations: more.annotations }),
  },
  spec: { replicas: 3, ...spec },
  ...(more.status === undefined ? {} : { status: more.status }),
});

export const podOf = (
  id: number,
  of: {
    revision?: string;
    ready?: boolean;
    image?: string;
    node?: string;
    made?: string;
    uid?: string;
  } = {},
): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: `c-broker-${id}`,
    namespace: 'n',
    uid: of.uid ?? `pod-${id}`,
    labels: { 'controller-revision-hash': of.revision ?? 'c-broker-new' },
    ...(of.made === undefined ? {} : { creationTimestamp: of.made }),
  },
  spec: {
    containers: [{ name: 'broker', image: of.image ?? 'tenure:1' }],
    ...(of.node === undefined ? {} : { nodeName: of.node }),
  },
  status: {
    conditions: [
      {
        type: 'Ready',
        status: of.ready === false ? 'False' : 'True',
        reason: '',
        message: '',
        lastTransitionTime: of.made ?? '',
      },
    ],
  },
});

export const setOf = (replicas = 3): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'c-broker' },
  spec: {
    replicas,
    selector: { matchLabels: {} },
    template: { spec: { containers: [{ name: 'broker', image: 'tenure:1' }] } },
  },
  status: { updateRevision: 'c-broker-new' },
});

export const lineOf = (
  replicas: readonly number[],
  of: Partial<Omit<PartitionLine, 'isr'>> & { isr?: readonly number[] } = {},
): PartitionLine => {
  const { isr = replicas, ...more } = of;
  return {
    topic: 'orders',
    topicId: 'x',
    partition: 3,
    leader: { id: isr[0] ?? 0, epoch: 1 },
    leaderEpoch: 0,
    partitionEpoch: 0,
    replicas,
    isr: isr.map((id) => ({ id, epoch: 1 })),
    elr: [],
    adding: [],
    removing: [],
    ...more,
  };
};

export const observedOf = (more: Partial<Observed> = {}): Observed => ({
  cluster: clusterOf(),
  statefulSet: setOf(),
  pods: [podOf(0), podOf(1), podOf(2)],
  brokers: [],
  lines: [lineOf([0, 1, 2])],
  topics: [],
  services: [],
  claims: [],
  nodes: new Map(),
  controllerId: -1,
  now: '2026-01-01T00:00:00Z',
  ...more,
});
