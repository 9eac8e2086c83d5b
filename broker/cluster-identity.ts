/** A broker's first question: which cluster is this, and are its volumes that cluster's? */
import { type KafkaCluster, kafkaClusterStates, kafkaClusters } from '../kube/kafka-objects.ts';
import type { KubeApi } from '../kube/port.ts';
import { expectNoBug } from '../stdx/bug.ts';
import { type Clock, sleep } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';
import { sayRecovered } from './metadata/cluster-condition.ts';
import { identify } from './metadata/identity-core.ts';

const RETRY_MS = 500;
const WAIT_MS = 2_000;

export interface Identified {
  readonly cluster: KafkaCluster;
  readonly clusterId: string;
}

export interface Unidentified {
  readonly namespace: string;
  readonly cluster: string;
  readonly broker: number;
  /** Ids of clusters that something on the volumes belongs to. */
  readonly held: () => readonly string[];
  readonly onWait: (why: string) => void;
}

/** Tries until it is known; where it may not be, it says why and waits, and changes nothing. */
export async function identifyCluster(
  deps: { readonly api: KubeApi; readonly clock: Clock; readonly logger: Logger },
  of: Unidentified,
): Promise<Identified> {
  const { api, clock, logger } = deps;
  const { broker, namespace } = of;
  let told = '';
  for (;;) {
    let waitMs = RETRY_MS;
    try {
      const cluster = await api.get(kafkaClusters, namespace, of.cluster);
      const state = await api.get(kafkaClusterStates, namespace, of.cluster);
      if (cluster === null)
        logger.warn('the KafkaCluster does not exist', { namespace, cluster: of.cluster });
      else {
        const stored = state?.spec.clusterId ?? null;
        const identity = identify({ cluster, stored, broker, held: of.held() });
        if ('clusterId' in identity) return { cluster, clusterId: identity.clusterId };
        waitMs = WAIT_MS;
        const { waits } = identity;
        of.onWait(waits.message);
        if (waits.message !== told) logger.error('the broker waits', { why: waits.message });
        if (waits.message !== told) await sayRecovered(deps, cluster, waits);
        told = waits.message;
      }
    } catch (cause) {
      expectNoBug('finding out which cluster this is', cause);
      logger.warn('the Kubernetes API does not answer', { cause });
    }
    await sleep(clock, waitMs);
  }
}
