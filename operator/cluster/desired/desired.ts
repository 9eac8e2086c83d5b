/** The Kubernetes objects that a KafkaCluster calls for. Pure: the same input gives the same objects. */
import type { KafkaCluster } from '../../../kube/kafka-objects.ts';
import type { StatefulSet } from '../../../kube/objects.ts';
import type { PeerTls } from '../peer-tls-core.ts';
import { access } from './access.ts';
import type { Desired } from './names.ts';
import { monitors, protection } from './protection.ts';
import { clientConfig, networkServices } from './services.ts';
import { type OperatorDefaults, statefulSet } from './stateful-set.ts';

export interface DesiredInput {
  readonly cluster: KafkaCluster;
  readonly defaults: OperatorDefaults;
  /** How many brokers run; fewer than wanted while the cluster sleeps, more while some are emptied. */
  readonly replicas: number;
  /** The StatefulSet as it is. */
  readonly live: StatefulSet | null;
  /** Whether a broker may be evicted now. */
  readonly mayEvict: boolean;
  readonly bootstrapServers: string;
  /** How brokers speak to each other from now on. */
  readonly peerTls: PeerTls;
}

/** Everything, in an order in which each can be made. */
export function desiredObjects(of: DesiredInput): Desired[] {
  const { cluster, defaults, replicas, live } = of;
  // Addresses of brokers stay while the cluster sleeps.
  const addressed = Math.max(replicas, cluster.spec.replicas);
  return [
    ...access(cluster),
    ...networkServices(cluster, addressed),
    clientConfig(cluster, of.bootstrapServers),
    statefulSet(cluster, defaults, { replicas, live, peerTls: of.peerTls }),
    ...protection(cluster, of.mayEvict),
    ...monitors(cluster),
  ];
}
