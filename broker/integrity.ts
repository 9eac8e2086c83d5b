/** What a broker does about damage in what it stores, and disks that fail: looked for, healed from others, told. */
import { tell } from '../kube/events.ts';
import { API_VERSION, type KafkaBroker } from '../kube/kafka-objects.ts';
import type { Member } from '../kube/partition-line.ts';
import type { KubeApi } from '../kube/port.ts';
import { expectNoBug } from '../stdx/bug.ts';
import type { Clock } from '../stdx/clock.ts';
import type { Disk } from '../stdx/disk.ts';
import type { Logger } from '../stdx/logger.ts';
import type { BrokerConfig } from './config/config.ts';
import { FullDirectories } from './full-directories.ts';
import type { LogDirectories } from './log/log-directories.ts';
import type { DamagedLog } from './log/stored-batches.ts';
import type { IntegrityFigures } from './observe/metrics.ts';
import { OfflineReplicas, type OfflineReplicasDeps } from './offline-replicas.ts';
import type { Partition } from './partition/partition.ts';
import type { Partitions } from './partition/partitions.ts';
import { type RepairNews, Repairs } from './repairs.ts';
import type { Replicas } from './replicas.ts';
import type { ControllerClient } from './replication/controller-client.ts';
import type { Followers } from './replication/follower-stream.ts';
import type { WishMessage } from './replication/services.ts';
import { Scrubber } from './scrubber.ts';

export interface IntegrityDeps extends Pick<OfflineReplicasDeps, 'image' | 'onLast'> {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly disk: Disk;
  readonly config: BrokerConfig;
  readonly partitions: Partitions;
  readonly directories: LogDirectories;
  readonly followers: Followers;
  readonly controller: ControllerClient;
  readonly replicas: () => Replicas;
  /** Something that people are shown is another one now. */
  readonly onChange: () => void;
  readonly self: () => Member;
  /** The object that stands for this broker; Events are about it. */
  readonly object: () => KafkaBroker | undefined;
}

export const NO_FIGURES: IntegrityFigures = {
  found: 0,
  healed: 0,
  open: 0,
  scrubbedBytes: 0,
  scrubAgeMs: 0,
};

const ASK_MS = 10_000;

export class Integrity implements Disposable {
  private readonly deps: IntegrityDeps;
  private readonly repairs: Repairs;
  private readonly full: FullDirectories;
  private readonly offline: OfflineReplicas;
  private scrubber: Scrubber | null = null;

  constructor(deps: IntegrityDeps) {
    this.deps = deps;
    const { clock, logger, followers, partitions, self } = deps;
    this.full = new FullDirectories(deps);
    this.offline = new OfflineReplicas({
      ...deps,
      onFull: (directory) => this.full.add(directory),
      onOffline: (directory, cause) => {
        deps.replicas().endDirectory(directory, cause);
        deps.onChange();
      },
    });
    this.repairs = new Repairs({
      clock,
      logger,
      followers,
      self,
      holds: (partition) => partitions.get(partition.topicId, partition.partition) === partition,
      ask: (wish) => this.ask(wish),
      tell: (reason, message) => void this.tell(reason, message),
    });
  }

  onDamage(partition: Partition, damage: DamagedLog): void {
    this.repairs.onDamage(partition, damage);
  }

  /** Once the broker runs: looks for damage that nobody met yet. */
  start(): void {
    this.scrubber ??= new Scrubber({
      ...this.deps,
      onRepaired: (partition) => this.repairs.noteRepaired(partition),
    });
  }

  get figures(): IntegrityFigures {
    const scrubbedBytes = this.scrubber?.byteCount ?? 0;
    return { ...this.repairs.counts, scrubbedBytes, scrubAgeMs: this.scrubber?.oldestAgeMs ?? 0 };
  }

  private async ask(wish: WishMessage): Promise<number | null> {
    try {
      const { accepted, results } = await this.deps.controller.changePartitions([wish], ASK_MS);
      return accepted ? (results[0]?.errorCode ?? null) : null;
    } catch (cause) {
      expectNoBug('asking the controller', cause);
      this.deps.logger.debug('the controller does not answer', { cause });
      return null;
    }
  }

  private async tell(reason: RepairNews, message: string): Promise<void> {
    const object = this.deps.object();
    if (object === undefined) return;
    const type = reason === 'ReplicaHealed' ? 'Normal' : 'Warning';
    const telling = { type, reason, message, component: 'tenure-broker' } as const;
    const about = { ...object, apiVersion: API_VERSION, kind: 'KafkaBroker' };
    await tell(this.deps, about, { telling, nowMs: this.deps.clock.nowMs() });
  }

  [Symbol.dispose](): void {
    this.scrubber?.[Symbol.dispose]();
    this.repairs[Symbol.dispose]();
    this.full[Symbol.dispose]();
    this.offline[Symbol.dispose]();
  }
}
