/**
 * The aborted transactions of one segment: what a reader of committed records must skip. In
 * Kafka's `.txnindex` format, so that its own tools can read it. Source: KIP-98.
 *
 *     version int16 | producerId int64 | firstOffset int64 | lastOffset int64 | lastStableOffset int64
 */

import { readInt64At, writeInt64At } from '../../proto/kafka/cursor.ts';
import { crc32c } from '../../stdx/crc32c.ts';

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

export function abortedSum(aborted: readonly AbortedTransaction[]): number {
  return crc32c(Buffer.concat(aborted.map(abortedToBytes)));
}

/**
 * Whole entries only: a torn last one belongs to a marker that the scan will find again.
 * Null where an entry makes no sense.
 */
export function abortedFromBytes(b: Buffer): AbortedTransaction[] | null {
  const found: AbortedTransaction[] = [];
  let before = -1;
  for (let at = 0; at + ABORTED_BYTES <= b.length; at += ABORTED_BYTES) {
    const aborted = {
      producerId: readInt64At(b, at + 2),
      firstOffset: readInt64At(b, at + 10),
      lastOffset: readInt64At(b, at + 18),
      lastStableOffset: readInt64At(b, at + 26),
    };
    const { firstOffset, lastOffset, lastStableOffset, producerId } = aborted;
    const isSound =
      b.readInt16BE(at) === 0 &&
      [producerId, firstOffset, lastOffset, lastStableOffset].every(Number.isSafeInteger) &&
      producerId >= 0 &&
      firstOffset >= 0 &&
      firstOffset < lastOffset &&
      lastOffset > before &&
      lastStableOffset >= 0 &&
      lastStableOffset <= lastOffset + 1;
    if (!isSound) return null;
    found.push(aborted);
    before = lastOffset;
  }
  return found;
}
