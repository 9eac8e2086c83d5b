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
    const node = nodes.get(pod.spec.nodeName ?? '');
    if (node === undefined || pod.metadata.deletionTimestamp !== undefined) return [];
    // A node without the label is in no rack, and its broker must not wait to be told of one.
    const label = node.metadata.labels?.[rack.topologyKey] ?? '';
    return pod.metadata.annotations?.[annotations.rack] === label ? [] : [{ pod, rack: label }];
  });
}
