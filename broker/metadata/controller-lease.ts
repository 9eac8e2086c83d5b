/**
 * Who is the controller: candidacy for one Lease. Being elected only says whom to try; what makes
 * an old controller harmless is that its page writes fail (controller.ts).
 */

import { CLUSTER_LABEL } from '../../kube/kafka-objects.ts';
import { type Lease, leases, type OwnerReference } from '../../kube/objects.ts';
import { isKubeError, type KubeApi } from '../../kube/port.ts';
import type { Chance } from '../../stdx/chance.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import { controllerLeaseName, holderId } from './metadata.ts';
import { microTime } from './session.ts';

const LEASE_MS = 3_000;
const RENEW_MS = 500;
/** Nobody else stands: who comes later still sees the Lease move well within its time. */
const RENEW_ALONE_MS = 1_800;
const TICK_MS = 200;

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
  private seenAtMs: number;
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
    this.seenAtMs = deps.clock.monotonicMs();
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
      this.seen = lease;
      this.seenAtMs = this.deps.clock.monotonicMs();
    }
    const taken = lease.spec?.holderIdentity !== this.identity;
    const newer = (lease.spec?.leaseTransitions ?? 0) > (this.held?.spec?.leaseTransitions ?? 0);
    if (this.held !== null && taken && newer) this.lose('another controller was elected');
    if (this.held === null && !lease.spec?.holderIdentity) void this.tick();
    // A former life of this very broker: its place is taken already, so nobody waits for it.
    if (holderId(lease) === this.of.id && taken)
      this.holderIsDead(lease.spec?.holderIdentity as string);
  }

  /** The holder's process is gone for certain: no need to wait for its Lease to run out. */
  holderIsDead(identity: string): void {
    if (this.held !== null || this.seen?.spec?.holderIdentity !== identity) return;
    // The id staggers the candidates, so that they do not all ask at once.
    this.deps.clock.after(this.of.id * 10, () => void this.take(true));
  }

  private async tick(): Promise<void> {
    if (this.over) return;
    const nowMs = this.deps.clock.monotonicMs();
    if (this.held !== null) {
      const periodMs = this.deps.isAlone() ? RENEW_ALONE_MS : RENEW_MS;
      if (nowMs - this.renewedAtMs >= periodMs) await this.renew();
      return;
    }
    const free = this.seen === null || holderId(this.seen) < 0;
    if (free || nowMs - this.seenAtMs > LEASE_MS) await this.take(false);
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
      this.deps.logger.debug('giving the controller lease back failed', { cause });
    }
  }
}
