/**
 * Which broker processes live, as far as the controller can tell.
 *
 * A broker dies by a connection that broke and is then refused, by a pod whose process has ended,
 * by giving its Lease back, or by a Lease that stood still for the session timeout while its process showed no other sign of life.
 * Fencing early is safe (every write is checked against an epoch); only slow is bad.
 *
 * Late is not dead: a machine with too much to do silences everybody. The timeout counts only time in which
 * the controller itself ran; and where more than a third are silent at once, those whose system still
 * accepts connections for them are left alone: their processes live, and there is nobody better.
 */

import { type KafkaBroker } from '../../kube/kafka-objects.ts';
import { type Lease, leases } from '../../kube/objects.ts';
import type { KubeApi } from '../../kube/port.ts';
import { expectNoBug } from '../../stdx/bug.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import { AwakeTime } from './awake-time.ts';
import type { Brokers, BrokerView } from './election-core.ts';
import { brokerName } from './metadata.ts';

const CHECK_MS = 500;

interface Seen {
  lease: Lease;
  /** By the time in which this process ran. */
  atMs: number;
}
type Fence = 'refused' | 'expired';

export interface LivenessDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly brokers: () => readonly KafkaBroker[];
  /** Whether a stream to that life of the broker is open right now. */
  readonly isPresent: (id: number, epoch: number) => boolean;
  /** Whether somebody listens where the broker does. */
  readonly accepts: (broker: KafkaBroker) => Promise<boolean>;
  readonly sessionTimeoutMs: () => number;
  readonly onChange: () => void;
}

/** Whether so many are silent that it says more about machines than about brokers. Pure. */
export function isMass(silent: number, brokers: number): boolean {
  return silent > Math.max(1, Math.floor(brokers / 3));
}

export class Liveness implements Disposable {
  private readonly deps: LivenessDeps;
  private readonly of: { namespace: string; cluster: string };
  private readonly seen = new Map<string, Seen>();
  private readonly fences = new Map<string, Fence>();
  private readonly draining = new Set<string>();
  /** Pods whose process has ended. */
  private readonly endedPods = new Set<string>();
  private readonly timer: Disposable;
  private checking = false;
  private readonly awake: AwakeTime;
  /** Brokers that are silent and are left alone. */
  private readonly held = new Set<string>();

  constructor(
    deps: LivenessDeps,
    of: { namespace: string; cluster: string },
    known: readonly Lease[],
  ) {
    this.deps = deps;
    this.of = of;
    this.awake = new AwakeTime(deps.clock, 2 * CHECK_MS);
    // A new controller gives everybody a full timeout, whatever the clocks in the Leases say.
    for (const lease of known)
      this.seen.set(lease.metadata.name, { lease, atMs: this.awake.nowMs() });
    this.timer = deps.clock.every(CHECK_MS, () => void this.check());
  }

  onLease(lease: Lease): void {
    const { name, resourceVersion } = lease.metadata;
    const before = this.seen.get(name);
    if (before?.lease.metadata.resourceVersion === resourceVersion) return;
    this.seen.set(name, { lease, atMs: this.awake.nowMs() });
    this.held.delete(name);
    const key = `${name}@${lease.spec?.leaseTransitions}`;
    const released = !lease.spec?.holderIdentity && before?.lease.spec?.holderIdentity;
    const revived = this.fences.get(key) === 'expired' && this.fences.delete(key);
    const newLife = before?.lease.spec?.leaseTransitions !== lease.spec?.leaseTransitions;
    if (released || revived || newLife) this.deps.onChange();
  }

  /** The process is gone: its port refuses connections. */
  onRefused(id: number, epoch: number): void {
    const key = `${brokerName(this.of.cluster, id)}@${epoch}`;
    if (this.fences.has(key)) return;
    this.fences.set(key, 'refused');
    this.deps.logger.info('broker fenced', { broker: id, epoch, why: 'its process is gone' });
    this.deps.onChange();
  }

  /** Kubernetes says that the process ended; a stream to it that stands says otherwise, and counts. */
  onPodEnded(podUid: string): void {
    this.endedPods.add(podUid);
    this.fenceEndedPods();
  }
  onPodRuns(podUid: string): void {
    this.endedPods.delete(podUid);
  }

  private fenceEndedPods(): void {
    if (this.endedPods.size === 0) return;
    const view = this.view();
    for (const { spec } of this.deps.brokers()) {
      const { epoch, id, podUid } = spec;
      if (podUid === undefined || !this.endedPods.has(podUid)) continue;
      if (view.get(id)?.live !== true || this.deps.isPresent(id, epoch)) continue;
      this.fences.set(`${brokerName(this.of.cluster, id)}@${epoch}`, 'refused');
      this.deps.logger.info('broker fenced', { broker: id, epoch, why: 'its pod has ended' });
      this.deps.onChange();
    }
  }

  onPresent(id: number, epoch: number): void {
    if (this.fences.delete(`${brokerName(this.of.cluster, id)}@${epoch}`)) this.deps.onChange();
  }

  onLeaving(id: number, epoch: number): void {
    this.draining.add(`${brokerName(this.of.cluster, id)}@${epoch}`);
    this.deps.onChange();
  }

  isFenced(id: number, epoch: number): boolean {
    return this.fences.has(`${brokerName(this.of.cluster, id)}@${epoch}`);
  }

  view(): Brokers {
    const views = new Map<number, BrokerView>();
    for (const { spec } of this.deps.brokers()) {
      const name = brokerName(this.of.cluster, spec.id);
      const lease = this.seen.get(name)?.lease.spec;
      const key = `${name}@${spec.epoch}`;
      const holds =
        lease?.holderIdentity === `${spec.id}/${spec.incarnation}` &&
        lease.leaseTransitions === spec.epoch;
      views.set(spec.id, {
        id: spec.id,
        epoch: spec.epoch,
        live: holds && !this.fences.has(key),
        draining: this.draining.has(key),
        keptSince: spec.keptSince,
        rack: spec.rack ?? null,
      });
    }
    return views;
  }

  /** Looks for Leases that stood still; asks the API before believing it. */
  private async check(): Promise<void> {
    this.fenceEndedPods();
    if (this.checking) return;
    this.checking = true;
    try {
      await this.judgeSilent();
    } finally {
      this.checking = false;
    }
  }

  private async judgeSilent(): Promise<void> {
    const nowMs = this.awake.nowMs();
    const all = [...this.view().values()];
    const silent = all.flatMap((broker) => {
      const name = brokerName(this.of.cluster, broker.id);
      const seen = this.seen.get(name);
      if (!broker.live || seen === undefined) return [];
      if (nowMs - seen.atMs <= this.deps.sessionTimeoutMs()) return [];
      return this.deps.isPresent(broker.id, broker.epoch) ? [] : [{ broker, name, seen }];
    });
    const fenced = all.filter(
      ({ id, epoch }) =>
        this.fences.get(`${brokerName(this.of.cluster, id)}@${epoch}`) === 'expired',
    );
    const mass = isMass(silent.length + fenced.length, all.length);
    for (const { broker, name, seen } of silent) {
      if (mass && (await this.isHeld(broker, name))) continue;
      await this.confirm(broker, name, seen);
    }
  }

  /** One of many that are silent: it is left alone as long as its process is there. */
  private async isHeld({ id, epoch }: BrokerView, name: string): Promise<boolean> {
    const object = this.deps.brokers().find(({ spec }) => spec.id === id && spec.epoch === epoch);
    if (object === undefined || !(await this.deps.accepts(object))) return false;
    if (!this.held.has(name)) {
      this.held.add(name);
      const why = 'too many are silent at once, and its process is there';
      this.deps.logger.warn('broker is silent, but not fenced', { broker: id, epoch, why });
    }
    return true;
  }

  private async confirm(broker: BrokerView, name: string, seen: Seen): Promise<void> {
    let current: Lease | null;
    try {
      current = await this.deps.api.get(leases, this.of.namespace, name);
    } catch (cause) {
      expectNoBug('reading a Lease', cause);
      // An API that does not answer fences nobody: all begin anew.
      for (const entry of this.seen.values()) entry.atMs = this.awake.nowMs();
      return;
    }
    if (
      current !== null &&
      current.metadata.resourceVersion !== seen.lease.metadata.resourceVersion
    ) {
      this.onLease(current);
      return;
    }
    this.fences.set(`${name}@${broker.epoch}`, 'expired');
    this.deps.logger.warn('broker fenced', {
      broker: broker.id,
      epoch: broker.epoch,
      why: 'its Lease ran out',
    });
    this.deps.onChange();
  }

  [Symbol.dispose](): void {
    this.timer[Symbol.dispose]();
  }
}
