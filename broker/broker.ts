/** A whole broker, put together from its parts. Ports come in; only main.ts makes the real ones. */

import type { KafkaCluster } from '../kube/kafka-objects.ts';
import type { Member } from '../kube/partition-line.ts';
import { fatal } from '../stdx/bug.ts';
import type { DiskError } from '../stdx/disk.ts';
import { Lifetime } from '../stdx/lifetime.ts';
import { Turn } from '../stdx/turn.ts';
import { actOnMetadata } from './act-on-metadata.ts';
import { adminRoutes } from './admin-routes.ts';
import { registry } from './api/registry.ts';
import type { BrokerPorts } from './broker-ports.ts';
import { Cleaner } from './cleaner.ts';
import { listenForClients } from './client-listeners.ts';
import { type Identified, identifyCluster } from './cluster-identity.ts';
import { BrokerConfig } from './config/config.ts';
import { connectionGate } from './connections.ts';
import { ControllerRole } from './controller-role.ts';
import { Coordinators } from './coordinators.ts';
import { brokerCounts, brokerFacts, failedLogDirs } from './facts.ts';
import { endForStorage, handOver } from './hand-over.ts';
import { Housekeeping } from './housekeeping.ts';
import { Integrity } from './integrity.ts';
import { InternalTopics } from './internal-topics.ts';
import { Isolation } from './isolation.ts';
import { IsrProposer } from './isr-proposer.ts';
import { LineKeeper } from './line-keeper.ts';
import type { LogDirectories } from './log/log-directories.ts';
import { TailMemory } from './log/tail-memory.ts';
import { clustersOf } from './log/volume-owner.ts';
import { budgetSize } from './memory/budget-size-core.ts';
import { MemoryBudget } from './memory/memory-budget-core.ts';
import { brokerName, Metadata } from './metadata/metadata.ts';
import { ProducerIds } from './metadata/producer-ids.ts';
import { findRack } from './metadata/rack.ts';
import type { BrokerReport } from './metadata/recovery-core.ts';
import { ownerOf, Session } from './metadata/session.ts';
import { TopicAdmin } from './metadata/topic-admin.ts';
import type { ClientListener } from './network.ts';
import { LoopDelay } from './observe/loop-delay.ts';
import { BrokerMetrics } from './observe/metrics.ts';
import type { BrokerOptions } from './options.ts';
import { type Partition, TURN_PHASES } from './partition/partition.ts';
import { Partitions } from './partition/partitions.ts';
import { RecordsJudge } from './partition/records-judge.ts';
import { changePartitions } from './partition-changes.ts';
import { reportMessage, reportOf } from './replica-report.ts';
import { Replicas } from './replicas.ts';
import { ControllerClient } from './replication/controller-client.ts';
import { Followers } from './replication/follower-stream.ts';
import { type ControlHandlers, PeerServer } from './replication/peer-server.ts';
import { SharePeers } from './replication/share-peers.ts';
import { ReplicationThrottle } from './replication/throttle.ts';
import { TransactionPeers } from './replication/transaction-peers.ts';
import type { ConnectionGate } from './server/connection-gate.ts';
import { Standstill } from './standstill.ts';
import { Storage } from './storage.ts';

const EXPIRE_MS = 200;
/** Two renewals of the session were not answered. */
const API_AWAY_MS = 5_000;
const STATUS_MS = 10_000;

const STATE = { starting: 1, recovering: 2, running: 3, draining: 6, stopping: 7 } as const;

export class Broker implements AsyncDisposable {
  private readonly ports: BrokerPorts;
  private readonly options: BrokerOptions;
  private readonly lifetime = new Lifetime();
  private readonly turn: Turn;
  private readonly partitions = new Partitions();
  private readonly storage: Storage;
  private readonly tail: TailMemory;
  private memory!: MemoryBudget;
  private readonly config: BrokerConfig;
  private readonly metadata: Metadata;
  private readonly metrics: BrokerMetrics;
  private readonly session: Session;
  private readonly controllerClient: ControllerClient;
  private directories!: LogDirectories;
  private replicas!: Replicas;
  private integrity!: Integrity;
  private coordinators!: Coordinators;
  private admin!: TopicAdmin;
  private internalTopics!: InternalTopics;
  private nextProducerId!: () => Promise<number>;
  private role: ControllerRole | null = null;
  private peerServer!: PeerServer;
  private isolation: Isolation | null = null;
  private readonly standstill: Standstill;
  private readonly gate: ConnectionGate;
  private readonly listeners: ClientListener[] = [];
  private cluster!: KafkaCluster;
  private clusterId = '';
  private state: number = STATE.starting;
  private storageFailed = false;
  private ending: Promise<void> | null = null;

  constructor(ports: BrokerPorts, options: BrokerOptions) {
    this.standstill = this.lifetime.own(new Standstill(ports.clock));
    this.ports = { ...ports, clock: this.standstill.clock };
    this.options = options;
    const { clock, chance, logger, api } = this.ports;
    this.turn = new Turn(
      ports.clock,
      TURN_PHASES,
      (cause) => fatal('ending a turn', cause),
      () => this.standstill.look(),
    );
    this.tail = new TailMemory(options.tailBytes);
    const of = { namespace: options.namespace, cluster: options.cluster };
    this.metadata = new Metadata({ api, clock, chance, logger }, of);
    this.config = new BrokerConfig(() => {
      const { clusterConfig, brokerConfig } = this.metadata.image;
      const own = brokerConfig[String(options.id)];
      return own === undefined ? clusterConfig : { ...clusterConfig, ...own };
    });
    this.gate = this.lifetime.own(connectionGate(clock, this.config, this.metadata.image));
    const loopDelay = ports.ownsProcess ? this.lifetime.own(new LoopDelay(clock)) : null;
    this.metrics = new BrokerMetrics({ loopDelay, ...this.facts() });
    this.session = new Session(
      {
        api,
        clock,
        chance,
        logger,
        onReplaced: () => ports.onFatal('another process took the place of this broker'),
      },
      {
        ...of,
        id: options.id,
        host: options.advertisedHost,
        port: options.kafkaPort,
        replicationPort: options.replicationPort,
        podUid: options.podUid,
        rack: options.rack,
        version: ports.version,
        sessionTimeoutMs: 9_000,
        renewPeriodMs: 2_000,
      },
    );
    this.storage = new Storage({ ...ports, tail: this.tail }, options, this.session.incarnation);
    this.controllerClient = new ControllerClient(ports.network.peers, () =>
      this.metadata.image.broker(this.metadata.image.controllerId),
    );
  }

  private get self(): Member {
    return { id: this.options.id, epoch: this.session.epoch };
  }

  /** Brings everything up; resolves when clients are served. */
  async start(): Promise<void> {
    const { clock, logger } = this.ports;
    const startedMs = clock.monotonicMs();
    await this.startAdmin();
    const identified = await this.identify();
    this.cluster = identified.cluster;
    this.clusterId = identified.clusterId;
    this.memory = new MemoryBudget(budgetSize(this.options, this.cluster.spec), (run) =>
      clock.endOfTurn(run),
    );
    this.state = STATE.recovering;
    this.directories = await this.storage.open(this.clusterId);
    this.openReplicas();
    await this.startPeers();
    await this.metadata.synced();
    this.metadata.image.clusterId = this.clusterId;
    await this.register();
    this.watchForStandstill();
    this.standForController();
    this.applyMetadata();
    await this.listen();
    this.startChores();
    this.state = STATE.running;
    logger.info('broker is up', {
      host: this.options.advertisedHost,
      port: this.options.kafkaPort,
      epoch: this.session.epoch,
      elapsedMs: Math.round(clock.monotonicMs() - startedMs),
    });
  }

  private async startAdmin(): Promise<void> {
    const { metrics, partitions } = this;
    const routes = adminRoutes({
      clock: this.ports.clock,
      metrics,
      partitions,
      live: () => (this.storageFailed ? 'the disk failed: the broker must be restarted' : null),
      ready: () => this.unreadyBecause(),
      connections: () => this.listeners.flatMap(({ connections }) => [...connections]),
    });
    const { adminPort: port, bindHost: host } = this.options;
    this.lifetime.own(await this.ports.network.serveAdmin(routes, { host, port }));
  }

  private unreadyBecause(): string | null {
    if (this.state !== STATE.running)
      return this.state < STATE.running
        ? (this.waitsFor ?? 'the broker is starting')
        : 'the broker is stopping';
    if (this.isolation?.isAlone === true)
      return 'neither the Kubernetes API nor any other broker can be reached';
    return this.storageFailed ? 'the disk failed' : null;
  }

  /** Finds out which cluster this is; with the volumes of another one it waits. */
  private identify(): Promise<Identified> {
    const { cluster, dataFolders, id, namespace } = this.options;
    return identifyCluster(this.ports, {
      namespace,
      cluster,
      broker: id,
      held: () => clustersOf(this.ports, dataFolders),
      onWait: (why) => {
        this.waitsFor = why;
      },
    });
  }
  private waitsFor: string | null = null;

  private openReplicas(): void {
    const { clock, logger, network } = this.ports;
    const followers = this.lifetime.own(
      new Followers({
        clock,
        turn: this.turn,
        logger,
        network: network.peers,
        clusterId: () => this.clusterId,
        self: () => this.self,
        addressOf: (id) => {
          const broker = this.metadata.image.broker(id);
          return broker === null ? null : `${broker.host}:${broker.replicationPort}`;
        },
        onReceived: (byteCount) => this.metrics.onReplicationIn(byteCount),
        share: this.memory.replication,
      }),
    );
    const { controllerClient: controller, config, directories, partitions } = this;
    this.integrity = this.lifetime.own(
      new Integrity({
        ...this.ports,
        config,
        partitions,
        directories,
        followers,
        controller,
        self: () => this.self,
        object: () => this.metadata.brokers.all().find(({ spec }) => spec.id === this.options.id),
        image: this.metadata.image,
        replicas: () => this.replicas,
        onChange: () => this.reportCounts(),
        onLast: () => this.leaveForStorage(),
      }),
    );
    this.replicas = new Replicas({
      clock,
      turn: this.turn,
      logger,
      image: this.metadata.image,
      directories: this.directories,
      partitions: this.partitions,
      followers,
      self: () => this.self,
      isApiAway: () => clock.monotonicMs() - this.session.confirmedAtMs > API_AWAY_MS,
      onDamage: (partition, damage) => this.integrity.onDamage(partition, damage),
      onStorageFailure: (partition, cause) => this.onStorageFailure(partition, cause),
      onUnopened: () => this.leaveForStorage(),
      onIsrChange: (kind) => this.metrics.onIsrChange(kind),
      onInternal: (topic, partition, epoch) =>
        this.coordinators.onLeadership(topic, partition, epoch),
    });
    const ids = new ProducerIds(async () => {
      const { accepted, first, count } = await this.controllerClient.allocateProducerIds({
        ...this.self,
      });
      if (!accepted) throw new Error('the controller is moving');
      // Here as well as at the controller: any volume that is left can tell.
      this.directories.noteProducerId(first + count);
      return { first, count };
    });
    this.nextProducerId = () => ids.take();
    const peers = this.lifetime.own(
      new TransactionPeers(network.peers, (id) => this.metadata.image.broker(id)),
    );
    this.admin = new TopicAdmin({
      api: this.ports.api,
      clock,
      metadata: this.metadata,
      namespace: this.options.namespace,
      cluster: this.options.cluster,
    });
    this.internalTopics = new InternalTopics(
      this.config,
      this.metadata.image,
      () => this.admin,
      this.ports.logger,
    );
    this.coordinators = this.lifetime.own(
      new Coordinators({
        clock,
        chance: this.ports.chance,
        logger,
        selfId: this.options.id,
        image: this.metadata.image,
        config: this.config,
        partitions: this.partitions,
        peers,
        sharePeers: this.lifetime.own(
          new SharePeers(network.peers, (id) => this.metadata.image.broker(id)),
        ),
        topics: this.internalTopics,
        nextProducerId: this.nextProducerId,
      }),
    );
    this.replicas.openAll();
  }

  private async startPeers(): Promise<void> {
    const { clock, logger } = this.ports;
    const refuse: ControlHandlers = {
      alterPartition: async (request) =>
        this.role?.control.alterPartition(request) ?? { accepted: false, results: [] },
      leave: async (broker) =>
        this.role?.control.leave(broker) ?? { accepted: false, leadersLeft: -1 },
      allocateProducerIds: () => this.allocateProducerIds(),
      changePartitions: async (wishes) =>
        this.role?.control.changePartitions(wishes) ?? { accepted: false, results: [] },
    };
    const server = new PeerServer({
      clock,
      turn: this.turn,
      logger,
      network: this.ports.network.peers,
      partitions: this.partitions,
      memory: this.tail,
      share: this.memory.replication,
      self: () => this.self,
      clusterId: () => this.clusterId,
      control: refuse,
      reportReplicas: ({ full }) => reportMessage(this.report(full)),
      transactions: this.coordinators.handlers,
      coordinatesTransactions: (id) => this.coordinators.leadsTransactions(id),
      shareState: this.coordinators.shareStore.handlers,
      throttle: new ReplicationThrottle(clock, () =>
        this.config.number('leader.replication.throttled.rate'),
      ),
      onSent: (byteCount) => this.metrics.onReplicationOut(byteCount),
      standing: {
        question: () => this.standstill.question,
        onConfirmed: (partition) => this.replicas.confirm(partition),
        onUnfollowed: (partition) => this.replicas.doubt(partition),
      },
      look: () => this.standstill.look(),
    });
    this.peerServer = this.lifetime.own(server);
    this.lifetime.own(this.controllerClient);
    await server.listen(this.options.bindHost, this.options.replicationPort);
  }

  private report(full: boolean): BrokerReport {
    return reportOf({
      self: this.self,
      keptSince: this.session.keptSince,
      clusterId: this.clusterId,
      directories: this.directories,
      partitions: this.partitions,
      ...this.replicas.report(full),
    });
  }

  /** The volumes of the controller know of a block before anybody gets an id of it. */
  private async allocateProducerIds() {
    const block = await this.role?.control.allocateProducerIds();
    if (block === undefined) return { accepted: false, first: 0, count: 0 };
    if (block.accepted) this.directories.noteProducerId(block.first + block.count);
    return block;
  }

  /** Claims the broker's place, with the standing that its disk justifies. */
  private async register(): Promise<void> {
    const { rackAnnotation: annotation, namespace, cluster, id, podName: pod } = this.options;
    if (annotation !== null)
      this.session.rack = await findRack(this.ports, {
        namespace,
        pod,
        annotation,
        broker: brokerName(cluster, id),
      });
    const lives = this.storage.lives(this.metadata.image, this.replicas.cleanRecovery);
    await this.session.begin(this.cluster, lives);
  }

  private watchForStandstill(): void {
    this.standstill.begin({
      logger: this.ports.logger,
      confirmedAtMs: () => this.session.confirmedAtMs,
      sessionTimeoutMs: () => this.config.number('broker.session.timeout.ms'),
      readLines: () => this.metadata.readLines(),
      onStoodStill: () => this.replicas.suspend('stoodStill'),
      onLookedAgain: (lines) => this.replicas.resume('stoodStill', lines),
    });
  }

  private standForController(): void {
    const { namespace, cluster, id } = this.options;
    this.role = new ControllerRole(
      {
        ...this.ports,
        peers: this.ports.network.peers,
        metadata: this.metadata,
        config: this.config,
        owner: () => ownerOf(this.cluster),
        state: () => ({
          namespace,
          cluster,
          clusterId: this.clusterId,
          owner: ownerOf(this.cluster),
        }),
        onUnclean: () => this.metrics.onUnclean(),
        report: (full) => this.report(full),
      },
      { namespace, cluster, id, incarnation: this.session.incarnation },
    );
  }

  private applyMetadata(): void {
    const listening = actOnMetadata({
      metadata: this.metadata,
      replicas: this.replicas,
      clusterId: this.clusterId,
      onTopicGone: (name) => void this.coordinators.groups.forgetTopic(name),
      onCluster: () => this.reportCounts(),
      onFatal: this.ports.onFatal,
    });
    this.lifetime.own(listening);
  }

  private async listen(): Promise<void> {
    const { clock, chance, logger, network } = this.ports;
    const { config, coordinators, turn } = this;
    const { image } = this.metadata;
    const apis = registry({
      self: this.options.id,
      clock,
      turn,
      chance,
      image,
      config,
      partition: (topicId, partition) => this.partitions.get(topicId, partition),
      topicRules: (topicId) => this.replicas.rulesOf(topicId),
      groups: coordinators.groups,
      groupSetting: (groupId, name) => coordinators.groupSetting(groupId, name),
      transactions: coordinators.transactions,
      gate: coordinators,
      shares: coordinators.shares,
      shareStore: coordinators.shareStore,
      shareCoordinatorFor: (key) => coordinators.shareStates.partitionFor(key),
      ensureTopic: (name) => this.internalTopics.ensure(name),
      writeMarkers: (markers) => coordinators.markers.writeHere(markers),
      admin: this.admin,
      records: new RecordsJudge(this.turn, this.ports.workers),
      partitions: () => this.partitions,
      logDirectories: this.directories,
      changePartitions: (changes, timeoutMs) =>
        changePartitions({ controller: this.controllerClient, logger }, changes, timeoutMs),
      nextProducerId: this.nextProducerId,
      traffic: this.metrics,
      tail: this.tail,
    });
    const { metrics: observer, memory: budget } = this;
    const look = () => this.standstill.look();
    await listenForClients(
      {
        clock,
        logger,
        network,
        turn,
        image,
        config,
        apis,
        observer,
        budget,
        gate: this.gate,
        look,
      },
      this.options,
      { lifetime: this.lifetime, listeners: this.listeners },
    );
  }

  private startChores(): void {
    const { clock, logger } = this.ports;
    const { partitions } = this;
    this.lifetime.own(
      new IsrProposer({
        clock,
        logger,
        image: this.metadata.image,
        partitions,
        controller: this.controllerClient,
        self: () => this.self,
        onLine: (line) => this.replicas.place(line),
      }),
    );
    this.isolation = this.lifetime.own(
      new Isolation({
        clock,
        hasPeers: () => this.metadata.image.brokers().length > 1,
        reachesPeer: () => this.role?.reachesPeer === true || this.peerServer.hasFollowers,
        apiAnsweredAtMs: () => this.session.confirmedAtMs,
        timeoutMs: () => this.config.number('broker.session.timeout.ms'),
        onChange: (isAlone) => this.onIsolation(isAlone),
      }),
    );
    this.lifetime.own(clock.every(EXPIRE_MS, () => partitions.expireWaiters()));
    this.lifetime.own(
      new Housekeeping({
        clock,
        logger,
        partitions,
        directories: this.directories,
        budget: this.storage.budget,
        retentionPeriodMs: () => this.config.number('log.retention.check.interval.ms'),
        fileDeleteDelayMs: (topicId) => this.replicas.rulesOf(topicId).fileDeleteDelayMs,
      }),
    );
    this.lifetime.own(new LineKeeper(clock, this.directories));
    this.lifetime.own(
      new Cleaner({
        clock,
        logger,
        config: this.config,
        partitions,
        directories: this.directories,
        fileDeleteDelayMs: (topicId) => this.replicas.rulesOf(topicId).fileDeleteDelayMs,
      }),
    );
    this.integrity.start();
    this.lifetime.own(clock.every(STATUS_MS, () => this.reportCounts()));
    clock.after(0, () => this.reportCounts());
  }

  private onIsolation(isAlone: boolean): void {
    if (isAlone) {
      this.ports.logger.warn('cut off from the Kubernetes API and all brokers: leading nothing');
      this.replicas.suspend('isolated');
    } else {
      this.ports.logger.info('among others again');
      this.replicas.resume('isolated');
    }
  }

  /** Shown to people; written only when a number changed. */
  private reportCounts(): void {
    const counts = this.counts();
    const text = JSON.stringify(counts);
    if (text === this.reported || this.state !== STATE.running) return;
    this.reported = text;
    void this.session.reportCounts(counts);
  }
  private reported = '';

  private counts(): object {
    return {
      ...brokerCounts(this.partitions, this.metadata.image, this.options.id),
      failedLogDirs: failedLogDirs(this.directories),
    };
  }

  /** A failed read or write: the directory is offline here, leadership moves, and it gets no clean marker. */
  private onStorageFailure(partition: Partition, cause: DiskError): void {
    this.ports.logger.error('storage failed', {
      topic: partition.topic,
      partition: partition.partition,
      cause,
    });
    const { directories } = this;
    directories.failures.note(directories.of(partition.log), cause);
  }

  /** Others take over what is led here; then the process ends, and whoever restarts it gives it another chance. */
  private leaveForStorage(): void {
    if (this.storageFailed) return;
    this.storageFailed = true;
    endForStorage({
      ...this.ports,
      timeoutMs: this.options.shutdownTimeoutMs,
      leave: () => this.session.reportState('Draining').then(() => this.handOver()),
      stop: () => this.stop(),
    });
  }

  private handOver(): Promise<void> {
    const { clock, logger } = this.ports;
    return handOver({
      clock,
      logger,
      image: this.metadata.image,
      controller: this.controllerClient,
      self: () => this.self,
      timeoutMs: this.options.shutdownTimeoutMs,
      stepBack: async () => this.role?.[Symbol.asyncDispose](),
    });
  }

  private facts() {
    return brokerFacts({
      partitions: this.partitions,
      image: this.metadata.image,
      isController: () => this.role?.isController === true,
      listeners: () =>
        this.options.listeners.map(({ name, port }, i) => [
          `${name.toUpperCase()}-${port}`,
          this.listeners[i],
        ]),
      directories: () => this.directories,
      hasStorageFailed: () => this.storageFailed,
      groups: () => this.coordinators?.groups.groups() ?? [],
      state: () => this.state,
      tail: this.tail,
      memory: () => this.memory ?? null,
      integrity: () => this.integrity,
      producersEvicted: () => this.storage.budget.evicted,
      gate: this.gate,
    });
  }

  /** An orderly stop: hand over, close, say that nothing is missing. */
  stop(): Promise<void> {
    this.ending ??= this.end();
    return this.ending;
  }

  private async end(): Promise<void> {
    const { logger } = this.ports;
    this.state = STATE.draining;
    if (this.session.epoch >= 0) {
      await this.session.reportState('Draining', this.counts());
      if (this.config.flag('controlled.shutdown.enable') && !this.storageFailed)
        await this.handOver();
    }
    this.state = STATE.stopping;
    await this.role?.[Symbol.asyncDispose]();
    await this.lifetime[Symbol.asyncDispose]();
    await this.metadata[Symbol.asyncDispose]();
    // A broker that stops while it starts has opened logs that it has not given a role.
    const all = [...this.partitions, ...(this.replicas?.unplaced ?? [])];
    const isWhole =
      !this.storageFailed && this.session.epoch >= 0 && this.replicas?.areAllOpen === true;
    await this.storage.closeLogs(all, isWhole ? this.session.epoch : null);
    await this.session.end();
    this.storage[Symbol.dispose]();
    logger.info('broker stopped');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
