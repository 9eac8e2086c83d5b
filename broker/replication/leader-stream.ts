/**
 * The leader's end of one follower's stream: pushes what the follower lacks, within its credit.
 *
 * One path for the tail and for catching up: each subscription knows its next offset; at the end
 * of a turn every subscription that is behind gets a fair share of the next frame.
 */

import { hasMember } from '../../kube/partition-line.ts';
import { batch, batchesOf } from '../../proto/kafka/record-batch.ts';
import type { Logger } from '../../stdx/logger.ts';
import type { Turn, TurnTask } from '../../stdx/turn.ts';
import { LogGone } from '../log/log-files.ts';
import { type LogRead, NOTHING } from '../log/log-reads.ts';
import type { TailMemory } from '../log/tail-memory.ts';
import type { MemoryShare } from '../memory/memory-budget-core.ts';
import { type Partition, type ReplicationSink, TURN_REPLICATE } from '../partition/partition.ts';
import type { Partitions } from '../partition/partitions.ts';
import { partingOf } from './divergence-core.ts';
import { DataFrame, type Frame, type OutgoingData } from './leader-message.ts';
import {
  encodeLeaderMessage,
  type FollowerMessage,
  type ProtoMember,
  type Refusal,
  type Subscribe,
} from './services.ts';
import type { ReplicationThrottle } from './throttle.ts';

/**
 * Bytes that may be on their way to a follower, unacknowledged: some milliseconds of a fast network. They
 * keep whole slabs from being used again.
 */
export const CREDIT_BYTES = 2 * 1024 * 1024;
const FRAME_BYTES = 256 * 1024;
const SHARE_BYTES = 256 * 1024;

export interface LeaderStreamDeps {
  readonly turn: Turn;
  readonly logger: Logger;
  readonly partitions: Partitions;
  readonly memory: Pick<TailMemory, 'hold' | 'release'>;
  /** Where what is on its way to followers is charged: what each of them may have, for as long as it follows. */
  readonly share: Pick<MemoryShare, 'overdraw' | 'release'>;
  readonly send: (frame: Frame) => void;
  /** Counts bytes for metrics. */
  readonly onSent: (byteCount: number) => void;
  readonly throttle: ReplicationThrottle;
  readonly standing: LeaderStanding;
}

/** Whether this process knows that it leads what it leads. */
export interface LeaderStanding {
  /** What followers are asked while it does not; 0: it does. */
  readonly question: () => number;
  /** A follower answered: it follows in the epoch that is known here. */
  readonly onConfirmed: (partition: Partition) => void;
  /** Somebody follows it no more; who leads by what followers confirmed leads only while one follows. */
  readonly onUnfollowed: (partition: Partition) => void;
}

class Subscription implements ReplicationSink {
  readonly handle: number;
  readonly partition: Partition;
  readonly leaderEpoch: number;
  nextOffset: number;
  sentLogStart = -1;
  sentHighWatermark = -1;
  /** A read from disk is under way. */
  busy = false;
  queued = false;
  hwMoved = false;
  ended = false;
  private readonly stream: LeaderStream;

  constructor(
    stream: LeaderStream,
    partition: Partition,
    { handle, leaderEpoch, logEndOffset }: Subscribe,
  ) {
    this.stream = stream;
    this.partition = partition;
    this.handle = handle;
    this.leaderEpoch = leaderEpoch;
    this.nextOffset = logEndOffset;
  }

  onLogMoved(): void {
    this.stream.enqueue(this);
  }
  onHighWatermarkMoved(): void {
    this.stream.noteHighWatermark(this);
  }
}

export class LeaderStream implements TurnTask {
  scheduled = false;
  private readonly deps: LeaderStreamDeps;
  private readonly follower: ProtoMember;
  private readonly subscriptions = new Map<number, Subscription>();
  private queue: Subscription[] = [];
  private hwQueue: Subscription[] = [];
  /** Waiting for the throttle; looked at again with the next tick. */
  private held: Subscription[] = [];
  private credit = CREDIT_BYTES;
  private closed = false;

  constructor(deps: LeaderStreamDeps, follower: ProtoMember) {
    this.deps = deps;
    this.follower = follower;
    deps.share.overdraw(CREDIT_BYTES);
  }

  onMessage({ subscribe, ack, unsubscribe, moved, takenBytes }: FollowerMessage): void {
    for (const { handle, leaderEpoch } of moved ?? []) this.onMoved(handle, leaderEpoch);
    for (const handle of unsubscribe ?? []) this.end(handle);
    for (const request of subscribe ?? []) this.subscribe(request);
    for (const { handle, leaderEpoch, logEndOffset, logStartOffset } of ack ?? []) {
      const subscription = this.subscriptions.get(handle);
      if (subscription === undefined || subscription.leaderEpoch !== leaderEpoch) continue;
      this.progress(subscription, logEndOffset);
      if (logStartOffset != null) this.starts(subscription, logStartOffset);
    }
    if (takenBytes) {
      // Nobody gets more than everybody has, whatever it says that it took.
      this.credit = Math.min(this.credit + takenBytes, CREDIT_BYTES);
      if (this.queue.length > 0) this.deps.turn.schedule(TURN_REPLICATE, this);
    }
  }

  private progress({ partition, leaderEpoch }: Subscription, endOffset: number): void {
    if (partition.leaderEpoch !== leaderEpoch) return;
    // Nobody has more than its leader: what is said is wrong.
    if (endOffset > partition.log.endOffset) return;
    partition.onFollowerProgress({
      id: this.follower.id,
      brokerEpoch: this.follower.epoch,
      endOffset,
    });
  }

  private starts({ partition, leaderEpoch }: Subscription, logStartOffset: number): void {
    if (partition.leaderEpoch !== leaderEpoch) return;
    const { id, epoch: brokerEpoch } = this.follower;
    partition.onFollowerLogStart({ id, brokerEpoch, logStartOffset });
  }

  private subscribe(request: Subscribe): void {
    this.end(request.handle);
    const partition = this.deps.partitions.get(request.topicId, request.partition);
    if (partition !== null) this.hearAnswer(partition, request);
    const refusal = partition === null ? { fencedByEpoch: -1 } : refuse(partition, request);
    if (partition === null || refusal !== null) {
      this.refuse({ handle: request.handle, ...refusal });
      return;
    }
    if (request.refused === true) partition.log.distrustMemory();
    const subscription = new Subscription(this, partition, request);
    this.subscriptions.set(request.handle, subscription);
    partition.sinks.add(subscription);
    this.progress(subscription, request.logEndOffset);
    // Nobody waits for who never says it.
    this.starts(subscription, request.logStartOffset ?? Infinity);
    this.enqueue(subscription);
    this.noteHighWatermark(subscription);
  }

  /** Whoever is told of a newer leadership does not lead any more, long before it hears of that itself. */
  private onMoved(handle: number, leaderEpoch: number): void {
    const subscription = this.subscriptions.get(handle);
    this.end(handle);
    subscription?.partition.stepDown(leaderEpoch);
  }

  /** Nobody leads in a newer epoch as far as this follower knows: it was asked after the standstill. */
  private hearAnswer(partition: Partition, { answer, leaderEpoch }: Subscribe): void {
    const { standing } = this.deps;
    const question = standing.question();
    if (question === 0 || answer !== question || leaderEpoch !== partition.leaderEpoch) return;
    if (partition.line !== null && hasMember(partition.line.isr, this.follower))
      standing.onConfirmed(partition);
  }

  private end(handle: number): void {
    const subscription = this.subscriptions.get(handle);
    if (subscription === undefined) return;
    subscription.ended = true;
    subscription.partition.sinks.delete(subscription);
    subscription.partition.onFollowerGone(this.follower.id, this.follower.epoch);
    this.subscriptions.delete(handle);
    if (this.deps.standing.question() !== 0)
      this.deps.standing.onUnfollowed(subscription.partition);
  }

  enqueue(subscription: Subscription): void {
    if (this.closed || subscription.queued || subscription.busy || subscription.ended) return;
    subscription.queued = true;
    this.queue.push(subscription);
    this.deps.turn.schedule(TURN_REPLICATE, this);
  }

  /** The follower needs the high watermark soon, not at once: it rides on the next data or tick. */
  noteHighWatermark(subscription: Subscription): void {
    if (subscription.hwMoved || subscription.ended) return;
    subscription.hwMoved = true;
    this.hwQueue.push(subscription);
  }

  /** Called a few times a second. */
  tick(): void {
    const held = this.held;
    this.held = [];
    for (const subscription of held) this.enqueue(subscription);
    if (this.hwQueue.length === 0 || this.closed) return;
    const data: OutgoingData[] = [];
    for (const subscription of this.hwQueue) {
      subscription.hwMoved = false;
      const { partition } = subscription;
      if (subscription.ended || partition.leaderEpoch !== subscription.leaderEpoch) continue;
      const known =
        partition.highWatermark === subscription.sentHighWatermark &&
        partition.log.startOffset === subscription.sentLogStart;
      if (known) continue;
      data.push(this.frame(subscription, NOTHING));
    }
    this.hwQueue = [];
    if (data.length > 0) this.send(data);
  }

  private send(data: readonly OutgoingData[]): void {
    this.deps.send(new DataFrame(data, this.deps.memory));
  }

  private refuse(refusal: Refusal): void {
    const question = this.deps.standing.question();
    this.deps.send(encodeLeaderMessage({ refusal: [{ ...refusal, question }] }));
  }

  private frame(subscription: Subscription, { buffers, slabs }: LogRead): OutgoingData {
    const { partition, handle, leaderEpoch } = subscription;
    subscription.sentHighWatermark = partition.highWatermark;
    subscription.sentLogStart = partition.log.startOffset;
    return {
      handle,
      leaderEpoch,
      highWatermark: partition.highWatermark,
      logStartOffset: partition.log.startOffset,
      records: buffers,
      slabs,
    };
  }

  runInTurn(): void {
    while (this.queue.length > 0 && this.credit > 0 && !this.closed) {
      const data = this.fillFrame();
      if (data.length === 0) return;
      this.send(data);
    }
  }

  private fillFrame(): OutgoingData[] {
    const data: OutgoingData[] = [];
    let byteCount = 0;
    while (this.queue.length > 0 && byteCount < FRAME_BYTES && byteCount < this.credit) {
      const subscription = this.queue.shift() as Subscription;
      subscription.queued = false;
      const read = this.next(subscription);
      if (read === null) continue;
      byteCount += read.byteCount;
      data.push(this.frame(subscription, read));
      if (subscription.nextOffset < subscription.partition.log.writtenOffset)
        this.enqueue(subscription);
    }
    this.credit -= byteCount;
    this.deps.onSent(byteCount);
    return data;
  }

  /** The next records for a subscription, or null: nothing to send now. */
  private next(subscription: Subscription): LogRead | null {
    const { partition, nextOffset } = subscription;
    if (subscription.ended) return null;
    if (!partition.isLeader || partition.leaderEpoch !== subscription.leaderEpoch) {
      this.end(subscription.handle);
      this.refuse({ handle: subscription.handle, fencedByEpoch: partition.leaderEpoch });
      return null;
    }
    const { log } = partition;
    if (nextOffset >= log.writtenOffset) return null;
    if (nextOffset < log.startOffset) {
      this.end(subscription.handle);
      this.refuse({ handle: subscription.handle, logStartOffset: log.startOffset });
      return null;
    }
    if (this.deps.throttle.holds(partition, this.follower.id)) {
      this.held.push(subscription);
      return null;
    }
    let read: LogRead | Promise<LogRead>;
    try {
      read = partition.read({
        offset: nextOffset,
        bytesMax: SHARE_BYTES,
        endOffset: log.writtenOffset,
        atLeastOne: true,
      });
    } catch (cause) {
      this.unread(subscription, cause);
      return null;
    }
    if (read instanceof Promise) {
      this.later(subscription, read);
      return null;
    }
    return this.advance(subscription, read);
  }

  private advance(subscription: Subscription, read: LogRead): LogRead | null {
    const { buffers, byteCount } = read;
    if (byteCount === 0) return null;
    subscription.nextOffset = endOffsetOf(buffers[buffers.length - 1] as Buffer);
    this.deps.throttle.onSent(subscription.partition, this.follower.id, byteCount);
    return read;
  }

  private later(subscription: Subscription, read: Promise<LogRead>): void {
    subscription.busy = true;
    const done = (result: LogRead | null) => {
      subscription.busy = false;
      if (subscription.ended || this.closed) return;
      const read = result === null ? null : this.advance(subscription, result);
      if (read !== null) {
        this.credit -= read.byteCount;
        this.deps.onSent(read.byteCount);
        this.send([this.frame(subscription, read)]);
        this.enqueue(subscription);
      }
    };
    read.then(done, (cause) => {
      done(null);
      this.unread(subscription, cause);
    });
  }

  /**
   * What the follower needs cannot be read. Where the partition is offline by now it waits for another
   * leader; where this is the last copy, for what is damaged to go.
   */
  private unread(subscription: Subscription, cause: unknown): void {
    const { partition } = subscription;
    const { topic, partition: index, damage } = partition;
    if (damage === null) {
      // A topic that is deleted needs no follower.
      if (!(cause instanceof LogGone))
        this.deps.logger.error('reading for a follower failed', { topic, partition: index, cause });
      this.end(subscription.handle);
    } else if (!subscription.ended) this.held.push(subscription);
  }

  close(): void {
    if (!this.closed) this.deps.share.release(CREDIT_BYTES);
    this.closed = true;
    for (const handle of [...this.subscriptions.keys()]) this.end(handle);
  }
}

/** Why the subscription cannot be served as asked, or null. Source: KIP-320, KIP-279. */
function refuse(partition: Partition, request: Subscribe): Omit<Refusal, 'handle'> | null {
  if (!partition.isLeader || partition.leaderEpoch !== request.leaderEpoch) {
    // A follower with a newer epoch proves that this leadership is over.
    partition.stepDown(request.leaderEpoch);
    return { fencedByEpoch: partition.leaderEpoch };
  }
  return partingOf(partition.log, request);
}

/** Where whole batches end. */
function endOffsetOf(records: Buffer): number {
  let end = 0;
  for (const { at } of batchesOf(records)) end = batch.lastOffset(records, at) + 1;
  return end;
}
