/**
 * In which rack this broker is: what the operator wrote on its pod once the pod had a node. Without
 * the operator it is the rack of the life before, as far as that is known.
 */
import { kafkaBrokers } from '../../kube/kafka-objects.ts';
import { pods } from '../../kube/objects.ts';
import type { KubeApi } from '../../kube/port.ts';
import { expectNoBug } from '../../stdx/bug.ts';
import { type Clock, sleep } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';

const LOOK_MS = 200;
const PATIENCE_MS = 15_000;

export async function findRack(
  deps: { readonly api: KubeApi; readonly clock: Clock; readonly logger: Logger },
  of: {
    readonly namespace: string;
    readonly pod: string;
    readonly annotation: string;
    /** Name of this broker's KafkaBroker. */
    readonly broker: string;
  },
): Promise<string | null> {
  const { api, clock, logger } = deps;
  const deadlineMs = clock.monotonicMs() + PATIENCE_MS;
  while (clock.monotonicMs() < deadlineMs) {
    try {
      const pod = await api.get(pods, of.namespace, of.pod);
      const rack = pod?.metadata.annotations?.[of.annotation];
      if (rack !== undefined) return rack === '' ? null : rack;
    } catch (cause) {
      expectNoBug('reading the pod', cause);
      logger.debug('reading the pod failed', { cause });
    }
    await sleep(clock, LOOK_MS);
  }
  const former = await api.get(kafkaBrokers, of.namespace, of.broker).catch(() => null);
  const rack = former?.spec.rack ?? null;
  logger.warn('nobody has said in which rack this broker is: is the operator away?', {
    rack,
  });
  return rack;
}
