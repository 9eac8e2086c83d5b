/**
 * What becomes of a replica in whose files something is damaged. The damage is looked at first: an index is
 * made anew from the records. Records are only to be had from another replica: this one gives up leading
 * and its place among those in sync, and once nobody counts on it any more it drops what is damaged and
 * copies it. Where no other replica is in sync, nothing is dropped: what can be read is served.
 *
 * Must never know: what reads the files, and why.
 */
import { type Member, type PartitionLine, sameMember } from '../kube/partition-line.ts';
import { type ErrorName, errorName } from '../proto/kafka/errors.ts';
import type { Clock } from '../stdx/clock.ts';
import { DiskError } from '../stdx/disk.ts';
import type { Logger } from '../stdx/logger.ts';
import { checkSegment } from './log/segment-check.ts';
import { DamagedLog } from './log/stored-batches.ts';
import type { Partition } from './partition/partition.ts';
import type { Followers } from './replication/follower-stream.ts';
import type { WishMessage } from './replication/services.ts';

const LOOK_MS = 250;
/** Others may be in sync again later. */
const LAST_COPY_LOOK_MS = 10_000;

export type RepairNews = 'ReplicaDamaged' | 'ReplicaHealed' | 'LastCopyDamaged';

export interface RepairsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly self: () => Member;
  readonly followers: Pick<Followers, 'again'>;
  /** Whether the replica is still this broker's. */
  readonly holds: (partition: Partition) => boolean;
  /** Asks the controller; an error code of Kafka's, or null where it does not answer. */
  readonly ask: (wish: WishMessage) => Promise<number | null>;
  /** For people: what happened to a replica. */
  readonly tell: (reason: RepairNews, message: string) => void;
}

export interface RepairCounts {
  readonly found: number;
  readonly healed: number;
  /** Replicas with damage that is not healed yet. */
  readonly open: number;
}

interface Case {
  readonly partition: Partition;
  readonly damage: DamagedLog;
  /** `checked`: it is the records. `copying`: dropped, and not yet in sync again. */
  state: 'found' | 'checked' | 'copying';
  lookAtMs: number;
}

/** Whether anybody counts on what this broker has of the partition. */
function counts(line: PartitionLine, { id }: Member): boolean {
  return line.leader?.id === id || [...line.isr, ...line.elr].some((member) => member.id === id);
}

export class Repairs implements Disposable {
  private readonly deps: RepairsDeps;
  private readonly cases = new Map<Partition, Case>();
  private timer: Disposable | null = null;
  private found = 0;
  private healed = 0;
  private over = false;

  constructor(deps: RepairsDeps) {
    this.deps = deps;
  }

  get counts(): RepairCounts {
    return { found: this.found, healed: this.healed, open: this.cases.size };
  }

  /** Something beside records was wrong and is right again. */
  noteRepaired(partition: Partition): void {
    this.found++;
    this.healed++;
    const { topic, partition: index } = partition;
    this.deps.logger.warn('an index was damaged and is made anew', { topic, partition: index });
  }

  /** A replica was found to be damaged. */
  onDamage(partition: Partition, damage: DamagedLog): void {
    const { topic, partition: index } = partition;
    this.found++;
    // It was being copied, and the rest of it is damaged as well.
    if (this.cases.has(partition)) this.healed++;
    this.deps.logger.error('a replica is damaged', { topic, partition: index, cause: damage });
    this.deps.tell('ReplicaDamaged', `${topic}-${index}: ${damage.message}`);
    this.cases.set(partition, { partition, damage, state: 'found', lookAtMs: 0 });
    this.schedule();
  }

  private schedule(): void {
    if (this.timer !== null || this.over || this.cases.size === 0) return;
    this.timer = this.deps.clock.after(LOOK_MS, () => {
      void this.look().then(() => {
        this.timer = null;
        this.schedule();
      });
    });
  }

  private async look(): Promise<void> {
    for (const one of [...this.cases.values()]) {
      if (this.over) return;
      if (this.cases.get(one.partition) !== one || this.deps.clock.monotonicMs() < one.lookAtMs)
        continue;
      const { partition } = one;
      if (!this.deps.holds(partition) || partition.log.failure !== null)
        this.cases.delete(partition);
      else await this.advance(one);
    }
  }

  private async advance(one: Case): Promise<void> {
    if (one.state === 'found') await this.inspect(one);
    if (this.cases.get(one.partition) !== one || this.over) return;
    const { partition } = one;
    const { line } = partition;
    if (line === null) return;
    if (one.state === 'copying') {
      if (line.isr.some((member) => sameMember(member, this.deps.self()))) this.close(one);
      return;
    }
    if (this.segmentOf(one) === null) return this.close(one);
    if (counts(line, this.deps.self())) await this.withdraw(one);
    else if (partition.role.kind === 'follower') this.dropDamage(one);
  }

  private segmentOf({ partition, damage }: Case) {
    const { segmentsNow } = partition.log;
    return segmentsNow.find(({ baseOffset }) => baseOffset === damage.baseOffset) ?? null;
  }

  /** Reads the segment from its beginning, without its indexes. */
  private async inspect(one: Case): Promise<void> {
    const { partition } = one;
    const segment = this.segmentOf(one);
    if (segment === null) return;
    try {
      const result = await checkSegment(partition.log, segment, () => Promise.resolve());
      // Where it is sound now, a cut or a compaction went over it, or memory holds what the disk had.
      if (result === 'sound') segment.unloadIndexes();
      this.close(one);
    } catch (cause) {
      if (!(cause instanceof DamagedLog) && !(cause instanceof DiskError)) throw cause;
      one.state = 'checked';
    }
  }

  /** Asks to be counted on no more. */
  private async withdraw(one: Case): Promise<void> {
    const { clock, logger } = this.deps;
    const { partition } = one;
    const { topicId, topic, partition: index } = partition;
    const member = { ...this.deps.self() };
    const code = await this.deps.ask({ topicId, partition: index, kind: 'withdraw', member });
    if (this.cases.get(partition) !== one || code === null) return;
    const error: ErrorName = errorName(code);
    if (error !== 'ELIGIBLE_LEADERS_NOT_AVAILABLE') {
      logger.info('a damaged replica withdraws', { topic, partition: index, error });
      return;
    }
    one.lookAtMs = clock.monotonicMs() + LAST_COPY_LOOK_MS;
    if (partition.isLastCopy) return;
    partition.isLastCopy = true;
    const message = `${topic}-${index}: ${one.damage.message}, and no other replica is in sync: it is kept, and what can be read is served`;
    logger.error('the last copy of a partition is damaged', { topic, partition: index });
    this.deps.tell('LastCopyDamaged', message);
  }

  private dropDamage(one: Case): void {
    const { partition, damage } = one;
    const { topic, partition: index } = partition;
    partition.giveUpDamage();
    if (partition.log.failure !== null) return;
    one.state = 'copying';
    this.deps.logger.warn('a damaged replica is copied again', {
      topic,
      partition: index,
      from: damage.baseOffset,
      kept: `${damage.path}.corrupt`,
    });
    this.deps.followers.again(partition);
  }

  private close(one: Case): void {
    const { partition } = one;
    const { topic, partition: index } = partition;
    this.cases.delete(partition);
    if (one.state === 'copying') partition.removeAside();
    else partition.healed();
    this.healed++;
    this.deps.logger.info('a damaged replica is whole again', { topic, partition: index });
    this.deps.tell('ReplicaHealed', `${topic}-${index} is whole again`);
  }

  [Symbol.dispose](): void {
    this.over = true;
    this.timer?.[Symbol.dispose]();
  }
}
