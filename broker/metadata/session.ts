/**
 * This process's claim to be a broker: its Lease and its KafkaBroker object.
 *
 * The Lease says that the process lives; `leaseTransitions` is the broker epoch, one for each
 * life. Losing the Lease to another process of the same id means that this one must stop.
 */

import {
  API_VERSION,
  CLUSTER_LABEL,
  type KafkaBroker,
  type KafkaCluster,
  kafkaBrokers,
} from '../../kube/kafka-objects.ts';
import { type Lease, leases, type OwnerReference } from '../../kube/objects.ts';
import { isKubeError, type KubeApi } from '../../kube/port.ts';
import type { Chance } from '../../stdx/chance.ts';
import { type Clock, sleep } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import { brokerName } from './metadata.ts';

export interface SessionOptions {
  readonly namespace: string;
  readonly cluster: string;
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly replicationPort: number;
  readonly podUid: string;
  readonly rack: string | null;
  readonly version: string;
  readonly sessionTimeoutMs: number;
  readonly renewPeriodMs: number;
}

export interface SessionDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  /** Another process took this broker's place: stop at once. */
  readonly onReplaced: () => void;
}

/** What the data folder tells of the life before. */
export interface FormerLife {
  readonly epoch: number;
  readonly keptSince: number;
  readonly keptData: boolean;
}

const RETRY_MS = 300;

export function microTime(nowMs: number): string {
  return new Date(nowMs).toISOString().replace('Z', '000Z');
}

export function ownerOf(cluster: KafkaCluster): OwnerReference {
  return {
    apiVersion: API_VERSION,
    kind: 'KafkaCluster',
    name: cluster.metadata.name,
    uid: cluster.metadata.uid ?? '',
  };
}

export class Session {
  private readonly deps: SessionDeps;
  private readonly options: SessionOptions;
  readonly incarnation: string;
  private lease: Lease | null = null;
  private timer: Disposable | null = null;
  private renewing = false;
  private over = false;
  epoch = -1;
  keptSince = -1;
  /** When the API last confirmed the Lease, by the monotonic clock. */
  confirmedAtMs = 0;

  constructor(deps: SessionDeps, options: SessionOptions) {
    this.deps = deps;
    this.options = options;
    this.incarnation = deps.chance.uuid();
  }

  /** Found out after the start; it goes before what the options say. */
  rack: string | null = null;

  private get name(): string {
    return brokerName(this.options.cluster, this.options.id);
  }

  /** Takes the Lease and writes the KafkaBroker; tries until the API answers. */
  async begin(
    cluster: KafkaCluster,
    former: FormerLife,
    known: (epoch: number, keptSince: number) => void,
  ): Promise<void> {
    const owner = ownerOf(cluster);
    for (;;) {
      try {
        this.lease = await this.take(owner, former);
        this.epoch = this.lease.spec?.leaseTransitions ?? 0;
        this.keptSince = former.keptData ? former.keptSince : this.epoch;
        // On disk before anybody can learn of it: the next life must know what this one was called.
        known(this.epoch, this.keptSince);
        await this.announce(cluster, owner);
        break;
      } catch (cause) {
        this.deps.logger.warn('registering failed, trying again', { cause });
        await sleep(this.deps.clock, RETRY_MS);
      }
    }
    this.confirmedAtMs = this.deps.clock.monotonicMs();
    this.timer = this.deps.clock.every(this.options.renewPeriodMs, () => void this.renew());
  }

  private leaseSpec(epoch: number): NonNullable<Lease['spec']> {
    const now = microTime(this.deps.clock.nowMs());
    return {
      holderIdentity: `${this.options.id}/${this.incarnation}`,
      leaseDurationSeconds: Math.ceil(this.options.sessionTimeoutMs / 1000),
      leaseTransitions: epoch,
      renewTime: now,
    };
  }

  private async take(owner: OwnerReference, former: FormerLife): Promise<Lease> {
    const { namespace, cluster } = this.options;
    const before = await this.deps.api.get(leases, namespace, this.name);
    const epoch = Math.max(before?.spec?.leaseTransitions ?? 0, former.epoch, 0) + 1;
    const spec = { ...this.leaseSpec(epoch), acquireTime: microTime(this.deps.clock.nowMs()) };
    if (before !== null) return this.deps.api.replace(leases, { ...before, spec });
    const labels = { [CLUSTER_LABEL]: cluster };
    const metadata = { name: this.name, namespace, labels, ownerReferences: [owner] };
    return this.deps.api.create(leases, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata,
      spec,
    });
  }

  private async announce(object: KafkaCluster, owner: OwnerReference): Promise<void> {
    const { namespace, cluster, id, host, podUid, port, replicationPort, version } = this.options;
    const own = object.spec.brokerConfig?.[String(id)]?.['broker.rack'];
    const rack = this.rack ?? this.options.rack ?? (own === undefined ? null : String(own));
    const spec: KafkaBroker['spec'] = {
      clusterRef: { name: cluster },
      id,
      epoch: this.epoch,
      host,
      port,
      replicationPort,
      ...(rack === null ? {} : { rack }),
      version,
      incarnation: this.incarnation,
      ...(podUid === '' ? {} : { podUid }),
      keptSince: this.keptSince,
    };
    const before = await this.deps.api.get(kafkaBrokers, namespace, this.name);
    if (before !== null) {
      await this.deps.api.replace(kafkaBrokers, { ...before, spec });
    } else {
      const labels = { [CLUSTER_LABEL]: cluster };
      const metadata = { name: this.name, namespace, labels, ownerReferences: [owner] };
      await this.deps.api.create(kafkaBrokers, {
        apiVersion: API_VERSION,
        kind: 'KafkaBroker',
        metadata,
        spec,
      });
    }
    await this.reportState('Running');
  }

  private async renew(): Promise<void> {
    if (this.renewing || this.over || this.lease === null) return;
    this.renewing = true;
    try {
      const spec = { ...this.lease.spec, ...this.leaseSpec(this.epoch) };
      this.lease = await this.deps.api.replace(leases, { ...this.lease, spec });
      this.confirmedAtMs = this.deps.clock.monotonicMs();
    } catch (cause) {
      if (isKubeError(cause, 404, 409)) await this.reclaim();
      else this.deps.logger.warn('renewing the session failed', { cause });
    } finally {
      this.renewing = false;
    }
  }

  /** The Lease changed under this process: still its own, or another's by now? */
  private async reclaim(): Promise<void> {
    try {
      const current = await this.deps.api.get(leases, this.options.namespace, this.name);
      const mine = current?.spec?.holderIdentity === `${this.options.id}/${this.incarnation}`;
      if (mine) {
        this.lease = current;
      } else if (!this.over) {
        this.deps.logger.error('another process took the place of this broker', {
          holder: current?.spec?.holderIdentity,
        });
        this.deps.onReplaced();
      }
    } catch (cause) {
      this.deps.logger.warn('reading the session failed', { cause });
    }
  }

  /** Shows the state to people; nothing is decided by it. */
  reportState(state: 'Running' | 'Draining', counts: object = {}): Promise<void> {
    return this.writeStatus({ state, epoch: this.epoch, ...counts });
  }

  /** Numbers for people. The state stays as it is: the controller may have fenced this broker. */
  reportCounts(counts: object): Promise<void> {
    return this.writeStatus(counts);
  }

  private async writeStatus(status: object): Promise<void> {
    const of = {
      namespace: this.options.namespace,
      name: this.name,
      subresource: 'status',
    } as const;
    try {
      await this.deps.api.patch(kafkaBrokers, of, { status });
    } catch (cause) {
      this.deps.logger.debug('writing the broker status failed', { cause });
    }
  }

  /** Gives the Lease back: everybody may know at once that this process is gone. */
  async end(): Promise<void> {
    this.over = true;
    this.timer?.[Symbol.dispose]();
    if (this.lease === null) return;
    try {
      const current = await this.deps.api.get(leases, this.options.namespace, this.name);
      if (current?.spec?.holderIdentity !== `${this.options.id}/${this.incarnation}`) return;
      await this.deps.api.replace(leases, {
        ...current,
        spec: { ...current.spec, holderIdentity: '' },
      });
    } catch (cause) {
      this.deps.logger.debug('giving the session back failed', { cause });
    }
  }
}
