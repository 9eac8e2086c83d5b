/**
 * A log directory, in Kafka's layout: one folder per replica, checkpoints beside them, and what it says
 * of itself.
 */
import { crc32c } from '../../stdx/crc32c.ts';
import { type Disk, DiskError } from '../../stdx/disk.ts';
import type { Logger } from '../../stdx/logger.ts';
import { Checkpoints } from './checkpoints.ts';
import { LOCK_FILE } from './directory-locks.ts';
import { DirectoryRecords, type Identity, type Life, type NextLife } from './directory-record.ts';
import type { LogConfig } from './log-config.ts';
import { type NotedReplica, readInventory, writeInventory } from './log-inventory.ts';
import type { Recovery } from './log-opening.ts';
import { type LogDeps, PartitionLog } from './partition-log.ts';
import { isBlank, META, readMeta } from './volume-owner.ts';

const CLEAN_MARKER = '.kafka_cleanshutdown';
/** Kafka's file that names the topic of a replica by its id. */
const TAG = 'partition.metadata';

export interface ReplicaId {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
}

/** A replica that this broker keeps. */
export interface Kept {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly log: PartitionLog;
  readonly highWatermark: number;
}

/** Kafka reads two lines of it; the third is the seal. */
function nameTagOf(topicId: string): string {
  const text = `version: 0\ntopic_id: ${topicId}\n`;
  return `${text}crc32c: ${crc32c(Buffer.from(text)).toString(16).padStart(8, '0')}\n`;
}

/** The topic's id; null where the tag is damaged. Kafka and earlier versions wrote it without a seal. */
function topicIdIn(tag: string): string | null {
  const topicId = /^version: 0\ntopic_id: ([\w-]+)\n/.exec(tag)?.[1];
  if (topicId === undefined) return null;
  const whole = nameTagOf(topicId);
  return tag === whole || tag === whole.slice(0, whole.indexOf('crc32c')) ? topicId : null;
}

export interface OpenedLog {
  readonly log: PartitionLog;
  readonly highWatermark: number;
  readonly recovery: Recovery;
}

export class LogDirectory {
  readonly path: string;
  private readonly deps: LogDeps & { readonly logger: Logger };
  private readonly disk: Disk;
  readonly records: DirectoryRecords;
  /** The last life, null for a new folder and for one that does not know any more. */
  readonly former: Life | null;
  /** A life after the last one that may have got its epoch, but wrote nothing. */
  readonly begunBefore: NextLife | null;
  /** The last stop was orderly. */
  readonly clean: boolean;
  private readonly checkpoints: Checkpoints;
  private readonly bootId: string;
  /** The tag that was written last. */
  private newestTag: { readonly topicId: string; readonly path: string } | null = null;
  /** Whose the folders are that `present` found, until the logs are opened. */
  private readonly tags = new Map<string, string>();
  /** Files without which a replica is not known for what it was: its name tag, and its marks after a kill. */
  readonly damaged: string[] = [];
  /** What the orderly stop noted, until the logs are opened; by folder name. */
  private readonly noted: Map<string, NotedReplica>;

  constructor(deps: LogDeps & { readonly logger: Logger }, path: string, bootId: string) {
    this.deps = deps;
    this.disk = deps.disk;
    this.path = path;
    this.bootId = bootId;
    this.disk.makeFolder(path);
    this.records = new DirectoryRecords(deps, path);
    this.former = this.records.life;
    this.begunBefore = this.records.next;
    const markedBy = this.readMarker();
    this.clean = markedBy === this.former?.epoch;
    this.noted =
      this.clean && markedBy !== undefined ? readInventory(this.disk, path, markedBy) : new Map();
    this.checkpoints = new Checkpoints(this.disk, path);
    // After an orderly stop the inventory has them, and a recovery point is nothing but work saved.
    if (!this.clean) this.damaged.push(...this.checkpoints.damaged(['start', 'highWatermark']));
    // From here on a stop without a marker is an unclean one.
    this.disk.remove(`${path}/${CLEAN_MARKER}`);
  }

  private readMarker(): number | undefined {
    try {
      const text = this.disk.readText(`${this.path}/${CLEAN_MARKER}`);
      return text === null ? -1 : (JSON.parse(text) as { brokerEpoch: number }).brokerEpoch;
    } catch {
      return -1;
    }
  }

  /**
   * A kill leaves the page cache as it was; a reboot does not. And these are the very files that the process
   * had: a copy that was made of them while it lived lacks what it wrote afterwards.
   */
  get sameBoot(): boolean {
    const { bootId, former } = this;
    if (former === null || bootId === '' || former.bootId !== bootId) return false;
    return former.lockId === undefined || former.lockId === this.lockId;
  }

  private get lockId(): string | null {
    return this.disk.idOf(`${this.path}/${LOCK_FILE}`);
  }

  noteLife(life: Omit<Life, 'bootId' | 'lockId'>): void {
    this.records.noteLife({ ...life, bootId: this.bootId, lockId: this.lockId });
  }

  /** Whom the directory belongs to; null for a new one. */
  get identity(): Identity | null {
    return this.records.identity ?? readMeta(this.disk, this.path);
  }

  /** Nothing is lost where it becomes another cluster's. */
  get isEmpty(): boolean {
    return isBlank(this.disk, this.path, this.records);
  }

  get id(): string {
    return this.records.identity?.directoryId ?? '';
  }

  /** Says whose the directory is: in its record, and in Kafka's file, which other tools read. */
  noteIdentity(identity: Identity): void {
    const { clusterId, nodeId, directoryId } = identity;
    const known = this.records.identity;
    if (
      known?.clusterId !== clusterId ||
      known.nodeId !== nodeId ||
      known.directoryId !== directoryId
    )
      this.records.noteIdentity({ clusterId, nodeId, directoryId });
    const text = `version=1\ncluster.id=${clusterId}\nnode.id=${nodeId}\ndirectory.id=${directoryId}\n`;
    const path = `${this.path}/${META}`;
    if (this.disk.readText(path) !== text) this.disk.replaceFile(path, text);
  }

  folderOf({ topic, partition }: ReplicaId): string {
    return `${this.path}/${topic}-${partition}`;
  }

  /** Replicas that lie on this disk, by what their folders say. */
  present(): ReplicaId[] {
    const found: ReplicaId[] = [];
    for (const name of this.disk.list(this.path)) {
      const dash = name.lastIndexOf('-');
      if (dash <= 0 || name.endsWith('-delete') || name.endsWith('-stray')) continue;
      const partition = Number(name.slice(dash + 1));
      const topic = name.slice(0, dash);
      const noted = this.noted.get(name);
      if (noted !== undefined) {
        found.push({ topic, partition, topicId: noted.topicId });
        continue;
      }
      const folder = `${this.path}/${name}`;
      const tag = this.disk.readText(`${folder}/${TAG}`);
      if (tag === null) continue;
      const topicId = topicIdIn(tag);
      if (topicId === null) {
        this.damaged.push(`${folder}/${TAG}`);
        continue;
      }
      this.tags.set(folder, topicId);
      found.push({ topic, partition, topicId });
    }
    return found;
  }

  /**
   * Opens a replica's log, recovering it as needed. A folder of another topic of that name is set aside, and so
   * is one that does not say whose it is: a loss of power may have left it of any topic of that name.
   * @param before the same log, as this life knows it already: what is written down may be older
   */
  openLog(id: ReplicaId, config: LogConfig, before: PartitionLog | null = null): OpenedLog {
    const folder = this.folderOf(id);
    const name = `${id.topic}-${id.partition}`;
    const noted = this.noted.get(name);
    this.noted.delete(name);
    const known = noted === undefined ? this.tags.get(folder) : noted.topicId;
    const wasThere = known !== undefined || this.disk.exists(folder);
    const topicId = known ?? (wasThere ? this.readTag(folder) : null);
    this.tags.delete(folder);
    const isThere = topicId === id.topicId;
    if (wasThere && !isThere) this.setAside(folder, 'stray');
    const vouched = isThere ? (noted ?? null) : null;
    if (!isThere) this.checkpoints.begin(id);
    const offsets = this.checkpoints.of(id);
    const log = new PartitionLog(this.deps, folder, config, {
      tag: { path: `${folder}/${TAG}`, write: () => this.tag(folder, id.topicId) },
      onCut: (recoveryPoint) => this.checkpoints.lowerRecoveryPoint(id, recoveryPoint),
    });
    let recovery: Recovery;
    try {
      recovery = log.open(
        {
          // What the inventory of an orderly stop does not vouch for is looked into as after any other.
          clean: vouched !== null,
          lossy: before === null && !this.clean && !this.sameBoot,
          recoveryPoint: before?.recoveryPoint ?? offsets.recovery,
          startOffset: before?.startOffset ?? vouched?.startOffset ?? offsets.start,
          cleanedOffset: before?.cleanedOffset ?? vouched?.cleanedOffset ?? offsets.cleaned,
        },
        isThere,
        vouched,
      );
    } catch (cause) {
      // Somebody may move the folder: none of its files must stay open under its name.
      log.abandon();
      throw cause;
    }
    const highWatermark = vouched?.highWatermark ?? offsets.highWatermark;
    return { log, highWatermark, recovery };
  }

  private readTag(folder: string): string | null {
    const tag = this.disk.readText(`${folder}/${TAG}`);
    return tag === null ? null : topicIdIn(tag);
  }

  /**
   * Says in a folder whose it is. Partitions of a topic have the same tag, so it is one file with many names:
   * new files are what a large new topic costs most.
   */
  private tag(folder: string, topicId: string): void {
    const path = `${folder}/${TAG}`;
    if (this.newestTag?.topicId === topicId && this.disk.link(this.newestTag.path, path)) return;
    this.writeTag(folder, topicId);
  }

  private writeTag(folder: string, topicId: string): void {
    const path = `${folder}/${TAG}`;
    this.disk.writeFile(path, Buffer.from(nameTagOf(topicId)));
    this.newestTag = { topicId, path };
  }

  /** Moves a folder out of the way and returns where it is now; null: there is none. */
  setAside(folder: string, why: 'delete' | 'stray'): string | null {
    this.tags.delete(folder);
    this.noted.delete(folder.slice(this.path.length + 1));
    if (!this.disk.exists(folder)) return null;
    let target = `${folder}.${why}-${why}`;
    for (let i = 1; this.disk.exists(target); i++) target = `${folder}.${i}-${why}`;
    this.disk.rename(folder, target);
    return target;
  }

  /** What lies around from earlier deletions. */
  leftovers(): string[] {
    return this.disk
      .list(this.path)
      .filter((name) => name.endsWith('-delete'))
      .map((name) => `${this.path}/${name}`);
  }

  checkpoint(replicas: readonly Kept[]): void {
    this.checkpoints.write(
      replicas.map((replica) => {
        const { log, highWatermark } = replica;
        const { recoveryPoint, startOffset, cleanedOffset, config } = log;
        const cleaned = config.compacts ? cleanedOffset : null;
        return [replica, { recovery: recoveryPoint, start: startOffset, highWatermark, cleaned }];
      }),
    );
  }

  /** A replica is given up here. */
  endLog(id: ReplicaId): void {
    this.checkpoints.end(id);
  }

  /** The promise that nothing is missing; never made after an I/O error. The logs are closed. */
  markClean(brokerEpoch: number, replicas: Iterable<Kept>): void {
    const noted: NotedReplica[] = [];
    for (const { topic, topicId, partition, log, highWatermark } of replicas) {
      const { cleanedOffset, note, startOffset } = log;
      if (note === null) continue;
      const folder = `${topic}-${partition}`;
      noted.push({ folder, topicId, startOffset, highWatermark, cleanedOffset, ...note });
    }
    try {
      writeInventory(this.disk, this.path, brokerEpoch, noted);
    } catch (cause) {
      if (!(cause instanceof DiskError)) throw cause;
      // The next start looks into every folder, as it does after any other stop.
      this.deps.logger.warn('the inventory of the logs was not written', { cause });
    }
    this.disk.replaceFile(
      `${this.path}/${CLEAN_MARKER}`,
      JSON.stringify({ version: 0, brokerEpoch }),
    );
  }

  space(): { totalBytes: number; freeBytes: number } {
    return this.disk.space(this.path);
  }
}
