/**
 * Sparse indexes of one segment in Kafka's file formats. Pure; held as typed arrays.
 *
 * `.index`: (offset - base) int32, position int32: the last offset of a batch and where it begins.
 * `.timeindex`: timestamp int64, (offset - base) int32: the largest timestamp so far.
 */
import { readInt64At, writeInt64At } from '../../proto/kafka/cursor.ts';

const INDEX_ENTRY_BYTES = 8;
const TIME_ENTRY_BYTES = 12;

function grown<T extends Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

export class OffsetIndex {
  private data = new Int32Array(32);
  length = 0;

  add(relativeOffset: number, position: number): void {
    if (this.length * 2 + 2 > this.data.length) {
      this.data = grown(this.data, new Int32Array(this.data.length * 2));
    }
    this.data[this.length * 2] = relativeOffset;
    this.data[this.length * 2 + 1] = position;
    this.length++;
  }

  /** A position at or before the batch that holds `relativeOffset`. */
  positionFor(relativeOffset: number): number {
    return this.entryFor(relativeOffset).position;
  }

  /** Where the last indexed batch begins that ends at or before `relativeOffset`, and its last offset. */
  entryFor(relativeOffset: number): { position: number; relativeOffset: number | null } {
    const row = this.firstBehind(0, relativeOffset) - 1;
    if (row < 0) return { position: 0, relativeOffset: null };
    return {
      position: this.data[row * 2 + 1] as number,
      relativeOffset: this.data[row * 2] as number,
    };
  }

  /** The first indexed position behind `position`; null: none is. */
  positionBehind(position: number): number | null {
    const row = this.firstBehind(1, position);
    return row === this.length ? null : (this.data[row * 2 + 1] as number);
  }

  /** The first row of which the column is larger. */
  private firstBehind(column: 0 | 1, value: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.data[middle * 2 + column] as number) <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  *entries(): Generator<{ relativeOffset: number; position: number }> {
    for (let i = 0; i < this.length; i++)
      yield {
        relativeOffset: this.data[i * 2] as number,
        position: this.data[i * 2 + 1] as number,
      };
  }

  /** Drops entries of batches that begin at or after `position`. */
  truncate(position: number): void {
    while (this.length > 0 && (this.data[this.length * 2 - 1] as number) >= position) this.length--;
  }

  toBytes(): Buffer {
    const bytes = Buffer.alloc(this.length * INDEX_ENTRY_BYTES);
    for (let i = 0; i < this.length * 2; i++) bytes.writeInt32BE(this.data[i] as number, i * 4);
    return bytes;
  }

  /** Null where that is no index of a file of so many bytes. */
  static fromBytes(bytes: Buffer, fileBytes: number): OffsetIndex | null {
    if (bytes.length % INDEX_ENTRY_BYTES !== 0) return null;
    const index = new OffsetIndex();
    let before = { offset: -1, position: 0 };
    for (let at = 0; at < bytes.length; at += INDEX_ENTRY_BYTES) {
      const offset = bytes.readInt32BE(at);
      const position = bytes.readInt32BE(at + 4);
      if (offset <= before.offset || position <= before.position || position >= fileBytes)
        return null;
      index.add(offset, position);
      before = { offset, position };
    }
    return index;
  }
}

export class TimeIndex {
  private timestamps = new Float64Array(16);
  private offsets = new Int32Array(16);
  length = 0;

  add(timestampMs: number, relativeOffset: number): void {
    if (this.length > 0 && timestampMs <= (this.timestamps[this.length - 1] as number)) return;
    if (this.length === this.offsets.length) {
      this.timestamps = grown(this.timestamps, new Float64Array(this.length * 2));
      this.offsets = grown(this.offsets, new Int32Array(this.length * 2));
    }
    this.timestamps[this.length] = timestampMs;
    this.offsets[this.length] = relativeOffset;
    this.length++;
  }

  /** A relative offset before which every record is older than `timestampMs`. */
  offsetBefore(timestampMs: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.timestamps[middle] as number) < timestampMs) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : (this.offsets[low - 1] as number);
  }

  get last(): { timestampMs: number; relativeOffset: number } | null {
    if (this.length === 0) return null;
    const i = this.length - 1;
    return {
      timestampMs: this.timestamps[i] as number,
      relativeOffset: this.offsets[i] as number,
    };
  }

  *entries(): Generator<{ timestampMs: number; relativeOffset: number }> {
    for (let i = 0; i < this.length; i++)
      yield {
        timestampMs: this.timestamps[i] as number,
        relativeOffset: this.offsets[i] as number,
      };
  }

  truncate(relativeOffset: number): void {
    while (this.length > 0 && (this.offsets[this.length - 1] as number) >= relativeOffset)
      this.length--;
  }

  toBytes(): Buffer {
    const bytes = Buffer.alloc(this.length * TIME_ENTRY_BYTES);
    for (let i = 0; i < this.length; i++) {
      writeInt64At(bytes, this.timestamps[i] as number, i * TIME_ENTRY_BYTES);
      bytes.writeInt32BE(this.offsets[i] as number, i * TIME_ENTRY_BYTES + 8);
    }
    return bytes;
  }

  /** Null where that is no index. */
  static fromBytes(bytes: Buffer): TimeIndex | null {
    if (bytes.length % TIME_ENTRY_BYTES !== 0) return null;
    const index = new TimeIndex();
    let before = { timestampMs: -1, offset: -1 };
    for (let at = 0; at < bytes.length; at += TIME_ENTRY_BYTES) {
      const timestampMs = readInt64At(bytes, at);
      const offset = bytes.readInt32BE(at + 8);
      if (!Number.isSafeInteger(timestampMs) || timestampMs <= before.timestampMs) return null;
      if (offset < before.offset || offset < 0) return null;
      index.add(timestampMs, offset);
      before = { timestampMs, offset };
    }
    return index;
  }
}
