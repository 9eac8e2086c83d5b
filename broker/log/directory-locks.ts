/**
 * One process at a time on a log directory. The kernel's lock keeps a second one of the same machine out,
 * also while the first is stopped. What no kernel sees, the same volume mounted on another machine, is told
 * by the name in the folder: whoever begins there writes his own, and everybody looks whose it is before
 * he writes again after a moment.
 */
import { type Clock, sleep } from '../../stdx/clock.ts';
import { type Disk, DiskError } from '../../stdx/disk.ts';
import type { Logger } from '../../stdx/logger.ts';
import { jsonOf } from './sealed-text.ts';
import { readSteady, writeSteady } from './steady-file.ts';

/** Kafka's name for it: neither starts beside the other. */
export const LOCK_FILE = '.lock';
const HOLDER_FILE = 'tenure-holder.json';
/** A process that is being replaced may take a moment to end. */
const WAIT_MS = 10_000;
const RETRY_MS = 200;
/** Nobody takes a place and writes within a moment as short as this. */
const UNSEEN_MS_MAX = 1_000;

export interface Holder {
  readonly incarnation: string;
  readonly pod: string;
  readonly host: string;
  readonly pid: number;
  /** Wall clock, for people. */
  readonly since: string;
}

export interface DirectoryLocksDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Another process writes here: this one must end at once. */
  readonly onLost: (why: string) => void;
}

function isHolder(value: unknown): value is Holder {
  const { incarnation, pod, host, pid, since } = (value ?? {}) as Partial<Holder>;
  return (
    [incarnation, pod, host, since].every((text) => typeof text === 'string') &&
    typeof pid === 'number'
  );
}

const named = ({ host, pid, pod, since }: Holder) =>
  `process ${pid} of pod ${pod} at ${host}, since ${since}`;

export class DirectoryLocks implements Disposable {
  private readonly deps: DirectoryLocksDeps;
  private readonly self: Omit<Holder, 'since'>;
  private readonly locks: Disposable[] = [];
  /** The directories that are held. */
  private paths: string[] = [];
  private lookedAtMs = 0;
  private lostTo: string | null = null;

  constructor(deps: DirectoryLocksDeps, self: Omit<Holder, 'since'>) {
    this.deps = deps;
    this.self = self;
  }

  /**
   * Nothing in a directory may be looked at before this.
   * @throws Error that says who has one of them, where he does not end in time.
   */
  async take(paths: readonly string[]): Promise<void> {
    const { clock, disk } = this.deps;
    const deadlineMs = clock.monotonicMs() + WAIT_MS;
    for (const path of paths) {
      disk.makeFolder(path);
      this.locks.push(await this.takeOne(path, deadlineMs));
    }
    const holder: Holder = { ...this.self, since: new Date(clock.nowMs()).toISOString() };
    // Within the file: nobody may be kept from beginning by a disk that is full.
    for (const path of paths) writeSteady(disk, `${path}/${HOLDER_FILE}`, JSON.stringify(holder));
    this.paths = [...paths];
    this.lookedAtMs = clock.monotonicMs();
  }

  private async takeOne(path: string, deadlineMs: number): Promise<Disposable> {
    const { clock, disk, logger } = this.deps;
    for (let tries = 0; ; tries++) {
      const lock = disk.lock(`${path}/${LOCK_FILE}`);
      if (lock !== null) return lock;
      const other = this.holderOf(path);
      const who = other === null ? 'another process' : named(other);
      if (clock.monotonicMs() >= deadlineMs)
        throw new Error(
          `the data folder ${path} is in use by ${who}: two brokers must not share one; end that one first`,
        );
      if (tries === 0) logger.warn('waiting for the data folder', { path, holder: who });
      await sleep(clock, RETRY_MS);
    }
  }

  /** Null where it is not known. */
  private holderOf(path: string): Holder | null {
    const value = jsonOf(readSteady(this.deps.disk, `${path}/${HOLDER_FILE}`) ?? '');
    return isHolder(value) ? value : null;
  }

  /**
   * To be called before anything is written: a comparison, unless a moment has passed since the last look.
   * @throws DiskError where another process has begun to write here
   */
  confirm(): void {
    const nowMs = this.deps.clock.monotonicMs();
    if (nowMs - this.lookedAtMs > UNSEEN_MS_MAX || this.lostTo !== null) this.look(nowMs);
  }

  private look(nowMs: number): void {
    for (const path of this.paths) {
      const holder = this.holderOf(path);
      if (holder === null || holder.incarnation === this.self.incarnation) continue;
      if (this.lostTo === null) {
        this.lostTo = named(holder);
        this.deps.onLost(`the data folder ${path} was taken over by ${this.lostTo}`);
      }
      throw new DiskError(
        path,
        Object.assign(new Error(`taken over by ${this.lostTo}`), { code: 'ESTALE' }),
      );
    }
    this.lookedAtMs = nowMs;
  }

  [Symbol.dispose](): void {
    this.paths = [];
    for (const lock of this.locks.splice(0)) lock[Symbol.dispose]();
  }
}
