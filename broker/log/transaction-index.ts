/**
 * The aborted transactions of one segment: what a reader of committed records must skip. In
 * Kafka's `.txnindex` format, so that its own tools can read it. Source: KIP-98.
 *
 *     version int16 | producerId int64 | firstOffset int64 | lastOffset int64 | lastStableOffset int64
 */
import { readInt64At, writeInt64At } from '../../proto/kafka/cursor.ts';

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** Offset of the marker. */
  readonly lastOffset: number;
  /** The last stable offset right after the marker. */
  readonly lastStableOffset: number;
}

export const ABORTED_BYTES = 34;

export function abortedToBytes(aborted: AbortedTransaction): Buffer {
  const b = Buffer.alloc(ABORTED_BYTES);
  writeInt64At(b, aborted.producerId, 2);
  writeInt64At(b, aborted.firstOffset, 10);
  writeInt64At(b, aborted.lastOffset, 18);
  writeInt64At(b, aborted.lastStableOffset, 26);
  return b;
}

/** Whole entries only: a torn last one belongs to a marker that the scan will find again. */
export function abortedFromBytes(b: Buffer): AbortedTransaction[] {
  const found: AbortedTransaction[] = [];
  for (let at = 0; at + ABORTED_BYTES <= b.length; at += ABORTED_BYTES) {
    found.push({
      producerId: readInt64At(b, at + 2),
      firstOffset: readInt64At(b, at + 10),
      lastOffset: readInt64At(b, at + 18),
      lastStableOffset: readInt64At(b, at + 26),
    });
  }
  return found;
}
