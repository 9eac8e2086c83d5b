/**
 * Which of several operators acts: the one that holds a Lease. The others stand by with full copies.
 * Leases are watched with this process's own monotonic clock; times inside them are for people.
 */
import { type Lease, leases } from '../kube/objects.ts';
import { isKubeError, type KubeApi } from '../kube/port.ts';
import { expectNoBug } from '../stdx/bug.ts';
import type { Clock } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';

/** Kubernetes' own figures for controllers. */
const LEASE_MS = 15_000;
const RENEW_DEADLINE_MS = 10_000;
const RETRY_MS = 2_000;

export interface ElectionOptions {
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  readonly identity: string;
  /** Called once where a Lease that was held is not any more: act no longer. */
  readonly onLost: () => void;
}

export class Election implements AsyncDisposable {
  private readonly deps: { readonly api: KubeApi; readonly clock: Clock; readonly logger: Logger };
  private readonly options: ElectionOptions;
  private readonly timer: Disposable;
  private seen: { version: string; atMs: number } | null = null;
  private held: Lease | null = null;
  private renewedMs = 0;
  private busy = false;
  private over = false;
  private markWon: () => void = () => {};
  readonly won: Promise<void>;

  constructor(
    deps: { readonly api: KubeApi; readonly clock: Clock; readonly logger: Logger },
    options: ElectionOptions,
  ) {
    this.deps = deps;
    this.options = options;
    this.won = new Promise((resolve) => {
      this.markWon = resolve;
    });
    this.timer = deps.clock.every(RETRY_MS, () => void this.look());
    void this.look();
  }

  private async look(): Promise<void> {
    if (this.busy || this.over) return;
    this.busy = true;
    try {
      if (this.held === null) await this.stand();
      else await this.renew(this.held);
    } catch (cause) {
      expectNoBug('writing the operator Lease', cause);
      this.deps.logger.debug('the operator Lease could not be written', { cause });
    } finally {
      this.busy = false;
    }
    const late = this.deps.clock.monotonicMs() - this.renewedMs > RENEW_DEADLINE_MS;
    if (this.held !== null && late) this.lose('it could not be renewed in time');
  }

  private spec(transitions: number, acquireTime: string): NonNullable<Lease['spec']> {
    return {
      holderIdentity: this.options.identity,
      leaseDurationSeconds: LEASE_MS / 1000,
      leaseTransitions: transitions,
      acquireTime,
      renewTime: this.now(),
    };
  }

  private now(): string {
    return new Date(this.deps.clock.nowMs()).toISOString().replace('Z', '000Z');
  }

  private async stand(): Promise<void> {
    const { api, clock } = this.deps;
    const { namespace, name } = this.options;
    const current = await api.get(leases, namespace, name);
    if (current === null) {
      const lease = {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name, namespace },
        spec: this.spec(0, this.now()),
      };
      return this.take(() => api.create(leases, lease));
    }
    const version = current.metadata.resourceVersion ?? '';
    if (this.seen?.version !== version) this.seen = { version, atMs: clock.monotonicMs() };
    const isFree = !current.spec?.holderIdentity;
    if (!isFree && clock.monotonicMs() - this.seen.atMs < LEASE_MS) return;
    const spec = this.spec((current.spec?.leaseTransitions ?? 0) + 1, this.now());
    await this.take(() => api.replace(leases, { ...current, spec }));
  }

  private async take(write: () => Promise<Lease>): Promise<void> {
    try {
      this.held = await write();
      this.renewedMs = this.deps.clock.monotonicMs();
      this.markWon();
    } catch (cause) {
      if (!isKubeError(cause, 409)) throw cause;
    }
  }

  private async renew(lease: Lease): Promise<void> {
    const { leaseTransitions = 0, acquireTime } = lease.spec ?? {};
    const spec = this.spec(leaseTransitions, acquireTime ?? this.now());
    try {
      this.held = await this.deps.api.replace(leases, { ...lease, spec });
      this.renewedMs = this.deps.clock.monotonicMs();
    } catch (cause) {
      if (!isKubeError(cause, 404, 409)) throw cause;
      this.lose('another operator has taken it');
    }
  }

  private lose(why: string): void {
    if (this.over) return;
    this.over = true;
    this.held = null;
    this.timer[Symbol.dispose]();
    this.deps.logger.error('this operator leads no more: its Lease is lost', { why });
    this.options.onLost();
  }

  /** Gives the Lease back, so that a stand-by acts at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.over) return;
    this.over = true;
    this.timer[Symbol.dispose]();
    if (this.held === null) return;
    try {
      const spec = { ...this.held.spec, holderIdentity: '', renewTime: this.now() };
      await this.deps.api.replace(leases, { ...this.held, spec });
    } catch (cause) {
      expectNoBug('giving the operator Lease back', cause);
      this.deps.logger.debug('giving the operator Lease back failed', { cause });
    }
  }
}
