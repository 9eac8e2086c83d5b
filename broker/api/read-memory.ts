/** What reading for an answer takes of the memory budget: Fetch and ShareFetch. */
import type { LogRead } from '../log/log-reads.ts';
import type { Slab } from '../log/tail-memory.ts';
import type { AnswerMemory } from '../memory/connection-memory.ts';
import type { Ports } from './ports.ts';

/** Nothing is read for less: a batch of the ordinary size, and what is read beside it. */
export const LEAST_READ_BYTES = 64 * 1024;

/**
 * Nor is more read for one answer, however much a client asks for: it is read and checked in one go, and others
 * wait meanwhile. A batch that is larger is read nevertheless.
 */
export const MOST_READ_BYTES = 16 * 1024 * 1024;

/** What a read keeps in memory: of records at the end of a log themselves, else the buffers that they were read into. */
export function memoryOf({ buffers, byteCount, slabs }: LogRead): number {
  let bytes = byteCount;
  for (let i = 0; i < slabs.length; i++) {
    const slab = slabs[i] as Slab;
    if (slab.batches === 0) bytes = Math.max(bytes, slab.buffer.length);
  }
  if (slabs.length > 0) return bytes;
  for (let i = 0; i < buffers.length; i++)
    bytes = Math.max(bytes, (buffers[i] as Buffer).buffer.byteLength);
  return bytes;
}

/** Larger batches than were granted for are only read by who has the place for large things to himself. */
export function firstBytesMax(memory: AnswerMemory, granted: number): number {
  return granted >= memory.grantBytesMax ? Infinity : granted;
}

/**
 * What an answer refers to, held until it is released: as it was read, or a copy where slow readers hold too
 * much of what is used again.
 */
export function keepForAnswer(tail: Ports['tail'], read: LogRead): LogRead {
  const { buffers, byteCount, slabs } = read;
  const isCopied = tail.isCrowded && slabs.length > 0 && slabs[0]?.isForReading === false;
  if (isCopied)
    return { buffers: buffers.map((bytes) => Buffer.from(bytes)), byteCount, slabs: [] };
  tail.hold(slabs);
  return read;
}
