import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type KafkaCluster,
  type KafkaClusterState,
  type KafkaPartitionMap,
  type KafkaTopic,
  kafkaClusterStates,
  kafkaClusters,
  kafkaPartitionMaps,
  kafkaTopics,
} from '../../kube/kafka-objects.ts';
import type { KubeObject, Resource } from '../../kube/objects.ts';
import { formatPage, type PartitionLine } from '../../kube/partition-line.ts';
import { type KubeApi, KubeError } from '../../kube/port.ts';
import type { Clock } from '../../stdx/clock.ts';
import { silentLogger } from '../../stdx/logger.ts';
import { Deposed, Pages } from './pages.ts';
import { raiseClusterState } from './producer-ids.ts';
import { Recovery } from './recovery.ts';
import type { BrokerReport } from './recovery-core.ts';

const CLUSTER = 'c';
const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ';
const OWNER = { apiVersion: '', kind: 'KafkaCluster', name: CLUSTER, uid: 'u' };
const OF = { namespace: 'n', cluster: CLUSTER, clusterId: 'id', owner: OWNER };
const clusterRef = { name: CLUSTER };
const LINE: PartitionLine = {
  topic: 't',
  topicId: TOPIC_ID,
  partition: 0,
  leader: { id: 0, epoch: 1 },
  leaderEpoch: 0,
  partitionEpoch: 0,
  replicas: [0, 1, 2],
  isr: [0, 1, 2].map((id) => ({ id, epoch: 1 })),
  elr: [],
  adding: [],
  removing: [],
};

const HELD = {
  topic: 't',
  topicId: TOPIC_ID,
  partition: 0,
  startOffset: 0,
  endOffset: 0,
  lastEpoch: -1,
  highWatermark: 0,
  config: null,
};
const report = (id: number, storeGeneration = 0): BrokerReport => ({
  id,
  epoch: 1,
  keptSince: 1,
  formerEpoch: -1,
  clusterId: 'id',
  storeGeneration,
  producerIdEnd: 0,
  pages: [],
  replicas: [],
});

/** A cluster of three brokers, of which the last is away, and an API that keeps objects. */
class Stage {
  private readonly kept = new Map<string, KubeObject>();
  private version = 0;
  looks = 0;
  /** What the API gets between a controller's look and the next. */
  between: () => void = () => {};
  reports: readonly BrokerReport[] = [report(0), report(1)];

  constructor() {
    this.put(kafkaClusters, {
      metadata: { name: CLUSTER, namespace: 'n', uid: 'u', annotations: {} },
      spec: { replicas: 3 },
    } as unknown as KafkaCluster);
  }

  put<T extends KubeObject>({ plural }: Resource<T>, object: T): T {
    const metadata = { ...object.metadata, resourceVersion: String(++this.version) };
    const kept = { ...object, metadata };
    this.kept.set(`${plural} ${metadata.name}`, kept);
    return kept;
  }
  get<T extends KubeObject>({ plural }: Resource<T>, name: string): T | null {
    return (this.kept.get(`${plural} ${name}`) ?? null) as T | null;
  }

  readonly api = {
    get: async (resource: Resource, _: string, name: string) => this.get(resource, name),
    list: async ({ plural }: Resource) => ({
      items: [...this.kept].filter(([key]) => key.startsWith(`${plural} `)).map(([, one]) => one),
      resourceVersion: '',
    }),
    create: async (resource: Resource, object: KubeObject) => {
      if (this.get(resource, object.metadata.name) !== null)
        throw new KubeError(409, 'AlreadyExists', 'there');
      return this.put(resource, object);
    },
    replace: async (resource: Resource, object: KubeObject) => {
      const before = this.get(resource, object.metadata.name);
      if (before?.metadata.resourceVersion !== object.metadata.resourceVersion)
        throw new KubeError(409, 'Conflict', 'the object has been modified');
      return this.put(resource, object);
    },
    patch: async () => ({}),
    apply: async () => ({}),
  } as unknown as KubeApi;

  private readonly clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    after: (_: number, run: () => void) => {
      this.between();
      setImmediate(run);
      return { [Symbol.dispose]: () => {} };
    },
  } as unknown as Clock;

  putState(controllerEpoch: number): void {
    this.put(kafkaClusterStates, {
      metadata: { name: CLUSTER, namespace: 'n' },
      spec: { clusterRef, clusterId: 'id', controllerEpoch, nextProducerId: 0 },
    } as unknown as KafkaClusterState);
  }
  putTopic(): void {
    this.put(kafkaTopics, {
      metadata: { name: 't', namespace: 'n', uid: 'tu' },
      spec: { clusterRef },
      status: { topicId: TOPIC_ID, partitions: 1 },
    } as unknown as KafkaTopic);
  }
  putPage(controllerEpoch: number): void {
    this.put(kafkaPartitionMaps, {
      metadata: { name: `${CLUSTER}-partitions-0000`, namespace: 'n' },
      spec: { clusterRef, controllerEpoch, storeGeneration: 1, partitions: formatPage([LINE]) },
    } as unknown as KafkaPartitionMap);
  }

  /** Whether the controller of that epoch may act, after so many looks at most. */
  async settles(controllerEpoch: number, looks: number): Promise<boolean> {
    const { api } = this;
    const pages = new Pages({ ...OF, api, logger: silentLogger, controllerEpoch });
    await pages.claim();
    const recovery = new Recovery({
      api,
      clock: this.clock,
      logger: silentLogger,
      pages,
      state: OF,
      controllerEpoch,
      registered: () => [0, 1, 2],
      ask: async () => this.reports,
      isHeld: () => this.looks++ <= looks * 2,
    });
    return recovery.settle();
  }
}

test('a broker that is away holds nobody up where nothing contradicts', async () => {
  const stage = new Stage();
  stage.putState(1);
  stage.putTopic();
  stage.putPage(1);
  assert.equal(await stage.settles(2, 1), true);
});

test('a broker that is away is waited for where something contradicts', async () => {
  const stage = new Stage();
  stage.putState(1);
  stage.putTopic();
  assert.equal(await stage.settles(2, 5), false);
});

test('what an earlier controller wrote at its end is no contradiction', async () => {
  const stage = new Stage();
  stage.putState(1);
  stage.putTopic();
  // Its write came to its end after the pages had been claimed.
  stage.between = () => stage.putPage(1);
  assert.equal(await stage.settles(2, 3), true);
});

test('a controller that was replaced cannot say any more that pages are not the whole truth', async () => {
  const stage = new Stage();
  // The first controllers of a cluster: there is no state to claim at their beginning.
  stage.between = () => stage.putState(1);
  assert.equal(await stage.settles(3, 3), true);
  const late = { controllerEpoch: 1, nextProducerId: 0, recovering: true };
  await assert.rejects(raiseClusterState(stage.api, OF, late), Deposed);
  const { spec } = stage.get(kafkaClusterStates, CLUSTER) as KafkaClusterState;
  assert.deepEqual([spec.controllerEpoch, spec.recovering ?? false], [3, false]);
});

test('once volumes were asked no page is below what they had seen', async () => {
  const stage = new Stage();
  stage.putState(1);
  stage.putTopic();
  stage.putPage(1);
  const replicas = [{ ...HELD, line: LINE }];
  stage.reports = [report(0, 5), report(1), report(2)].map((one) => ({ ...one, replicas }));
  assert.equal(await stage.settles(2, 3), true);
  const page = stage.get(kafkaPartitionMaps, `${CLUSTER}-partitions-0000`) as KafkaPartitionMap;
  assert.ok((page.spec.storeGeneration ?? 0) > 5);
  assert.equal(page.spec.partitions, formatPage([LINE]));
});
