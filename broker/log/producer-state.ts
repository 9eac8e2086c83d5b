/**
 * What a partition remembers of its producers: enough to tell a repeat from a gap, and which of
 * them have a transaction open. Pure; rebuilt from batches, so it survives restart and failover.
 * Sources: KIP-98, KIP-360, KIP-890.
 */

import type { ErrorName } from '../../proto/kafka/errors.ts';
import {
  batch,
  CONTROL_BIT,
  TRANSACTIONAL_BIT,
  transactionEndOf,
} from '../../proto/kafka/record-batch.ts';
import { ProducerBudget } from './producer-budget.ts';
import { decodeProducers, encodeProducers } from './producer-snapshot.ts';
import {
  BATCHES_KEPT,
  judgeSequence,
  type Producer,
  type SequenceVerdict,
  sequencePlus,
  type TransactionStart,
} from './sequence-core.ts';

/** A transaction that a marker just ended. */
export interface EndedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly committed: boolean;
  readonly lastStableOffset: number;
}

export interface MarkerRequest {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly committed: boolean;
  /** 2 and up: the epoch was bumped for the marker (KIP-890, KIP-1228). */
  readonly transactionVersion: number;
}

/** Ids are handed out one after the other: no cluster lives long enough to get there. */
const HANDED_OUT_MAX = 2 ** 40;
/** What stays where there are too many: looking for the oldest costs something, so it is not done for each. */
const KEPT_SHARE = 7 / 8;
const NO_PRODUCER: SequenceVerdict = { kind: 'append' };

export class ProducerState {
  private readonly producers = new Map<number, Producer>();
  /** First offsets of open transactions by producer, in the order of those offsets. */
  private readonly open = new Map<number, number>();
  /** Ended, but the marker may not be committed yet: they hold the last stable offset back. */
  private ended: { readonly firstOffset: number; readonly lastOffset: number }[] = [];
  /** The highest id that was ever seen here, also of producers that were forgotten; -1 before any. */
  idMax = -1;
  private readonly budget: ProducerBudget;

  constructor(budget = new ProducerBudget()) {
    this.budget = budget;
  }

  /** A client may write with any id it likes: one that was certainly never handed out says nothing. */
  private noteId(producerId: number): void {
    if (producerId > this.idMax && producerId < HANDED_OUT_MAX) this.idMax = producerId;
  }

  get producerCount(): number {
    return this.producers.size;
  }

  get(producerId: number): Producer | null {
    return this.producers.get(producerId) ?? null;
  }

  *entries(): Generator<readonly [number, Producer]> {
    yield* this.producers;
  }

  /** Whether the producer has a transaction open here in that epoch. */
  isOpen(producerId: number, epoch: number): boolean {
    const producer = this.producers.get(producerId);
    return producer !== undefined && producer.epoch === epoch && producer.txnFirstOffset >= 0;
  }

  /** First offset that belongs to a transaction whose end is not committed; Infinity if none does. */
  firstUnstableOffset(highWatermark: number): number {
    if (this.ended.length > 0)
      this.ended = this.ended.filter(({ lastOffset }) => lastOffset >= highWatermark);
    let first = this.firstOpenOffset(Infinity);
    for (const { firstOffset } of this.ended) first = Math.min(first, firstOffset);
    return first;
  }

  private firstOpenOffset(otherwise: number): number {
    for (const firstOffset of this.open.values()) return firstOffset;
    return otherwise;
  }

  /**
   * What to do with the batch at `at` of a client's request.
   * @param start the transaction that it would begin here, if that is being verified
   */
  judge(b: Buffer, at: number, start: TransactionStart | null = null): SequenceVerdict {
    const producerId = batch.producerId(b, at);
    return producerId < 0 ? NO_PRODUCER : judgeSequence(this.get(producerId), start, b, at);
  }

  /** What to do with a coordinator's marker: a repeat of one that ended the transaction is done already. */
  judgeMarker(marker: MarkerRequest): 'append' | 'duplicate' | ErrorName {
    const producer = this.producers.get(marker.producerId);
    if (producer === undefined) return 'append';
    if (marker.coordinatorEpoch < producer.coordinatorEpoch)
      return 'TRANSACTION_COORDINATOR_FENCED';
    if (marker.producerEpoch < producer.epoch) return 'INVALID_PRODUCER_EPOCH';
    if (marker.transactionVersion < 2 || marker.producerEpoch > producer.epoch) return 'append';
    // The epoch grew for this marker: seen already, it ended the transaction, or it is a stale one.
    return producer.txnFirstOffset >= 0 ? 'INVALID_PRODUCER_EPOCH' : 'duplicate';
  }

  /** Takes note of a batch that is now in the log; the bytes of control batches must be complete. */
  observe(b: Buffer, at: number): EndedTransaction | null {
    const producerId = batch.producerId(b, at);
    if (producerId < 0) return null;
    const epoch = batch.producerEpoch(b, at);
    const attributes = batch.attributes(b, at);
    const timestampMs = batch.maxTimestamp(b, at);
    let producer = this.producers.get(producerId);
    const lastOffset = batch.lastOffset(b, at);
    if (producer === undefined) {
      producer = {
        epoch,
        batches: [],
        lastTimestampMs: timestampMs,
        coordinatorEpoch: -1,
        txnFirstOffset: -1,
        seenAt: lastOffset,
      };
      const { perPartition } = this.budget;
      if (this.idleCount >= perPartition) this.shrinkTo(perPartition * KEPT_SHARE);
      this.producers.set(producerId, producer);
      this.noteId(producerId);
    } else if (producer.epoch !== epoch) {
      producer.epoch = epoch;
      producer.batches = [];
    }
    producer.lastTimestampMs = timestampMs;
    producer.seenAt = lastOffset;
    if ((attributes & CONTROL_BIT) !== 0) return this.end(producerId, producer, b, at);
    if ((attributes & TRANSACTIONAL_BIT) !== 0 && producer.txnFirstOffset < 0) {
      producer.txnFirstOffset = batch.baseOffset(b, at);
      this.open.set(producerId, producer.txnFirstOffset);
    }
    const baseSequence = batch.baseSequence(b, at);
    if (baseSequence < 0) return null;
    if (producer.batches.length >= BATCHES_KEPT) producer.batches.shift();
    producer.batches.push({
      baseSequence,
      lastSequence: sequencePlus(baseSequence, batch.lastOffsetDelta(b, at)),
      baseOffset: batch.baseOffset(b, at),
      lastOffset,
    });
    return null;
  }

  private end(
    producerId: number,
    producer: Producer,
    b: Buffer,
    at: number,
  ): EndedTransaction | null {
    const marker = transactionEndOf(b, at);
    if (marker === null) return null;
    producer.coordinatorEpoch = marker.coordinatorEpoch;
    const firstOffset = producer.txnFirstOffset;
    if (firstOffset < 0) return null;
    producer.txnFirstOffset = -1;
    this.open.delete(producerId);
    const lastOffset = batch.lastOffset(b, at);
    this.ended.push({ firstOffset, lastOffset });
    const { committed } = marker;
    const lastStableOffset = this.firstOpenOffset(lastOffset + 1);
    return { producerId, firstOffset, lastOffset, committed, lastStableOffset };
  }

  /** Forgets producers that wrote nothing since `olderThanMs` and have no transaction open. */
  expire(olderThanMs: number): void {
    for (const [producerId, { lastTimestampMs, txnFirstOffset }] of this.producers) {
      if (lastTimestampMs < olderThanMs && txnFirstOffset < 0) this.producers.delete(producerId);
    }
  }

  /** Those that have no transaction open. */
  get idleCount(): number {
    return this.producers.size - this.open.size;
  }

  /**
   * Forgets those that were silent longest until no more than `count` are left that have no transaction open.
   * Each replica reckons from the same log, and where one of them forgets more than another, that producer is
   * to its leader what one is whose time is over.
   */
  shrinkTo(count: number): void {
    const surplus = this.idleCount - Math.floor(count);
    if (surplus <= 0) return;
    const ages = new Float64Array(this.idleCount);
    let i = 0;
    for (const { seenAt, txnFirstOffset } of this.producers.values())
      if (txnFirstOffset < 0) ages[i++] = seenAt;
    const last = ages.sort()[surplus - 1] as number;
    let left = surplus;
    for (const [producerId, { seenAt, txnFirstOffset }] of this.producers) {
      if (txnFirstOffset >= 0 || seenAt > last || left === 0) continue;
      this.producers.delete(producerId);
      left--;
    }
    this.budget.evicted += surplus;
  }

  clear(): void {
    this.producers.clear();
    this.open.clear();
    this.ended = [];
  }

  get isEmpty(): boolean {
    return this.producers.size === 0;
  }

  /** Everything but what holds the last stable offset back until a marker is committed. */
  toSnapshot(): Buffer {
    return encodeProducers(this.producers);
  }

  /** Loads a snapshot in place of what is known; false (and nothing loaded) where it is damaged. */
  load(snapshot: Buffer): boolean {
    const producers = decodeProducers(snapshot);
    if (producers === null) return false;
    this.clear();
    const open: [number, number][] = [];
    for (const [producerId, producer] of producers) {
      this.producers.set(producerId, producer);
      this.noteId(producerId);
      if (producer.txnFirstOffset >= 0) open.push([producerId, producer.txnFirstOffset]);
    }
    for (const [producerId, first] of open.sort((a, b) => a[1] - b[1]))
      this.open.set(producerId, first);
    this.shrinkTo(this.budget.perPartition);
    return true;
  }
}
