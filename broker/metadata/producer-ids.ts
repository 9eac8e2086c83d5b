/** Producer ids: blocks from the cluster's one counter, handed out by the controller. */
import {
  API_VERSION,
  CLUSTER_LABEL,
  type KafkaClusterState,
  kafkaClusterStates,
} from '../../kube/kafka-objects.ts';
import type { OwnerReference } from '../../kube/objects.ts';
import { isKubeError, type KubeApi } from '../../kube/port.ts';
import { KafkaError } from '../../proto/kafka/errors.ts';

const BLOCK = 1000;

export interface ClusterStateOptions {
  readonly namespace: string;
  readonly cluster: string;
  readonly clusterId: string;
  readonly owner: OwnerReference;
}

/** Reads or makes the cluster's state object, claimed for a controller epoch. */
export async function claimClusterState(
  api: KubeApi,
  of: ClusterStateOptions,
  controllerEpoch: number,
): Promise<KafkaClusterState> {
  for (;;) {
    const current = await api.get(kafkaClusterStates, of.namespace, of.cluster);
    try {
      if (current === null) {
        return await api.create(kafkaClusterStates, {
          apiVersion: API_VERSION,
          kind: 'KafkaClusterState',
          metadata: {
            name: of.cluster,
            namespace: of.namespace,
            labels: { [CLUSTER_LABEL]: of.cluster },
            ownerReferences: [of.owner],
          },
          spec: {
            clusterRef: { name: of.cluster },
            clusterId: of.clusterId,
            controllerEpoch,
            nextProducerId: 0,
          },
        });
      }
      if (current.spec.controllerEpoch > controllerEpoch)
        throw new Error('a newer controller has claimed the cluster');
      return await api.replace(kafkaClusterStates, {
        ...current,
        spec: { ...current.spec, controllerEpoch },
      });
    } catch (cause) {
      if (!isKubeError(cause, 409)) throw cause;
    }
  }
}

/** Notes over how many brokers replicas are spread, unless a newer controller is at work. */
export async function noteBalanced(
  api: KubeApi,
  of: ClusterStateOptions,
  to: { readonly brokers: number; readonly controllerEpoch: number },
): Promise<void> {
  for (;;) {
    const current = await api.get(kafkaClusterStates, of.namespace, of.cluster);
    if (current === null || current.spec.controllerEpoch > to.controllerEpoch) return;
    if (current.spec.balancedBrokers === to.brokers) return;
    try {
      const spec = { ...current.spec, balancedBrokers: to.brokers };
      await api.replace(kafkaClusterStates, { ...current, spec });
      return;
    } catch (cause) {
      if (!isKubeError(cause, 409)) throw cause;
    }
  }
}

/** Takes a block by compare-and-swap: nobody gets the same ids, whatever becomes of the answer. */
export async function takeProducerIds(
  api: KubeApi,
  of: ClusterStateOptions,
): Promise<{ first: number; count: number }> {
  for (;;) {
    const current = await api.get(kafkaClusterStates, of.namespace, of.cluster);
    if (current === null)
      throw new KafkaError('COORDINATOR_NOT_AVAILABLE', 'the cluster state does not exist yet');
    const first = current.spec.nextProducerId;
    try {
      await api.replace(kafkaClusterStates, {
        ...current,
        spec: { ...current.spec, nextProducerId: first + BLOCK },
      });
      return { first, count: BLOCK };
    } catch (cause) {
      if (!isKubeError(cause, 409)) throw cause;
    }
  }
}

/** Hands out ids of a block and asks for the next one when it is used up. */
export class ProducerIds {
  private readonly allocate: () => Promise<{ first: number; count: number }>;
  private next = 0;
  private end = 0;
  private pending: Promise<void> | null = null;

  constructor(allocate: () => Promise<{ first: number; count: number }>) {
    this.allocate = allocate;
  }

  async take(): Promise<number> {
    while (this.next >= this.end) {
      this.pending ??= this.allocate()
        .then(({ first, count }) => {
          this.next = first;
          this.end = first + count;
        })
        .finally(() => {
          this.pending = null;
        });
      await this.pending;
    }
    return this.next++;
  }
}
