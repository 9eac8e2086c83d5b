/**
 * This process's claim to be a broker: its Lease and its KafkaBroker object.
 *
 * The Lease says that the process lives; `leaseTransitions` is the broker epoch, one for each
 * life. Losing the Lease to another process of the same id means that this one must stop.
 */

import {
  API_VERSION,
  annotations,
  CLUSTER_LABEL,
  type KafkaBroker,
  type KafkaCluster,
  kafkaBrokers,
} from '../../kube/kafka-objects.ts';
import { type Lease, leases, type OwnerReference } from '../../kube/objects.ts';
import { isKubeError, type KubeApi } from '../../kube/port.ts';
import { expectNoBug } from '../../stdx/bug.ts';
import type { Chance } from '../../stdx/chance.ts';
import { type Clock, sleep } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import { brokerName } from './metadata.ts';
import { type FormerLife, judgeStanding, type Standing, type Witness } from './standing-core.ts';

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

/** Where lives are written down. Both are on stable storage when they return. */
export interface Lives {
  /** What the data folder tells of the life before; null where it tells nothing. */
  readonly former: FormerLife | null;
  /** The highest epoch that partition lines name this broker with. */
  readonly pagesEpoch: number;
  /** A life may begin: its Lease is about to be asked for. */
  begin(life: { epoch: number; incarnation: string }): void;
  /** It has begun, and nobody was told yet. */
  note(life: { epoch: number; keptSince: number; incarnation: string }): void;
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

/** Whose life a Lease tells of; the holder is gone from it after an orderly stop. */
function witnessOf({ metadata, spec }: Lease): Witness {
  const holder = spec?.holderIdentity ?? '';
  return {
    epoch: spec?.leaseTransitions ?? 0,
    incarnation:
      metadata.annotations?.[annotations.incarnation] ?? holder.slice(holder.indexOf('/') + 1),
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
  /**
   * When the renewal was sent that the API last confirmed, by the monotonic clock: what is confirmed is that
   * the broker lived then, however long the answer lay in a socket.
   */
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
  async begin(cluster: KafkaCluster, lives: Lives): Promise<void> {
    const owner = ownerOf(cluster);
    const { incarnation } = this;
    for (;;) {
      const sentAtMs = this.deps.clock.monotonicMs();
      try {
        const { epoch, keptSince, lost } = await this.take(owner, lives);
        this.epoch = epoch;
        this.keptSince = keptSince;
        // On disk before anybody can learn of it: the next life must know what this one was called.
        lives.note({ epoch, keptSince, incarnation });
        if (lost !== null)
          this.deps.logger.warn('this broker begins as a new replica of everything', {
            why: lost,
            epoch,
          });
        await this.announce(cluster, owner);
        this.confirmedAtMs = sentAtMs;
        break;
      } catch (cause) {
        expectNoBug('registering', cause);
        this.deps.logger.warn('registering failed, trying again', { cause });
        await sleep(this.deps.clock, RETRY_MS);
      }
    }
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

  private async take(owner: OwnerReference, lives: Lives): Promise<Standing> {
    const { namespace, cluster } = this.options;
    const { incarnation } = this;
    const before = await this.deps.api.get(leases, namespace, this.name);
    const broker = await this.deps.api.get(kafkaBrokers, namespace, this.name);
    const standing = judgeStanding(lives.former, {
      lease: before === null ? null : witnessOf(before),
      broker: broker?.spec ?? null,
      pagesEpoch: lives.pagesEpoch,
      self: incarnation,
    });
    const { epoch } = standing;
    // Should this process end before it can note the life: these are the volumes that were to have it.
    lives.begin({ epoch, incarnation });
    const spec = { ...this.leaseSpec(epoch), acquireTime: microTime(this.deps.clock.nowMs()) };
    const of = { [annotations.incarnation]: incarnation };
    if (before !== null) {
      const metadata = {
        ...before.metadata,
        annotations: { ...before.metadata.annotations, ...of },
      };
      this.lease = await this.deps.api.replace(leases, { ...before, metadata, spec });
      return standing;
    }
    const labels = { [CLUSTER_LABEL]: cluster };
    const metadata = {
      name: this.name,
      namespace,
      labels,
      annotations: of,
      ownerReferences: [owner],
    };
    this.lease = await this.deps.api.create(leases, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata,
      spec,
    });
    return standing;
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
    const sentAtMs = this.deps.clock.monotonicMs();
    try {
      const spec = { ...this.lease.spec, ...this.leaseSpec(this.epoch) };
      this.lease = await this.deps.api.replace(leases, { ...this.lease, spec });
      this.confirmedAtMs = sentAtMs;
    } catch (cause) {
      expectNoBug('renewing the session', cause);
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
      expectNoBug('reading the session', cause);
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
      expectNoBug('writing the broker status', cause);
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
      expectNoBug('giving the session back', cause);
      this.deps.logger.debug('giving the session back failed', { cause });
    }
  }
}
