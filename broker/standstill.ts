/**
 * Notices that this process stood still: it was stopped, its machine was frozen, or it had no processor for
 * long. Others may have been elected meanwhile, and nothing that waits in its sockets has told it yet. So it
 * leads nothing until it has looked again: at the pages as they are by now, or, while the API is away, by
 * asking those who follow it.
 *
 * Every way in looks first, before anything is answered from what was known before: requests of clients,
 * calls and messages of other brokers, timers, the end of a turn.
 */
import type { PartitionLine } from '../kube/partition-line.ts';
import { expectNoBug } from '../stdx/bug.ts';
import { type Clock, sleep } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';

/** Less than that no other broker takes for dead: it is how long a connection may be silent. */
const STILL_MS = 4_000;
/** Clocks of machines do not go equally fast. */
const SESSION_SHARE = 0.9;
const RETRY_MS = 200;

export interface StandstillDeps {
  readonly logger: Logger;
  /** When the Lease was renewed last: the time at which the request was sent that was answered. */
  readonly confirmedAtMs: () => number;
  /** For so long after a renewal nobody is elected in this broker's place. */
  readonly sessionTimeoutMs: () => number;
  /** All pages as the API has them now. */
  readonly readLines: () => Promise<readonly PartitionLine[]>;
  readonly onStoodStill: () => void;
  readonly onLookedAgain: (lines: readonly PartitionLine[]) => void;
}

export class Standstill implements Disposable {
  private readonly real: Clock;
  private deps: StandstillDeps | null = null;
  private lookedAtMs = 0;
  /** How many times it stood still. */
  private count = 0;
  private isUncertain = false;
  /** Looks before every timer runs. Turns look themselves. */
  readonly clock: Clock;

  constructor(clock: Clock) {
    this.real = clock;
    const looking = (run: () => void) => () => {
      this.look();
      run();
    };
    this.clock = {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs, run) => clock.after(delayMs, looking(run)),
      every: (periodMs, run) => clock.every(periodMs, looking(run)),
      endOfTurn: (run) => clock.endOfTurn(run),
    };
  }

  /** From now on this broker may lead. */
  begin(deps: StandstillDeps): void {
    this.deps = deps;
    this.lookedAtMs = this.real.monotonicMs();
  }

  /**
   * What followers are asked to say when they subscribe again: who says it was asked after this process
   * stood still. 0: nothing is asked.
   */
  get question(): number {
    return this.isUncertain ? this.count : 0;
  }

  look(): void {
    const nowMs = this.real.monotonicMs();
    const stillMs = nowMs - this.lookedAtMs;
    this.lookedAtMs = nowMs;
    if (stillMs > STILL_MS) this.onStill(nowMs, stillMs);
  }

  private onStill(nowMs: number, stillMs: number): void {
    const { deps } = this;
    if (deps === null) return;
    if (nowMs - deps.confirmedAtMs() <= deps.sessionTimeoutMs() * SESSION_SHARE) return;
    this.count++;
    this.isUncertain = true;
    deps.logger.warn('stood still: leading nothing before looking again', {
      stillMs: Math.round(stillMs),
    });
    deps.onStoodStill();
    void this.lookAgain(deps, this.count);
  }

  private async lookAgain(deps: StandstillDeps, count: number): Promise<void> {
    const isCurrent = () => this.deps === deps && this.count === count;
    while (isCurrent()) {
      const lines = await this.readLines(deps);
      if (!isCurrent()) return;
      if (lines !== null) {
        this.isUncertain = false;
        deps.logger.info('looked again: leading what the pages say');
        deps.onLookedAgain(lines);
        return;
      }
      await sleep(this.clock, RETRY_MS);
    }
  }

  private async readLines(deps: StandstillDeps): Promise<readonly PartitionLine[] | null> {
    try {
      return await deps.readLines();
    } catch (cause) {
      expectNoBug('reading the pages', cause);
      deps.logger.debug('reading the pages failed', { cause });
      return null;
    }
  }

  [Symbol.dispose](): void {
    this.deps = null;
  }
}
