/**
 * What a leader decides about its partition: the high watermark and who is in sync. Pure.
 *
 * - The high watermark is the lowest end offset, confirmed in this leader epoch, over the maximal
 *   ISR, and moves only while the ISR has min.insync.replicas members (KIP-966).
 * - The maximal ISR is the confirmed one plus whoever was proposed and not yet decided (KIP-497).
 * - The leader never shrinks its ISR by itself: it proposes, the page decides.
 * - Records are deleted for good when the logs of all who may lead next start behind them (KIP-107), and who
 *   still has some of those joins the ISR only once it let them go.
 * - A follower has `replica.lag.time.max.ms` from when the first record that it lacks was written. Who
 *   has all there is and follows is caught up, however long ago it said so.
 */

import {
  hasMember,
  type Member,
  type PartitionLine,
  sameMember,
} from '../../kube/partition-line.ts';
import { assert } from '../../stdx/assert.ts';
import { WriteTimes } from './write-times-core.ts';

export interface FollowerProgress {
  readonly id: number;
  brokerEpoch: number;
  /** Confirmed in this leader epoch; -1 until then. */
  endOffset: number;
  /** As it said in this life; 0 until then, Infinity for who is of a version that never says it. */
  logStartOffset: number;
  /** Follows right now; who does not may not join the ISR, whatever it confirmed before. */
  following: boolean;
  /** Since when it follows, or since when it does not. */
  sinceMs: number;
}

export interface IsrRules {
  readonly minInsyncReplicas: number;
  readonly replicaLagTimeMaxMs: number;
}

export class LeaderCore {
  readonly self: Member;
  private current: PartitionLine;
  private proposed: readonly Member[] | null = null;
  /** The log's end when this leader took over: nobody joins the ISR below it. */
  readonly epochStartOffset: number;
  private readonly followers = new Map<number, FollowerProgress>();
  private readonly writeTimes: WriteTimes;
  private hw: number;
  /** Records below were deleted: nobody joins the ISR with any of them. */
  private deletedOffset = 0;

  constructor(
    line: PartitionLine,
    self: Member,
    from: { endOffset: number; highWatermark: number; nowMs: number },
  ) {
    assert(sameMember(line.leader, self), 'only the leader named by the line leads');
    this.self = self;
    this.current = line;
    this.epochStartOffset = from.endOffset;
    this.hw = Math.min(from.highWatermark, from.endOffset);
    this.writeTimes = new WriteTimes(from.nowMs);
    for (const id of line.replicas) if (id !== self.id) this.track(id, from.nowMs);
  }

  get line(): PartitionLine {
    return this.current;
  }
  get highWatermark(): number {
    return this.hw;
  }
  /** What was proposed and nobody has decided about. */
  get proposal(): readonly Member[] | null {
    return this.proposed;
  }
  get hasProposal(): boolean {
    return this.proposed !== null;
  }

  private track(id: number, nowMs: number): void {
    const member = this.current.isr.find((m) => m.id === id);
    this.followers.set(id, {
      id,
      brokerEpoch: member?.epoch ?? -1,
      endOffset: -1,
      logStartOffset: 0,
      following: false,
      sinceMs: nowMs,
    });
  }

  /** Forgets what an earlier life of the follower said. */
  private beginLife(follower: FollowerProgress, brokerEpoch: number, nowMs: number): void {
    follower.brokerEpoch = brokerEpoch;
    follower.endOffset = -1;
    follower.logStartOffset = 0;
    follower.following = false;
    follower.sinceMs = nowMs;
  }

  /** A newer line of the same leader epoch. */
  onLine(line: PartitionLine, nowMs: number): void {
    assert(line.leaderEpoch === this.current.leaderEpoch, 'a new leader epoch makes a new leader');
    assert(line.partitionEpoch >= this.current.partitionEpoch, 'lines only get newer');
    if (line.partitionEpoch > this.current.partitionEpoch) this.proposed = null;
    this.current = line;
    for (const id of line.replicas) {
      if (id !== this.self.id && !this.followers.has(id)) this.track(id, nowMs);
    }
    for (const { id, epoch } of line.isr) {
      const follower = this.followers.get(id);
      if (follower !== undefined && follower.brokerEpoch < epoch)
        this.beginLife(follower, epoch, nowMs);
    }
  }

  /** Records were written here from that offset on, which was the end. */
  onWritten(fromOffset: number, nowMs: number, { replicaLagTimeMaxMs }: IsrRules): void {
    this.writeTimes.onWritten(fromOffset, nowMs, replicaLagTimeMaxMs);
  }

  /** The controller certainly did not and will not act on the proposal. */
  onProposalRefused(): void {
    this.proposed = null;
  }

  /** Members over which the high watermark is taken. */
  private *maximalIsr(): Generator<Member> {
    yield* this.current.isr;
    for (const member of this.proposed ?? []) {
      if (!hasMember(this.current.isr, member)) yield member;
    }
  }

  /** A follower of that broker epoch confirms that it holds everything below `endOffset`. */
  onFollower(at: { id: number; brokerEpoch: number; endOffset: number }, nowMs: number): void {
    // A new replica may have heard of the line before this leader did: what it says is kept.
    if (!this.followers.has(at.id)) this.track(at.id, nowMs);
    const follower = this.followers.get(at.id) as FollowerProgress;
    if (at.brokerEpoch < follower.brokerEpoch) return;
    if (at.brokerEpoch > follower.brokerEpoch) this.beginLife(follower, at.brokerEpoch, nowMs);
    follower.endOffset = at.endOffset;
    if (follower.following) return;
    follower.following = true;
    follower.sinceMs = nowMs;
  }

  /** A follower of that broker epoch, which was heard of before, says where its log starts. */
  onFollowerLogStart(at: { id: number; brokerEpoch: number; logStartOffset: number }): void {
    const follower = this.followers.get(at.id);
    if (follower?.brokerEpoch === at.brokerEpoch) follower.logStartOffset = at.logStartOffset;
  }

  /** The log starts here now because somebody wants it so. */
  onDeleted(beforeOffset: number): void {
    this.deletedOffset = Math.max(this.deletedOffset, beforeOffset);
  }

  /** Where the log of every replica that may lead next starts, or later. */
  lowestLogStart(ownLogStart: number): number {
    let lowest = ownLogStart;
    for (const member of [...this.maximalIsr(), ...this.current.elr]) {
      if (member.id === this.self.id) continue;
      const follower = this.followers.get(member.id);
      const isKnown = follower !== undefined && follower.brokerEpoch >= member.epoch;
      lowest = Math.min(lowest, isKnown ? follower.logStartOffset : 0);
    }
    return lowest;
  }

  /** Its subscription ended: what it confirmed stays true, but it is no candidate any more. */
  onFollowerGone(id: number, brokerEpoch: number, nowMs: number): void {
    const follower = this.followers.get(id);
    if (follower?.brokerEpoch !== brokerEpoch || !follower.following) return;
    follower.following = false;
    follower.sinceMs = nowMs;
  }

  /** Whether somebody in the ISR does not follow right now: nothing new can be committed. */
  get missesFollower(): boolean {
    return this.current.isr.some(({ epoch, id }) => {
      if (id === this.self.id) return false;
      const follower = this.followers.get(id);
      return follower?.following !== true || follower.brokerEpoch !== epoch;
    });
  }

  /** Whether anybody in the ISR follows right now. */
  get isFollowed(): boolean {
    return this.current.isr.some(({ epoch, id }) => {
      const follower = this.followers.get(id);
      return follower?.following === true && follower.brokerEpoch === epoch;
    });
  }

  private endOffsetOf({ id, epoch }: Member, writtenOffset: number): number {
    if (id === this.self.id) return writtenOffset;
    const follower = this.followers.get(id);
    return follower !== undefined && follower.brokerEpoch === epoch ? follower.endOffset : -1;
  }

  effectiveMinIsr(rules: IsrRules): number {
    return Math.min(rules.minInsyncReplicas, this.current.replicas.length);
  }

  /** Moves the high watermark as far as the rules allow; true if it moved. */
  advance(writtenOffset: number, rules: IsrRules): boolean {
    if (this.current.isr.length < this.effectiveMinIsr(rules)) return false;
    let lowest = Infinity;
    for (const member of this.maximalIsr()) {
      lowest = Math.min(lowest, this.endOffsetOf(member, writtenOffset));
    }
    if (lowest <= this.hw || lowest === Infinity) return false;
    this.hw = lowest;
    return true;
  }

  /**
   * The ISR that this leader would like, if it differs from the confirmed one; null otherwise.
   * It counts as possibly in force from the moment it is returned.
   */
  propose(
    writtenOffset: number,
    rules: IsrRules,
    mayJoin: (id: number, brokerEpoch: number) => boolean,
    nowMs: number,
  ): readonly Member[] | null {
    if (this.proposed !== null) return null;
    const wanted = this.current.isr.filter(
      ({ id, epoch }) =>
        id === this.self.id || !this.isLagging(id, epoch, writtenOffset, rules, nowMs),
    );
    for (const { id, brokerEpoch, endOffset, following, logStartOffset } of this.progress) {
      if (hasMember(this.current.isr, { id, epoch: brokerEpoch })) continue;
      const hasAll = endOffset >= this.hw && endOffset >= this.epochStartOffset;
      const caughtUp = following && hasAll && logStartOffset >= this.deletedOffset;
      if (caughtUp && mayJoin(id, brokerEpoch)) wanted.push({ id, epoch: brokerEpoch });
    }
    const same =
      wanted.length === this.current.isr.length &&
      wanted.every((m) => hasMember(this.current.isr, m));
    if (same) return null;
    this.proposed = wanted;
    return wanted;
  }

  private isLagging(
    id: number,
    epoch: number,
    writtenOffset: number,
    rules: IsrRules,
    nowMs: number,
  ): boolean {
    const follower = this.followers.get(id);
    if (follower === undefined) return true;
    const isThatLife = follower.brokerEpoch === epoch;
    if (isThatLife && follower.endOffset >= writtenOffset) return false;
    const goneAtMs = follower.following && isThatLife ? nowMs : follower.sinceMs;
    // What it has is not known before it says so.
    const lacksAtMs =
      isThatLife && follower.endOffset >= 0 ? this.writeTimes.at(follower.endOffset) : nowMs;
    return nowMs - Math.min(goneAtMs, lacksAtMs) > rules.replicaLagTimeMaxMs;
  }

  /** Followers and how far they are, for metrics and describe calls. */
  get progress(): readonly FollowerProgress[] {
    return [...this.followers.values()].filter(({ id }) => this.current.replicas.includes(id));
  }
}
