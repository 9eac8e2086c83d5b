/** The part of a broker that stands for controller and, when elected, runs one. */

import { kafkaClusters } from '../kube/kafka-objects.ts';
import type { Lease, OwnerReference } from '../kube/objects.ts';
import { formatLine } from '../kube/partition-line.ts';
import type { KubeApi } from '../kube/port.ts';
import { codeOf } from '../proto/kafka/errors.ts';
import { expectNoBug } from '../stdx/bug.ts';
import type { Chance } from '../stdx/chance.ts';
import type { Clock } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';
import { type BrokerConfig, topicRules } from './config/config.ts';
import { topicObjectFault } from './config/faults.ts';
import { internalReplicas, internalShape } from './internal-topics.ts';
import { Controller, type PartitionWish } from './metadata/controller.ts';
import { ControllerLease } from './metadata/controller-lease.ts';
import { Liveness } from './metadata/liveness.ts';
import { controllerLeaseName, type Metadata } from './metadata/metadata.ts';
import { Deposed, Pages } from './metadata/pages.ts';
import { watchPods } from './metadata/pod-evidence.ts';
import {
  type ClusterStateOptions,
  claimClusterState,
  noteBalanced,
  takeProducerIds,
} from './metadata/producer-ids.ts';
import { Recovery } from './metadata/recovery.ts';
import { type BrokerReport, doubtsOf } from './metadata/recovery-core.ts';
import { ReplicaReports } from './replica-report.ts';
import type { PeerNetwork } from './replication/peer-network.ts';
import type { ControlHandlers } from './replication/peer-server.ts';
import { Presence } from './replication/presence.ts';
import type { WishMessage } from './replication/services.ts';

export interface ControllerRoleDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  readonly peers: PeerNetwork;
  readonly metadata: Metadata;
  readonly config: BrokerConfig;
  readonly owner: () => OwnerReference;
  readonly state: () => ClusterStateOptions;
  readonly onUnclean: () => void;
  /** What this broker itself would answer. */
  readonly report: (full: boolean) => BrokerReport;
}

interface Active {
  readonly epoch: number;
  readonly controller: Controller;
  readonly liveness: Liveness;
  readonly pages: Pages;
  readonly podWatch: Disposable;
}

const RETRY_MS = 200;
const AUDIT_MS = 1_000;

export class ControllerRole implements AsyncDisposable {
  private readonly deps: ControllerRoleDeps;
  private readonly of: { namespace: string; cluster: string; id: number; incarnation: string };
  private readonly lease: ControllerLease;
  private readonly presence: Presence;
  private active: Active | null = null;
  private over = false;
  /** Each is a beginning of this broker's as controller; the newest one counts. */
  private terms = 0;
  private epoch = -1;
  /** Producer ids below this one may be in use. */
  private producerIdEnd = 0;
  private readonly reports: ReplicaReports;
  private auditing = false;

  constructor(
    deps: ControllerRoleDeps,
    of: { namespace: string; cluster: string; id: number; incarnation: string },
  ) {
    this.deps = deps;
    this.of = of;
    this.reports = new ReplicaReports(deps.peers, (id) => deps.metadata.image.broker(id));
    this.presence = new Presence(deps.clock, deps.peers, {
      onPresent: ({ id, epoch }) => this.active?.liveness.onPresent(id, epoch),
      onRefused: ({ id, epoch }) => {
        if (this.active !== null) this.active.liveness.onRefused(id, epoch);
        else this.suspectController(id, epoch);
      },
    });
    this.lease = new ControllerLease(
      {
        ...deps,
        epochSeen: () => this.epochMax,
        isAlone: () => this.deps.metadata.image.brokers().length <= 1,
        onElected: (epoch) => {
          this.audited.clear();
          void this.begin(epoch);
        },
        onDeposed: () => this.stop(),
      },
      of,
    );
    deps.metadata.listen({
      onLease: (lease) => this.onLease(lease),
      onBroker: () => {
        this.watchPeers();
        this.active?.controller.wake();
        this.audit();
      },
      onPageGone: (name) => void this.restorePage(name),
      onState: (state) => this.noteEpoch(state.spec.controllerEpoch),
      onOlderStore: () => {
        this.audited.clear();
        this.beginAnew('the API shows an older page than before');
      },
      onStateGone: () => this.beginAnew('the object with the state of the cluster is gone'),
      onTopic: () => this.active?.controller.wake('soon'),
      onCluster: ({ spec }) => {
        this.active?.controller.wake();
        const allowLoss = spec.recovery?.allowLoss === true;
        if (allowLoss && !this.allowsLoss) this.beginAnew('the owner allows losses');
        this.allowsLoss = allowLoss;
      },
    });
    this.allowsLoss = deps.metadata.image.allowsLoss;
    this.noteEpoch(deps.metadata.states.all()[0]?.spec.controllerEpoch);
    for (const known of deps.metadata.leases.all()) this.onLease(known);
    this.watchPeers();
  }

  /** Whether a stream to any other broker stands. */
  get reachesPeer(): boolean {
    return this.presence.isAnyOpen;
  }

  get isController(): boolean {
    return this.active !== null;
  }

  /** The highest controller epoch that was seen, also where the API does not remember it. */
  private epochMax = 0;
  private noteEpoch(epoch = 0): void {
    this.epochMax = Math.max(this.epochMax, epoch);
  }

  private onLease(lease: Lease): void {
    if (lease.metadata.name === controllerLeaseName(this.of.cluster)) {
      this.noteEpoch(lease.spec?.leaseTransitions);
      this.lease.onLease(lease);
      this.watchPeers();
    } else this.active?.liveness.onLease(lease);
  }

  /** A controller watches every broker; the others watch the controller. */
  private watchPeers(): void {
    if (this.over) return;
    const { image } = this.deps.metadata;
    const watched = image
      .brokers()
      .filter(({ id }) => id !== this.of.id && (this.lease.isHeld || id === image.controllerId));
    this.presence.watch(
      watched.map(({ id, epoch, host, replicationPort }) => ({
        id,
        epoch,
        host,
        port: replicationPort,
      })),
    );
  }

  private suspectController(id: number, epoch: number): void {
    const broker = this.deps.metadata.brokers
      .all()
      .find(({ spec }) => spec.id === id && spec.epoch === epoch);
    if (broker !== undefined) this.lease.holderIsDead(`${id}/${broker.spec.incarnation}`);
  }

  private async begin(epoch: number): Promise<void> {
    const { api, clock, logger, metadata, config } = this.deps;
    const term = ++this.terms;
    this.epoch = epoch;
    this.noteEpoch(epoch);
    const startedMs = clock.monotonicMs();
    const { namespace, cluster } = this.of;
    const pages = new Pages({
      api,
      logger,
      owner: this.deps.owner(),
      namespace,
      cluster,
      controllerEpoch: epoch,
    });
    const isHeld = () => this.lease.isHeld && !this.over && this.terms === term;
    const recovery = new Recovery({
      api,
      clock,
      logger,
      pages,
      state: this.deps.state(),
      controllerEpoch: epoch,
      registered: () => metadata.brokers.all().map(({ spec }) => spec.id),
      ask: (ids, full) => this.ask(ids, full),
      isHeld,
    });
    while (isHeld()) {
      try {
        await claimClusterState(api, this.deps.state(), epoch);
        await pages.claim();
        if (!(await recovery.settle())) return;
        break;
      } catch (cause) {
        expectNoBug('taking over as controller', cause);
        if (cause instanceof Deposed) {
          // An earlier term that comes to its end late says nothing about this one.
          if (isHeld()) void this.lease.resign();
          return;
        }
        logger.warn('taking over as controller failed, trying again', { cause });
        await new Promise<void>((resolve) => void clock.after(RETRY_MS, resolve));
      }
    }
    if (!isHeld()) return;
    this.producerIdEnd = recovery.producerIdEnd;
    const liveness = new Liveness(
      {
        api,
        clock,
        logger,
        brokers: () => metadata.brokers.all(),
        isPresent: (id, brokerEpoch) => id === this.of.id || this.presence.isOpen(id, brokerEpoch),
        accepts: ({ spec }) =>
          new Promise((resolve) => {
            const at = { host: spec.host, port: spec.replicationPort };
            this.deps.peers.knock(at, (answer) => resolve(answer === 'accepted'));
          }),
        sessionTimeoutMs: () => config.number('broker.session.timeout.ms'),
        onChange: () => this.active?.controller.wake(),
      },
      this.of,
      metadata.leases.all(),
    );
    const rulesOf = (topicId: string) =>
      topicRules(metadata.image.topicConfig(topicId), metadata.image.clusterConfig);
    const controller = new Controller({
      api,
      clock,
      logger,
      liveness,
      pages,
      topics: () => metadata.topics.all().filter(({ spec }) => spec.clusterRef.name === cluster),
      brokers: () => metadata.brokers.all(),
      clusterConfig: () => metadata.image.clusterConfig,
      readCluster: async () => {
        const found = await api.get(kafkaClusters, namespace, cluster);
        return found?.metadata.uid === this.deps.owner().uid ? found : null;
      },
      lineRules: (topicId) => rulesOf(topicId).line,
      defaults: () => ({
        partitions: config.number('num.partitions'),
        replicas: config.number('default.replication.factor'),
        brokers: metadata.image.brokersWanted,
        drained: metadata.image.drained,
        internalReplicas: (topic) => internalReplicas(config, metadata.image, topic),
        internalMinIsr: (topic) => internalShape(config, topic)?.minIsr ?? null,
        configFault: topicObjectFault,
      }),
      balanced: () => metadata.states.all()[0]?.spec.balancedBrokers ?? null,
      noteBalanced: (brokers) =>
        noteBalanced(api, this.deps.state(), { brokers, controllerEpoch: epoch }),
      onDeposed: (cause) => {
        // A write of an earlier term that comes to its end late says nothing about this one.
        if (this.active?.controller !== controller) return;
        logger.warn('deposed', { cause });
        this.stop();
        void this.lease.resign();
      },
      onUnclean: (line) => {
        logger.error('unclean leader election: records may be lost', { line: formatLine(line) });
        this.deps.onUnclean();
      },
    });
    const podWatch = watchPods(this.deps, this.of, {
      ended: (podUid) => liveness.onPodEnded(podUid),
      runs: (podUid) => liveness.onPodRuns(podUid),
    });
    this.active = { epoch, controller, liveness, pages, podWatch };
    this.watchPeers();
    this.audit();
    logger.info('elected controller', {
      epoch,
      elapsedMs: Math.round(clock.monotonicMs() - startedMs),
    });
  }

  private allowsLoss = false;

  /** What brokers answer who can be reached at once; this one needs no network for it. */
  private async ask(ids: readonly number[], full: boolean): Promise<BrokerReport[]> {
    const own = this.deps.report(full);
    const others = ids.filter((id) => id !== this.of.id);
    return [own, ...(await this.reports.ask(others, full))];
  }

  /** The same controller begins once more: it looks at what the API says and asks the brokers. */
  private beginAnew(why: string): void {
    if (this.active === null) return;
    this.deps.logger.warn('the controller begins anew', { why });
    this.stop();
    void this.begin(this.epoch);
  }

  /** Brokers that have come since are asked as well, each life once. */
  private audit(): void {
    if (this.auditing || this.active === null) return;
    const lives = this.deps.metadata.image.brokers();
    const due = lives.filter(
      ({ epoch, fenced, id }) => !fenced && id !== this.of.id && this.audited.get(id) !== epoch,
    );
    if (due.length === 0) return;
    this.auditing = true;
    void this.auditThese(due).finally(() => {
      this.auditing = false;
      this.deps.clock.after(AUDIT_MS, () => this.audit());
    });
  }
  private readonly audited = new Map<number, number>();

  private async auditThese(lives: readonly { id: number; epoch: number }[]): Promise<void> {
    const { active } = this;
    const reports = await this.reports.ask(
      lives.map(({ id }) => id),
      false,
    );
    if (active === null || this.active !== active) return;
    const { topics } = this.deps.metadata;
    const store = {
      hasState: true,
      generation: active.pages.generation,
      pages: active.pages.ages(),
      lines: active.pages.all(),
      topics: topics.all().filter(({ spec }) => spec.clusterRef.name === this.of.cluster),
    };
    for (const report of reports) {
      this.producerIdEnd = Math.max(this.producerIdEnd, report.producerIdEnd);
      this.audited.set(report.id, report.epoch);
      const [first] = doubtsOf(store, report);
      if (first !== undefined) return this.beginAnew(first);
    }
  }

  /** A page that somebody deleted, while the cluster lives, is written again. */
  private async restorePage(name: string): Promise<void> {
    const { active } = this;
    if (active === null) return;
    const { api, logger } = this.deps;
    try {
      const cluster = await api.get(kafkaClusters, this.of.namespace, this.of.cluster);
      const isOver =
        cluster?.metadata.uid !== this.deps.owner().uid ||
        cluster.metadata.deletionTimestamp !== undefined;
      if (!isOver && this.active === active) await active.pages.restore(name);
    } catch (cause) {
      expectNoBug('writing a page again', cause);
      logger.warn('a deleted page was not written again', { page: name, cause });
    }
  }

  private stop(): void {
    this.terms++;
    const { active } = this;
    this.active = null;
    active?.controller[Symbol.dispose]();
    active?.liveness[Symbol.dispose]();
    active?.podWatch[Symbol.dispose]();
    this.watchPeers();
  }

  /** What is answered to peers: only the controller accepts. */
  readonly control: ControlHandlers = {
    alterPartition: async ({ leader, changes }) => {
      const { active } = this;
      if (active === null) return { accepted: false, results: [] };
      const requests = changes.map(({ topicId, partition, leaderEpoch, partitionEpoch, isr }) => ({
        topicId,
        partition,
        change: { leader, leaderEpoch, partitionEpoch, isr },
      }));
      const answers = await active.controller.alterPartition(requests);
      return {
        accepted: true,
        results: changes.map(({ topicId, partition }, i) => {
          const answer = answers[i];
          return {
            topicId,
            partition,
            line: answer?.line ? formatLine(answer.line) : '',
            refused: answer?.refused != null,
          };
        }),
      };
    },
    leave: async (broker) => {
      const { active } = this;
      if (active === null) return { accepted: false, leadersLeft: -1 };
      const leadersLeft = await active.controller.leave(broker);
      return { accepted: leadersLeft >= 0, leadersLeft };
    },
    changePartitions: async (messages) => {
      const { active } = this;
      if (active === null) return { accepted: false, results: [] };
      const answers = await active.controller.changePartitions(messages.map(wishOf));
      return {
        accepted: true,
        results: answers.map(({ error, message }) => ({
          errorCode: codeOf(error),
          message: message ?? '',
        })),
      };
    },
    allocateProducerIds: async () => {
      if (this.active === null) return { accepted: false, first: 0, count: 0 };
      const block = await takeProducerIds(this.deps.api, this.deps.state(), this.producerIdEnd);
      this.producerIdEnd = Math.max(this.producerIdEnd, block.first + block.count);
      return { accepted: true, ...block };
    },
  };

  /** Steps back so that another candidate may take over at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.over) return;
    this.over = true;
    this.stop();
    this.presence[Symbol.dispose]();
    this.reports[Symbol.dispose]();
    await this.lease.end();
  }
}

function wishOf(of: WishMessage): PartitionWish {
  const { topicId, partition } = of;
  if (of.kind === 'reassign') {
    const replicas = of.replicas ?? [];
    const allowReplicationFactorChange = of.allowReplicationFactorChange === true;
    return {
      topicId,
      partition,
      want: { kind: 'reassign', replicas, allowReplicationFactorChange },
    };
  }
  if (of.kind === 'withdraw') {
    const member = of.member ?? { id: -1, epoch: -1 };
    return {
      topicId,
      partition,
      want: { kind: 'withdraw', member, isWhole: of.isWhole === true },
    };
  }
  if (of.kind === 'cancel') return { topicId, partition, want: { kind: 'cancel' } };
  return { topicId, partition, want: { kind: 'elect', unclean: of.unclean === true } };
}
