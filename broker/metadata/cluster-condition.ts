/** What brokers say of their cluster to people: one condition of the KafkaCluster, and an Event when it changes. */
import { conditionOf } from '../../kube/conditions.ts';
import { tell } from '../../kube/events.ts';
import {
  API_VERSION,
  type KafkaCluster,
  kafkaClusters,
  RECOVERED_CONDITION,
} from '../../kube/kafka-objects.ts';
import type { KubeApi } from '../../kube/port.ts';
import { expectNoBug } from '../../stdx/bug.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';

const FIELD_MANAGER = 'tenure-broker';
const MESSAGE_LENGTH_MAX = 16_384;

export interface Saying {
  readonly status: 'True' | 'False';
  readonly reason:
    | 'VolumesOfAnotherCluster'
    | 'VolumesDiffer'
    | 'AwaitingBrokers'
    | 'LossNotAllowed'
    | 'RecoveredWithLoss'
    | 'Recovered';
  readonly message: string;
}

/** Says whether the cluster has got back what its volumes hold. Nothing is decided by it. */
export async function sayRecovered(
  deps: { readonly api: KubeApi; readonly clock: Clock; readonly logger: Logger },
  cluster: KafkaCluster,
  { message: words, reason, status }: Saying,
): Promise<void> {
  const { api, clock, logger } = deps;
  const message = words.slice(0, MESSAGE_LENGTH_MAX);
  const before = conditionOf(cluster.status?.conditions, RECOVERED_CONDITION);
  if (before?.reason === reason && before.message === message) return;
  const { namespace = '', name, generation = 0 } = cluster.metadata;
  const now = new Date(clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  const condition = {
    type: RECOVERED_CONDITION,
    status,
    reason,
    message,
    observedGeneration: generation,
    lastTransitionTime: before?.status === status ? before.lastTransitionTime : now,
  };
  const object = {
    apiVersion: API_VERSION,
    kind: 'KafkaCluster',
    metadata: { name, namespace },
    status: { conditions: [condition] },
  } as unknown as KafkaCluster;
  try {
    await api.apply(kafkaClusters, object, { fieldManager: FIELD_MANAGER, subresource: 'status' });
  } catch (cause) {
    expectNoBug('telling of a recovery', cause);
    logger.warn('the condition of the cluster was not written', { reason, cause });
  }
  const isBad = status === 'False' || reason === 'RecoveredWithLoss';
  const telling = { type: isBad ? 'Warning' : 'Normal', reason, message } as const;
  const about = { ...cluster, apiVersion: API_VERSION, kind: 'KafkaCluster' };
  await tell(deps, about, {
    telling: { ...telling, component: FIELD_MANAGER },
    nowMs: clock.nowMs(),
  });
}
