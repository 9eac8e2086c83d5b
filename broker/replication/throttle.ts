/**
 * Slows down followers that are behind, where an administrator asks for it: moving partitions must
 * not take the network from clients. Replicas in sync are never held (KIP-73).
 */
import type { Clock } from '../../stdx/clock.ts';
import type { Partition } from '../partition/partition.ts';

/** What may be sent at once after a pause, in seconds of the rate. */
const BURST_SECONDS = 1;

export class ReplicationThrottle {
  private readonly clock: Clock;
  private readonly bytesPerSecond: () => number;
  private budget = 0;
  private countedMs: number;

  constructor(clock: Clock, bytesPerSecond: () => number) {
    this.clock = clock;
    this.bytesPerSecond = bytesPerSecond;
    this.countedMs = clock.monotonicMs();
  }

  /** Whether data for the follower's replica must wait. */
  holds(partition: Partition, followerId: number): boolean {
    return this.concerns(partition, followerId) && this.refill() <= 0;
  }

  /** Counts what was sent to a replica that may be held. */
  onSent(partition: Partition, followerId: number, byteCount: number): void {
    if (this.concerns(partition, followerId)) this.budget -= byteCount;
  }

  private concerns({ rules, partition, line }: Partition, followerId: number): boolean {
    const { throttledReplicas } = rules;
    if (line?.isr.some(({ id }) => id === followerId) === true) return false;
    // A replica on its way to another broker is held wherever a rate is set, named or not.
    if (line?.adding.includes(followerId) === true) return true;
    if (throttledReplicas === null) return false;
    return throttledReplicas === 'all' || throttledReplicas.has(`${partition}:${followerId}`);
  }

  private refill(): number {
    const rate = this.bytesPerSecond();
    const nowMs = this.clock.monotonicMs();
    const earned = ((nowMs - this.countedMs) / 1000) * rate;
    this.countedMs = nowMs;
    this.budget = Math.min(this.budget + earned, rate * BURST_SECONDS);
    return this.budget;
  }
}
