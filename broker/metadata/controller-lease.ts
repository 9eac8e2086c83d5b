/**
 * Who is the controller: candidacy for one Lease. Being elected only says whom to try; what makes
 * an old controller harmless is that its page writes fail (controller.ts).
 */

import { CLUSTER_LABEL } from '../../kube/kafka-objects.ts';
import { type Lease, leases, type OwnerReference } from '../../kube/objects.ts';
import { isKubeError, type KubeApi } from '../../kube/port.ts';
import { expectNoBug } from '../../stdx/bug.ts';
import type { Chance } from '../../stdx/chance.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import { AwakeTime } from './awake-time.ts';
import { controllerLeaseName, holderId } from './metadata.ts';
import { microTime } from './session.ts';

const LEASE_MS = 3_000;
const RENEW_MS = 500;
/** Nobody else stands: who comes later still sees the Lease move well within its time. */
const RENEW_ALONE_MS = 1_800;
const TICK_MS = 200;
/** Controllers that lose their Lease to each other one after another are late, not dead. */
const STORM_MS = 60_000;
const PATIENCE_MAX = 8;

export interface ControllerLeaseDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  readonly owner: () => OwnerReference;
  /** Highest controller epoch that the cluster's objects show; a new one goes above it. */
  readonly epochSeen: () => number;
  /** This is the only broker there is. */
  readonly isAlone: () => boolean;
  readonly onElected: (epoch: number) => void;
  readonly onDeposed: () => void;
}

export class ControllerLease {
  private readonly deps: ControllerLeaseDeps;
  private readonly of: { namespace: string; cluster: string; id: number; incarnation: string };
  private seen: Lease | null = null;
  /** By the time in which this process ran, as every other time of waiting for others here. */
  private seenAtMs: number;
  private readonly awake: AwakeTime;
  /** When the Lease was last taken from a holder that had not given it back. */
  private takenAtMs: number[] = [];
  private held: Lease | null = null;
  private renewedAtMs = 0;
  private busy = false;
  private over = false;
  private readonly timer: Disposable;

  constructor(
    deps: ControllerLeaseDeps,
    of: { namespace: string; cluster: string; id: number; incarnation: string },
  ) {
    this.deps = deps;
    this.of = of;
    this.awake = new AwakeTime(deps.clock, 2 * TICK_MS);
    this.seenAtMs = this.awake.nowMs();
    this.timer = deps.clock.every(TICK_MS, () => void this.tick());
  }

  private get identity(): string {
    return `${this.of.id}/${this.of.incarnation}`;
  }
  get isHeld(): boolean {
    return this.held !== null;
  }

  onLease(lease: Lease): void {
    if (lease.metadata.resourceVersion !== this.seen?.metadata.resourceVersion) {
      this.noteTaken(this.seen, lease);
      this.seen = lease;
      this.seenAtMs = this.awake.nowMs();
    }
    const taken = lease.spec?.holderIdentity !== this.identity;
    const newer = (lease.spec?.leaseTransitions ?? 0) > (this.held?.spec?.leaseTransitions ?? 0);
    if (this.held !== null && taken && newer) this.lose('another controller was elected');
    if (this.held === null && !lease.spec?.holderIdentity) void this.tick();
    // A former life of this very broker: its place is taken already, so nobody waits for it.
    if (holderId(lease) === this.of.id && taken)
      this.holderIsDead(lease.spec?.holderIdentity as string);
  }

  private noteTaken(before: Lease | null, after: Lease): void {
    const was = before?.spec?.holderIdentity;
    if (!was || !after.spec?.holderIdentity || was === after.spec.holderIdentity) return;
    this.takenAtMs.push(this.awake.nowMs());
  }

  /** How long the Lease may stand still: twice as long for each time it changed hands lately but one. */
  private patienceMs(nowMs: number): number {
    this.takenAtMs = this.takenAtMs.filter((atMs) => nowMs - atMs < STORM_MS);
    return LEASE_MS * Math.min(2 ** Math.max(this.takenAtMs.length - 1, 0), PATIENCE_MAX);
  }

  /** The holder's process is gone for certain: no need to wait for its Lease to run out. */
  holderIsDead(identity: string): void {
    if (this.held !== null || this.seen?.spec?.holderIdentity !== identity) return;
    // The id staggers the candidates, so that they do not all ask at once.
    this.deps.clock.after(this.of.id * 10, () => void this.take(true));
  }

  private async tick(): Promise<void> {
    if (this.over) return;
    const awakeMs = this.awake.nowMs();
    if (this.held !== null) {
      const nowMs = this.deps.clock.monotonicMs();
      const periodMs = this.deps.isAlone() ? RENEW_ALONE_MS : RENEW_MS;
      if (nowMs - this.renewedAtMs >= periodMs) await this.renew();
      return;
    }
    const free = this.seen === null || holderId(this.seen) < 0;
    if (free || awakeMs - this.seenAtMs > this.patienceMs(awakeMs)) await this.take(false);
  }

  private spec(epoch: number): NonNullable<Lease['spec']> {
    return {
      holderIdentity: this.identity,
      leaseDurationSeconds: LEASE_MS / 1000,
      leaseTransitions: epoch,
      renewTime: microTime(this.deps.clock.nowMs()),
    };
  }

  private async take(evenIfFresh: boolean): Promise<void> {
    if (this.busy || this.over || this.held !== null) return;
    this.busy = true;
    try {
      const { namespace, cluster } = this.of;
      const name = controllerLeaseName(cluster);
      const current = await this.deps.api.get(leases, namespace, name);
      const same = current?.metadata.resourceVersion === this.seen?.metadata.resourceVersion;
      if (current !== null && !same && holderId(current) >= 0) {
        // It moved since it was last looked at: somebody lives.
        this.onLease(current);
        if (!evenIfFresh || current.spec?.holderIdentity !== this.seen?.spec?.holderIdentity)
          return;
      }
      const epoch = Math.max(current?.spec?.leaseTransitions ?? 0, this.deps.epochSeen()) + 1;
      const spec = this.spec(epoch);
      this.held =
        current === null
          ? await this.deps.api.create(leases, {
              apiVersion: 'coordination.k8s.io/v1',
              kind: 'Lease',
              metadata: {
                name,
                namespace,
                labels: { [CLUSTER_LABEL]: cluster },
                ownerReferences: [this.deps.owner()],
              },
              spec,
            })
          : await this.deps.api.replace(leases, { ...current, spec });
      this.renewedAtMs = this.deps.clock.monotonicMs();
      this.deps.onElected(epoch);
    } catch (cause) {
      expectNoBug('taking the controller lease', cause);
      if (!isKubeError(cause, 409))
        this.deps.logger.debug('taking the controller lease failed', { cause });
    } finally {
      this.busy = false;
    }
  }

  private async renew(): Promise<void> {
    if (this.busy || this.held === null) return;
    this.busy = true;
    try {
      const spec = { ...this.held.spec, ...this.spec(this.held.spec?.leaseTransitions ?? 0) };
      this.held = await this.deps.api.replace(leases, { ...this.held, spec });
      this.renewedAtMs = this.deps.clock.monotonicMs();
    } catch (cause) {
      expectNoBug('renewing the controller lease', cause);
      if (isKubeError(cause, 404, 409)) this.lose('the controller lease changed hands');
      else this.deps.logger.debug('renewing the controller lease failed', { cause });
    } finally {
      this.busy = false;
    }
  }

  private lose(why: string): void {
    this.held = null;
    this.deps.logger.info('no longer controller', { why });
    this.deps.onDeposed();
  }

  /** Stops standing and, if elected, lets others in at once. */
  async end(): Promise<void> {
    this.over = true;
    this.timer[Symbol.dispose]();
    await this.resign();
  }

  /** Gives the Lease back, if it is held: whoever takes it next has a newer epoch. */
  async resign(): Promise<void> {
    const { held } = this;
    this.held = null;
    if (held === null) return;
    try {
      await this.deps.api.replace(leases, { ...held, spec: { ...held.spec, holderIdentity: '' } });
    } catch (cause) {
      expectNoBug('giving the controller lease back', cause);
      this.deps.logger.debug('giving the controller lease back failed', { cause });
    }
  }
}
