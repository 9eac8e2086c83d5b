/** What a broker's certificate calls it: one broker of one cluster, and nothing else. Pure. */

const SCHEME = 'tenure://';

/**
 * How far a cluster is on its way from brokers that speak plainly to brokers that prove who they are: `accept`
 * takes both and dials plainly, `dial` takes both and dials with TLS, `require` takes TLS alone. Brokers one
 * step apart understand each other.
 */
export type PeerTlsMode = 'accept' | 'dial' | 'require';

export interface ClusterName {
  readonly namespace: string;
  readonly cluster: string;
}

/** The name in a certificate, as a URI. */
export function brokerUri({ namespace, cluster }: ClusterName, id: number): string {
  return `${SCHEME}${namespace}/${cluster}/broker/${id}`;
}

/**
 * Which broker of this cluster a certificate names, from its alternative names as Node shows them; null:
 * none, or more than one.
 */
export function brokerNamedBy(
  alternativeNames: string | undefined,
  of: ClusterName,
): number | null {
  const named = (alternativeNames ?? '')
    .split(', ')
    .filter((name) => name.startsWith(`URI:${SCHEME}`))
    .map((name) => name.slice('URI:'.length));
  const [uri] = named;
  if (uri === undefined || named.length > 1) return null;
  const id = Number(/\/broker\/(0|[1-9]\d{0,8})$/.exec(uri)?.[1] ?? Number.NaN);
  // What it says must be exactly what is written for that broker.
  return Number.isInteger(id) && uri === brokerUri(of, id) ? id : null;
}

/** Files of a broker in the Secret that all brokers of a cluster mount. */
export const certificateFile = (id: number) => `broker-${id}.crt`;
export const keyFile = (id: number) => `broker-${id}.key`;
