/**
 * Everything on one machine: the embedded Kubernetes API, the StatefulSet behaviour, the node
 * agent, the operator and the bootstrap address. Brokers and operator cannot tell it from a cluster.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { type KubeAccess, KubeClient } from '../kube/client.ts';
import { conditionOf } from '../kube/conditions.ts';
import { EmbeddedApi } from '../kube/embedded/api.ts';
import { groupVersion } from '../kube/embedded/kinds.ts';
import { EmbeddedServer } from '../kube/embedded/server.ts';
import { Store } from '../kube/embedded/store.ts';
import {
  type KafkaCluster,
  kafkaBrokers,
  kafkaClusters,
  kafkaTopics,
} from '../kube/kafka-objects.ts';
import type { KubeObject, Resource } from '../kube/objects.ts';
import { type Pod, pods, serviceAccounts } from '../kube/objects.ts';
import { crds } from '../operator/api/crds.ts';
import { Operator } from '../operator/operator.ts';
import type { Chance } from '../stdx/chance.ts';
import { type Clock, sleep } from '../stdx/clock.ts';
import { Lifetime } from '../stdx/lifetime.ts';
import type { Logger } from '../stdx/logger.ts';
import { ROOT } from '../stdx/root.ts';
import { apiCredentials, keepPrivate } from './api-credentials.ts';
import { Bootstrap } from './bootstrap.ts';
import { bundleBroker } from './bundle.ts';
import { type LocalNode, NodeAgent, type PodPlace } from './node-agent.ts';
import { NodeFolders, writePrivate } from './node-folders.ts';
import { NodeObjects } from './node-objects.ts';
import { StatefulSets } from './stateful-sets.ts';

export interface LocalOptions {
  readonly folder: string;
  readonly manifests: readonly KubeObject[];
  /** Overrides the replicas of every KafkaCluster in the manifests. */
  readonly brokers: number | null;
  /** Bootstrap port on localhost; 0: any free one is not possible, null: none. */
  readonly bootstrapPort: number | null;
  readonly apiPort: number;
  readonly reset: boolean;
  readonly brokerLogFormat: 'json' | 'text';
  /** Where everything runs; without it on loopback addresses of this machine. */
  readonly machine?: LocalMachine;
  /** An API server of somebody else's instead of the embedded one. */
  readonly external?: ExternalApi;
  /** The nodes that this machine stands for; one of no zone if absent. */
  readonly nodes?: readonly LocalNode[];
}

/**
 * A real API server, with its controllers and without nodes: this machine is the node. The kinds of
 * Tenure and the operator's role must be there already.
 */
export interface ExternalApi {
  readonly kubeconfig: string;
  /** As whom this machine acts: a node, with a provisioner. */
  readonly access: KubeAccess;
  /** As whom the operator acts. */
  readonly operatorAccess: KubeAccess;
}

/** Other addresses than loopback's, as in network namespaces. */
export interface LocalMachine {
  /** Where the API listens. */
  readonly apiHost: string;
  /** The address of a pod, by its name. */
  readonly addressOf: PodPlace['addressOf'];
  /** The command that runs another one at that address. */
  readonly commandAt: PodPlace['commandAt'];
}

export interface LocalDeps {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
}

const NAMESPACE = 'default';
const OWN_KINDS: readonly Resource[] = [kafkaClusters, kafkaTopics];

export class LocalCluster implements AsyncDisposable {
  private readonly deps: LocalDeps;
  private readonly options: LocalOptions;
  private readonly lifetime = new Lifetime();
  api!: KubeClient;
  agent!: NodeAgent;
  private operator: Operator | null = null;
  apiUrl = '';
  operatorMetrics = '';
  /** Where pods find what they show to the API. */
  private podCredentials = '';
  /** The API's front: closed and opened again by tests of outages. */
  server!: EmbeddedServer;

  constructor(deps: LocalDeps, options: LocalOptions) {
    this.deps = deps;
    this.options = options;
  }

  /** Brings everything up; resolves when the API serves and the manifests are applied. */
  async start(): Promise<void> {
    const { folder, reset } = this.options;
    if (reset) rmSync(folder, { recursive: true, force: true });
    // Secrets are kept here.
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const bundle = bundleBroker();
    await this.startApi();
    await this.applyManifests();
    await this.startNode(await bundle);
    await this.startOperator();
    await this.startBootstrap();
  }

  get kubeconfig(): string {
    if (this.options.external !== undefined) return this.options.external.kubeconfig;
    return resolve(this.options.folder, 'kubeconfig');
  }

  private async startApi(): Promise<void> {
    const { external } = this.options;
    if (external !== undefined) {
      this.apiUrl = external.access.server;
      this.api = this.lifetime.own(new KubeClient(external.access));
      return;
    }
    const { clock, chance, logger } = this.deps;
    const database = join(this.options.folder, 'kubernetes.sqlite');
    keepPrivate(database);
    const store = this.lifetime.own(new Store(database));
    const embedded = new EmbeddedApi({ store, clock, chance });
    const host = this.options.machine?.apiHost ?? '127.0.0.1';
    const hosts = [...new Set(['localhost', '127.0.0.1', host])];
    const credentials = await apiCredentials(resolve(this.options.folder, 'api'), {
      hosts,
      nowMs: clock.nowMs(),
      chance,
    });
    this.podCredentials = credentials.folder;
    const server = new EmbeddedServer({
      api: embedded,
      clock,
      token: credentials.token,
      tls: credentials.tls,
      logger: logger.child({ component: 'api' }),
      logsOf: (namespace, pod, tail) => this.agent?.logsOf(namespace, pod, tail) ?? null,
    });
    this.server = this.lifetime.own(server);
    const port = await server.listen(host, this.options.apiPort);
    this.apiUrl = `https://${host}:${port}`;
    const { token, ca } = credentials;
    this.api = this.lifetime.own(new KubeClient({ server: this.apiUrl, ca, token: () => token }));
    const kubeconfig = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'tenure',
          cluster: {
            server: this.apiUrl,
            'certificate-authority-data': Buffer.from(ca).toString('base64'),
          },
        },
      ],
      contexts: [
        { name: 'tenure', context: { cluster: 'tenure', namespace: NAMESPACE, user: 'local' } },
      ],
      users: [{ name: 'local', user: { token } }],
      'current-context': 'tenure',
    };
    writePrivate(this.kubeconfig, stringify(kubeconfig));
    for (const crd of crds)
      embedded.patch(
        embedded.kind('apiextensions.k8s.io', 'v1', 'customresourcedefinitions') as never,
        '',
        crd.metadata.name,
        'apply',
        crd as never,
        null,
        { fieldManager: 'tenure-local', force: true },
      );
    this.resourceOf = (object) => {
      const kind = embedded
        .kinds()
        .find((one) => groupVersion(one) === object.apiVersion && one.kind === object.kind);
      return kind === undefined ? null : { ...kind };
    };
  }

  private resourceOf: (object: KubeObject) => Resource | null = ({ kind }) =>
    OWN_KINDS.find((one) => one.kind === kind) ?? null;

  /** Makes what the manifests name and does not exist yet; what exists is the user's to change. */
  private async applyManifests(): Promise<void> {
    for (const object of this.options.manifests) {
      const resource = this.resourceOf(object);
      if (resource === null)
        throw new Error(
          `${object.kind} ${object.metadata.name}: there is no kind ${object.kind} in ${object.apiVersion}`,
        );
      const namespace = object.metadata.namespace ?? NAMESPACE;
      const { brokers } = this.options;
      const wanted = { ...object, metadata: { ...object.metadata, namespace } } as KubeObject & {
        spec?: { replicas?: number };
      };
      const isCluster = object.kind === 'KafkaCluster';
      const shaped =
        isCluster && brokers !== null
          ? { ...wanted, spec: { ...wanted.spec, replicas: brokers } }
          : wanted;
      const before = await this.api.get(resource, namespace, object.metadata.name);
      if (before === null) await this.api.create(resource, shaped);
      else if (isCluster && brokers !== null)
        await this.api.patch(
          resource,
          { namespace, name: object.metadata.name },
          { spec: { replicas: brokers } },
        );
    }
  }

  private async startNode(bundle: string): Promise<void> {
    const { clock, chance, logger } = this.deps;
    const { external } = this.options;
    const localNodes = this.options.nodes ?? [{ name: 'local', labels: {} }];
    const informerDeps = {
      api: this.api,
      clock,
      chance,
      logger: logger.child({ component: 'node' }),
    };
    if (external === undefined) this.lifetime.own(new StatefulSets(informerDeps));
    const objects = new NodeObjects(informerDeps, {
      nodes: localNodes,
      hasVolumeController: external !== undefined,
      folder: join(this.options.folder, 'node/volumes'),
      onCordon: (node, cordoned) => this.agent?.setCordoned(node, cordoned),
    });
    this.lifetime.own(objects);
    await objects.start();
    this.agent = new NodeAgent(informerDeps, {
      nodes: localNodes,
      bind: async ({ metadata }, { name }) => {
        const of = { namespace: metadata.namespace ?? '', name: metadata.name };
        const target = { apiVersion: 'v1', kind: 'Node', name };
        const binding = { apiVersion: 'v1', kind: 'Binding', metadata: of, target };
        await this.api.act(pods, { ...of, subresource: 'binding' }, binding);
      },
      credentialsOf: (pod) => this.credentialsOf(pod),
      folder: join(this.options.folder, 'node'),
      place: this.options.machine ?? null,
      clusterEnv: {
        KUBERNETES_SERVER: this.apiUrl,
        ...(process.env.TENURE_LOG_LEVEL === undefined
          ? {}
          : { TENURE_LOG_LEVEL: process.env.TENURE_LOG_LEVEL }),
        NODE_COMPILE_CACHE: join(this.options.folder, 'compile-cache'),
        NODE_OPTIONS: '--disable-warning=ExperimentalWarning',
      },
      commandFor: ([program, command, ...args]) => {
        if (program !== 'tenure')
          return [program as string, ...(command === undefined ? [] : [command]), ...args];
        // TENURE_NODE_FLAGS is for profiling: --cpu-prof --cpu-prof-dir=…
        const flags = (process.env.TENURE_NODE_FLAGS ?? '')
          .split(' ')
          .filter((flag) => flag !== '');
        const file = command === 'broker' ? [bundle] : [join(ROOT, 'cli/tenure.ts'), command ?? ''];
        return [process.execPath, ...flags, ...file, ...args];
      },
    });
    this.lifetime.own(this.agent);
  }

  /** The token of a pod's service account, in a folder as a kubelet mounts it. */
  private async credentialsOf({ metadata, spec }: Pod): Promise<Record<string, string>> {
    const { external } = this.options;
    if (external === undefined) return { TENURE_SERVICE_ACCOUNT_DIR: this.podCredentials };
    const { namespace = '', uid = '' } = metadata;
    const name = spec.serviceAccountName ?? 'default';
    const { status } = await this.api.act<{ status: { token: string } }>(
      serviceAccounts,
      { namespace, name, subresource: 'token' },
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: 24 * 3600 },
      },
    );
    const folder = new NodeFolders(join(this.options.folder, 'node')).serviceAccount(uid);
    writePrivate(join(folder, 'token'), status.token);
    writePrivate(join(folder, 'ca.crt'), external.access.ca ?? '');
    return { TENURE_SERVICE_ACCOUNT_DIR: folder };
  }

  /** Ends the operator and starts another one, as an upgrade of it would. */
  async restartOperator(): Promise<void> {
    await this.operator?.[Symbol.asyncDispose]();
    await this.startOperator();
  }

  private async startOperator(): Promise<void> {
    const { external } = this.options;
    const api =
      external === undefined
        ? this.api
        : this.lifetime.own(new KubeClient(external.operatorAccess));
    const operator = new Operator({
      ...this.deps,
      logger: this.deps.logger.child({ component: 'operator' }),
      api,
      defaults: {
        image: 'tenure:local',
        clusterDns: false,
        brokerLogFormat: this.options.brokerLogFormat,
        knowsNodes: true,
      },
      bootstrapShown: () => this.bootstrapServers,
      namespace: '',
      watchNodes: true,
      election: null,
      onLost: () => {},
      admin: { host: '127.0.0.1', port: 0 },
    });
    await operator.start();
    this.operatorMetrics = `http://127.0.0.1:${operator.adminPort}/metrics`;
    this.operator = operator;
  }

  get bootstrapServers(): string {
    return `localhost:${this.options.bootstrapPort ?? 9092}`;
  }

  private async startBootstrap(): Promise<void> {
    if (this.options.bootstrapPort === null) return;
    let backends: { host: string; port: number }[] = [];
    const refresh = async () => {
      try {
        const [running, brokers] = await Promise.all([
          this.api.list(pods, { namespace: NAMESPACE }),
          this.api.list(kafkaBrokers, { namespace: NAMESPACE }),
        ]);
        const ready = new Set(
          running.items
            .filter(({ status }) => conditionOf(status?.conditions, 'Ready')?.status === 'True')
            .map(({ status }) => status?.podIP),
        );
        backends = brokers.items
          .filter(({ spec }) => ready.has(spec.host))
          .map(({ spec }) => ({ host: spec.host, port: spec.port }));
      } catch (cause) {
        this.deps.logger.debug('looking for brokers failed', { cause });
      }
    };
    await refresh();
    this.lifetime.own(this.deps.clock.every(250, () => void refresh()));
    const bootstrap = new Bootstrap({
      hosts: ['127.0.0.1', '::1'],
      port: this.options.bootstrapPort,
      backends: () => backends,
    });
    await bootstrap.listen();
    this.lifetime.own(bootstrap);
  }

  /** Resolves when every cluster and topic of the manifests is ready. @throws Error after the timeout. */
  async ready(timeoutMs: number): Promise<readonly KafkaCluster[]> {
    const { clock } = this.deps;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      const [clusters, topics] = await Promise.all([
        this.api.list(kafkaClusters, {}),
        this.api.list(kafkaTopics, {}),
      ]);
      const waiting = [...clusters.items, ...topics.items].filter(
        ({ status }) => conditionOf(status?.conditions, 'Ready')?.status !== 'True',
      );
      if (waiting.length === 0) return clusters.items;
      if (clock.monotonicMs() > deadlineMs) {
        const why = waiting.map(
          ({ kind, metadata, status }) =>
            `${kind} ${metadata.name}: ${conditionOf(status?.conditions, 'Ready')?.message ?? 'nothing is known of it yet'}`,
        );
        throw new Error(`not ready after ${timeoutMs / 1000} s: ${why.join('; ')}`);
      }
      await sleep(clock, 50);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.operator?.[Symbol.asyncDispose]();
    await this.lifetime[Symbol.asyncDispose]();
  }
}
