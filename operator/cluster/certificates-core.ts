/** Which certificates a cluster has, for which names, and when they are made anew. Pure. */
import type { KafkaCluster } from '../../kube/kafka-objects.ts';
import { bootstrapName, headlessName, listenersOf, podName } from './desired/names.ts';

const DAY_MS = 24 * 3600 * 1000;
const VALIDITY_DAYS = 365;
const RENEWAL_DAYS = 30;
/** The operator's own authority outlives what it signs many times over. */
export const CA_VALIDITY_DAYS = 3650;

export function usesTls(cluster: KafkaCluster): boolean {
  return listenersOf(cluster).some(({ tls }) => tls === true);
}

/** What brokers show to each other; always of the operator's own authority. */
export function peerSecretName({ metadata }: KafkaCluster): string {
  return `${metadata.name}-peers`;
}

/** Its authority, which signs for brokers alone: what a client shows is worth nothing among them. */
export function peerCaSecretName({ metadata }: KafkaCluster): string {
  return `${metadata.name}-peers-ca`;
}

export function caSecretName({ metadata }: KafkaCluster): string {
  return `${metadata.name}-ca`;
}

/** The Secret that brokers read: one that somebody else keeps, or the operator's own. */
export function certificateSecretName({ metadata, spec }: KafkaCluster): string {
  return spec.tls?.certificateSecret ?? `${metadata.name}-tls`;
}

/** Every name by which a client may reach a broker or the cluster, the first one being its own. */
export function certificateNames(cluster: KafkaCluster, brokers: number): string[] {
  const { namespace = 'default' } = cluster.metadata;
  const services = [bootstrapName(cluster), headlessName(cluster)];
  const pods = Array.from(
    { length: brokers },
    (_, id) => `${podName(cluster, id)}.${headlessName(cluster)}`,
  );
  const inside = [...services, ...pods].flatMap((name) => [
    `${name}.${namespace}.svc`,
    `${name}.${namespace}.svc.cluster.local`,
  ]);
  const said = listenersOf(cluster).flatMap(({ brokers: own = [] }) =>
    own.flatMap(({ advertisedHost }) => advertisedHost ?? []),
  );
  const told = (cluster.status?.listeners ?? []).flatMap(
    ({ brokers: own = [], bootstrapServers }) => [
      ...own.map(({ host }) => host),
      ...bootstrapServers.split(',').map((server) => server.replace(/:\d+$/, '')),
    ],
  );
  return [...new Set([...inside, 'localhost', ...said, ...told])].filter((name) => name !== '');
}

export interface CertificateFacts {
  readonly notAfter: string;
  readonly names: readonly string[];
}

/** Why the certificate must be made anew, in words; null: it need not. */
export function renewalReason(
  cluster: KafkaCluster,
  current: CertificateFacts | null,
  wanted: readonly string[],
  now: string,
): string | null {
  if (current === null) return 'there is none';
  const leftMs = Date.parse(current.notAfter) - Date.parse(now);
  if (leftMs < (cluster.spec.tls?.renewalDays ?? RENEWAL_DAYS) * DAY_MS)
    return `it expires at ${current.notAfter}`;
  const missing = wanted.filter((name) => !current.names.includes(name));
  return missing.length === 0 ? null : `it does not name ${missing.join(', ')}`;
}

/** When a certificate that is made now ends. */
export function notAfter({ spec }: KafkaCluster, now: string): Date {
  return new Date(Date.parse(now) + (spec.tls?.validityDays ?? VALIDITY_DAYS) * DAY_MS);
}

export function daysFrom(now: string, days: number): Date {
  return new Date(Date.parse(now) + days * DAY_MS);
}
