/** The simulated world: nodes with disks and brokers on them, an API, a network, one seed. */

import { Broker } from '../../broker/broker.ts';
import { doPackedJob, type PackedJob, PackedJudge } from '../../broker/partition/packed-core.ts';
import {
  type KafkaBroker,
  type KafkaPartitionMap,
  type KafkaTopic,
  kafkaBrokers,
  kafkaClusters,
  kafkaPartitionMaps,
  kafkaTopics,
} from '../../kube/kafka-objects.ts';
import { type KubeObject, leases, type Resource } from '../../kube/objects.ts';
import { parsePage } from '../../kube/partition-line.ts';
import { isKubeError } from '../../kube/port.ts';
import { Unencodable } from '../../proto/kafka/cursor.ts';
import { isBug, setFate } from '../../stdx/bug.ts';
import type { LogFields, Logger } from '../../stdx/logger.ts';
import { workersInPlace } from '../../stdx/workers.ts';
import { SimDisk } from './disk.ts';
import { SimKube } from './kube.ts';
import { type Machine, SimNetwork } from './network.ts';
import { Random } from './random.ts';
import type { Scene, TopicShape } from './scene.ts';
import { clockOf, Process, Scheduler } from './scheduler.ts';

export const NAMESPACE = 'default';
export const CLUSTER = 'sim';
export const KAFKA_PORT = 9092;
export const REPLICAS = 3;
const API_VERSION = 'kafka.tenure.dev/v1beta1';
const PROBE_MS = 1000;
const HEALED: ReadonlySet<string> = new Set([
  'a damaged replica is whole again',
  'an index was damaged and is made anew',
]);
const LOG_LINES_MAX = 4000;
/** A controller is elected again, and asks. */
const NOTICED_MS = 20_000;
/** What no cluster of Kafka brings along itself. */
const KEPT = /customresourcedefinitions|namespaces/;
const pageText = ({ spec }: KafkaPartitionMap) => spec.partitions;

export interface WorldOptions {
  readonly seed: number;
  readonly scene: Scene;
}

export class SimNode implements Machine {
  readonly id: number;
  readonly name: string;
  readonly disk: SimDisk;
  isUp = true;
  boot = 0;
  process: Process | null = null;
  /** Processes of this broker that stood still when another one was started in their place. */
  readonly twins: Process[] = [];
  /** What its disk had failed to do when the process was started. */
  failuresAtStart = 0;
  broker: Broker | null = null;
  /** How fast its clock goes. */
  readonly rate: number;
  /** What its clock shows too much. */
  skewMs: number;

  constructor(id: number, random: Random) {
    this.id = id;
    this.name = `node${id}`;
    this.disk = new SimDisk(random.fork());
    this.rate = random.between(0.99, 1.01);
    this.skewMs = random.between(-3000, 3000);
  }
}

/** What brokers say when something stored is not what they wrote. */
const DAMAGE: ReadonlySet<string> = new Set([
  'a replica is damaged',
  'an index was damaged and is made anew',
]);

/** Each is a volume of its own. */
export const DATA_FOLDERS = ['/data', '/data-1'];

export class World {
  readonly scene: Scene;
  readonly random: Random;
  readonly scheduler = new Scheduler();
  readonly kube: SimKube;
  readonly network: SimNetwork;
  readonly nodes: SimNode[];
  /** The last lines that brokers wrote, for a story that went wrong. */
  readonly log: string[] = [];
  /** What no broker may ever do: bugs that it met itself. */
  readonly bugs: string[] = [];
  private readonly fate: Disposable;

  constructor(options: WorldOptions) {
    this.scene = options.scene;
    this.random = new Random(options.seed);
    this.kube = new SimKube(this.scheduler, this.random.fork());
    this.network = new SimNetwork(this.scheduler, this.random.fork());
    this.nodes = Array.from({ length: options.scene.brokers }, (_, id) => {
      const node = new SimNode(id, this.random);
      this.network.addMachine(node);
      return node;
    });
    this.fate = setFate((doing, cause) => {
      this.note(`BUG while ${doing}: ${cause}`);
      this.bugs.push(`while ${doing}: ${(cause as Error).stack}`);
    });
    this.makeObjects();
    this.probe();
    this.kube.onWrite((object) => this.notePage(object as KafkaPartitionMap));
    if (this.scene.compactsOwn)
      this.kube.onWrite((object) => this.shrinkSegments(object as KafkaTopic));
  }

  /** What brokers write for themselves would never fill a segment of the usual size. */
  private shrinkSegments({ kind, metadata, spec }: KafkaTopic): void {
    if (kind !== 'KafkaTopic' || spec.topicName?.startsWith('__') !== true) return;
    if (spec.config?.['internal.segment.bytes'] !== undefined) return;
    const config = { 'internal.segment.bytes': 2048, 'min.cleanable.dirty.ratio': '0.01' };
    this.scheduler.after(0, null, () => this.configure(metadata.name, config));
  }

  /** Every change of a partition's line belongs to the story. */
  private notePage({ kind, spec }: KafkaPartitionMap): void {
    if (kind !== 'KafkaPartitionMap') return;
    for (const line of spec.partitions.split('\n')) {
      const [name = ''] = line.split(' ');
      if (this.pages.get(name) !== line)
        this.note(`PAGE ${line.replace(/ id=\S+/, '')} controller=${spec.controllerEpoch}`);
      this.pages.set(name, line);
    }
  }
  private readonly pages = new Map<string, string>();

  /** As somebody who applies manifests: what is there stays. */
  makeObjects(): void {
    const { brokers, config, topics } = this.scene;
    this.put(kafkaClusters, {
      apiVersion: API_VERSION,
      kind: 'KafkaCluster',
      metadata: { name: CLUSTER },
      spec: { replicas: brokers, config, storage: { type: 'ephemeral' } },
    });
    for (const shape of topics) if (shape.kind !== 'passing') this.makeTopic(shape);
  }

  private put<T extends KubeObject>(resource: Resource<T>, object: object): void {
    try {
      this.kube.api.create(this.kube.kindOf(resource), NAMESPACE, object as KubeObject, {});
    } catch (cause) {
      if (!isKubeError(cause, 409)) throw cause;
    }
  }

  private makeTopic({ config, name, partitions }: TopicShape): void {
    this.put(kafkaTopics, {
      apiVersion: API_VERSION,
      kind: 'KafkaTopic',
      metadata: {
        name,
        labels: { 'kafka.tenure.dev/cluster': CLUSTER },
        finalizers: ['kafka.tenure.dev/topic'],
      },
      spec: {
        clusterRef: { name: CLUSTER },
        partitions,
        replicas: Math.min(this.scene.brokers, REPLICAS),
        config,
      },
    });
  }

  shapeOf(name: string): TopicShape {
    return this.scene.topics.find((shape) => shape.name === name) as TopicShape;
  }

  /** As somebody who edits the object: the settings are added to those that are there. */
  configure(topic: string, config: Readonly<Record<string, string | number>>): void {
    const kind = this.kube.kindOf(kafkaTopics);
    const patch = { spec: { config } } as unknown as Record<string, never>;
    this.kube.api.patch(kind, NAMESPACE, topic, 'merge', patch, null, {});
  }

  note(text: string): void {
    this.log.push(`${(this.scheduler.nowMs / 1000).toFixed(3).padStart(8)} ${text}`);
    if (this.log.length > LOG_LINES_MAX * 1.5) this.log.splice(0, this.log.length - LOG_LINES_MAX);
  }

  private noteCompaction(topic: unknown): void {
    this.counts.compactions++;
    if (String(topic).startsWith('__')) this.counts.ownCompactions++;
  }

  private loggerOf(name: string): Logger {
    const write =
      (level: string) =>
      (message: string, fields: LogFields = {}) => {
        const shown = Object.entries(fields).map(([key, value]) => {
          const text = value instanceof Error ? value.message : JSON.stringify(value);
          return `${key}=${text}`;
        });
        this.note(`${name} ${level} ${message} ${shown.join(' ')}`);
        if (DAMAGE.has(message) && !this.nodes.some(({ disk }) => disk.isDamaged))
          this.bugs.push(`${name}: ${message}, though nothing was ever damaged ${shown.join(' ')}`);
        if (message === 'log compacted') this.noteCompaction(fields.topic);
        if (message === 'old segments set aside') this.counts.retentions++;
        if (HEALED.has(message)) this.counts.heals++;
        const { cause } = fields;
        if (isBug(cause) || cause instanceof Unencodable)
          this.bugs.push(`${name}: ${message}: ${(cause as Error).stack}`);
      };
    const logger: Logger = {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      child: () => logger,
    };
    return logger;
  }

  /** Starts a second process of the broker elsewhere, on the same volume. */
  startTwin(node: SimNode): void {
    if (node.process !== null) node.twins.push(node.process);
    node.disk.isDamaged = true;
    // The kernel of that machine knows nothing of the locks of this one.
    node.disk.locks.clear();
    node.boot++;
    this.start(node);
  }

  /** Starts a broker on the node, with what its disk holds. */
  start(node: SimNode): void {
    node.isUp = true;
    node.failuresAtStart = node.disk.failures;
    node.disk.failedIn.clear();
    const process = new Process(`${node.name}.${this.scheduler.events}`);
    const logger = this.loggerOf(node.name);
    node.process = process;
    node.broker = new Broker(
      {
        clock: clockOf(this.scheduler, process, node),
        chance: this.random.fork(),
        disk: node.disk.for(process, this.scheduler),
        logger,
        api: this.kube.for(process),
        network: this.network.for(process, node),
        processId: this.scheduler.events,
        bootId: `${node.name}-boot-${node.boot}`,
        onFatal: (why) => {
          this.note(`${node.name} ends itself: ${why}`);
          if (why.includes('invariant')) this.bugs.push(`${node.name}: ${why}`);
          process.kill();
          this.restartLater(node);
        },
        version: 'sim',
        workers: workersInPlace((job: PackedJob) => doPackedJob(new PackedJudge(), job)),
        ownsProcess: false,
      },
      {
        namespace: NAMESPACE,
        cluster: CLUSTER,
        id: node.id,
        podName: `${CLUSTER}-broker-${node.id}`,
        listeners: [{ name: 'internal', port: 9092 }],
        rackAnnotation: null,
        tlsFolder: '',
        peerTlsFolder: null,
        peerTls: 'require',
        podUid: '',
        bindHost: node.name,
        advertisedHost: node.name,
        kafkaPort: KAFKA_PORT,
        replicationPort: 9091,
        adminPort: 0,
        dataFolders: DATA_FOLDERS,
        rack: null,
        serviceAccountFolder: '',
        logLevel: 'debug',
        logFormat: 'text',
        tailBytes: 64 * 1024,
        memoryBytes: 256 * 1024 * 1024,
        openFilesMax: 64,
        shutdownTimeoutMs: 20_000,
      },
    );
    process.run(() => {
      node.broker?.start().catch((cause: unknown) => {
        if (!process.alive) return;
        logger.error('starting failed', { cause });
        process.kill();
        this.restartLater(node);
      });
    });
  }

  /** What a kubelet does with a container that ended. */
  private restartLater(node: SimNode): void {
    const { boot } = node;
    this.scheduler.after(500, null, () => {
      if (node.isUp && node.boot === boot && node.process?.alive !== true) this.start(node);
    });
  }

  /** Kubelets: a process that says that it cannot go on is replaced, and one that ended as well. */
  private probe(): void {
    for (const node of this.nodes) {
      const { process } = node;
      const why = process?.alive === true ? this.network.unhealthyBecause(process) : null;
      if (process !== null && why !== null) {
        this.note(`${node.name} is restarted by its kubelet: ${why}`);
        const works = node.disk.failedIn.size < DATA_FOLDERS.length;
        if (works && !node.disk.isDamaged)
          this.bugs.push(`${node.name} gave up though a disk of its works: ${why}`);
        process.kill();
        this.restartLater(node);
      } else if (process?.alive === false && node.isUp && this.isPeace) this.start(node);
    }
    this.scheduler.after(PROBE_MS, null, () => this.probe());
  }
  isReady({ process }: SimNode): boolean {
    return process?.alive === true && this.network.isReady(process);
  }

  /** Called when the API's store is put back to what it was. */
  onApiRestored: () => void = () => {};

  /** All objects are gone, as where somebody deleted what he could, or etcd is a new one. */
  loseApi(): void {
    this.restoreApi(this.kube.copy().filter(({ collection }) => KEPT.test(collection)));
  }

  /** The API's store is put back to what it was. */
  restoreApi(copy: ReturnType<SimKube['copy']>): void {
    const before = this.pageObjects();
    this.kube.restore(copy);
    const texts = new Map(this.pageObjects().map((page) => [page.metadata.name, pageText(page)]));
    if (before.some((page) => texts.get(page.metadata.name) !== pageText(page)))
      this.forgotten = {
        generation: Math.max(0, ...before.map(({ spec }) => spec.storeGeneration ?? 0)),
        untilMs: this.scheduler.nowMs + NOTICED_MS,
      };
    this.onApiRestored();
  }

  /**
   * Pages that the API forgot are written again as soon as somebody who knows them is asked: until then, or
   * until there was time enough for that, what the API says is not how things are.
   */
  private get isForgetful(): boolean {
    const { forgotten } = this;
    if (forgotten === null || this.scheduler.nowMs > forgotten.untilMs) return false;
    return this.pageObjects().some(
      ({ spec }) => (spec.storeGeneration ?? 0) <= forgotten.generation,
    );
  }
  private forgotten: { readonly generation: number; readonly untilMs: number } | null = null;

  private pageObjects(): KafkaPartitionMap[] {
    const kind = this.kube.kindOf(kafkaPartitionMaps);
    return this.kube.api.list(kind, NAMESPACE, () => true) as KafkaPartitionMap[];
  }

  /** Whether everything that ends comes back at once. */
  isPeace = false;

  kill(node: SimNode): void {
    node.process?.kill();
  }

  /** Whether a log directory failed in this life of the broker: somebody has to start it again. */
  needsRestart(node: SimNode): boolean {
    return node.process?.alive === true && node.disk.failures !== node.failuresAtStart;
  }

  /** The machine loses its power, and with it what was not flushed. */
  losePower(node: SimNode): void {
    node.process?.kill();
    node.isUp = false;
    node.boot++;
    node.disk.losePower();
  }

  /** The latest life of the broker on that node, as the API has it. */
  brokerEpochOf({ id }: SimNode): number {
    const brokers = this.kube.api.list(
      this.kube.kindOf(kafkaBrokers),
      NAMESPACE,
      () => true,
    ) as KafkaBroker[];
    return brokers.find(({ spec }) => spec.id === id)?.spec.epoch ?? -1;
  }

  deleteBrokerLease(id: number): void {
    this.kube.api.delete(this.kube.kindOf(leases), NAMESPACE, `${CLUSTER}-broker-${id}`, {});
  }

  /** Every partition's line, as the API has it. */
  lines() {
    return this.pageObjects().flatMap(({ spec }) => parsePage(spec.partitions));
  }

  /** Which topic of that name has the partition now; null: none. */
  topicIdOf(topic: string, partition: number): string | null {
    const line = this.lines().find((one) => one.topic === topic && one.partition === partition);
    return line?.topicId ?? null;
  }

  /** Topics that were deleted, and are not gone. */
  get dying(): string[] {
    const topics = this.kube.api.list(this.kube.kindOf(kafkaTopics), NAMESPACE, () => true);
    const isDying = ({ metadata }: KubeObject) => metadata.deletionTimestamp !== undefined;
    return topics.filter(isDying).map(({ metadata }) => metadata.name);
  }

  /** Whether every partition has a leader and all its replicas, and none of the lasting is missing. */
  get isWhole(): boolean {
    const lines = this.lines();
    const healthy = lines.every(
      ({ adding, isr, leader, replicas }) =>
        leader !== null && isr.length === replicas.length && adding.length === 0,
    );
    if (!healthy || this.isForgetful || this.dying.length > 0) return false;
    return this.scene.topics.every(
      ({ kind, name, partitions }) =>
        kind === 'passing' || lines.filter(({ topic }) => topic === name).length === partitions,
    );
  }

  /** An orderly stop; resolves when the process has ended. */
  stop({ broker, process }: SimNode): Promise<void> {
    return new Promise((resolve) => {
      if (process === null || !process.alive) return resolve();
      this.stopping.add(process);
      process.run(() => {
        void broker?.stop().then(() => {
          process.kill();
          resolve();
        });
      });
    });
  }
  private readonly stopping = new Set<Process>();

  /** Whether a process is at its end still. */
  get isStopping(): boolean {
    for (const process of this.stopping) if (process.alive) return true;
    return false;
  }

  /** What the world itself did. */
  readonly counts = {
    compactions: 0,
    retentions: 0,
    leaderTurns: 0,
    endStops: 0,
    heals: 0,
    ownCompactions: 0,
  };

  async run(ms: number): Promise<void> {
    await this.scheduler.runUntil(this.scheduler.nowMs + ms);
  }

  /** Drives the world until that is known; what never is, is a bug. */
  async done<T>(result: Promise<T>, what: string): Promise<T | null> {
    let done: { value: T | null } | null = null;
    void result.then(
      (value) => (done = { value }),
      () => (done = { value: null }),
    );
    for (let i = 0; i < 250 && done === null; i++) await this.run(200);
    if (done === null) this.bugs.push(`stuck: ${what}`);
    return (done as { value: T | null } | null)?.value ?? null;
  }

  [Symbol.dispose](): void {
    for (const { process, twins } of this.nodes) for (const one of [process, ...twins]) one?.kill();
    this.fate[Symbol.dispose]();
    this.kube[Symbol.dispose]();
  }
}
