/**
 * How brokers of a cluster speak to each other, and the next step on the way to how they should: every step is
 * one that running brokers understand, and is taken when all of them have taken the one before. Pure.
 */
import type { PeerTlsMode } from '../../kube/broker-identity.ts';
import type { StatefulSet } from '../../kube/objects.ts';
import { isReady, isSetSeen, type Observed } from './observed.ts';

export const PEER_TLS_VARIABLE = 'TENURE_PEER_TLS';
const FOLDER_VARIABLE = 'TENURE_PEER_TLS_DIR';
const REVISION_LABEL = 'controller-revision-hash';

export type PeerTls = 'none' | PeerTlsMode;

const STEPS: readonly PeerTls[] = ['none', 'accept', 'dial', 'require'];

/** What the pods of a StatefulSet are told. */
export function peerTlsOf({ spec }: Pick<StatefulSet, 'spec'>): PeerTls {
  const env = spec.template.spec.containers.flatMap((container) => container.env ?? []);
  const value = (wanted: string) => env.find(({ name }) => name === wanted)?.value;
  const mode = STEPS.find((step) => step === value(PEER_TLS_VARIABLE));
  return mode ?? (value(FOLDER_VARIABLE) === undefined ? 'none' : 'require');
}

/** Whether every pod that there should be runs as its set says, and serves. */
function isSettled({ pods, statefulSet }: Observed): boolean {
  const revision = statefulSet?.status?.updateRevision;
  return (
    statefulSet !== null &&
    isSetSeen({ statefulSet }) &&
    pods.length === (statefulSet.spec.replicas ?? 1) &&
    pods.every((pod) => isReady(pod) && pod.metadata.labels?.[REVISION_LABEL] === revision)
  );
}

/** What the pods are to be told now. */
export function planPeerTls(observed: Observed): PeerTls {
  const { cluster, pods, statefulSet } = observed;
  const wanted = cluster.spec.tls?.brokers;
  if (statefulSet === null) return wanted === true ? 'require' : 'none';
  const now = peerTlsOf(statefulSet);
  const target =
    wanted === undefined ? (now === 'none' ? 'none' : 'require') : wanted ? 'require' : 'none';
  if (now === target) return now;
  // Nobody is there who would have to understand it.
  if (pods.length === 0 && statefulSet.spec.replicas === 0) return target;
  if (!isSettled(observed)) return now;
  const step = Math.sign(STEPS.indexOf(target) - STEPS.indexOf(now));
  return STEPS[STEPS.indexOf(now) + step] as PeerTls;
}
