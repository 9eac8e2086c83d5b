/**
 * Kafka's producer snapshot file, version 1: the last batch of each producer. Behind it, under the
 * same checksum and where Kafka's reader does not look, the batches before that one: without them a
 * producer with several requests in flight could not repeat what it has no answer to.
 */

import { MalformedMessage, Reader, Writer } from '../../proto/kafka/cursor.ts';
import { crc32c } from '../../stdx/crc32c.ts';
import { BATCHES_KEPT, type Producer, type ProducerBatch, sequencePlus } from './sequence-core.ts';

const VERSION = 1;
const HEAD_BYTES = 6;
/** Before the earlier batches of each producer. */
const EARLIER = 0x54_35_42_01;
/** Before where each producer was seen last; behind the earlier batches. */
const SEEN = 0x54_53_41_01;
const PRODUCER_BYTES = 46;
/** What the numbers of the earlier batches can hold. */
const GAP_MAX = 2 ** 34;

export function encodeProducers(producers: ReadonlyMap<number, Producer>): Buffer {
  const w = new Writer(256);
  w.int32(producers.size);
  for (const [producerId, producer] of producers) {
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
  w.int32(EARLIER);
  for (const { batches } of producers.values()) encodeEarlier(w, batches);
  encodeSeen(w, producers);
  const body = w.toBuffer();
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeInt16BE(VERSION, 0);
  head.writeUInt32BE(crc32c(body), 2);
  return Buffer.concat([head, body]);
}

/** Each by its distance to the newest of all, no further back than a number can hold. */
function encodeSeen(w: Writer, producers: ReadonlyMap<number, Producer>): void {
  let newest = -1;
  for (const { seenAt } of producers.values()) newest = Math.max(newest, seenAt);
  w.int32(SEEN);
  w.int64(newest);
  for (const { seenAt } of producers.values()) w.uvarint(Math.min(newest - seenAt, GAP_MAX));
}

/** From the last but one back, each by its distance to the one after it. */
function encodeEarlier(w: Writer, batches: readonly ProducerBatch[]): void {
  const first = batches.findLastIndex(
    ({ baseOffset }, i) =>
      i + 1 < batches.length && offsetOf(batches, i + 1) - baseOffset > GAP_MAX,
  );
  const earlier = batches.slice(first + 1, -1);
  w.int8(earlier.length);
  for (let i = batches.length - 2; i > first; i--) {
    const { baseOffset, lastOffset, lastSequence } = batches[i] as ProducerBatch;
    const next = batches[i + 1] as ProducerBatch;
    w.uvarint(next.baseOffset - lastOffset);
    w.uvarint(lastOffset - baseOffset);
    w.uvarint(sequencePlus(next.baseSequence, -lastSequence));
  }
}

const offsetOf = (batches: readonly ProducerBatch[], i: number) =>
  (batches[i] as ProducerBatch).baseOffset;

/** @returns null where the snapshot is damaged. */
export function decodeProducers(snapshot: Buffer): Map<number, Producer> | null {
  if (snapshot.length < HEAD_BYTES + 4 || snapshot.readInt16BE(0) !== VERSION) return null;
  if (snapshot.readUInt32BE(2) !== crc32c(snapshot, HEAD_BYTES)) return null;
  try {
    return decode(new Reader(snapshot, HEAD_BYTES));
  } catch {
    return null; // Its checksum is right, so it was written wrongly: the log tells instead.
  }
}

function decode(r: Reader): Map<number, Producer> {
  const producers = new Map<number, Producer>();
  const count = r.int32();
  // Whoever wrote it may have remembered more than is remembered here.
  if (count < 0 || count * PRODUCER_BYTES > r.remaining)
    throw new MalformedMessage(`${count} producers must fit into the ${r.remaining} bytes left`);
  for (let left = count; left > 0; left--) {
    const producerId = r.int64();
    const epoch = r.int16();
    const lastSequence = r.int32();
    const lastOffset = r.int64();
    const delta = r.int32();
    const producer: Producer = {
      epoch,
      batches: lastSequence < 0 ? [] : [batchOf(lastSequence, lastOffset, delta)],
      lastTimestampMs: r.int64(),
      coordinatorEpoch: r.int32(),
      txnFirstOffset: r.int64(),
      seenAt: lastOffset,
    };
    producers.set(producerId, producer);
  }
  // An older version's, or Kafka's.
  if (r.remaining < 4 || r.int32() !== EARLIER) return producers;
  for (const { batches } of producers.values()) {
    for (let left = Math.min(r.int8(), BATCHES_KEPT - 1); left > 0; left--) {
      const next = batches[0] as ProducerBatch;
      const lastOffset = next.baseOffset - r.uvarint();
      const delta = r.uvarint();
      batches.unshift(batchOf(sequencePlus(next.baseSequence, -r.uvarint()), lastOffset, delta));
    }
  }
  if (r.remaining < 4 || r.int32() !== SEEN) return producers;
  const newest = r.int64();
  for (const producer of producers.values()) producer.seenAt = newest - r.uvarint();
  return producers;
}

function batchOf(lastSequence: number, lastOffset: number, delta: number): ProducerBatch {
  return {
    baseSequence: sequencePlus(lastSequence, -delta),
    lastSequence,
    baseOffset: lastOffset - delta,
    lastOffset,
  };
}
