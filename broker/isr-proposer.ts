/** Watches over the ISR of every partition led here and asks the controller for changes, in groups. */

import { type Member, type PartitionLine, parseLine } from '../kube/partition-line.ts';
import { expectNoBug } from '../stdx/bug.ts';
import type { Clock } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';
import type { MetadataImage } from './metadata/image.ts';
import type { Partition } from './partition/partition.ts';
import type { Partitions } from './partition/partitions.ts';
import type { ControllerClient } from './replication/controller-client.ts';

const CHECK_MS = 200;
const CHANGES_PER_CALL = 500;
const RETRY_MS = 500;

export interface IsrProposerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly image: MetadataImage;
  readonly partitions: Partitions;
  readonly controller: ControllerClient;
  readonly self: () => Member;
  /** The line that the controller answered with: it need not wait for the watch. */
  readonly onLine: (line: PartitionLine) => void;
}

interface Wish {
  readonly partition: Partition;
  readonly leaderEpoch: number;
  readonly partitionEpoch: number;
  readonly isr: readonly Member[];
}

export class IsrProposer implements Disposable {
  private readonly deps: IsrProposerDeps;
  private readonly timer: Disposable;
  private wishes: Wish[] = [];
  private sending = false;
  private pausedUntilMs = 0;

  constructor(deps: IsrProposerDeps) {
    this.deps = deps;
    this.timer = deps.clock.every(CHECK_MS, () => this.check());
  }

  private check(): void {
    const { clock, image, partitions } = this.deps;
    const nowMs = clock.monotonicMs();
    if (this.sending || nowMs < this.pausedUntilMs) return;
    const mayJoin = (id: number, epoch: number) => {
      const broker = image.broker(id);
      return broker !== null && broker.epoch === epoch && !broker.fenced && !broker.draining;
    };
    this.wishes = this.wishes.filter((wish) => this.isOpen(wish));
    const waiting = new Set(this.wishes.map(({ partition }) => partition));
    for (const partition of partitions) {
      const core = partition.leaderCore;
      if (core === null || waiting.has(partition)) continue;
      // What was proposed before leadership was interrupted is still undecided.
      const isr =
        core.proposal ?? core.propose(partition.log.writtenOffset, partition.rules, mayJoin, nowMs);
      if (isr === null) continue;
      const { leaderEpoch, partitionEpoch } = core.line;
      this.wishes.push({ partition, leaderEpoch, partitionEpoch, isr });
    }
    if (this.wishes.length > 0) void this.send();
  }

  private async send(): Promise<void> {
    this.sending = true;
    const some = this.wishes.splice(0, CHANGES_PER_CALL);
    try {
      const changes = some.map(({ partition, leaderEpoch, partitionEpoch, isr }) => ({
        topicId: partition.topicId,
        partition: partition.partition,
        leaderEpoch,
        partitionEpoch,
        isr: isr.map((member) => ({ ...member })),
      }));
      const { accepted, results } = await this.deps.controller.alterPartition({
        leader: { ...this.deps.self() },
        changes,
      });
      if (!accepted) throw new Error('that broker is not the controller');
      for (const [i, wish] of some.entries()) this.settle(wish, results[i]);
    } catch (cause) {
      expectNoBug('asking for an ISR change', cause);
      // Whether the page was written is unknown: the proposal stays in force until a newer line
      // is seen; until then it is asked for again.
      this.deps.logger.debug('asking for an ISR change failed', { cause });
      this.pausedUntilMs = this.deps.clock.monotonicMs() + RETRY_MS;
    } finally {
      this.sending = false;
    }
  }

  private isOpen({ partition, leaderEpoch, partitionEpoch }: Wish): boolean {
    const core = partition.leaderCore;
    return (
      core?.hasProposal === true &&
      core.line.leaderEpoch === leaderEpoch &&
      core.line.partitionEpoch === partitionEpoch
    );
  }

  private settle(wish: Wish, result: { line: string; refused: boolean } | undefined): void {
    const { partition } = wish;
    const core = partition.leaderCore;
    if (result === undefined || core === null || core.line.leaderEpoch !== wish.leaderEpoch) return;
    if (result.line !== '') {
      const line = parseLine(result.line);
      if (
        line.leaderEpoch === core.line.leaderEpoch &&
        line.partitionEpoch > core.line.partitionEpoch
      ) {
        this.deps.onLine(line);
        return;
      }
    }
    if (!this.isOpen(wish)) return;
    if (result.refused) partition.onProposalRefused();
    // Else the page could not be written: undecided until it is, and asked for again.
    // What is so now is so in the next moment as well.
    this.pausedUntilMs = this.deps.clock.monotonicMs() + RETRY_MS;
  }

  [Symbol.dispose](): void {
    this.timer[Symbol.dispose]();
  }
}
