/**
 * How much of an object in Kubernetes clients may fill: an object that is too large for etcd cannot be
 * changed any more, by nobody. Pure.
 */
import type { ClientQuota, ConfigMapOf, KafkaCluster } from '../../kube/kafka-objects.ts';

/** Longest name of a group, a user or a client that has something of its own in an object. */
export const NAME_BYTES_MAX = 255;
/** Longest value of a setting: a list of throttled replicas names thousands of them. */
export const VALUE_BYTES_MAX = 32_768;
/** Most bytes that the settings of one topic take. */
export const TOPIC_BYTES_MAX = 65_536;
/** Most bytes that settings and quotas take in a KafkaCluster, of the 1.5 MB that etcd takes of an object. */
export const CLUSTER_BYTES_MAX = 262_144;
/** Most replicas that are named one by one as a topic is made. */
export const ASSIGNED_REPLICAS_MAX = 50_000;

type ClusterSpec = KafkaCluster['spec'];

/** What clients may change in a KafkaCluster. */
export interface ClientParts {
  readonly config?: ConfigMapOf;
  readonly brokerConfig?: Readonly<Record<string, ConfigMapOf>>;
  readonly groupConfig?: Readonly<Record<string, ConfigMapOf>>;
  readonly quotas?: readonly ClientQuota[];
}

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value ?? null));

/** What is wrong with a name that would be written down, as a sentence; null if nothing is. */
export function nameRoomFault(kind: string, name: string): string | null {
  const byteCount = Buffer.byteLength(name);
  return byteCount <= NAME_BYTES_MAX
    ? null
    : `the name of ${kind} with settings or limits of its own must not be longer than ${NAME_BYTES_MAX} bytes, it has ${byteCount}`;
}

/** What is wrong with values that would be written down; null if nothing is. */
export function valueRoomFault(changes: Readonly<Record<string, unknown>>): string | null {
  for (const [name, value] of Object.entries(changes))
    if (value !== null && Buffer.byteLength(String(value)) > VALUE_BYTES_MAX)
      return `the value of ${name} must not be longer than ${VALUE_BYTES_MAX} bytes`;
  return null;
}

export function topicRoomFault(config: ConfigMapOf): string | null {
  const byteCount = bytesOf(config);
  return byteCount <= TOPIC_BYTES_MAX
    ? null
    : `the settings of a topic must not take more than ${TOPIC_BYTES_MAX} bytes, they would take ${byteCount}`;
}

/** What is wrong with a KafkaCluster that grows by a change; one that gets smaller is always welcome. */
export function clusterRoomFault(before: ClusterSpec, after: ClientParts): string | null {
  const parts = ({ config, brokerConfig, groupConfig, quotas }: ClientParts) =>
    bytesOf(config) + bytesOf(brokerConfig) + bytesOf(groupConfig) + bytesOf(quotas);
  const byteCount = parts({ ...before, ...after });
  return byteCount <= CLUSTER_BYTES_MAX || byteCount <= parts(before)
    ? null
    : `settings and quotas must not take more than ${CLUSTER_BYTES_MAX} bytes in the KafkaCluster, they would take ${byteCount}: some must go first`;
}

/** A map of settings after a change; null removes one. */
export function changed(
  config: ConfigMapOf | undefined,
  changes: Readonly<Record<string, string | null>>,
): ConfigMapOf {
  const next: Record<string, ConfigMapOf[string]> = { ...config };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete next[name];
    else next[name] = value;
  }
  return next;
}
