/**
 * The controller: the one broker that decides about partition lines. It turns topics, sessions
 * and the wishes of leaders into pages, one step at a time; decisions themselves are pure
 * (election-core, topic-plan-core, placement-core).
 *
 * Must never know: records, logs, clients.
 */

import { tell } from '../../kube/events.ts';
import {
  API_VERSION,
  type ConfigMapOf,
  type KafkaBroker,
  type KafkaCluster,
  type KafkaTopic,
  kafkaBrokers,
  kafkaTopics,
  TOPIC_FINALIZER,
  topicIdOf,
  topicNameOf,
} from '../../kube/kafka-objects.ts';
import {
  type Member,
  type PartitionLine,
  partitionKey,
  sameMember,
} from '../../kube/partition-line.ts';
import { isKubeError, type KubeApi } from '../../kube/port.ts';
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { expectNoBug } from '../../stdx/bug.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import { type Move, planBalance } from './balance-core.ts';
import { TopicDeletions } from './deletions.ts';
import {
  alterIsr,
  type Brokers,
  electByRequest,
  type IsrChange,
  type LineRules,
  preferLeader,
  settleLine,
  withdraw,
} from './election-core.ts';
import type { Liveness } from './liveness.ts';
import { NewTopics } from './new-topics.ts';
import { Deposed, inParallel, type Pages } from './pages.ts';
import { advanceReassignment, cancelReassignment, startReassignment } from './reassignment-core.ts';
import { type IdChange, planIds } from './topic-ids-core.ts';
import { planTopics, resizeOf, type TopicDefaults, type TopicPlan } from './topic-plan-core.ts';
import { TopicStatusWriter } from './topic-status.ts';

export interface ControllerDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly liveness: Liveness;
  readonly pages: Pages;
  readonly topics: () => readonly KafkaTopic[];
  readonly brokers: () => readonly KafkaBroker[];
  readonly clusterConfig: () => ConfigMapOf;
  /** As the API has it at this moment; null: it is gone, or another object has its name. */
  readonly readCluster: () => Promise<KafkaCluster | null>;
  readonly lineRules: (topicId: string) => LineRules;
  readonly defaults: () => TopicDefaults;
  /** How many brokers replicas were last spread over, and noting that they are now. */
  readonly balanced: () => number | null;
  readonly noteBalanced: (brokers: number) => Promise<void>;
  readonly onDeposed: (cause: unknown) => void;
  readonly onUnclean: (line: PartitionLine) => void;
}

export interface IsrRequest {
  readonly topicId: string;
  readonly partition: number;
  readonly change: IsrChange;
}
export interface IsrAnswer {
  readonly line: PartitionLine | null;
  readonly refused: string | null;
}

/** What an administrator wants of a partition, or a broker of a replica of its own. */
export interface PartitionWish {
  readonly topicId: string;
  readonly partition: number;
  readonly want:
    | {
        readonly kind: 'reassign';
        readonly replicas: readonly number[];
        readonly allowReplicationFactorChange: boolean;
      }
    | { readonly kind: 'cancel' }
    | { readonly kind: 'elect'; readonly unclean: boolean }
    /** A replica is damaged: it is to be copied from another one. */
    | { readonly kind: 'withdraw'; readonly member: Member; readonly isWhole: boolean };
}
export interface WishAnswer {
  readonly error: ErrorName;
  readonly message: string | null;
}

interface PendingWish extends PartitionWish {
  readonly done: (answer: WishAnswer) => void;
}

interface PendingIsr extends IsrRequest {
  readonly done: (answer: IsrAnswer) => void;
}

/** Objects from a list may come without their kind. */
const KAFKA_TOPIC = { apiVersion: API_VERSION, kind: 'KafkaTopic' };
const RETRY_MS = 300;
/** A look whose thinking took longer than this is followed by a rest, unless something is urgent. */
const QUICK_LOOK_MS = 5;
const REST_MS_MAX = 100;

export class Controller implements Disposable {
  private readonly deps: ControllerDeps;
  private readonly statuses: TopicStatusWriter;
  private pendingIsr: PendingIsr[] = [];
  private pendingWishes: PendingWish[] = [];
  private leaving: { broker: Member; done: (leadersLeft: number) => void }[] = [];
  private settledFor = '';
  private readonly newTopics: NewTopics;
  private readonly deletions: TopicDeletions;
  private balance = false;
  private wanted = true;
  private running = false;
  private over = false;
  private readonly timers: Disposable[] = [];

  constructor(deps: ControllerDeps) {
    this.deps = deps;
    this.statuses = new TopicStatusWriter(deps);
    this.newTopics = new NewTopics(deps);
    const { clock, readCluster } = deps;
    this.deletions = new TopicDeletions({ clock, readCluster, wake: () => this.wake() });
    const checkSeconds = Number(
      deps.clusterConfig()['leader.imbalance.check.interval.seconds'] ?? 300,
    );
    this.timers.push(
      deps.clock.every(checkSeconds * 1000, () => {
        this.balance = deps.clusterConfig()['auto.leader.rebalance.enable'] !== false;
        this.wake();
      }),
      deps.clock.every(1000, () => this.statuses.writeDue()),
    );
    this.wake();
  }

  /**
   * Something may have changed: look again. `soon`: what changed can wait a moment for more of its
   * kind, as one of ten thousand topics can.
   */
  wake(when: 'now' | 'soon' = 'now'): void {
    this.wanted = true;
    if (when === 'now') {
      this.hurry = true;
      this.endRest();
    }
    if (!this.running && !this.over) void this.run();
  }

  /** Leaves time to others after a long look; ends at once when something urgent comes. */
  private async rest(): Promise<void> {
    if (this.planMs < QUICK_LOOK_MS) return;
    await new Promise<void>((resolve) => {
      const timer = this.deps.clock.after(Math.min(2 * this.planMs, REST_MS_MAX), resolve);
      this.endRest = () => {
        timer[Symbol.dispose]();
        resolve();
      };
    });
    this.endRest = () => {};
  }
  private endRest: () => void = () => {};
  private planMs = 0;
  /** Something urgent came since the last look began. */
  private hurry = false;

  private async run(): Promise<void> {
    this.running = true;
    while (this.wanted && !this.over) {
      this.wanted = false;
      this.hurry = false;
      try {
        await this.step();
        if (!this.hurry) await this.rest();
      } catch (cause) {
        expectNoBug('deciding as controller', cause);
        if (cause instanceof Deposed) {
          this.deps.onDeposed(cause);
          break;
        }
        this.deps.logger.warn('controller step failed, trying again', { cause });
        this.settledFor = '';
        this.deps.clock.after(RETRY_MS, () => this.wake());
      }
    }
    this.running = false;
  }

  alterPartition(requests: readonly IsrRequest[]): Promise<IsrAnswer[]> {
    const answers = requests.map(
      (request) => new Promise<IsrAnswer>((done) => this.pendingIsr.push({ ...request, done })),
    );
    this.wake();
    return Promise.all(answers);
  }

  /** Moves or elects as an administrator asks; answered once the pages say so. */
  changePartitions(wishes: readonly PartitionWish[]): Promise<WishAnswer[]> {
    const answers = wishes.map(
      (wish) => new Promise<WishAnswer>((done) => this.pendingWishes.push({ ...wish, done })),
    );
    this.wake();
    return Promise.all(answers);
  }

  private decide(line: PartitionLine, { want }: PartitionWish, brokers: Brokers) {
    const rules = this.deps.lineRules(line.topicId);
    switch (want.kind) {
      case 'reassign':
        return startReassignment(line, want.replicas, { brokers, ...want });
      case 'cancel':
        return cancelReassignment(line);
      case 'elect':
        return electByRequest(line, want.unclean, brokers, rules);
      case 'withdraw':
        return withdraw(line, want.member, brokers, rules, want.isWhole);
    }
  }

  /** Decides about wishes; returns how to answer them once the pages are written. */
  private grant(
    brokers: Brokers,
    current: (key: string) => PartitionLine | null,
    updates: Map<string, PartitionLine | null>,
  ): (() => void)[] {
    const wishes = this.pendingWishes;
    this.pendingWishes = [];
    return wishes.map((wish) => {
      const key = partitionKey(wish.topicId, wish.partition);
      const line = current(key);
      if (line === null) {
        const message = 'the partition is unknown';
        return () => wish.done({ error: 'UNKNOWN_TOPIC_OR_PARTITION', message });
      }
      const decided = this.decide(line, wish, brokers);
      if ('error' in decided) return () => wish.done(decided);
      const next = advanceReassignment(decided, brokers, this.deps.lineRules(line.topicId));
      if (next !== line) updates.set(key, next);
      return () => {
        const stands = this.deps.pages.get(key)?.partitionEpoch === next.partitionEpoch;
        const message = 'the change could not be written, try again';
        wish.done(
          stands ? { error: 'NONE', message: null } : { error: 'REQUEST_TIMED_OUT', message },
        );
      };
    });
  }

  /** Hands over what the broker leads; resolves with how many partitions nobody else could take. */
  leave(broker: Member): Promise<number> {
    const left = new Promise<number>((done) => this.leaving.push({ broker, done }));
    this.deps.liveness.onLeaving(broker.id, broker.epoch);
    this.wake();
    return left;
  }

  private async step(): Promise<void> {
    const { clock, liveness, pages } = this.deps;
    const topics = await this.newTopics.withoutGone(this.deps.topics(), pages.all());
    const deletions = await this.deletions.judge(this.deps.topics());
    const startedMs = clock.monotonicMs();
    const brokers = liveness.view();
    const lines = pages.all();
    const updates = new Map<string, PartitionLine | null>();
    const current = (key: string) =>
      updates.has(key) ? (updates.get(key) as PartitionLine | null) : (lines.get(key) ?? null);

    const ids = planIds(topics, lines);
    const renamed = new Set(ids.map(({ topic }) => topic));
    const bound = topics.filter((topic) => !renamed.has(topic));
    const plan = planTopics(bound, lines, brokers, this.deps.defaults());
    for (const line of plan.created) updates.set(partitionKey(line.topicId, line.partition), line);
    const ending = new Set(deletions.ending.map(topicIdOf));
    for (const topic of topics)
      if (topic.metadata.deletionTimestamp === undefined) ending.delete(topicIdOf(topic));
    for (const [key, line] of lines) if (ending.has(line.topicId)) updates.set(key, null);

    this.settleLines(lines, brokers, updates);
    const pending = this.pendingIsr;
    this.pendingIsr = [];
    const refusals = new Map<PendingIsr, string>();
    for (const request of pending) {
      const key = partitionKey(request.topicId, request.partition);
      const line = current(key);
      if (line === null) continue;
      const result = alterIsr(line, request.change, brokers, this.deps.lineRules(line.topicId));
      if (typeof result === 'string') refusals.set(request, result);
      else {
        const rules = this.deps.lineRules(line.topicId);
        updates.set(key, advanceReassignment(result, brokers, rules));
      }
    }
    const balance = this.planMoves(topics, lines, brokers);
    for (const move of [...plan.resized, ...balance.moves]) this.move(move, brokers, updates);
    const answers = this.grant(brokers, current, updates);
    const leaving = this.leaving;
    this.leaving = [];
    this.planMs = clock.monotonicMs() - startedMs;
    try {
      if (updates.size > 0) await pages.write(updates);
    } finally {
      this.answer(pending, refusals, updates);
      for (const { broker, done } of leaving) done(this.ledBy(broker));
      for (const answer of answers) answer();
    }
    // A page that could not be written is settled again.
    for (const [key, line] of updates) {
      if (line !== null && pages.get(key)?.partitionEpoch !== line.partitionEpoch)
        this.settledFor = '';
    }
    const isWritten = balance.moves.every(({ line }) => {
      const key = partitionKey(line.topicId, line.partition);
      const written = updates.get(key);
      return written == null || pages.get(key)?.partitionEpoch === written.partitionEpoch;
    });
    if (plan.isPartial) this.wake('soon');
    // Moves that did not get into their page are planned again.
    if (!isWritten) this.deps.clock.after(RETRY_MS, () => this.wake());
    else if (balance.balanced !== null) await this.deps.noteBalanced(balance.balanced);
    for (const change of ids) await this.writeId(change);
    const gone = [...deletions.ending, ...deletions.released];
    await this.finishTopics(plan, brokers, { gone, ending });
  }

  /** The id that a topic is known by from now on; acted on once it is seen. */
  private async writeId({ topic, topicId }: IdChange): Promise<void> {
    const { namespace = '', name, resourceVersion } = topic.metadata;
    this.deps.logger.info('topic bound to an id', { topic: name, id: topicId });
    const patch = { metadata: { resourceVersion }, status: { topicId } };
    try {
      await this.deps.api.patch(kafkaTopics, { namespace, name, subresource: 'status' }, patch);
    } catch (cause) {
      if (!isKubeError(cause, 404, 409)) throw cause;
      this.deps.clock.after(RETRY_MS, () => this.wake());
    }
  }

  private planMoves(
    topics: readonly KafkaTopic[],
    lines: ReadonlyMap<string, PartitionLine>,
    brokers: Brokers,
  ) {
    const pinned = new Set(
      topics.flatMap((topic) => (topic.spec.assignments === undefined ? [] : [topicIdOf(topic)])),
    );
    return planBalance({
      lines: [...lines.values()],
      brokers,
      wanted: this.deps.defaults().brokers,
      drained: this.deps.defaults().drained,
      balanced: this.deps.balanced(),
      isPinned: (topicId) => pinned.has(topicId),
    });
  }

  /** Begins a move of the controller's own; one that cannot be now is looked at again. */
  private move(
    { line, target }: Move,
    brokers: Brokers,
    updates: Map<string, PartitionLine | null>,
  ): void {
    const key = partitionKey(line.topicId, line.partition);
    if (updates.has(key)) return;
    const begun = startReassignment(line, target, { brokers, allowReplicationFactorChange: true });
    if ('error' in begun || begun === line) return;
    updates.set(key, advanceReassignment(begun, brokers, this.deps.lineRules(line.topicId)));
  }

  private settleLines(
    lines: ReadonlyMap<string, PartitionLine>,
    brokers: Brokers,
    updates: Map<string, PartitionLine | null>,
  ): void {
    const signature = JSON.stringify([...brokers.values()]);
    if (signature === this.settledFor && !this.balance) return;
    this.settledFor = signature;
    const startedMs = this.deps.clock.monotonicMs();
    let moved = 0;
    for (const [key, line] of lines) {
      if (updates.has(key)) continue;
      const settled = settleLine(line, brokers, this.deps.lineRules(line.topicId));
      const next = this.balance ? preferLeader(settled.line, brokers) : settled.line;
      if (next === line) continue;
      if (settled.unclean) this.deps.onUnclean(next);
      if (!sameMember(next.leader, line.leader)) moved++;
      updates.set(key, next);
    }
    this.balance = false;
    if (moved > 0) {
      this.deps.logger.info('leaders moved', {
        partitions: moved,
        planMs: Math.round(this.deps.clock.monotonicMs() - startedMs),
      });
    }
  }

  private answer(
    pending: readonly PendingIsr[],
    refusals: ReadonlyMap<PendingIsr, string>,
    updates: ReadonlyMap<string, PartitionLine | null>,
  ): void {
    for (const request of pending) {
      const key = partitionKey(request.topicId, request.partition);
      const line = this.deps.pages.get(key);
      const refused =
        refusals.get(request) ?? (updates.has(key) ? null : 'the partition is unknown');
      request.done({ line, refused });
    }
  }

  private ledBy(broker: Member): number {
    let count = 0;
    for (const line of this.deps.pages.all().values()) if (sameMember(line.leader, broker)) count++;
    return count;
  }

  /** After the pages: finalizers and statuses, which follow and never decide. */
  private async finishTopics(
    plan: TopicPlan,
    brokers: Brokers,
    deletions: { readonly gone: readonly KafkaTopic[]; readonly ending: ReadonlySet<string> },
  ): Promise<void> {
    await this.releaseTopics(deletions.gone, deletions.ending);
    const defaults = this.deps.defaults();
    for (const topic of this.deps.topics()) {
      const line = this.deps.pages.get(partitionKey(topicIdOf(topic), 0)) ?? null;
      const replicas = resizeOf(topic, { line, brokers, defaults });
      if (replicas !== null) await this.beginResize(topic, replicas);
    }
    for (const broker of this.deps.brokers()) await this.showFenced(broker, brokers);
    this.statuses.update(this.deps.topics(), this.deps.pages.all(), plan.problems, brokers);
    this.statuses.writeDue();
  }

  /** A topic's object stays until none of its lines does: without it nobody would ever take them away. */
  private async releaseTopics(
    deleted: readonly KafkaTopic[],
    ending: ReadonlySet<string>,
  ): Promise<void> {
    if (deleted.length === 0) return;
    const { clock, pages } = this.deps;
    const withLines = new Set([...pages.all().values()].map(({ topicId }) => topicId));
    const over: KafkaTopic[] = [];
    for (const topic of deleted) {
      if (topic.metadata.finalizers?.includes(TOPIC_FINALIZER) !== true) continue;
      const id = topicIdOf(topic);
      if (ending.has(id) && withLines.has(id)) clock.after(RETRY_MS, () => this.wake());
      else over.push(topic);
    }
    // Whoever deleted them waits until their names are free.
    await inParallel(over, (topic) => this.release(topic));
  }

  /** Writes down that replicas are to become more or fewer; once that is seen, they do. */
  private async beginResize(topic: KafkaTopic, replicas: number): Promise<void> {
    const { namespace = '', name } = topic.metadata;
    try {
      // A topic of the brokers' own gets what it should have had from the start.
      if (topic.spec.replicas !== replicas) await this.raise(topic, replicas);
      const status = { observedReplicas: replicas, resizingTo: replicas };
      await this.deps.api.patch(
        kafkaTopics,
        { namespace, name, subresource: 'status' },
        { status },
      );
    } catch (cause) {
      if (!isKubeError(cause, 404)) throw cause;
    }
  }

  /** What was lowered because brokers were missing when the topic was made is put right, and told. */
  private async raise(topic: KafkaTopic, replicas: number): Promise<void> {
    const { api, clock, defaults, logger } = this.deps;
    const { namespace = '', name } = topic.metadata;
    const asked = defaults().internalMinIsr(topicNameOf(topic));
    const minIsr = asked === null ? null : Math.min(asked, replicas);
    const own = topic.spec.config?.['min.insync.replicas'];
    const isLow = minIsr !== null && own !== undefined && Number(own) < minIsr;
    const config = isLow ? { config: { 'min.insync.replicas': String(minIsr) } } : {};
    await api.patch(kafkaTopics, { namespace, name }, { spec: { replicas, ...config } });
    const message = `${topicNameOf(topic)} had too few replicas: it is given ${replicas}, now that there are brokers enough`;
    logger.warn('an internal topic had too few replicas', { topic: name, replicas });
    const telling = { type: 'Normal', reason: 'ReplicasRaised', message } as const;
    const of = { telling: { ...telling, component: 'tenure-controller' }, nowMs: clock.nowMs() };
    await tell({ api, logger }, { ...topic, ...KAFKA_TOPIC }, of);
  }

  /** A fenced broker is shown as such, so that clients are not sent to it; a live one is not. */
  private async showFenced(
    { metadata, spec, status }: KafkaBroker,
    brokers: Brokers,
  ): Promise<void> {
    const live = brokers.get(spec.id)?.live === true;
    const shown = status?.epoch === spec.epoch && status.state === 'Fenced';
    if (live !== shown) return;
    const { namespace = '', name } = metadata;
    const patch = { status: { state: live ? 'Running' : 'Fenced', epoch: spec.epoch } };
    try {
      await this.deps.api.patch(kafkaBrokers, { namespace, name, subresource: 'status' }, patch);
    } catch (cause) {
      if (!isKubeError(cause, 404)) throw cause;
    }
  }

  private async release(topic: KafkaTopic): Promise<void> {
    const { namespace = '', name, resourceVersion, finalizers = [] } = topic.metadata;
    const left = finalizers.filter((finalizer) => finalizer !== TOPIC_FINALIZER);
    try {
      const patch = { metadata: { resourceVersion, finalizers: left.length === 0 ? null : left } };
      await this.deps.api.patch(kafkaTopics, { namespace, name }, patch);
    } catch (cause) {
      if (!isKubeError(cause, 404, 409)) throw cause;
      if (isKubeError(cause, 409)) this.deps.clock.after(RETRY_MS, () => this.wake());
    }
  }

  [Symbol.dispose](): void {
    this.over = true;
    this.endRest();
    for (const timer of this.timers) timer[Symbol.dispose]();
    for (const { done } of this.pendingIsr) done({ line: null, refused: null });
    for (const { done } of this.leaving) done(-1);
    for (const { done } of this.pendingWishes)
      done({ error: 'NOT_CONTROLLER', message: 'the controller is moving' });
  }
}
