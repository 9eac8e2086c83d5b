/** An embedded API with StatefulSets and pods that are ready at once: all that an operator needs, no broker. */
import { KubeClient } from '../../kube/client.ts';
import { EmbeddedApi } from '../../kube/embedded/api.ts';
import { EmbeddedServer } from '../../kube/embedded/server.ts';
import { Store } from '../../kube/embedded/store.ts';
import { Informer } from '../../kube/informer.ts';
import { type KafkaCluster, kafkaClusters } from '../../kube/kafka-objects.ts';
import type { KubeObject, Pod } from '../../kube/objects.ts';
import { pods } from '../../kube/objects.ts';
import { isKubeError, type KubeApi } from '../../kube/port.ts';
import { StatefulSets } from '../../local/stateful-sets.ts';
import { crds } from '../../operator/api/crds.ts';
import { isReady } from '../../operator/cluster/observed.ts';
import { Operator } from '../../operator/operator.ts';
import { systemChance } from '../../stdx/chance.ts';
import { systemClock } from '../../stdx/clock.ts';
import { Lifetime } from '../../stdx/lifetime.ts';
import { createLogger } from '../../stdx/logger.ts';

const STOP_MS = 30;
/** What the API asks of its clients. */
export const TOKEN = systemChance.bytes(32).toString('base64url');
const logger = createLogger({ level: 'error', format: 'text' });
const deps = { clock: systemClock, chance: systemChance, logger };

export class OperatorStage implements AsyncDisposable {
  private readonly lifetime = new Lifetime();
  readonly embedded: EmbeddedApi;
  readonly api: KubeClient;
  readonly url: string;
  /** The most pods of one cluster that were seen down at once after all had been up. */
  downMax = 0;
  /** Names of pods that were deleted, in their order. */
  readonly deleted: string[] = [];

  private constructor(embedded: EmbeddedApi, url: string) {
    this.embedded = embedded;
    this.url = url;
    this.api = new KubeClient({ server: url, token: () => TOKEN });
    this.lifetime.own(this.api);
  }

  static async open(): Promise<OperatorStage> {
    const store = new Store(':memory:');
    const embedded = new EmbeddedApi({ store, clock: systemClock, chance: systemChance });
    const server = new EmbeddedServer({ api: embedded, clock: systemClock, logger, token: TOKEN });
    const port = await server.listen('127.0.0.1', 0);
    for (const crd of crds)
      embedded.create(
        embedded.kind('apiextensions.k8s.io', 'v1', 'customresourcedefinitions') as never,
        '',
        crd as never,
        {},
      );
    const stage = new OperatorStage(embedded, `http://127.0.0.1:${port}`);
    stage.lifetime.own(store);
    stage.lifetime.own(server);
    stage.lifetime.own(new StatefulSets({ ...deps, api: stage.api }));
    stage.lifetime.own(
      new Informer({ ...deps, api: stage.api }, pods, {}, ({ after }) => {
        if (after !== null) void stage.live(after);
      }),
    );
    return stage;
  }

  /** A kubelet's part: what is made is ready, what is deleted ends. */
  private async live(pod: Pod): Promise<void> {
    const { namespace = '', name, deletionTimestamp, uid = '' } = pod.metadata;
    try {
      if (deletionTimestamp !== undefined) {
        if (this.ending.has(uid)) return;
        this.ending.add(uid);
        this.deleted.push(name);
        this.noteDown(namespace);
        await new Promise((done) => setTimeout(done, STOP_MS));
        await this.api.delete(pods, namespace, name, { gracePeriodSeconds: 0, uid });
      } else if (pod.spec.nodeName === undefined) {
        const target = { apiVersion: 'v1', kind: 'Node', name: 'node' };
        const of = { namespace, name };
        const binding = { apiVersion: 'v1', kind: 'Binding', metadata: of, target };
        await this.api.act(pods, { ...of, subresource: 'binding' }, binding);
      } else if (!isReady(pod)) {
        const now = new Date().toISOString();
        const status = {
          phase: 'Running',
          conditions: [
            { type: 'Ready', status: 'True', reason: '', message: '', lastTransitionTime: now },
          ],
        };
        await this.api.patch(pods, { namespace, name, subresource: 'status' }, { status });
      }
    } catch (cause) {
      if (!isKubeError(cause, 404, 409)) throw cause;
    }
  }
  private readonly ending = new Set<string>();

  private noteDown(namespace: string): void {
    const kind = this.embedded.kind('', 'v1', 'pods');
    if (kind === null) return;
    const all = this.embedded.list(kind, namespace, () => true) as Pod[];
    this.downMax = Math.max(this.downMax, all.filter((pod) => !isReady(pod)).length);
  }

  operator(api: KubeApi): Operator {
    return new Operator({
      ...deps,
      api,
      defaults: { image: 'tenure:1', clusterDns: true, brokerLogFormat: 'json', knowsNodes: true },
      bootstrapShown: null,
      namespace: '',
      watchNodes: false,
      election: null,
      onLost: () => {},
      admin: null,
    });
  }

  createCluster(name: string, spec: object): Promise<KafkaCluster> {
    return this.api.create(kafkaClusters, {
      apiVersion: 'kafka.tenure.dev/v1beta1',
      kind: 'KafkaCluster',
      metadata: { name, namespace: 'default' },
      spec,
    } as KafkaCluster);
  }

  /** Everything that there is, without what only times and versions make different. */
  world(): string[] {
    const out: string[] = [];
    for (const kind of this.embedded.kinds()) {
      if (['Event', 'Lease', 'CustomResourceDefinition', 'Pod'].includes(kind.kind)) continue;
      for (const object of this.embedded.list(kind, null, () => true)) out.push(shape(object));
    }
    return out.sort();
  }

  /** Grows with every write that changes something. */
  get version(): number {
    return this.embedded.store.version;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lifetime[Symbol.asyncDispose]();
  }
}

function shape(object: KubeObject): string {
  return JSON.stringify(object, (key, value: unknown) =>
    [
      'resourceVersion',
      'uid',
      'creationTimestamp',
      'managedFields',
      'lastTransitionTime',
      'startedAt',
      'seconds',
      'podUid',
      'clusterId',
      'kafka.tenure.dev/applied',
      'acquireTime',
      'renewTime',
      'generation',
      'nodePort',
    ].includes(key)
      ? undefined
      : value,
  );
}
