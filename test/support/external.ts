/**
 * A real API server for the suites that else run on the embedded one: TENURE_TEST_KUBECONFIG names it.
 * It needs no nodes; this machine is the node. The chart is installed as a user would, and operator and
 * brokers act with exactly the rights that it gives them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type KubeAccess, KubeClient } from '../../kube/client.ts';
import { kafkaClusters, kafkaTopics } from '../../kube/kafka-objects.ts';
import {
  persistentVolumeClaims,
  pods,
  type Resource,
  serviceAccounts,
} from '../../kube/objects.ts';
import { isKubeError, type KubeApi, KubeUnreachable } from '../../kube/port.ts';
import type { ExternalApi } from '../../local/local-cluster.ts';
import { crds } from '../../operator/api/crds.ts';
import { ROOT } from '../../stdx/root.ts';
import { runProgram } from './programs.ts';

const RELEASE_NAMESPACE = 'tenure-system';

export const externalKubeconfig = process.env.TENURE_TEST_KUBECONFIG ?? null;

interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: Readonly<Record<string, string>>;
  }[];
  readonly users: readonly { readonly user: Readonly<Record<string, string>> }[];
}

/** Access by a kubeconfig of one cluster with a token or a client certificate. */
export function accessOf(path: string): KubeAccess {
  const config = parse(readFileSync(path, 'utf8')) as Kubeconfig;
  const { cluster } = config.clusters[0] as Kubeconfig['clusters'][number];
  const { user } = config.users[0] as Kubeconfig['users'][number];
  const material = (of: Readonly<Record<string, string>>, name: string) => {
    const inline = of[`${name}-data`];
    if (inline !== undefined) return Buffer.from(inline, 'base64').toString();
    return of[name] === undefined ? undefined : readFileSync(of[name], 'utf8');
  };
  const { token } = user;
  return {
    server: cluster.server ?? '',
    ca: material(cluster, 'certificate-authority'),
    cert: material(user, 'client-certificate'),
    key: material(user, 'client-key'),
    ...(token === undefined ? {} : { token: () => token }),
  };
}

/** Installs the chart, without a running operator, and returns who may do what. */
export async function prepareExternal(
  kubeconfig: string,
  { keeps = false }: { /** What is there of clusters stays. */ readonly keeps?: boolean } = {},
): Promise<ExternalApi> {
  const installed = await runProgram(
    'helm',
    [
      'upgrade',
      '--install',
      'tenure',
      join(ROOT, 'charts/tenure'),
      '--namespace',
      RELEASE_NAMESPACE,
      '--create-namespace',
      '--set',
      'replicas=0',
    ],
    { env: { KUBECONFIG: kubeconfig }, timeoutMs: 120_000 },
  );
  if (installed.code !== 0) throw new Error(`helm: ${installed.stderr}`);
  const established = await runProgram(
    'kubectl',
    [
      'wait',
      '--for=condition=Established',
      '--timeout=30s',
      ...crds.map(({ metadata }) => `crd/${metadata.name}`),
    ],
    { env: { KUBECONFIG: kubeconfig }, timeoutMs: 60_000 },
  );
  if (established.code !== 0) throw new Error(`kubectl: ${established.stderr}`);
  const access = accessOf(kubeconfig);
  using api = new KubeClient(access);
  // A definition that has changed is not served for a moment.
  for (let attempt = 0; ; attempt++) {
    try {
      if (keeps) await api.list(kafkaClusters, { namespace: 'default' });
      else await clearNamespace(api, 'default', 60_000);
      break;
    } catch (cause) {
      if (!(cause instanceof KubeUnreachable) || attempt > 50) throw cause;
      await new Promise((done) => setTimeout(done, 200));
    }
  }
  const { status } = await api.act<{ status: { token: string } }>(
    serviceAccounts,
    { namespace: RELEASE_NAMESPACE, name: 'tenure-operator', subresource: 'token' },
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 24 * 3600 },
    },
  );
  return {
    kubeconfig,
    access,
    operatorAccess: {
      server: access.server,
      ca: access.ca,
      token: () => status.token,
    },
  };
}

/** Deletes every cluster, topic and volume of a namespace and waits until no pod is left. */
export async function clearNamespace(
  api: KubeApi,
  namespace: string,
  timeoutMs: number,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  const removeAll = async (resource: Resource) => {
    const { items } = await api.list(resource, { namespace });
    for (const { metadata } of items) {
      try {
        await api.delete(resource, namespace, metadata.name);
      } catch (cause) {
        if (!isKubeError(cause, 404)) throw cause;
      }
    }
    return items.length;
  };
  for (const resource of [kafkaTopics, kafkaClusters] as Resource[]) await removeAll(resource);
  for (;;) {
    const { items } = await api.list(pods, { namespace });
    if (items.length === 0) break;
    if (performance.now() > end) {
      // Nobody is left who could end them in good order.
      for (const { metadata } of items)
        await api.delete(pods, namespace, metadata.name, { gracePeriodSeconds: 0 }).catch(() => {});
    }
    if (performance.now() > end + 10_000)
      throw new Error(`${items.length} pods are left in namespace ${namespace}`);
    await new Promise((done) => setTimeout(done, 200));
  }
  // Finalizers of topics are released by their cluster; without one, here.
  for (const { metadata } of (await api.list(kafkaTopics, { namespace })).items)
    await api
      .patch(kafkaTopics, { namespace, name: metadata.name }, { metadata: { finalizers: null } })
      .catch(() => {});
  await removeAll(persistentVolumeClaims as Resource);
}
