/**
 * Buffers of frames that have not arrived as a whole, in a few sizes, used again by all connections. Larger ones
 * go back to the system as soon as they are released: the garbage collector sees an object of some bytes.
 */
import { assert } from '../../stdx/assert.ts';

/** Size, and how many of them are kept. */
const CLASSES: readonly {
  readonly size: number;
  readonly kept: number;
  readonly spare: Buffer[];
}[] = [
  { size: 4 * 1024, kept: 64, spare: [] },
  { size: 16 * 1024, kept: 32, spare: [] },
  { size: 64 * 1024, kept: 32, spare: [] },
  { size: 256 * 1024, kept: 16, spare: [] },
];

/** How large a buffer for so many bytes really is: that is what is charged. */
export function frameBufferSize(byteCount: number): number {
  for (const { size } of CLASSES) if (byteCount <= size) return size;
  return byteCount;
}

/** A buffer of one of those sizes, with what it was used for before. */
export function frameBuffer(size: number): Buffer {
  for (const { size: own, spare } of CLASSES)
    if (size === own) return spare.pop() ?? Buffer.allocUnsafeSlow(own);
  return Buffer.allocUnsafeSlow(size);
}

/** Nobody refers to the buffer any more, the socket's handle included. */
export function releaseFrameBuffer(buffer: Buffer): void {
  for (const { size, kept, spare } of CLASSES) {
    if (size !== buffer.length) continue;
    assert(!spare.includes(buffer), 'a buffer is released once');
    if (spare.length < kept) spare.push(buffer);
    return;
  }
  (buffer.buffer as ArrayBuffer).transfer(0);
}
