/**
 * The Secrets of a cluster with TLS: made and renewed where they are the operator's own, looked at where
 * somebody else keeps them. Secrets are read by name and never listed: the operator sees no others.
 */
import { X509Certificate } from 'node:crypto';
import { brokerUri } from '../../kube/broker-identity.ts';
import type { KafkaCluster } from '../../kube/kafka-objects.ts';
import { type Secret, secrets } from '../../kube/objects.ts';
import type { KubeApi } from '../../kube/port.ts';
import type { Logger } from '../../stdx/logger.ts';
import type { KeyPair } from './authority.ts';
import {
  CA_VALIDITY_DAYS,
  type CertificateFacts,
  caSecretName,
  certificateNames,
  certificateSecretName,
  daysFrom,
  notAfter,
  peerCaSecretName,
  peerSecretName,
  renewalReason,
  usesTls,
} from './certificates-core.ts';
import { object } from './desired/names.ts';

export interface CertificateState {
  readonly certificates: readonly { readonly name: string; readonly notAfter: string }[];
  /** What is wrong, as a sentence; null: nothing is. */
  readonly fault: string | null;
}

const decode = (secret: Secret, field: string) =>
  Buffer.from(secret.data?.[field] ?? '', 'base64').toString();
const encode = (text: string) => Buffer.from(text).toString('base64');

function factsOf(pem: string): CertificateFacts | null {
  try {
    const certificate = new X509Certificate(pem);
    const names = (certificate.subjectAltName ?? '')
      .split(', ')
      .map((one) => one.replace(/^(DNS|IP Address|URI):/, ''));
    return { notAfter: new Date(certificate.validTo).toISOString().replace(/\.\d+Z$/, 'Z'), names };
  } catch {
    return null;
  }
}

const authorityOf = (name: string, { certificate }: KeyPair) => ({
  name,
  notAfter: factsOf(certificate)?.notAfter ?? '',
});

export class Certificates {
  private readonly deps: {
    readonly api: KubeApi;
    readonly logger: Logger;
    readonly fieldManager: string;
  };

  constructor(deps: { api: KubeApi; logger: Logger; fieldManager: string }) {
    this.deps = deps;
  }

  async ensure(
    cluster: KafkaCluster,
    of: { readonly brokers: number; readonly hasPeerTls: boolean; readonly now: string },
  ): Promise<CertificateState> {
    const { brokers, now } = of;
    const isGiven = usesTls(cluster) && cluster.spec.tls?.certificateSecret !== undefined;
    const states = isGiven ? [await this.given(cluster)] : [];
    if (usesTls(cluster) && !isGiven) states.push(await this.forClients(cluster, brokers, now));
    if (of.hasPeerTls) states.push(await this.forPeers(cluster, brokers, now));
    return {
      certificates: states.flatMap(({ certificates }) => certificates),
      fault: states.find(({ fault }) => fault !== null)?.fault ?? null,
    };
  }

  /** What brokers show to clients, made anew where that is due. */
  private async forClients(
    cluster: KafkaCluster,
    brokers: number,
    now: string,
  ): Promise<CertificateState> {
    const name = certificateSecretName(cluster);
    const of = { secret: caSecretName(cluster), name: `${cluster.metadata.name} clients` };
    const authority = await this.authority(cluster, of, now);
    const pairs = new Map([['tls', certificateNames(cluster, brokers)]]);
    const own = await this.own(cluster, name, { authority, pairs, forClients: false, now });
    return { certificates: [authorityOf(of.secret, authority), own], fault: null };
  }

  /** What brokers show to each other: one certificate for each, which names it. */
  private async forPeers(
    cluster: KafkaCluster,
    brokers: number,
    now: string,
  ): Promise<CertificateState> {
    const { namespace = 'default', name } = cluster.metadata;
    const of = { secret: peerCaSecretName(cluster), name: `${name} brokers` };
    const authority = await this.authority(cluster, of, now);
    const pairs = new Map(
      Array.from({ length: brokers }, (_, id) => [
        `broker-${id}`,
        [brokerUri({ namespace, cluster: name }, id)],
      ]),
    );
    const own = await this.own(cluster, peerSecretName(cluster), {
      authority,
      pairs,
      forClients: true,
      now,
    });
    return { certificates: [authorityOf(of.secret, authority), own], fault: null };
  }

  /**
   * Certificates of one authority in one Secret, by the names of their files: each is made anew where that is
   * due. Ends with the first of them.
   */
  private async own(
    cluster: KafkaCluster,
    name: string,
    of: {
      authority: KeyPair;
      pairs: ReadonlyMap<string, readonly string[]>;
      forClients: boolean;
      now: string;
    },
  ): Promise<{ name: string; notAfter: string }> {
    const { authority, forClients, pairs, now } = of;
    const { namespace = '' } = cluster.metadata;
    const secret = await this.deps.api.get(secrets, namespace, name);
    const isOurs = secret !== null && decode(secret, 'ca.crt') === authority.certificate;
    const fields: Record<string, string> = { 'ca.crt': authority.certificate };
    let firstEnd = '';
    let hasChanged = false;
    for (const [file, names] of pairs) {
      const crt = isOurs ? decode(secret, `${file}.crt`) : '';
      let pair = { certificate: crt, key: isOurs ? decode(secret, `${file}.key`) : '' };
      const reason = renewalReason(cluster, factsOf(crt), names, now);
      if (reason !== null) {
        const { signServer } = await import('./authority.ts');
        const until = notAfter(cluster, now);
        pair = await signServer(authority, { names, forClients, now, until });
        hasChanged = true;
        this.deps.logger.info('certificate made', { secret: name, file, reason });
      }
      fields[`${file}.crt`] = pair.certificate;
      fields[`${file}.key`] = pair.key;
      const end = factsOf(pair.certificate)?.notAfter ?? '';
      if (firstEnd === '' || end < firstEnd) firstEnd = end;
    }
    if (hasChanged) await this.write(cluster, name, fields);
    return { name, notAfter: firstEnd };
  }

  private async authority(
    cluster: KafkaCluster,
    of: { readonly secret: string; readonly name: string },
    now: string,
  ): Promise<KeyPair> {
    const { namespace = '' } = cluster.metadata;
    const secretName = of.secret;
    const secret = await this.deps.api.get(secrets, namespace, secretName);
    const certificate = secret === null ? '' : decode(secret, 'ca.crt');
    if (secret !== null && factsOf(certificate) !== null)
      return { certificate, key: decode(secret, 'ca.key') };
    const { makeAuthority } = await import('./authority.ts');
    const made = await makeAuthority(of.name, now, daysFrom(now, CA_VALIDITY_DAYS));
    await this.write(cluster, secretName, { 'ca.crt': made.certificate, 'ca.key': made.key });
    this.deps.logger.info('certificate authority made', { secret: secretName });
    return made;
  }

  private async write(
    cluster: KafkaCluster,
    name: string,
    fields: Readonly<Record<string, string>>,
  ): Promise<void> {
    const data = Object.fromEntries(
      Object.entries(fields).map(([field, text]) => [field, encode(text)]),
    );
    const desired = object(cluster, { resource: secrets, name }, { type: 'Opaque', data });
    await this.deps.api.apply(secrets, desired.object as Secret, {
      fieldManager: this.deps.fieldManager,
    });
  }

  private async given(cluster: KafkaCluster): Promise<CertificateState> {
    const { namespace = '' } = cluster.metadata;
    const name = certificateSecretName(cluster);
    const secret = await this.deps.api.get(secrets, namespace, name);
    const facts = secret === null ? null : factsOf(decode(secret, 'tls.crt'));
    if (facts === null) {
      const what = secret === null ? 'does not exist' : 'has no certificate in tls.crt';
      return { certificates: [], fault: `Secret ${name} ${what}: brokers with TLS wait for it` };
    }
    return { certificates: [{ name, notAfter: facts.notAfter }], fault: null };
  }
}
