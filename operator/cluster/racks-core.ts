/** Which pods are to be told their rack: the label of the node on which they run. Pure. */
import { annotations } from '../../kube/kafka-objects.ts';
import type { Pod } from '../../kube/objects.ts';
import type { Observed } from './observed.ts';

export function planRacks({
  cluster,
  nodes,
  pods,
}: Observed): { readonly pod: Pod; readonly rack: string }[] {
  const { rack } = cluster.spec;
  if (rack === undefined) return [];
  return pods.flatMap((pod) => {
    const label = nodes.get(pod.spec.nodeName ?? '')?.metadata.labels?.[rack.topologyKey];
    const told = pod.metadata.annotations?.[annotations.rack];
    return label === undefined || told === label || pod.metadata.deletionTimestamp !== undefined
      ? []
      : [{ pod, rack: label }];
  });
}
