/**
 * Cuts a byte stream into Kafka frames (int32 size, then the request).
 *
 * All connections read into one shared buffer; a frame that is complete in it is handed out as a
 * view that is only valid during the call. A frame that is not gets a buffer of its own, which
 * grows with what has arrived and never with what was announced.
 */
const SHARED_BYTES = 1024 * 1024;
const FIRST_ALLOCATION_BYTES = 64 * 1024;
const SPARE_BYTES_MAX = 256 * 1024;

export class FrameTooLarge extends Error {}

const shared = Buffer.allocUnsafeSlow(SHARED_BYTES);

export interface FrameSink {
  /** `owned`: the frame's bytes stay valid after the call; otherwise they are reused. */
  onFrame(frame: Buffer, owned: boolean): void;
}

export class FrameReader {
  private readonly sink: FrameSink;
  private readonly frameBytesMax: number;
  /** Bytes of an unfinished frame, its size field included. */
  private partial: Buffer | null = null;
  private have = 0;
  /** The buffer of the last unfinished frame, for the next one: no allocation per frame. */
  private spare: Buffer | null = null;

  constructor(sink: FrameSink, frameBytesMax: number) {
    this.sink = sink;
    this.frameBytesMax = frameBytesMax;
  }

  /** Where the next bytes of the socket may go. */
  next(): Buffer {
    if (this.partial === null) return shared;
    if (this.have === this.partial.length) this.grow();
    return this.partial.subarray(this.have, Math.min(this.partial.length, this.need()));
  }

  /** Size of the unfinished frame with its size field; at least the size field itself. */
  private need(): number {
    if (this.partial === null || this.have < 4) return 4;
    return this.partial.readInt32BE(0) + 4;
  }

  private grow(): void {
    const before = this.partial as Buffer;
    const bytes = Math.min(
      Math.max(2 * before.length, FIRST_ALLOCATION_BYTES),
      Math.max(this.need(), before.length),
    );
    const grown = Buffer.allocUnsafeSlow(bytes);
    before.copy(grown, 0, 0, this.have);
    this.partial = grown;
  }

  /** `byteCount` bytes have arrived in the buffer that `next` gave. */
  onRead(byteCount: number): void {
    if (this.partial === null) {
      this.cut(shared, byteCount);
      return;
    }
    this.have += byteCount;
    if (this.have < 4) return;
    this.checkSize(this.partial.readInt32BE(0));
    if (this.have < this.need()) {
      if (this.have === this.partial.length) this.grow();
      return;
    }
    const { partial } = this;
    const frame = partial.subarray(4, this.need());
    this.partial = null;
    this.have = 0;
    this.sink.onFrame(frame, partial.length > SPARE_BYTES_MAX);
    if (partial.length <= SPARE_BYTES_MAX) this.spare = partial;
  }

  /** Bytes that arrived in a buffer of somebody else's (TLS, tests). */
  onBytes(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.partial === null) {
        this.cut(bytes, bytes.length, at);
        return;
      }
      const target = this.next();
      const count = bytes.copy(target, 0, at, Math.min(bytes.length, at + target.length));
      at += count;
      this.onRead(count);
    }
  }

  private checkSize(size: number): void {
    if (size < 0 || size > this.frameBytesMax) {
      throw new FrameTooLarge(
        `a request must not exceed socket.request.max.bytes (${this.frameBytesMax}), it announces ${size}`,
      );
    }
  }

  private cut(bytes: Buffer, end: number, start = 0): void {
    let at = start;
    while (end - at >= 4) {
      const size = bytes.readInt32BE(at);
      this.checkSize(size);
      if (end - at - 4 < size) break;
      this.sink.onFrame(bytes.subarray(at + 4, at + 4 + size), false);
      at += 4 + size;
    }
    if (at === end) return;
    const left = end - at;
    const size = left >= 4 ? bytes.readInt32BE(at) + 4 : FIRST_ALLOCATION_BYTES;
    const wanted = Math.max(left, Math.min(size, Math.max(2 * left, FIRST_ALLOCATION_BYTES)));
    this.partial =
      this.spare !== null && this.spare.length >= wanted
        ? this.spare
        : Buffer.allocUnsafeSlow(wanted);
    this.spare = null;
    bytes.copy(this.partial, 0, at, end);
    this.have = left;
  }
}
