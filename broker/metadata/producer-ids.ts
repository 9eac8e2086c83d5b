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
import { Deposed } from './pages.ts';

const BLOCK = 1000;

export interface ClusterStateOptions {
  readonly namespace: string;
  readonly cluster: string;
  readonly clusterId: string;
  readonly owner: OwnerReference;
}

function checkNotClaimed({ spec }: KafkaClusterState, controllerEpoch: number): void {
  if (spec.controllerEpoch > controllerEpoch)
    throw new Deposed('a newer controller has claimed the cluster');
}

/**
 * Claims the cluster's state object for a controller epoch; null: there is none, as of a new cluster, or of one
 * whose memory is lost.
 */
export async function claimClusterState(
  api: KubeApi,
  of: ClusterStateOptions,
  controllerEpoch: number,
): Promise<KafkaClusterState | null> {
  for (;;) {
    const current = await api.get(kafkaClusterStates, of.namespace, of.cluster);
    if (current === null) return null;
    checkNotClaimed(current, controllerEpoch);
    const isOwned = current.metadata.ownerReferences?.some(({ uid }) => uid === of.owner.uid);
    if (current.spec.controllerEpoch === controllerEpoch && isOwned === true) return current;
    try {
      return await api.replace(kafkaClusterStates, {
        ...current,
        metadata: { ...current.metadata, ownerReferences: [of.owner] },
        spec: { ...current.spec, controllerEpoch },
      });
    } catch (cause) {
      if (!isKubeError(cause, 409)) throw cause;
    }
  }
}

/** The last act of a new cluster's first controller, and of one that recovered a cluster. */
export function createClusterState(
  api: KubeApi,
  of: ClusterStateOptions,
  spec: Omit<KafkaClusterState['spec'], 'clusterRef'>,
): Promise<KafkaClusterState> {
  return api.create(kafkaClusterStates, {
    apiVersion: API_VERSION,
    kind: 'KafkaClusterState',
    metadata: {
      name: of.cluster,
      namespace: of.namespace,
      labels: { [CLUSTER_LABEL]: of.cluster },
      ownerReferences: [of.owner],
    },
    spec: { clusterRef: { name: of.cluster }, ...spec },
  });
}

/**
 * Numbers that must not be lower; those that are higher stay.
 * @throws Deposed where a newer controller has claimed it: what an earlier one found out says nothing any more
 */
export async function raiseClusterState(
  api: KubeApi,
  of: ClusterStateOptions,
  to: {
    readonly controllerEpoch: number;
    readonly nextProducerId: number;
    readonly storeGeneration?: number;
    readonly recovering?: boolean;
  },
): Promise<KafkaClusterState> {
  for (;;) {
    const current = await api.get(kafkaClusterStates, of.namespace, of.cluster);
    if (current === null) throw new Error('the state of the cluster is gone');
    checkNotClaimed(current, to.controllerEpoch);
    const { recovering: was = false, ...spec } = current.spec;
    const recovering = to.recovering ?? was;
    const storeGeneration = Math.max(spec.storeGeneration ?? 0, to.storeGeneration ?? 0);
    const nextProducerId = Math.max(spec.nextProducerId, to.nextProducerId);
    try {
      return await api.replace(kafkaClusterStates, {
        ...current,
        spec: { ...spec, nextProducerId, storeGeneration, ...(recovering ? { recovering } : {}) },
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

/**
 * Takes a block by compare-and-swap: nobody gets the same ids, whatever becomes of the answer.
 * @param used ids below this one may be in use, whatever the API remembers
 */
export async function takeProducerIds(
  api: KubeApi,
  of: ClusterStateOptions,
  used: number,
): Promise<{ first: number; count: number }> {
  for (;;) {
    const current = await api.get(kafkaClusterStates, of.namespace, of.cluster);
    if (current === null)
      throw new KafkaError('COORDINATOR_NOT_AVAILABLE', 'the cluster state does not exist yet');
    const first = Math.max(current.spec.nextProducerId, used);
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
