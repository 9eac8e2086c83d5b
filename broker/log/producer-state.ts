/**
 * What a partition remembers of its producers: enough to tell a repeat from a gap, and which of
 * them have a transaction open. Pure; rebuilt from batches, so it survives restart and failover.
 * Sources: KIP-98, KIP-360, KIP-890.
 */

import { Reader, Writer } from '../../proto/kafka/cursor.ts';
import type { ErrorName } from '../../proto/kafka/errors.ts';
import {
  batch,
  CONTROL_BIT,
  TRANSACTIONAL_BIT,
  transactionEndOf,
} from '../../proto/kafka/record-batch.ts';
import { crc32c } from '../../stdx/crc32c.ts';

/** Kafka keeps this many, so a producer may have as many requests in flight. */
const BATCHES_KEPT = 5;
const SEQUENCES = 0x8000_0000;

export interface ProducerBatch {
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly timestampMs: number;
}

export interface Producer {
  epoch: number;
  batches: ProducerBatch[];
  lastTimestampMs: number;
  /** Of the coordinator that wrote the last marker; -1 before the first. */
  coordinatorEpoch: number;
  /** First offset of the open transaction; -1 while there is none. */
  txnFirstOffset: number;
}

/** A transaction that a marker just ended. */
export interface EndedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly committed: boolean;
  readonly lastStableOffset: number;
}

export type SequenceVerdict =
  | { readonly kind: 'append' }
  | { readonly kind: 'duplicate'; readonly of: ProducerBatch }
  | { readonly kind: 'refuse'; readonly error: ErrorName };

const APPEND: SequenceVerdict = { kind: 'append' };
const refused = (error: ErrorName): SequenceVerdict => ({ kind: 'refuse', error });

/** Sequences wrap to 0 after 2^31-1. */
export function sequencePlus(sequence: number, delta: number): number {
  return (sequence + delta) % SEQUENCES;
}

export interface MarkerRequest {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly committed: boolean;
  /** 2 and up: the epoch was bumped for the marker (KIP-890, KIP-1228). */
  readonly transactionVersion: number;
}

export class ProducerState {
  private readonly producers = new Map<number, Producer>();
  /** First offsets of open transactions by producer, in the order of those offsets. */
  private readonly open = new Map<number, number>();
  /** Ended, but the marker may not be committed yet: they hold the last stable offset back. */
  private ended: { readonly firstOffset: number; readonly lastOffset: number }[] = [];
  /** The highest id that was ever seen here, also of producers that were forgotten; -1 before any. */
  idMax = -1;

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

  /** What to do with the batch at `at` of a client's request. */
  judge(b: Buffer, at: number): SequenceVerdict {
    const producerId = batch.producerId(b, at);
    if (producerId < 0) return APPEND;
    const producer = this.producers.get(producerId);
    // Expired or deleted state accepts any sequence: the coordinator vouches for the epoch.
    if (producer === undefined) return APPEND;
    const epoch = batch.producerEpoch(b, at);
    if (epoch < producer.epoch) return refused('INVALID_PRODUCER_EPOCH');
    const isTransactional = (batch.attributes(b, at) & TRANSACTIONAL_BIT) !== 0;
    if (!isTransactional && producer.txnFirstOffset >= 0) return refused('INVALID_TXN_STATE');
    const baseSequence = batch.baseSequence(b, at);
    // Only coordinators write without a sequence.
    if (baseSequence < 0) return APPEND;
    if (epoch > producer.epoch)
      return baseSequence === 0 ? APPEND : refused('OUT_OF_ORDER_SEQUENCE_NUMBER');
    const lastSequence = sequencePlus(baseSequence, batch.lastOffsetDelta(b, at));
    const repeat = producer.batches.find(
      (known) => known.baseSequence === baseSequence && known.lastSequence === lastSequence,
    );
    if (repeat !== undefined) return { kind: 'duplicate', of: repeat };
    const last = producer.batches.at(-1);
    if (last === undefined || baseSequence === sequencePlus(last.lastSequence, 1)) return APPEND;
    return refused('OUT_OF_ORDER_SEQUENCE_NUMBER');
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
    if (producer === undefined) {
      producer = {
        epoch,
        batches: [],
        lastTimestampMs: timestampMs,
        coordinatorEpoch: -1,
        txnFirstOffset: -1,
      };
      this.producers.set(producerId, producer);
      if (producerId > this.idMax) this.idMax = producerId;
    } else if (producer.epoch !== epoch) {
      producer.epoch = epoch;
      producer.batches = [];
    }
    producer.lastTimestampMs = timestampMs;
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
      lastOffset: batch.lastOffset(b, at),
      timestampMs,
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

  clear(): void {
    this.producers.clear();
    this.open.clear();
    this.ended = [];
  }

  /** Kafka's producer snapshot file, version 1: the last batch of each producer. */
  get isEmpty(): boolean {
    return this.producers.size === 0;
  }

  toSnapshot(): Buffer {
    const w = new Writer(256);
    w.int32(this.producers.size);
    for (const [producerId, producer] of this.producers) {
      const last = producer.batches.at(-1);
      w.int64(producerId);
      w.int16(producer.epoch);
      w.int32(last?.lastSequence ?? -1);
      w.int64(last?.lastOffset ?? -1);
      w.int32(last === undefined ? 0 : last.lastOffset - last.baseOffset);
      w.int64(producer.lastTimestampMs);
      w.int32(producer.coordinatorEpoch);
      w.int64(producer.txnFirstOffset);
    }
    const body = w.toBuffer();
    const head = Buffer.alloc(6);
    head.writeInt16BE(1, 0);
    head.writeUInt32BE(crc32c(body), 2);
    return Buffer.concat([head, body]);
  }

  /** Loads a snapshot; false (and nothing loaded) where it is damaged. */
  load(snapshot: Buffer): boolean {
    if (snapshot.length < 10 || snapshot.readInt16BE(0) !== 1) return false;
    if (snapshot.readUInt32BE(2) !== crc32c(snapshot, 6)) return false;
    const r = new Reader(snapshot, 6);
    const open: [number, number][] = [];
    for (let left = r.arrayLength(r.int32()); left > 0; left--) {
      const producerId = r.int64();
      const epoch = r.int16();
      const lastSequence = r.int32();
      const lastOffset = r.int64();
      const delta = r.int32();
      const lastTimestampMs = r.int64();
      const coordinatorEpoch = r.int32();
      const txnFirstOffset = r.int64();
      const baseSequence = (lastSequence - delta + SEQUENCES) % SEQUENCES;
      const baseOffset = lastOffset - delta;
      const last = {
        baseSequence,
        lastSequence,
        baseOffset,
        lastOffset,
        timestampMs: lastTimestampMs,
      };
      this.producers.set(producerId, {
        epoch,
        batches: lastSequence < 0 ? [] : [last],
        lastTimestampMs,
        coordinatorEpoch,
        txnFirstOffset,
      });
      if (producerId > this.idMax) this.idMax = producerId;
      if (txnFirstOffset >= 0) open.push([producerId, txnFirstOffset]);
    }
    for (const [producerId, first] of open.sort((a, b) => a[1] - b[1]))
      this.open.set(producerId, first);
    return true;
  }
}
