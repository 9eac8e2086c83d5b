/**
 * What a partition remembers of its idempotent producers: enough to tell a repeat from a gap.
 * Pure; rebuilt from batch headers, so it survives restart and failover. Source: KIP-98, KIP-360.
 */

import { Reader, Writer } from '../../proto/kafka/cursor.ts';
import type { ErrorName } from '../../proto/kafka/errors.ts';
import { batch } from '../../proto/kafka/record-batch.ts';
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

interface Producer {
  epoch: number;
  batches: ProducerBatch[];
  lastTimestampMs: number;
}

export type SequenceVerdict =
  | { readonly kind: 'append' }
  | { readonly kind: 'duplicate'; readonly of: ProducerBatch }
  | { readonly kind: 'refuse'; readonly error: ErrorName };

const APPEND: SequenceVerdict = { kind: 'append' };

/** Sequences wrap to 0 after 2^31-1. */
export function sequencePlus(sequence: number, delta: number): number {
  return (sequence + delta) % SEQUENCES;
}

export class ProducerState {
  private readonly producers = new Map<number, Producer>();

  get producerCount(): number {
    return this.producers.size;
  }

  /** What to do with the batch at `at` of a client's request. */
  judge(b: Buffer, at: number): SequenceVerdict {
    const producerId = batch.producerId(b, at);
    if (producerId < 0) return APPEND;
    const producer = this.producers.get(producerId);
    // Expired or deleted state accepts any sequence: the coordinator vouches for the epoch.
    if (producer === undefined) return APPEND;
    const epoch = batch.producerEpoch(b, at);
    const baseSequence = batch.baseSequence(b, at);
    if (epoch < producer.epoch) return { kind: 'refuse', error: 'INVALID_PRODUCER_EPOCH' };
    if (epoch > producer.epoch) {
      return baseSequence === 0
        ? APPEND
        : { kind: 'refuse', error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' };
    }
    const lastSequence = sequencePlus(baseSequence, batch.lastOffsetDelta(b, at));
    const repeat = producer.batches.find(
      (known) => known.baseSequence === baseSequence && known.lastSequence === lastSequence,
    );
    if (repeat !== undefined) return { kind: 'duplicate', of: repeat };
    const last = producer.batches.at(-1);
    if (last === undefined || baseSequence === sequencePlus(last.lastSequence, 1)) return APPEND;
    return { kind: 'refuse', error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' };
  }

  /** Takes note of a batch that is now in the log. */
  observe(b: Buffer, at: number): void {
    const producerId = batch.producerId(b, at);
    if (producerId < 0) return;
    const epoch = batch.producerEpoch(b, at);
    const timestampMs = batch.maxTimestamp(b, at);
    let producer = this.producers.get(producerId);
    if (producer === undefined || producer.epoch !== epoch) {
      producer = { epoch, batches: [], lastTimestampMs: timestampMs };
      this.producers.set(producerId, producer);
    }
    producer.lastTimestampMs = timestampMs;
    const baseSequence = batch.baseSequence(b, at);
    if (baseSequence < 0) return; // Control batches carry no sequence.
    if (producer.batches.length >= BATCHES_KEPT) producer.batches.shift();
    producer.batches.push({
      baseSequence,
      lastSequence: sequencePlus(baseSequence, batch.lastOffsetDelta(b, at)),
      baseOffset: batch.baseOffset(b, at),
      lastOffset: batch.lastOffset(b, at),
      timestampMs,
    });
  }

  /** Forgets producers that wrote nothing since `olderThanMs`. */
  expire(olderThanMs: number): void {
    for (const [producerId, { lastTimestampMs }] of this.producers) {
      if (lastTimestampMs < olderThanMs) this.producers.delete(producerId);
    }
  }

  clear(): void {
    this.producers.clear();
  }

  /** Kafka's producer snapshot file, version 1: the last batch of each producer. */
  toSnapshot(): Buffer {
    const w = new Writer(256);
    w.int32(this.producers.size);
    for (const [producerId, { epoch, batches, lastTimestampMs }] of this.producers) {
      const last = batches.at(-1);
      w.int64(producerId);
      w.int16(epoch);
      w.int32(last?.lastSequence ?? -1);
      w.int64(last?.lastOffset ?? -1);
      w.int32(last === undefined ? 0 : last.lastOffset - last.baseOffset);
      w.int64(lastTimestampMs);
      w.int32(-1); // coordinator epoch
      w.int64(-1); // first offset of an open transaction
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
    for (let left = r.arrayLength(r.int32()); left > 0; left--) {
      const producerId = r.int64();
      const epoch = r.int16();
      const lastSequence = r.int32();
      const lastOffset = r.int64();
      const delta = r.int32();
      const lastTimestampMs = r.int64();
      r.take(12);
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
      });
    }
    return true;
  }
}
