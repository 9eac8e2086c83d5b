/** The replicas that the pages place on this broker: made, given their roles, and set aside. */

import { annotations, type KafkaTopic, topicIdOf } from '../kube/kafka-objects.ts';
import { type Member, type PartitionLine, sameMember } from '../kube/partition-line.ts';
import { expectNoBug, isBug } from '../stdx/bug.ts';
import type { Clock } from '../stdx/clock.ts';
import { DiskError, isWantOfRoom } from '../stdx/disk.ts';
import type { Logger } from '../stdx/logger.ts';
import type { Turn } from '../stdx/turn.ts';
import { INTERNAL_TOPICS } from './api/ports.ts';
import { type TopicRules, topicRules } from './config/config.ts';
import { configTextOf } from './log/directory-record.ts';
import type { LogDirectories } from './log/log-directories.ts';
import type { LogDirectory } from './log/log-directory.ts';
import type { PartitionLog } from './log/partition-log.ts';
import { DamagedLog } from './log/stored-batches.ts';
import type { LineChange, MetadataImage } from './metadata/image.ts';
import { areRivals, compareLines, type PageAge } from './metadata/page-age.ts';
import type { HeldReplica } from './metadata/recovery-core.ts';
import { heldOf, NotedLines } from './noted-lines.ts';
import { Partition } from './partition/partition.ts';
import type { Partitions } from './partition/partitions.ts';
import type { Followers } from './replication/follower-stream.ts';

export interface ReplicasDeps {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly logger: Logger;
  readonly image: MetadataImage;
  readonly directories: LogDirectories;
  readonly partitions: Partitions;
  readonly followers: Followers;
  readonly self: () => Member;
  readonly isApiAway: () => boolean;
  readonly onDamage: (partition: Partition, damage: DamagedLog) => void;
  readonly onStorageFailure: (partition: Partition, cause: DiskError) => void;
  /** A log could not be opened while the broker runs. */
  readonly onUnopened: () => void;
  readonly onIsrChange: (kind: 'expand' | 'shrink') => void;
  /** The leadership of a partition of an internal topic here: its epoch, or null. */
  readonly onInternal: (topic: string, partition: number, leaderEpoch: number | null) => void;
}

/** What becomes of records whose topic's configuration nobody knows. */
const KEPT_FOR_EVER = { 'cleanup.policy': 'delete', 'retention.ms': -1, 'retention.bytes': -1 };

function outlives({ metadata, spec }: KafkaTopic): boolean {
  return (
    spec.deletionPolicy === 'Retain' || metadata.annotations?.[annotations.managed] === 'false'
  );
}

function keyOf({ partition, topicId }: { topicId: string; partition: number }): string {
  return `${topicId}:${partition}`;
}

/** Whether the line counts on a replica of this life. */
function isCounted({ elr, isr, leader }: PartitionLine, self: Member): boolean {
  return sameMember(leader, self) || [...isr, ...elr].some((member) => sameMember(member, self));
}

/** Reaching nobody, or having stood still. */
export type Suspension = 'isolated' | 'stoodStill';

export class Replicas {
  private readonly deps: ReplicasDeps;
  /** Logs opened at the start, before the pages say what is to become of them. */
  private readonly found = new Map<string, Partition>();
  cleanRecovery = true;
  /** Topics whose records are kept when they are deleted. */
  private readonly retained = new Set<string>();
  /** Why this process must not act as a leader now, where others could. */
  private readonly suspendedBy = new Set<Suspension>();
  /** Leaderships that a follower confirmed since this process stood still: their epochs. */
  private readonly confirmed = new Map<Partition, number>();
  /** Logs on the disk that could not be opened: nobody knows what they hold. */
  private readonly unopened = new Set<string>();
  /** What the volumes noted before this life. */
  private noted = new NotedLines([]);
  /** Partitions whose page is older than what is known here, by key: nothing is done about its line. */
  private readonly behind = new Map<string, PartitionLine>();
  /** The configurations of topics as text, by id. */
  private readonly configTexts = new Map<string, string>();

  constructor(deps: ReplicasDeps) {
    this.deps = deps;
  }

  rulesOf(topicId: string): TopicRules {
    const { image } = this.deps;
    const config = image.knowsConfig(topicId) ? image.topicConfig(topicId) : KEPT_FOR_EVER;
    return topicRules(config, image.clusterConfig);
  }

  /** Opens everything on the disk, so that the former standing can be judged before registering. */
  openAll(): void {
    const startedMs = this.deps.clock.monotonicMs();
    this.noted = new NotedLines(this.deps.directories.recorded());
    this.deps.image.notedGeneration = this.noted.storeGeneration;
    for (const [id, config] of this.noted.configs()) this.deps.image.rememberConfig(id, config);
    let scannedBytes = 0;
    for (const id of this.deps.directories.present()) {
      const opened = this.tryOpen(id);
      if (opened === null) continue;
      const { partition, recovery } = opened;
      scannedBytes += recovery.scannedBytes;
      if (!recovery.clean) {
        this.cleanRecovery = false;
        this.deps.logger.warn('a log had lost or damaged batches', {
          topic: id.topic,
          partition: id.partition,
        });
      }
      this.found.set(keyOf(id), partition);
    }
    for (const path of this.deps.directories.damaged) {
      this.cleanRecovery = false;
      this.deps.logger.warn('what is known of replicas is damaged', { path });
    }
    this.deps.logger.info('logs opened', {
      count: this.found.size,
      clean: this.deps.directories.clean,
      scannedBytes,
      elapsedMs: Math.round(this.deps.clock.monotonicMs() - startedMs),
    });
  }

  /** Whether every log of this disk was opened, and so may be called whole at the end. */
  get areAllOpen(): boolean {
    return this.unopened.size === 0;
  }

  /**
   * A log that cannot be read takes its broker's standing with it, not the broker. Nothing is lost where
   * there is no room: what cannot be opened for want of it must not count as lost, and is tried again.
   */
  private tryOpen(id: { topic: string; topicId: string; partition: number }) {
    try {
      return this.open(id);
    } catch (cause) {
      if (!(cause instanceof DiskError && isWantOfRoom(cause))) this.cleanRecovery = false;
      this.onUnopened(id, cause);
      return null;
    }
  }

  private isOfLastDirectory(id: { topic: string; topicId: string; partition: number }): boolean {
    const { directories } = this.deps;
    const [one, ...others] = directories.working;
    return others.length === 0 && directories.placeFor(id) === one;
  }

  /**
   * A log could not be opened. A disk that refuses fails its directory, as long as another one works; what
   * lies in a directory that failed is offline with it.
   * @throws a bug; whatever else a loader says is said of what it found in the files
   */
  private onUnopened(id: { topic: string; topicId: string; partition: number }, cause: unknown) {
    if (isBug(cause)) throw cause;
    const { directories, logger } = this.deps;
    const { partition, topic } = id;
    logger.error('a log cannot be opened', { topic, partition, cause });
    const directory = directories.placeFor(id);
    const isFull = cause instanceof DiskError && isWantOfRoom(cause);
    if (isFull) this.withoutRoom.set(keyOf(id), id);
    if (isFull || (cause instanceof DiskError && !this.isOfLastDirectory(id)))
      directories.failures.note(directory, cause);
    if (directories.isWorking(directory)) this.unopened.add(keyOf(id));
  }
  /** Logs that could not be opened for want of room. */
  private readonly withoutRoom = new Map<string, { topicId: string; partition: number }>();

  /** Nothing in the directory is served or followed any more. */
  endDirectory(directory: LogDirectory, cause: DiskError): void {
    const { directories, followers, partitions } = this.deps;
    for (const partition of [...partitions, ...this.found.values()]) {
      if (directories.of(partition.log) !== directory) continue;
      partition.log.failure ??= cause;
      partition.goOffline('KAFKA_STORAGE_ERROR');
      followers.update(partition);
      this.announce(partition);
    }
  }

  /** There is room for the replica, or there is none any more. */
  setFull(partition: Partition, isFull: boolean): void {
    partition.isFull = isFull;
    this.deps.followers.update(partition);
  }

  /** There is room: what could not be opened for want of it is tried again. */
  retryWithoutRoom(): void {
    const { image } = this.deps;
    for (const [key, { partition, topicId }] of [...this.withoutRoom]) {
      this.withoutRoom.delete(key);
      const line = image.line(topicId, partition);
      if (line !== null) this.place(line);
    }
  }

  /**
   * A log whose write was refused is opened anew: the files tell what it has. Nothing that anybody counts on
   * was refused, so it must all be there; where it is not, the disk is not just full.
   */
  reopen(former: Partition): void {
    const { directories, followers, partitions } = this.deps;
    const { line, log } = former;
    followers.forget(former);
    former.abandon();
    this.announce(former);
    partitions.remove(former);
    const directory = directories.of(log);
    try {
      const { partition, recovery } = this.open(former, log);
      if (!recovery.clean)
        directories.failures.note(
          directory,
          new DiskError(log.folder, new Error('what was written there is gone')),
        );
      partition.succeed(former);
      if (directories.isFailed(directory))
        partition.log.failure = directories.failures.causeOf(directory);
      partitions.add(partition);
      if (line !== null) this.place(line);
    } catch (cause) {
      this.onUnopened(former, cause);
    }
  }

  private open(
    id: { topic: string; topicId: string; partition: number },
    before: PartitionLog | null = null,
  ) {
    const { clock, turn, directories, isApiAway, onDamage, onStorageFailure } = this.deps;
    const rules = this.rulesOf(id.topicId);
    const { log, highWatermark, recovery } = directories.openLog(id, rules.log, before);
    const partition = new Partition(
      {
        clock,
        turn,
        isApiAway,
        onDamage,
        onStorageFailure,
        mayLead: (partition) => this.mayLead(partition),
      },
      id,
      log,
      highWatermark,
      rules.partition,
    );
    partition.isFull = directories.isFull(directories.of(log));
    return { partition, recovery };
  }

  onLines(changes: readonly LineChange[]): void {
    this.noteGeneration();
    for (const { before, after } of changes) {
      if (after !== null) this.place(after);
      else if (before !== null) this.dropIfGone(before);
    }
  }

  /** Before any line of it: who knows a line knows that the API has come so far. */
  noteGeneration(): void {
    try {
      this.deps.directories.noteStoreGeneration(this.deps.image.storeGeneration);
    } catch (cause) {
      expectNoBug('noting a generation', cause);
      this.deps.logger.warn('a volume did not take what the API has come to', { cause });
    }
  }

  /** Gives a replica the role that a line names; an older line than the known one changes nothing. */
  place(line: PartitionLine): void {
    const { partitions } = this.deps;
    const self = this.deps.self();
    let partition = partitions.get(line.topicId, line.partition);
    if (this.isBehind(line, partition)) return;
    if (!line.replicas.includes(self.id)) {
      if (partition !== null) this.drop(partition, false);
      return;
    }
    if (partition === null) {
      partition = this.adopt(line);
      if (partition === null) return;
      partitions.add(partition);
    }
    const before = partition.line;
    this.noted.forget(keyOf(line));
    partition.applyLine(line, self);
    this.noteIsr(partition, before);
    this.keepLine(partition);
    this.deps.followers.update(partition);
    this.announce(partition);
  }

  /** Whether more is known here than the line says: the API has an older memory, and is not believed. */
  private isBehind(line: PartitionLine, partition: Partition | null): boolean {
    const key = keyOf(line);
    const known = partition?.line ?? this.noted.lineOf(key);
    const log = (partition ?? this.found.get(key))?.log;
    const isBehind =
      (known !== null && (compareLines(line, known) < 0 || areRivals(line, known))) ||
      (log !== undefined && log.latestEpoch > line.leaderEpoch);
    if (!isBehind) {
      this.behind.delete(key);
      return false;
    }
    // A watch may be a moment behind what the controller answered.
    if (known !== null && partition?.line === known) return true;
    if (!this.behind.has(key))
      this.deps.logger.error('a page is older than what the volume knows: it is not acted on', {
        topic: line.topic,
        partition: line.partition,
        page: line.leaderEpoch,
        known: known?.leaderEpoch ?? log?.latestEpoch,
      });
    this.behind.set(key, line);
    return true;
  }

  /** Whether more has happened than the API remembers. */
  get knowsMore(): boolean {
    const { notedGeneration, storeGeneration } = this.deps.image;
    return notedGeneration > storeGeneration;
  }

  /** What a controller is told: everything, or what the pages do not account for. */
  report(full: boolean): { held: HeldReplica[]; pages: PageAge[] } {
    const { image, partitions } = this.deps;
    const open = new Map<string, Partition>(this.found);
    for (const partition of partitions) open.set(keyOf(partition), partition);
    const held = new Map<string, HeldReplica>();
    for (const [key, partition] of open)
      if (full || this.isUnaccounted(key, partition)) {
        const { topicId } = partition;
        const config = image.knowsConfig(topicId) ? image.topicConfig(topicId) : null;
        held.set(key, heldOf(partition, this.noted, config));
      }
    // Replicas that never got a record have no folder.
    for (const [key, noted] of this.noted.all()) if (!open.has(key)) held.set(key, noted);
    return { held: [...held.values()], pages: image.pageAges() };
  }

  /** Whether what is known of a replica here is more than the pages say, as far as they were seen. */
  private isUnaccounted(key: string, { line, partition, topicId }: Partition): boolean {
    if (line === null || this.behind.has(key)) return true;
    // As the controller answered, and no watch told.
    const seen = this.deps.image.line(topicId, partition);
    return seen !== line && (seen === null || compareLines(seen, line) < 0);
  }

  /** The volume is to know what became of a replica that lies on it. */
  private keepLine({ line, topicId }: Partition): void {
    if (line === null) return;
    let config = this.configTexts.get(topicId);
    if (config === undefined) {
      config = configTextOf(this.deps.image.topicConfig(topicId));
      this.configTexts.set(topicId, config);
    }
    this.deps.directories.noteLine(line, config);
  }

  /** Counts and logs changes of an ISR that is led here. */
  private noteIsr(partition: Partition, before: PartitionLine | null): void {
    const after = partition.line;
    if (
      before === null ||
      after === null ||
      !partition.isLeader ||
      before.leaderEpoch !== after.leaderEpoch
    )
      return;
    if (before.isr.length === after.isr.length) return;
    this.deps.onIsrChange(after.isr.length > before.isr.length ? 'expand' : 'shrink');
    this.deps.logger.info('isr changed', {
      topic: partition.topic,
      partition: partition.partition,
      isr: after.isr.map(({ id }) => id).join(','),
    });
  }

  private adopt(line: PartitionLine): Partition | null {
    const key = keyOf(line);
    const found = this.found.get(key);
    this.found.delete(key);
    if (found !== undefined) {
      const { directories } = this.deps;
      found.isFull = directories.isFull(directories.of(found.log));
      return found;
    }
    try {
      const { partition } = this.open(line);
      this.unopened.delete(key);
      this.withoutRoom.delete(key);
      return partition;
    } catch (cause) {
      this.onUnopened(line, cause);
      if (!this.unopened.has(key)) return null;
      if (!(cause instanceof DiskError) && !isCounted(line, this.deps.self()))
        return this.beginAnew(line);
      this.deps.onUnopened();
      return null;
    }
  }

  /**
   * What lies here cannot be read as a log. It is kept beside the replica, which is copied anew from whoever
   * leads; where a former life of this broker is all that the line counts on, nobody does, and nothing is done.
   */
  private beginAnew(line: PartitionLine): Partition | null {
    const { directories, logger, self } = this.deps;
    const { id } = self();
    const { partition, topic } = line;
    const isLast = [...line.isr, ...line.elr].every((member) => member.id === id);
    if (isLast || line.leader === null || line.leader.id === id) {
      logger.error('a replica is offline: nobody else has what was committed', {
        topic,
        partition,
      });
      return null;
    }
    try {
      const folder = directories.setAsideUnopened(line);
      logger.warn('a replica begins anew beside what it cannot open', { topic, partition, folder });
      const { partition: fresh } = this.open(line);
      this.unopened.delete(keyOf(line));
      return fresh;
    } catch (cause) {
      this.onUnopened(line, cause);
      return null;
    }
  }

  /** Who could not be followed by anybody leads on whatever happens. */
  private mayLead(partition: Partition): boolean {
    const { line } = partition;
    if (this.suspendedBy.size === 0 || line === null) return true;
    if (line.isr.length + line.elr.length < 2) return true;
    const isConfirmed = this.confirmed.get(partition) === line.leaderEpoch;
    return isConfirmed && !this.suspendedBy.has('isolated');
  }

  /** What somebody else may lead by now is not led here. */
  suspend(why: Suspension): void {
    this.suspendedBy.add(why);
    this.confirmed.clear();
    for (const partition of this.deps.partitions) {
      if (!partition.isLeader || this.mayLead(partition)) continue;
      partition.goOffline('NOT_LEADER_OR_FOLLOWER');
      this.announce(partition);
    }
  }

  /**
   * The lines that it knows hold until newer ones come.
   * @param lines what the pages said after it was suspended
   */
  resume(why: Suspension, lines: readonly PartitionLine[] = []): void {
    if (!this.suspendedBy.delete(why)) return;
    this.confirmed.clear();
    for (const line of lines) {
      const known = this.deps.partitions.get(line.topicId, line.partition)?.line?.partitionEpoch;
      if (known !== undefined && line.partitionEpoch > known) this.place(line);
    }
    for (const { line } of this.deps.partitions) if (line !== null) this.place(line);
  }

  /** A follower of its present epoch, asked after this process stood still, knows no newer one. */
  confirm(partition: Partition): void {
    if (partition.line === null) return;
    this.confirmed.set(partition, partition.leaderEpoch);
    this.place(partition.line);
  }

  /** Who leads by what followers confirmed leads only while somebody follows: he would know of a newer epoch. */
  doubt(partition: Partition): void {
    if (!this.confirmed.has(partition) || partition.leaderCore?.isFollowed === true) return;
    this.confirmed.delete(partition);
    partition.goOffline('NOT_LEADER_OR_FOLLOWER');
    this.announce(partition);
  }

  private announce(partition: Partition): void {
    if (!INTERNAL_TOPICS.has(partition.topic)) return;
    this.deps.onInternal(
      partition.topic,
      partition.partition,
      partition.isLeader ? partition.leaderEpoch : null,
    );
  }

  /** A newer page without the line: the replica is given up, its files only after a while. */
  private dropIfGone(line: PartitionLine): void {
    const partition = this.deps.partitions.get(line.topicId, line.partition);
    if (partition !== null) this.drop(partition, true);
  }

  private drop(partition: Partition, isDeleted: boolean): void {
    const { clock, directories, followers, logger, partitions } = this.deps;
    followers.forget(partition);
    partition.abandon();
    this.announce(partition);
    partitions.remove(partition);
    const keeps = isDeleted && this.isRetained(partition);
    const aside = this.setAside(partition, keeps ? 'stray' : 'delete');
    const { topic, partition: number } = partition;
    logger.info(keeps ? 'replica retained' : 'replica set aside', {
      topic,
      partition: number,
      folder: aside,
    });
    if (keeps || aside === null) return;
    clock.after(this.rulesOf(partition.topicId).fileDeleteDelayMs, () => directories.remove(aside));
  }

  /** Moves the folder of a replica that was given up out of the way; null where it has none. */
  private setAside(partition: Partition, why: 'delete' | 'stray'): string | null {
    try {
      return this.deps.directories.setAside(partition, partition.log, why);
    } catch (cause) {
      if (!(cause instanceof DiskError)) throw cause;
      this.deps.onStorageFailure(partition, cause);
      return null;
    }
  }

  /** Whether the records of a topic outlive it. */
  private isRetained({ topicId }: Partition): boolean {
    const topic = this.deps.image.topicObject(topicId);
    return topic === null ? this.retained.has(topicId) : outlives(topic);
  }

  /** Noted while the object is still there: it may go before the pages say so. */
  onTopic(topic: KafkaTopic): void {
    if (outlives(topic)) this.retained.add(topicIdOf(topic));
    else this.retained.delete(topicIdOf(topic));
  }

  /** Logs that were opened and whose place is not known yet. */
  get unplaced(): Iterable<Partition> {
    return this.found.values();
  }

  /** Once the pages are known: what the disk has and no page names is kept, and said. */
  reportStrays(): void {
    if (this.knowsMore) {
      this.deps.logger.error('the API remembers less than the volumes know: nothing is set aside', {
        known: this.noted.storeGeneration,
        remembered: this.deps.image.storeGeneration,
        replicas: this.found.size,
      });
      return;
    }
    for (const [key, partition] of this.found) {
      // It has a page, of an older memory: the next one that is believed finds the records where they are.
      if (this.behind.has(key)) continue;
      this.deps.logger.warn('a replica on disk is in no page: kept as stray', {
        topic: partition.topic,
        partition: partition.partition,
      });
      partition.abandon();
      this.setAside(partition, 'stray');
      this.found.delete(key);
    }
    for (const [key, { partition, topicId }] of [...this.noted.all()]) {
      if (this.deps.image.line(topicId, partition) !== null) continue;
      this.noted.forget(key);
      this.deps.directories.forgetLine({ partition, topicId });
    }
  }

  /** Topic or cluster configuration changed: rules take effect at once. */
  refreshRules(topicId: string | null): void {
    const { partitions } = this.deps;
    if (topicId !== null) this.configTexts.delete(topicId);
    for (const partition of topicId === null ? partitions : partitions.ofTopic(topicId)) {
      const rules = this.rulesOf(partition.topicId);
      partition.log.config = rules.log;
      partition.rules = rules.partition;
      if (topicId !== null) this.keepLine(partition);
    }
  }
}
