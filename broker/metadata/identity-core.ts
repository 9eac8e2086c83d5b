/** Which cluster a broker belongs to, by what its cluster's objects say and its volumes hold. Pure. */
import { clusterIdNamed, clusterIdOf, type KafkaCluster } from '../../kube/kafka-objects.ts';
import type { Saying } from './cluster-condition.ts';

export interface Identifiable {
  readonly cluster: KafkaCluster;
  /** What the object with the cluster's state says; null: it is not there. */
  readonly stored: string | null;
  /** Ids of clusters that something on the broker's volumes belongs to. */
  readonly held: readonly string[];
  readonly broker: number;
}

export type Identity = { readonly clusterId: string } | { readonly waits: Saying };

/**
 * A cluster has the id that was stored for it. Where none is, volumes that hold something are taken over if the
 * object names their id, or the owner asks for it; a broker with other volumes waits, and empties nothing.
 */
export function identify({ broker, cluster, held, stored }: Identifiable): Identity {
  const { name, namespace } = cluster.metadata;
  const [volume] = held;
  const wait = (reason: Saying['reason'], message: string): Identity => ({
    waits: { status: 'False', reason, message },
  });
  if (held.length > 1)
    return wait(
      'VolumesDiffer',
      `the volumes of broker ${broker} belong to clusters ${held.join(' and ')}: the right volumes must be mounted`,
    );
  if (stored !== null) {
    if (volume === undefined || volume === stored) return { clusterId: stored };
    return wait(
      'VolumesOfAnotherCluster',
      `the volumes of broker ${broker} belong to cluster ${volume}, and this is cluster ${stored}: the right volumes must be mounted`,
    );
  }
  if (volume === undefined || volume === clusterIdOf(cluster) || volume === clusterIdNamed(cluster))
    return { clusterId: clusterIdOf(cluster) };
  if (cluster.spec.recovery?.adoptVolumes === true) return { clusterId: volume };
  const recovery = JSON.stringify({ spec: { recovery: { adoptVolumes: true } } });
  return wait(
    'VolumesOfAnotherCluster',
    `the volumes of broker ${broker} hold records of cluster ${volume}, which had this name before: to take them over, kubectl patch kafkacluster ${name} --namespace ${namespace} --type merge --patch '${recovery}'; to begin without them, delete the claims`,
  );
}
