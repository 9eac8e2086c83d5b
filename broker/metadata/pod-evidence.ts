/**
 * What Kubernetes knows of a broker's process sooner than its Lease does: its pod is deleted, or
 * its container has ended. Watched by the controller alone.
 */
import { Informer, type InformerDeps } from '../../kube/informer.ts';
import { CLUSTER_LABEL } from '../../kube/kafka-objects.ts';
import { type Pod, pods } from '../../kube/objects.ts';

/** Whether the pod's process has certainly ended. Pure. */
export function hasEnded(pod: Pod): boolean {
  const { containerStatuses = [], phase } = pod.status ?? {};
  if (phase === 'Failed' || phase === 'Succeeded') return true;
  const broker = containerStatuses.find(({ name }) => name === 'broker');
  return broker?.state?.terminated !== undefined;
}

/** Tells of pods by their UID. */
export function watchPods(
  deps: InformerDeps,
  of: { readonly namespace: string; readonly cluster: string },
  tell: { readonly ended: (podUid: string) => void; readonly runs: (podUid: string) => void },
): Disposable {
  const selector = { namespace: of.namespace, labelSelector: `${CLUSTER_LABEL}=${of.cluster}` };
  return new Informer(deps, pods, selector, ({ before, after }) => {
    const uid = (after ?? before)?.metadata.uid;
    if (uid === undefined) return;
    if (after === null || hasEnded(after)) tell.ended(uid);
    else tell.runs(uid);
  });
}
