/**
 * What a log directory says of itself, so that volumes alone are enough to tell a cluster from: whose it
 * is and which life of the broker wrote it (`tenure-directory.json`), and the last known line of each
 * replica in it (`tenure-replicas`). Both are sealed; a damaged one is not known, never guessed.
 */
import { formatLine, type PartitionLine, parseLine } from '../../kube/partition-line.ts';
import type { Disk } from '../../stdx/disk.ts';
import type { Logger } from '../../stdx/logger.ts';
import { jsonOf, seal, unseal } from './sealed-text.ts';
import { readSteady, writeSteady } from './steady-file.ts';

const IDENTITY_FILE = 'tenure-directory.json';
const REPLICAS_FILE = 'tenure-replicas';
/** Where earlier versions kept the life, without a seal. */
const FORMER_LIFE_FILE = 'tenure-life.json';

export interface Life {
  readonly epoch: number;
  readonly keptSince: number;
  /** Of the process; empty where an earlier version wrote this. */
  readonly incarnation: string;
  /** The kernel's id of this boot: with the same one, a killed process lost nothing it had written. */
  readonly bootId: string;
  /** Ids of all directories that the broker had; missing where it was an older version's only one. */
  readonly directories?: readonly string[];
  /** Ids of directories that failed in that life, and may lack what others count on. */
  readonly doubted?: readonly string[];
  /** Which file its lock was: in a copy of the directory it is another one. Missing in older versions. */
  readonly lockId?: string | null;
}

/** The life that a process was about to begin: it may have got its epoch, but it wrote nothing yet. */
export interface NextLife {
  readonly epoch: number;
  readonly incarnation: string;
}

export interface ReplicaRecord {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  /** The last known line, as in a KafkaPartitionMap page. */
  readonly line: string;
  /** The topic's configuration, as JSON. */
  readonly config: string;
}

export interface Identity {
  readonly clusterId: string;
  readonly nodeId: number;
  readonly directoryId: string;
}

/** A topic's configuration as text: a topic must be told from volumes with all that it is. */
export function configTextOf(config: Readonly<Record<string, unknown>>): string {
  const sorted = Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1));
  // No blanks: those part the fields of a line.
  return JSON.stringify(Object.fromEntries(sorted)).replaceAll(' ', '\\u0020');
}

export interface DirectoryRecord extends Identity {
  readonly path: string;
  /** -1: no life is known. */
  readonly brokerEpoch: number;
  readonly keptSince: number;
  readonly incarnation: string;
  readonly bootId: string;
  readonly directories: readonly string[];
  /** The highest generation of the Kubernetes API's memory that was seen. */
  readonly storeGeneration: number;
  /** Producer ids up to here may have been handed out, exclusive. */
  readonly producerIdMax: number;
  /** Null: not known. */
  readonly replicas: readonly ReplicaRecord[] | null;
}

/** What the first of the two files holds. */
interface Written {
  readonly version: 1;
  readonly identity: Identity | null;
  readonly life: Life | null;
  readonly next: NextLife | null;
  readonly storeGeneration: number;
  readonly producerIdMax: number;
}

const NOTHING: Written = {
  version: 1,
  identity: null,
  life: null,
  next: null,
  storeGeneration: 0,
  producerIdMax: 0,
};

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string';
const isList = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);

function isLife(value: unknown): value is Life {
  const { epoch, keptSince, bootId, directories, doubted, lockId } = (value ?? {}) as Partial<Life>;
  return (
    isCount(epoch) &&
    isCount(keptSince) &&
    keptSince <= epoch &&
    isText(bootId) &&
    (directories === undefined || isList(directories)) &&
    (doubted === undefined || isList(doubted)) &&
    (lockId === undefined || lockId === null || isText(lockId))
  );
}

function isIdentity(value: unknown): value is Identity {
  const { clusterId, nodeId, directoryId } = (value ?? {}) as Partial<Identity>;
  return isText(clusterId) && isCount(nodeId) && isText(directoryId) && directoryId !== '';
}

function isNext(value: unknown): value is NextLife {
  const { epoch, incarnation } = (value ?? {}) as Partial<NextLife>;
  return isCount(epoch) && isText(incarnation);
}

function isWritten(value: unknown): value is Written {
  const { version, identity, life, next, storeGeneration, producerIdMax } = (value ??
    {}) as Partial<Written>;
  return (
    version === 1 &&
    (identity === null || isIdentity(identity)) &&
    (life === null || (isLife(life) && isText(life.incarnation))) &&
    (next === null || isNext(next)) &&
    isCount(storeGeneration) &&
    isCount(producerIdMax)
  );
}

/** A line of the file; null where it is not one. */
function replicaOf(text: string): ReplicaRecord | null {
  const end = text.lastIndexOf(' config=');
  if (end < 0) return null;
  const line = text.slice(0, end);
  try {
    const { topic, topicId, partition } = parseLine(line);
    if (topic === '' || topicId === '' || !isCount(partition)) return null;
    return { topic, topicId, partition, line, config: text.slice(end + 8) };
  } catch {
    return null;
  }
}

interface Entry {
  readonly line: PartitionLine | null;
  readonly config: string;
  /** As in the file; null until it is written. */
  text: string | null;
}

export class DirectoryRecords {
  private readonly disk: Disk;
  private readonly logger: Logger;
  private readonly path: string;
  private written: Written = NOTHING;
  /** By topic id and partition; null: what the last life wrote is damaged. */
  private entries = new Map<string, Entry>();
  private areReplicasKnown = true;
  /** What is written down of lives is damaged: somebody lived here, and nobody knows who. */
  isDamaged = false;
  /** An earlier version wrote what is known of the last life. */
  isOfEarlierVersion = false;
  /** Lines changed since they were written. */
  isStale = false;
  private saving: Promise<void> | null = null;
  /** How often the lines were written: what is overtaken while it waits for the disk is dropped. */
  private saves = 0;

  constructor(deps: { disk: Disk; logger: Logger }, path: string) {
    this.disk = deps.disk;
    this.logger = deps.logger;
    this.path = path;
    this.readIdentity();
    this.readReplicas();
  }

  private file(name: string): string {
    return `${this.path}/${name}`;
  }

  private readIdentity(): void {
    const text = readSteady(this.disk, this.file(IDENTITY_FILE));
    if (text === null) return this.readFormerLife();
    const value = jsonOf(text ?? '');
    if (isWritten(value)) this.written = value;
    else this.isDamaged = true;
    if (this.isDamaged)
      this.logger.warn('what a log directory says of itself is damaged: it is not believed', {
        path: this.file(IDENTITY_FILE),
      });
  }

  private readFormerLife(): void {
    const text = this.disk.readText(this.file(FORMER_LIFE_FILE));
    if (text === null) return;
    try {
      const life = JSON.parse(text) as unknown;
      this.isDamaged = !isLife(life);
      this.isOfEarlierVersion = !this.isDamaged;
      if (isLife(life)) this.written = { ...NOTHING, life: { ...life, incarnation: '' } };
    } catch {
      this.isDamaged = true;
    }
  }

  private readReplicas(): void {
    const bytes = this.disk.readBytes(this.file(REPLICAS_FILE));
    if (bytes === null) {
      this.areReplicasKnown = this.written.life === null && !this.isDamaged;
      return;
    }
    const [version, ...lines] = unseal(bytes)?.split('\n') ?? [];
    const replicas = lines.map(replicaOf);
    this.areReplicasKnown = version === '1' && replicas.every((one) => one !== null);
    if (this.areReplicasKnown)
      for (const [i, replica] of replicas.entries())
        if (replica !== null)
          this.entries.set(keyOf(replica), {
            line: null,
            config: replica.config,
            text: lines[i] as string,
          });
    if (!this.areReplicasKnown)
      this.logger.warn('the lines that a log directory keeps are damaged: they are not believed', {
        path: this.file(REPLICAS_FILE),
      });
  }

  get life(): Life | null {
    return this.written.life;
  }

  get next(): NextLife | null {
    return this.written.next;
  }

  get identity(): Identity | null {
    return this.written.identity;
  }

  /** @throws DiskError */
  private write(change: Partial<Written>): void {
    const written = { ...this.written, ...change };
    writeSteady(this.disk, this.file(IDENTITY_FILE), JSON.stringify(written));
    this.written = written;
    this.isDamaged = false;
    if (this.isOfEarlierVersion) this.disk.remove(this.file(FORMER_LIFE_FILE));
    this.isOfEarlierVersion = false;
  }

  noteIdentity(identity: Identity): void {
    this.write({ identity });
  }

  /** A life that may begin. Nothing of it is believed but that this directory is the one that it had. */
  noteNext(next: NextLife): void {
    this.write({ next });
  }

  noteLife(life: Life): void {
    this.write({ life, next: null });
  }

  /** Written at once, where it is something new. @throws DiskError */
  noteDoubts(doubted: readonly string[]): void {
    const { life } = this.written;
    if (life === null || (life.doubted ?? []).join() === doubted.join()) return;
    this.write({ life: { ...life, doubted } });
  }

  get storeGeneration(): number {
    return this.written.storeGeneration;
  }

  get producerIdMax(): number {
    return this.written.producerIdMax;
  }

  noteStoreGeneration(generation: number): void {
    if (generation > this.written.storeGeneration) this.write({ storeGeneration: generation });
  }

  noteProducerId(end: number): void {
    if (end > this.written.producerIdMax) this.write({ producerIdMax: end });
  }

  /** @returns whether there is something new to write down. */
  noteLine(line: PartitionLine, config: string): boolean {
    const key = keyOf(line);
    const known = this.entries.get(key);
    if (known?.line === line && known.config === config) return false;
    const entry: Entry = { line, config, text: null };
    this.entries.set(key, entry);
    // After a start most lines are what they were.
    if (known?.line === null && this.textOf(entry) === known.text) return false;
    this.isStale = true;
    return true;
  }

  forgetLine(of: { topicId: string; partition: number }): boolean {
    if (!this.entries.delete(keyOf(of))) return false;
    this.isStale = true;
    return true;
  }

  get lineCount(): number {
    return this.entries.size;
  }

  private textOf(entry: Entry): string {
    entry.text ??= `${formatLine(entry.line as PartitionLine)} config=${entry.config}`;
    return entry.text;
  }

  private sealedLines(): Buffer {
    const lines = ['1'];
    for (const entry of this.entries.values()) lines.push(this.textOf(entry));
    return seal(lines.join('\n'));
  }

  /** Writes the lines down at once. @throws DiskError */
  saveNow(): void {
    if (!this.isStale) return;
    this.saves++;
    this.disk.replaceFile(this.file(REPLICAS_FILE), this.sealedLines());
    this.isStale = false;
    this.areReplicasKnown = true;
  }

  /** Writes the lines down; stable storage is waited for in another thread. */
  save(): Promise<void> {
    this.saving ??= this.saveInBackground().finally(() => {
      this.saving = null;
    });
    return this.saving;
  }

  private async saveInBackground(): Promise<void> {
    if (!this.isStale) return;
    this.isStale = false;
    const save = ++this.saves;
    const target = this.file(REPLICAS_FILE);
    const fresh = `${target}.new`;
    try {
      const file = this.disk.open(fresh, { create: true });
      try {
        file.truncate(0);
        file.writeAt(0, [this.sealedLines()]);
        await file.flush();
      } finally {
        file.close();
      }
      if (save !== this.saves) return this.disk.remove(fresh);
      this.disk.rename(fresh, target);
      this.areReplicasKnown = true;
    } catch (cause) {
      this.isStale = true;
      throw cause;
    }
  }

  /** Null for a new directory. */
  get record(): DirectoryRecord | null {
    const { identity, life, storeGeneration, producerIdMax } = this.written;
    if (identity === null) return null;
    const replicas = this.areReplicasKnown
      ? [...this.entries.values()].flatMap((entry) => replicaOf(this.textOf(entry)) ?? [])
      : null;
    return {
      ...identity,
      path: this.path,
      brokerEpoch: life?.epoch ?? -1,
      keptSince: life?.keptSince ?? -1,
      incarnation: life?.incarnation ?? '',
      bootId: life?.bootId ?? '',
      directories: life?.directories ?? [],
      storeGeneration,
      producerIdMax,
      replicas,
    };
  }
}

function keyOf({ topicId, partition }: { topicId: string; partition: number }): string {
  return `${topicId}:${partition}`;
}
