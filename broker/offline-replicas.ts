/**
 * What becomes of replicas whose log directory failed while others work, or is full: they neither lead nor count any
 * more. The controller is asked for that, as often as a line still counts on one of them, and takes such
 * a replica out where somebody else has what was committed. The last copy stays named: it may come back.
 *
 * Must never know: how files are read or written.
 */
import { tell } from '../kube/events.ts';
import { API_VERSION, type KafkaBroker } from '../kube/kafka-objects.ts';
import type { Member, PartitionLine } from '../kube/partition-line.ts';
import type { KubeApi } from '../kube/port.ts';
import { codeOf } from '../proto/kafka/errors.ts';
import { expectNoBug } from '../stdx/bug.ts';
import { type Clock, sleep } from '../stdx/clock.ts';
import { type DiskError, isWantOfRoom } from '../stdx/disk.ts';
import type { Logger } from '../stdx/logger.ts';
import type { LogDirectories } from './log/log-directories.ts';
import type { LogDirectory } from './log/log-directory.ts';
import type { MetadataImage } from './metadata/image.ts';
import type { ControllerClient } from './replication/controller-client.ts';

const LOOK_MS = 250;
/** A broker has many replicas, and most of the time nothing is to be done. */
const QUIET_LOOK_MS = 2_000;
/** Others may be in sync again later. */
const LAST_COPY_LOOK_MS = 5_000;
/** As long as a broker that ends waits for the controller. */
const LEAVE_MS = 5_000;
const WISHES_PER_CALL = 500;
const ASK_MS = 10_000;
const NO_OTHER = codeOf('ELIGIBLE_LEADERS_NOT_AVAILABLE');

export interface OfflineReplicasDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly image: Pick<MetadataImage, 'line'>;
  readonly directories: LogDirectories;
  readonly controller: Pick<ControllerClient, 'changePartitions'>;
  readonly self: () => Member;
  /** The object that stands for this broker; Events are about it. */
  readonly object: () => KafkaBroker | undefined;
  /** Whatever lies in a directory is offline from now on. */
  readonly onOffline: (directory: LogDirectory, cause: DiskError) => void;
  /** A directory has no room: nothing in it is lost. */
  readonly onFull: (directory: LogDirectory) => void;
  /** No directory works any more. */
  readonly onLast: () => void;
}

/** Whom a line counts on. */
function counted({ elr, isr, leader }: PartitionLine): Member[] {
  return [...isr, ...elr, ...(leader === null ? [] : [leader])];
}

/** Whom a line relies on now. */
function led({ isr, leader }: PartitionLine): Member[] {
  return [...isr, ...(leader === null ? [] : [leader])];
}

export class OfflineReplicas implements Disposable {
  private readonly deps: OfflineReplicasDeps;
  private timer: Disposable | null = null;
  /** Lines that name this broker and nobody else who could lead, and when to ask again. */
  private readonly lastCopies = new Map<PartitionLine, number>();
  /** Open lines of replicas that lost nothing: their disk only takes nothing more. */
  private readonly whole = new Set<PartitionLine>();
  private over = false;

  constructor(deps: OfflineReplicasDeps) {
    this.deps = deps;
    deps.directories.failures.onFailure = (directory, cause) => this.onFailure(directory, cause);
  }

  private onFailure(directory: LogDirectory, cause: DiskError): void {
    const { directories, logger, onFull, onOffline } = this.deps;
    const { path } = directory;
    logger.error('a log directory failed', { path, cause });
    const left = directories.working.length;
    void this.tell(`${path}: ${cause.message}; ${left} of ${directories.all.length} go on`);
    if (isWantOfRoom(cause)) {
      onFull(directory);
      return this.schedule(0);
    }
    if (left === 0) {
      onOffline(directory, cause);
      void this.leave();
      return;
    }
    // Before anybody acts on it: should this process be killed now, the next one must know.
    directories.noteDoubts(this.losing());
    onOffline(directory, cause);
    this.schedule(0);
  }

  /**
   * Nothing works any more, and there is no place left to note a doubt in: whoever else could lead is asked
   * to before this process ends, so that the next one, on the same boot, is not counted on.
   */
  private async leave(): Promise<void> {
    const { clock, onLast } = this.deps;
    const deadlineMs = clock.monotonicMs() + LEAVE_MS;
    const late = sleep(clock, LEAVE_MS);
    while (clock.monotonicMs() < deadlineMs && !this.over) {
      if ((await Promise.race([this.look(), late])) === true) break;
      await sleep(clock, LOOK_MS);
    }
    onLast();
  }

  /** Directories that failed in a way in which something may be lost. */
  private losing(): LogDirectory[] {
    const { all } = this.deps.directories.failures;
    return [...all].flatMap(([one, cause]) => (isWantOfRoom(cause) ? [] : [one]));
  }

  private schedule(ms: number): void {
    if (this.timer !== null || this.over) return;
    this.timer = this.deps.clock.after(ms, () => {
      void this.look().then((isQuiet) => {
        this.timer = null;
        this.schedule(isQuiet ? QUIET_LOOK_MS : LOOK_MS);
      });
    });
  }

  /** Lines that count on replicas in directories that failed. */
  private openLines(): Map<LogDirectory, PartitionLine[]> {
    const { directories, image, self } = this.deps;
    const { id } = self();
    const open = new Map<LogDirectory, PartitionLine[]>();
    this.whole.clear();
    for (const [directory, cause] of directories.failures.all) {
      // Who lost nothing may stay eligible: he is asked when nobody else can lead.
      const relies = isWantOfRoom(cause) ? led : counted;
      const lines = directories.placedIn(directory).flatMap(({ partition, topicId }) => {
        const line = image.line(topicId, partition);
        return line !== null && relies(line).some((member) => member.id === id) ? [line] : [];
      });
      open.set(directory, lines);
      if (isWantOfRoom(cause)) for (const line of lines) this.whole.add(line);
    }
    return open;
  }

  /** @returns whether there was nothing to do. */
  private async look(): Promise<boolean> {
    const nowMs = this.deps.clock.monotonicMs();
    const open = this.openLines();
    this.noteDoubts(open);
    const lines = new Set([...open.values()].flat());
    for (const line of this.lastCopies.keys()) if (!lines.has(line)) this.lastCopies.delete(line);
    const due = [...lines].filter((line) => (this.lastCopies.get(line) ?? 0) <= nowMs);
    for (let i = 0; i < due.length && !this.over; i += WISHES_PER_CALL)
      await this.withdraw(due.slice(i, i + WISHES_PER_CALL));
    return due.length === 0;
  }

  /**
   * While somebody else could lead instead of a replica that may have lost something, the next life of this
   * broker must not stand up with it. Where it is the only one that is named, it is kept, such as it is.
   */
  private noteDoubts(open: ReadonlyMap<LogDirectory, readonly PartitionLine[]>): void {
    const { directories, self } = this.deps;
    const { id } = self();
    const hasOther = (line: PartitionLine) => counted(line).some((member) => member.id !== id);
    directories.noteDoubts(this.losing().filter((one) => open.get(one)?.some(hasOther) === true));
  }

  private async withdraw(lines: readonly PartitionLine[]): Promise<void> {
    const { clock, controller, logger, self } = this.deps;
    const member = { ...self() };
    const wishes = lines.map((line) => ({
      topicId: line.topicId,
      partition: line.partition,
      kind: 'withdraw',
      member,
      isWhole: this.whole.has(line),
    }));
    try {
      const { accepted, results } = await controller.changePartitions(wishes, ASK_MS);
      if (!accepted) return;
      const kept = lines.filter((_, i) => results[i]?.errorCode === NO_OTHER);
      for (const line of kept) {
        if (!this.lastCopies.has(line))
          logger.error('no other replica of a partition is in sync: it is offline', {
            topic: line.topic,
            partition: line.partition,
          });
        this.lastCopies.set(line, clock.monotonicMs() + LAST_COPY_LOOK_MS);
      }
      if (lines.length > kept.length)
        logger.info('replicas of a failed log directory withdraw', {
          partitions: lines.length - kept.length,
        });
    } catch (cause) {
      expectNoBug('asking the controller', cause);
      logger.debug('the controller does not answer', { cause });
    }
  }

  private async tell(message: string): Promise<void> {
    const object = this.deps.object();
    if (object === undefined) return;
    const telling = { type: 'Warning', reason: 'LogDirectoryFailed', message } as const;
    const about = { ...object, apiVersion: API_VERSION, kind: 'KafkaBroker' };
    await tell(this.deps, about, {
      telling: { ...telling, component: 'tenure-broker' },
      nowMs: this.deps.clock.nowMs(),
    });
  }

  [Symbol.dispose](): void {
    this.over = true;
    this.deps.directories.failures.onFailure = null;
    this.timer?.[Symbol.dispose]();
  }
}
