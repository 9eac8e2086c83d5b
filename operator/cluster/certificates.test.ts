/** The Secrets of a cluster with TLS: an authority for clients, another one for brokers, a certificate for each. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { brokerNamedBy } from '../../kube/broker-identity.ts';
import type { KafkaCluster } from '../../kube/kafka-objects.ts';
import type { Secret } from '../../kube/objects.ts';
import type { KubeApi } from '../../kube/port.ts';
import { quiet } from '../../test/support/embedded-stage.ts';
import { Certificates } from './certificates.ts';

const NOW = '2026-01-01T00:00:00Z';
const cluster = {
  apiVersion: 'kafka.tenure.dev/v1beta1',
  kind: 'KafkaCluster',
  metadata: { name: 'orders', namespace: 'shop', uid: 'uid' },
  spec: {
    replicas: 2,
    tls: { brokers: true },
    listeners: [{ name: 'tls', port: 9093, type: 'internal', tls: true }],
  },
} as unknown as KafkaCluster;

function stage() {
  const stored = new Map<string, Secret>();
  const api = {
    get: async (_resource: unknown, _namespace: string, name: string) => stored.get(name) ?? null,
    apply: async (_resource: unknown, object: Secret) => {
      stored.set(object.metadata.name, object);
      return object;
    },
  } as unknown as KubeApi;
  const certificates = new Certificates({ api, logger: quiet, fieldManager: 'test' });
  const text = (secret: string, file: string) =>
    Buffer.from(stored.get(secret)?.data?.[file] ?? '', 'base64').toString();
  return { stored, certificates, text };
}

test('every broker has a certificate of its own that names it, signed by an authority for brokers alone', async () => {
  const { certificates, text } = stage();
  const { certificates: shown, fault } = await certificates.ensure(cluster, {
    brokers: 2,
    hasPeerTls: true,
    now: NOW,
  });
  assert.equal(fault, null);
  assert.deepEqual(
    shown.map(({ name }) => name),
    ['orders-ca', 'orders-tls', 'orders-peers-ca', 'orders-peers'],
  );
  assert.ok(shown.every(({ notAfter }) => notAfter > NOW));
  const peers = new X509Certificate(text('orders-peers-ca', 'ca.crt'));
  const clients = new X509Certificate(text('orders-ca', 'ca.crt'));
  for (const id of [0, 1]) {
    const own = new X509Certificate(text('orders-peers', `broker-${id}.crt`));
    const of = { namespace: 'shop', cluster: 'orders' };
    assert.equal(brokerNamedBy(own.subjectAltName, of), id);
    assert.ok(own.verify(peers.publicKey));
    assert.ok(!own.verify(clients.publicKey));
  }
  assert.ok(new X509Certificate(text('orders-tls', 'tls.crt')).verify(clients.publicKey));
});

test('what holds is kept; a broker more gets its own, and others keep theirs', async () => {
  const { certificates, text } = stage();
  await certificates.ensure(cluster, { brokers: 2, hasPeerTls: true, now: NOW });
  const before = text('orders-peers', 'broker-0.crt');
  await certificates.ensure(cluster, { brokers: 2, hasPeerTls: true, now: NOW });
  assert.equal(text('orders-peers', 'broker-0.crt'), before);
  assert.equal(text('orders-peers', 'broker-2.crt'), '');
  await certificates.ensure(cluster, { brokers: 3, hasPeerTls: true, now: NOW });
  assert.equal(text('orders-peers', 'broker-0.crt'), before);
  assert.notEqual(text('orders-peers', 'broker-2.crt'), '');
  await certificates.ensure(cluster, { brokers: 3, hasPeerTls: true, now: '2026-12-20T00:00:00Z' });
  assert.notEqual(text('orders-peers', 'broker-0.crt'), before);
});
