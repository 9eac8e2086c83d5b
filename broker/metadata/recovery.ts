/**
 * A new controller's first act: it asks the brokers whether what they know agrees with what the API says, and
 * where it does not, has the API say again what the volumes know. Nothing is written before every broker there
 * should be has spoken, or the owner has said that it is lost; what is decided is pure (recovery-core).
 */
import { conditionOf } from '../../kube/conditions.ts';
import {
  API_VERSION,
  annotations,
  CLUSTER_LABEL,
  clusterIdNamed,
  clusterIdNote,
  type KafkaCluster,
  type KafkaClusterState,
  type KafkaTopic,
  kafkaClusters,
  kafkaTopics,
  RECOVERED_CONDITION,
  TOPIC_FINALIZER,
} from '../../kube/kafka-objects.ts';
import type { PartitionLine } from '../../kube/partition-line.ts';
import { partitionKey } from '../../kube/partition-line.ts';
import { isKubeError, type KubeApi } from '../../kube/port.ts';
import { type Clock, sleep } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import { type Saying, sayRecovered } from './cluster-condition.ts';
import type { Pages } from './pages.ts';
import {
  type ClusterStateOptions,
  claimClusterState,
  createClusterState,
  raiseClusterState,
} from './producer-ids.ts';
import {
  type BrokerReport,
  contradictions,
  type MissingTopic,
  missingTopics,
  type Rebuilt,
  rebuild,
  type StoreView,
} from './recovery-core.ts';
import { objectNameFor } from './topic-admin.ts';

const LOOK_MS = 500;
/** Brokers that have just been started are waited for before anybody is told. */
const QUIET_MS = 20_000;
const LISTED_MAX = 20;

export interface RecoveryDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pages: Pages;
  readonly state: ClusterStateOptions;
  readonly controllerEpoch: number;
  /** Ids of brokers that are registered. */
  readonly registered: () => readonly number[];
  /** What they answer who can be reached. */
  readonly ask: (ids: readonly number[], full: boolean) => Promise<readonly BrokerReport[]>;
  /** Whether this is still the controller. */
  readonly isHeld: () => boolean;
}

/** How many there are comes first where not all are named. */
const listed = (lines: readonly string[], what: string) =>
  lines.length <= LISTED_MAX
    ? lines.join('; ')
    : `${lines.length} ${what}, such as ${lines.slice(0, LISTED_MAX).join('; ')}`;

export class Recovery {
  private readonly deps: RecoveryDeps;
  /** Producer ids below this one may be in use, by what brokers said. */
  producerIdEnd = 0;

  constructor(deps: RecoveryDeps) {
    this.deps = deps;
  }

  /**
   * Resolves once what the API says may be acted on; false: somebody else is the controller by then.
   * @throws Deposed, or what the API throws
   */
  async settle(): Promise<boolean> {
    const { api, clock, isHeld, state: of } = this.deps;
    const sinceMs = clock.monotonicMs();
    const { controllerEpoch, pages } = this.deps;
    while (isHeld()) {
      const cluster = await this.readCluster();
      // Claimed, wherever it came from meanwhile: an earlier controller says nothing more.
      const state = await claimClusterState(api, of, controllerEpoch);
      // A cluster that is going away is left as it is.
      if (cluster !== null && (await this.look(cluster, state, clock.monotonicMs() - sinceMs)))
        return isHeld();
      await sleep(clock, LOOK_MS);
      // What an earlier controller wrote at its end is no contradiction, once it has been read.
      await pages.claim();
    }
    return false;
  }

  private async readCluster(): Promise<KafkaCluster | null> {
    const { api, state } = this.deps;
    const cluster = await api.get(kafkaClusters, state.namespace, state.cluster);
    const isOwn = cluster !== null && cluster.metadata.uid === state.owner.uid;
    return isOwn && cluster.metadata.deletionTimestamp === undefined ? cluster : null;
  }

  private async readStore(state: KafkaClusterState | null): Promise<StoreView> {
    const { api, pages, state: of } = this.deps;
    const { items } = await api.list(kafkaTopics, { namespace: of.namespace });
    return {
      hasState: isWhole(state),
      generation: Math.max(pages.generation, state?.spec.storeGeneration ?? 0),
      pages: pages.ages(),
      lines: pages.all(),
      topics: items.filter(({ spec }) => spec.clusterRef.name === of.cluster),
    };
  }

  /** Whether all is well, or has been made so. */
  private async look(
    cluster: KafkaCluster,
    state: KafkaClusterState | null,
    waitedMs: number,
  ): Promise<boolean> {
    const { ask, pages, registered } = this.deps;
    pages.raise(state?.spec.storeGeneration ?? 0);
    const store = await this.readStore(state);
    const known = await ask(registered(), false);
    const wanted = cluster.spec.recovery ?? {};
    const doubts = contradictions(store, known, wanted.allowLoss === true);
    if (doubts.length === 0 && state !== null && isWhole(state)) {
      await this.finish(cluster, state, known);
      await this.remake(missingTopics(store, [], known));
      return true;
    }
    const reports = await ask(registered(), true);
    const isNew = state === null && store.lines.size === 0 && reports.every(isBlank);
    const missing = this.missing(cluster, reports, new Set(wanted.lostBrokers));
    if (missing.length > 0) {
      if (isNew && waitedMs < QUIET_MS) return false;
      await this.say(cluster, awaiting(cluster, missing, doubts));
      return false;
    }
    const ids = new Set(reports.filter((one) => !isBlank(one)).map(({ clusterId }) => clusterId));
    if (ids.size > 1) {
      const message = `the volumes of its brokers belong to different clusters: ${reports.map(({ clusterId, id }) => `broker ${id} to ${clusterId}`).join(', ')}; the right volumes must be mounted`;
      await this.say(cluster, { status: 'False', reason: 'VolumesDiffer', message });
      return false;
    }
    const [clusterId = this.deps.state.clusterId] = ids;
    if (isNew) {
      await this.finish(cluster, await this.makeState(clusterId, 0, 0), reports);
      return true;
    }
    this.deps.logger.warn('what the API says and what volumes hold differ', {
      doubts: listed(doubts, 'contradictions'),
    });
    const made = rebuild(store, reports, {
      lost: new Set(wanted.lostBrokers),
      allowLoss: wanted.allowLoss === true,
    });
    return await this.write({ cluster, state, clusterId, reports }, made, doubts);
  }

  /** Brokers that there should be, or whose volumes others know of, and that have not spoken. */
  private missing(
    { spec }: KafkaCluster,
    reports: readonly BrokerReport[],
    lost: ReadonlySet<number>,
  ): number[] {
    const named = new Set(this.deps.registered());
    for (let id = 0; id < spec.replicas; id++) named.add(id);
    for (const { replicas } of reports)
      for (const { line } of replicas) for (const id of line?.replicas ?? []) named.add(id);
    const spoke = new Set(reports.map(({ id }) => id));
    return [...named].filter((id) => !spoke.has(id) && !lost.has(id)).sort((a, b) => a - b);
  }

  private async write(
    of: {
      readonly cluster: KafkaCluster;
      readonly state: KafkaClusterState | null;
      readonly clusterId: string;
      readonly reports: readonly BrokerReport[];
    },
    made: Rebuilt,
    doubts: readonly string[],
  ): Promise<boolean> {
    const { pages } = this.deps;
    const { cluster, clusterId, reports } = of;
    if (of.state !== null)
      await raiseClusterState(this.deps.api, this.deps.state, {
        controllerEpoch: this.deps.controllerEpoch,
        nextProducerId: made.nextProducerId,
        recovering: true,
      });
    pages.raise(made.generation);
    await pages.rewrite(
      new Map<string, PartitionLine>(
        made.lines.map((line) => [partitionKey(line.topicId, line.partition), line]),
      ),
    );
    const isWritten = made.lines.every(
      ({ partition, partitionEpoch, topicId }) =>
        pages.get(partitionKey(topicId, partition))?.partitionEpoch === partitionEpoch,
    );
    if (!isWritten || !pages.isRaised) return false;
    await this.remake(made.topics);
    // Last: a controller that ends before this begins anew.
    const { generation } = pages;
    const state =
      of.state === null
        ? await this.makeState(clusterId, made.nextProducerId, generation)
        : await raiseClusterState(this.deps.api, this.deps.state, {
            controllerEpoch: this.deps.controllerEpoch,
            nextProducerId: made.nextProducerId,
            storeGeneration: generation,
            recovering: false,
          });
    await this.finish(cluster, state, reports);
    await this.say(cluster, told(cluster, made, doubts));
    return true;
  }

  private makeState(clusterId: string, nextProducerId: number, storeGeneration: number) {
    const { api, controllerEpoch, state } = this.deps;
    return createClusterState(api, state, {
      clusterId,
      controllerEpoch,
      nextProducerId,
      storeGeneration,
    });
  }

  /** Topics whose object is missing: absence is no order. */
  private async remake(topics: readonly MissingTopic[]): Promise<void> {
    const { api, logger, state } = this.deps;
    for (const { config, name: topicName, partitions, replicas, topicId } of topics) {
      const plain = objectNameFor(topicName);
      const taken = await api.get(kafkaTopics, state.namespace, plain);
      const name = taken === null ? plain : `${state.cluster}.${plain}`;
      const object: KafkaTopic = {
        apiVersion: API_VERSION,
        kind: 'KafkaTopic',
        metadata: {
          name,
          namespace: state.namespace,
          labels: { [CLUSTER_LABEL]: state.cluster },
          annotations: { [annotations.recovered]: topicId },
          finalizers: [TOPIC_FINALIZER],
        },
        spec: {
          clusterRef: { name: state.cluster },
          ...(name === topicName ? {} : { topicName }),
          partitions,
          replicas,
          // Where nobody knows how long records are to be kept, they are kept.
          config: config ?? { 'retention.ms': -1, 'retention.bytes': -1 },
        },
      };
      try {
        await api.create(kafkaTopics, object);
        logger.warn('a topic without an object got one again', { topic: topicName, id: topicId });
      } catch (cause) {
        if (!isKubeError(cause, 409)) throw cause;
      }
    }
  }

  /** Producer ids that may be in use are not given again, and the object carries the cluster's id. */
  private async finish(
    cluster: KafkaCluster,
    state: KafkaClusterState,
    reports: readonly BrokerReport[],
  ): Promise<void> {
    const { api, logger } = this.deps;
    const end = Math.max(0, ...reports.map(({ producerIdEnd }) => producerIdEnd));
    this.producerIdEnd = end;
    if (end > state.spec.nextProducerId) {
      logger.warn('producer ids are in use that the API does not know of', { end });
      const { controllerEpoch, state: of } = this.deps;
      await raiseClusterState(api, of, { controllerEpoch, nextProducerId: end });
    }
    const { clusterId } = state.spec;
    if (clusterIdNamed(cluster) === clusterId) return;
    const { namespace = '', name } = cluster.metadata;
    const note = { [annotations.clusterId]: clusterIdNote(cluster, clusterId) };
    await api.patch(kafkaClusters, { namespace, name }, { metadata: { annotations: note } });
  }

  private async say(cluster: KafkaCluster, saying: Saying): Promise<void> {
    const before = conditionOf(cluster.status?.conditions, RECOVERED_CONDITION);
    if (before?.message !== saying.message)
      this.deps.logger.warn('recovery', { reason: saying.reason, message: saying.message });
    await sayRecovered(this.deps, cluster, saying);
  }
}

/** Whether the cluster's state is there, and the pages with it. */
function isWhole(state: KafkaClusterState | null): boolean {
  return state !== null && state.spec.recovering !== true;
}

/** Whether nothing is to be lost with that broker. */
function isBlank({ producerIdEnd, replicas, storeGeneration }: BrokerReport): boolean {
  return replicas.length === 0 && storeGeneration === 0 && producerIdEnd === 0;
}

const patchText = ({ metadata }: KafkaCluster, recovery: object) =>
  `kubectl patch kafkacluster ${metadata.name} --namespace ${metadata.namespace} --type merge --patch '${JSON.stringify({ spec: { recovery } })}'`;

function awaiting(
  cluster: KafkaCluster,
  missing: readonly number[],
  doubts: readonly string[],
): Saying {
  const lostBrokers = [...(cluster.spec.recovery?.lostBrokers ?? []), ...missing];
  const message = `nothing is decided until broker ${missing.join(', ')} has said what its volumes hold, because ${listed(doubts, 'contradictions')}; if those volumes are lost for good: ${patchText(cluster, { lostBrokers })}`;
  return { status: 'False', reason: 'AwaitingBrokers', message };
}

function told(cluster: KafkaCluster, made: Rebuilt, doubts: readonly string[]): Saying {
  const did = `partitions written again from volumes: ${made.lines.length}; topics: ${made.topics.map(({ name }) => name).join(', ') || 'none'}; because ${listed(doubts, 'contradictions')}`;
  if (made.undecided.length > 0)
    return {
      status: 'False',
      reason: 'LossNotAllowed',
      message: `nobody certainly has everything of ${listed(made.undecided, 'partitions')}: wait for volumes that are away, or let the fullest replica lead, whatever it lacks: ${patchText(cluster, { allowLoss: true })}; ${did}`,
    };
  if (made.losses.length > 0)
    return {
      status: 'True',
      reason: 'RecoveredWithLoss',
      message: `${listed(made.losses, 'losses')}; ${did}`,
    };
  return { status: 'True', reason: 'Recovered', message: `nothing is lost; ${did}` };
}
