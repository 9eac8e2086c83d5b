/**
 * The Secrets of a cluster with TLS: made and renewed where they are the operator's own, looked at where
 * somebody else keeps them. Secrets are read by name and never listed: the operator sees no others.
 */
import { X509Certificate } from 'node:crypto';
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
  peerSecretName,
  renewalReason,
  usesPeerTls,
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
      .map((one) => one.replace(/^(DNS|IP Address):/, ''));
    return { notAfter: new Date(certificate.validTo).toISOString().replace(/\.\d+Z$/, 'Z'), names };
  } catch {
    return null;
  }
}

export class Certificates {
  private readonly deps: {
    readonly api: KubeApi;
    readonly logger: Logger;
    readonly fieldManager: string;
  };

  constructor(deps: { api: KubeApi; logger: Logger; fieldManager: string }) {
    this.deps = deps;
  }

  async ensure(cluster: KafkaCluster, brokers: number, now: string): Promise<CertificateState> {
    const isGiven = usesTls(cluster) && cluster.spec.tls?.certificateSecret !== undefined;
    const states = isGiven ? [await this.given(cluster)] : [];
    const own = [
      ...(usesTls(cluster) && !isGiven
        ? [{ name: certificateSecretName(cluster), forClients: false }]
        : []),
      ...(usesPeerTls(cluster) ? [{ name: peerSecretName(cluster), forClients: true }] : []),
    ];
    if (own.length > 0) {
      const authority = await this.authority(cluster, now);
      const names = certificateNames(cluster, brokers);
      const certificates = [
        { name: caSecretName(cluster), notAfter: factsOf(authority.certificate)?.notAfter ?? '' },
      ];
      for (const { name, forClients } of own)
        certificates.push(await this.own(cluster, name, { authority, names, forClients, now }));
      states.push({ certificates, fault: null });
    }
    return {
      certificates: states.flatMap(({ certificates }) => certificates),
      fault: states.find(({ fault }) => fault !== null)?.fault ?? null,
    };
  }

  /** A certificate of the operator's authority, made anew where that is due. */
  private async own(
    cluster: KafkaCluster,
    name: string,
    of: { authority: KeyPair; names: readonly string[]; forClients: boolean; now: string },
  ): Promise<{ name: string; notAfter: string }> {
    const { authority, forClients, names, now } = of;
    const { namespace = '' } = cluster.metadata;
    const secret = await this.deps.api.get(secrets, namespace, name);
    const isOurs = secret !== null && decode(secret, 'ca.crt') === authority.certificate;
    let facts = isOurs ? factsOf(decode(secret, 'tls.crt')) : null;
    const reason = renewalReason(cluster, facts, names, now);
    if (reason !== null) {
      const { signServer } = await import('./authority.ts');
      const until = notAfter(cluster, now);
      const pair = await signServer(authority, { names, forClients, now, until });
      await this.write(cluster, name, {
        'tls.crt': pair.certificate,
        'tls.key': pair.key,
        'ca.crt': authority.certificate,
      });
      this.deps.logger.info('certificate made', { secret: name, reason });
      facts = factsOf(pair.certificate);
    }
    return { name, notAfter: facts?.notAfter ?? '' };
  }

  private async authority(cluster: KafkaCluster, now: string): Promise<KeyPair> {
    const { namespace = '', name } = cluster.metadata;
    const secretName = caSecretName(cluster);
    const secret = await this.deps.api.get(secrets, namespace, secretName);
    const certificate = secret === null ? '' : decode(secret, 'ca.crt');
    if (secret !== null && factsOf(certificate) !== null)
      return { certificate, key: decode(secret, 'ca.key') };
    const { makeAuthority } = await import('./authority.ts');
    const made = await makeAuthority(`${name} clients`, now, daysFrom(now, CA_VALIDITY_DAYS));
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
