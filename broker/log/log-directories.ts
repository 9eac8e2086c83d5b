/**
 * All the log directories of a broker, each on its own volume: a replica lies in one of them, and a
 * broker has kept its data only if every one of them is there again.
 */

import type { PartitionLine } from '../../kube/partition-line.ts';
import { type Disk, DiskError, isWantOfRoom } from '../../stdx/disk.ts';
import type { Logger } from '../../stdx/logger.ts';
import { DirectoryFailures } from './directory-failures.ts';
import type { DirectoryRecord, Life } from './directory-record.ts';
import type { LogConfig } from './log-config.ts';
import { type Kept, LogDirectory, type OpenedLog, type ReplicaId } from './log-directory.ts';
import type { LogDeps, PartitionLog } from './partition-log.ts';

const WISHES_MAX = 10_000;

const keyOf = ({ topicId, partition }: Omit<ReplicaId, 'topic'>) => `${topicId}:${partition}`;

/** The highest producer id in logs, or -1. */
function idMaxOf(replicas: readonly Kept[]): number {
  let max = -1;
  for (const { log } of replicas) max = Math.max(max, log.producers.idMax);
  return max;
}

export class LogDirectories {
  readonly all: readonly LogDirectory[];
  private readonly disk: Disk;
  private readonly logger: Logger;
  /** Where replicas lie, by topic id and number. */
  private readonly places = new Map<string, LogDirectory>();
  /** How many lie in each. */
  private readonly counts = new Map<LogDirectory, number>();
  /** Where an administrator wants replicas that are not here yet (KIP-113), by topic id and number. */
  private readonly wanted = new Map<string, LogDirectory>();
  readonly failures = new DirectoryFailures();

  constructor(deps: LogDeps & { logger: Logger }, paths: readonly string[], bootId: string) {
    this.disk = deps.disk;
    this.logger = deps.logger;
    this.all = paths.map((path) => new LogDirectory(deps, path, bootId));
  }

  /** Processes that were about to begin a life with all of these directories. */
  get begun(): string[] {
    const [first, ...others] = this.all.map(({ begunBefore }) => begunBefore?.incarnation);
    return first !== undefined && others.every((other) => other === first) ? [first] : [];
  }

  /** The last life of this broker, as the directory knows it that lived longest; null for a new broker. */
  get former(): Life | null {
    let newest: Life | null = null;
    for (const { former } of this.all)
      if (former !== null && (newest === null || former.epoch > newest.epoch)) newest = former;
    return newest;
  }

  /** Whether every directory of the last life is here, and none of them slept through that life. */
  get isComplete(): boolean {
    const { former } = this;
    if (former === null) return false;
    const isAwake = ({ former: own }: LogDirectory) =>
      own?.epoch === former.epoch && own.incarnation === former.incarnation;
    const ids = new Set(this.all.filter(isAwake).map(({ id }) => id));
    const isSleeper = (directory: LogDirectory) => directory.former !== null && !isAwake(directory);
    const isDoubted = this.all.some(
      (one) => isAwake(one) && (one.former?.doubted ?? []).length > 0,
    );
    if (isDoubted || this.all.some(isSleeper)) return false;
    return (former.directories ?? []).every((id) => ids.has(id));
  }

  /** Nothing that was written can be missing: stopped in order, or killed on a machine that went on. */
  get keptWrites(): boolean {
    const lived = this.all.filter(({ former }) => former !== null);
    return this.isComplete && lived.every(({ clean, sameBoot }) => clean || sameBoot);
  }

  get clean(): boolean {
    return this.all.every(({ clean }) => clean);
  }

  /** A life may begin with these directories: on stable storage in all of them when this returns. */
  noteBegun(life: { epoch: number; incarnation: string }): void {
    for (const { records } of this.all) records.noteNext(life);
  }

  noteLife(life: { epoch: number; keptSince: number; incarnation: string }): void {
    const directories = this.all.map(({ id }) => id);
    for (const directory of this.all) directory.noteLife({ ...life, directories });
  }

  /**
   * Directories that failed, and may lack what others count on: while it is so, the next life has no
   * standing. Written into those that work.
   */
  noteDoubts(doubted: readonly LogDirectory[]): void {
    const ids = doubted.map(({ id }) => id);
    for (const one of this.all)
      this.failures.attemptWithoutRoom(one, () => one.records.noteDoubts(ids));
  }

  /** What the directories say of themselves and of what is in them; new ones say nothing yet. */
  recorded(): DirectoryRecord[] {
    return this.all.flatMap(({ records }) => records.record ?? []);
  }

  /** The newest line of a replica that lies here. It is written down soon, together with others. */
  noteLine(line: PartitionLine, config: string): void {
    const directory = this.places.get(keyOf(line));
    if (directory === undefined || this.isFailed(directory)) return;
    if (directory.records.noteLine(line, config)) this.onStale?.();
  }

  /** A replica that is on no volume any more, or that the pages know to have ended. */
  forgetLine(id: Omit<ReplicaId, 'topic'>): void {
    for (const { records } of this.all) if (records.forgetLine(id)) this.onStale?.();
  }

  /** Called when a line is to be written down. */
  onStale: (() => void) | null = null;

  get hasStaleLines(): boolean {
    return this.working.some(({ records }) => records.isStale);
  }

  get lineCount(): number {
    return this.all.reduce((sum, { records }) => sum + records.lineCount, 0);
  }

  /** Writes lines down that changed. What a directory refuses is tried again. */
  async saveLines(): Promise<void> {
    for (const directory of this.all) {
      if (!this.isWorking(directory)) continue;
      try {
        await directory.records.save();
      } catch (cause) {
        if (!(cause instanceof DiskError)) throw cause;
        if (!isWantOfRoom(cause)) this.failures.note(directory, cause);
        this.logger.warn('the lines of replicas were not written down', {
          path: directory.path,
          cause,
        });
      }
    }
  }

  /** The same at once, for an orderly stop. */
  saveLinesNow(): void {
    for (const one of this.all) this.failures.attempt(one, () => one.records.saveNow());
  }

  /** The highest store generation that any directory saw. */
  get storeGeneration(): number {
    return Math.max(0, ...this.all.map(({ records }) => records.storeGeneration));
  }

  /** Producer ids below this one may be in use. */
  get producerIdEnd(): number {
    return Math.max(0, ...this.all.map(({ records }) => records.producerIdMax));
  }

  /** On stable storage when this returns, in every directory that works. @throws DiskError: none does. */
  noteStoreGeneration(generation: number): void {
    this.everywhere(({ records }) => records.noteStoreGeneration(generation));
  }

  /** Ids below `end` may be in use: on stable storage when this returns. @throws DiskError: nowhere. */
  noteProducerId(end: number): void {
    this.everywhere(({ records }) => records.noteProducerId(end));
  }

  private everywhere(work: (directory: LogDirectory) => void): void {
    const done = this.all.filter((one) => this.failures.attemptWithoutRoom(one, () => work(one)));
    if (done.length > 0) return;
    for (const cause of this.failures.all.values()) throw cause;
  }

  /**
   * Claims the directories for a broker of a cluster.
   * @throws Error where one belongs to another broker, or has something of another cluster.
   */
  claim(of: { clusterId: string; nodeId: number; newId: () => string }): void {
    for (const directory of this.all) {
      const other = directory.identity;
      if (other !== null && other.clusterId !== of.clusterId && !directory.isEmpty)
        throw new Error(
          `the data folder ${directory.path} belongs to cluster ${other.clusterId}, not to ${of.clusterId}: it must be emptied or the right volume mounted`,
        );
      if (other !== null && other.nodeId !== of.nodeId)
        throw new Error(
          `the data folder ${directory.path} belongs to broker ${other.nodeId}, not to ${of.nodeId}: the right volume must be mounted`,
        );
      directory.noteIdentity({ ...of, directoryId: other?.directoryId ?? of.newId() });
    }
    if (this.former !== null && !this.isComplete)
      this.logger.warn(
        'a log directory of the last life is missing, failed in it, or slept through it: this broker is not trusted with what it had',
        { directories: this.all.map(({ path }) => path).join(',') },
      );
  }

  /** Replicas on these disks. One that lies in two directories counts where the broker last lived. */
  present(): ReplicaId[] {
    const found: ReplicaId[] = [];
    const byAge = [...this.all].sort((a, b) => (b.former?.epoch ?? -1) - (a.former?.epoch ?? -1));
    for (const directory of byAge) {
      for (const id of directory.present()) {
        const key = keyOf(id);
        if (this.places.has(key)) {
          const folder = directory.setAside(directory.folderOf(id), 'stray');
          this.logger.warn('a second copy of a replica was set aside', { folder });
          continue;
        }
        this.place(key, directory);
        found.push(id);
      }
    }
    return found;
  }

  /** Files without which nobody knows of a replica whose it is, where it begins or how far it is committed. */
  get damaged(): string[] {
    return this.all.flatMap((directory) => directory.damaged);
  }

  /**
   * Opens a replica's log where it lies; a new one where an administrator wants it, else where fewest are.
   * What lies in a directory that failed is not made anew in another one: the next start would find both.
   * @param before what this life knows of it already
   * @throws DiskError also where the directory failed before
   */
  openLog(id: ReplicaId, config: LogConfig, before: PartitionLog | null = null): OpenedLog {
    const directory = this.placeFor(id);
    const failure = this.failures.causeOf(directory);
    if (failure !== null && !isWantOfRoom(failure)) throw failure;
    const key = keyOf(id);
    const opened = directory.openLog(id, config, before);
    this.place(key, directory);
    this.wanted.delete(key);
    return opened;
  }

  /** Where a replica lies, or is to be made. */
  placeFor(id: ReplicaId): LogDirectory {
    const key = keyOf(id);
    // A folder of that name without a name tag is what a loss of power left of this replica.
    const remains = () => this.working.find((one) => this.disk.exists(one.folderOf(id)));
    const wish = this.wanted.get(key);
    const wished = wish !== undefined && this.isWorking(wish) ? wish : undefined;
    const only = this.all.length === 1 ? this.all[0] : undefined;
    return this.places.get(key) ?? only ?? remains() ?? wished ?? this.emptiest();
  }

  private place(key: string, directory: LogDirectory): void {
    if (this.places.has(key)) return;
    this.places.set(key, directory);
    this.counts.set(directory, this.countIn(directory) + 1);
  }

  private countIn(directory: LogDirectory): number {
    return this.counts.get(directory) ?? 0;
  }

  /** Kafka's rule: the directory with the fewest replicas. Failed ones are not chosen. */
  private emptiest(): LogDirectory {
    const { working } = this;
    const choice = working.length > 0 ? working : this.all;
    return choice.reduce((best, directory) =>
      this.countIn(directory) < this.countIn(best) ? directory : best,
    );
  }

  /** Where a replica goes that is to be made here. Wishes that nothing came of are forgotten, oldest first. */
  want(id: Omit<ReplicaId, 'topic'>, directory: LogDirectory): void {
    const key = keyOf(id);
    this.wanted.delete(key);
    this.wanted.set(key, directory);
    if (this.wanted.size > WISHES_MAX)
      this.wanted.delete(this.wanted.keys().next().value as string);
  }

  at(path: string): LogDirectory | null {
    return this.all.find((directory) => directory.path === path) ?? null;
  }

  /** The directory that a log lies in. */
  of({ folder }: PartitionLog): LogDirectory {
    const found = this.all.find(({ path }) => folder.startsWith(`${path}/`));
    if (found === undefined) throw new Error(`${folder} must be in a log directory`);
    return found;
  }

  /** Moves the folder of a replica out of the way; returns where it is now, null if it never had one. */
  setAside(id: ReplicaId, log: PartitionLog, why: 'delete' | 'stray'): string | null {
    const directory = this.of(log);
    // Nothing that is done there now is sure to last: the next start finds the replica where it lies.
    if (this.isFailed(directory)) return null;
    const place = this.places.get(keyOf(id));
    if (place !== undefined) this.counts.set(place, this.countIn(place) - 1);
    this.places.delete(keyOf(id));
    if (directory.records.forgetLine(id)) this.onStale?.();
    directory.endLog(id);
    return directory.setAside(log.folder, why);
  }

  /** Moves what cannot be opened as a log out of the way of its replica; returns where it is now. */
  setAsideUnopened(id: ReplicaId): string | null {
    const directory = this.placeFor(id);
    directory.endLog(id);
    return directory.setAside(directory.folderOf(id), 'stray');
  }

  isFailed(directory: LogDirectory): boolean {
    return !this.isWorking(directory) && !this.isFull(directory);
  }

  /** Nothing is lost there, and nothing can be written. */
  isFull(directory: LogDirectory): boolean {
    return this.failures.isFull(directory);
  }

  isWorking(directory: LogDirectory): boolean {
    return this.failures.causeOf(directory) === null;
  }

  get working(): LogDirectory[] {
    return this.all.filter((directory) => this.isWorking(directory));
  }

  /** Replicas whose place is there, opened or not. */
  placedIn(directory: LogDirectory): Omit<ReplicaId, 'topic'>[] {
    return [...this.places].flatMap(([key, place]) => {
      if (place !== directory) return [];
      const colon = key.lastIndexOf(':');
      return [{ topicId: key.slice(0, colon), partition: Number(key.slice(colon + 1)) }];
    });
  }

  /** Removes what was set aside; what cannot be removed is tried again at the next start. */
  remove(path: string): void {
    try {
      this.disk.remove(path);
    } catch (cause) {
      if (!(cause instanceof DiskError)) throw cause;
      this.logger.warn('what was set aside could not be removed', { path, cause });
    }
  }

  removeLeftovers(): void {
    for (const directory of this.all)
      for (const leftover of directory.leftovers()) this.remove(leftover);
  }

  checkpoint(replicas: Iterable<Kept>): void {
    for (const [directory, kept] of this.byDirectory(replicas))
      this.failures.attempt(directory, () => {
        directory.checkpoint(kept);
        directory.records.noteProducerId(idMaxOf(kept) + 1);
      });
  }

  /** Of one directory, whatever is known of its disk. @throws DiskError */
  checkpointOne(directory: LogDirectory, replicas: Iterable<Kept>): void {
    directory.checkpoint(this.byDirectory(replicas).get(directory) ?? []);
  }

  /** A directory that failed says nothing of the kind. */
  markClean(brokerEpoch: number, replicas: Iterable<Kept>): void {
    for (const [directory, kept] of this.byDirectory(replicas))
      if (kept.every(({ log }) => log.failure === null))
        this.failures.attempt(directory, () => directory.markClean(brokerEpoch, kept));
  }

  private byDirectory(replicas: Iterable<Kept>): Map<LogDirectory, Kept[]> {
    const found = new Map<LogDirectory, Kept[]>(this.all.map((one) => [one, []]));
    // What is said of a log that has ended would be said of the next one of its name.
    for (const replica of replicas)
      if (replica.log.state !== 'gone') found.get(this.of(replica.log))?.push(replica);
    return found;
  }
}
