/**
 * Batches as they lie in a file: the one place where what can be read is told from what cannot. Every
 * reader of stored batches goes through a `BatchWalk`: each step gets further, or says what is damaged.
 */
import { BATCH_HEADER_BYTES, batch, batchFault } from '../../proto/kafka/record-batch.ts';
import { crc32c } from '../../stdx/crc32c.ts';

export type StoredFault =
  /** The file ends before the bytes that are known to be in it. */
  | 'missing'
  /** Shorter than a header, or longer than there is room for. */
  | 'length'
  | 'magic'
  | 'crc'
  | 'count'
  /** Not where the log has such offsets. */
  | 'offset'
  /** Not the epoch that wrote such offsets. */
  | 'epoch'
  /** The disk does not give it back. */
  | 'unreadable'
  /** An index that cannot be one of this segment. */
  | 'index';

/** What was once written whole is not that any more: neither our bug nor a disk that refuses. */
export class DamagedLog extends Error {
  readonly path: string;
  /** Of the segment in which it lies. */
  readonly baseOffset: number;
  readonly position: number;
  readonly fault: StoredFault;

  constructor(of: {
    path: string;
    baseOffset: number;
    position: number;
    fault: StoredFault;
  }) {
    super(`${of.path} is damaged at byte ${of.position} (${of.fault})`);
    this.path = of.path;
    this.baseOffset = of.baseOffset;
    this.position = of.position;
    this.fault = of.fault;
  }
}

/** What is known of a file of batches without reading it. */
export interface BatchFileBounds {
  readonly path: string;
  /** No batch in it begins before this offset. */
  readonly baseOffset: number;
  /** Where the last batch ends. */
  readonly byteCount: number;
  /** No batch in it reaches this offset. */
  readonly endOffset: number;
  /** The leader epoch that wrote an offset, -1 where that is not known. */
  readonly epochAt: (offset: number) => number;
  /** The first place behind a position where a batch is known to begin, or the end of the file. */
  readonly nextKnown: (position: number) => number;
}

/** Of a file of which nothing else is known yet. */
export function unknownBounds(
  path: string,
  of: { readonly baseOffset: number; readonly byteCount: number; readonly endOffset?: number },
): BatchFileBounds {
  const { baseOffset, byteCount } = of;
  // Indexes count offsets in 31 bits.
  const endOffset = Math.min(of.endOffset ?? Infinity, baseOffset + 0x8000_0000);
  const epochAt = () => -1;
  return { path, baseOffset, byteCount, endOffset, epochAt, nextKnown: () => byteCount };
}

/** Where a walk may begin. */
export interface IndexedBatch {
  readonly position: number;
  /** Of the batch there, if that is known. */
  readonly lastOffset: number | null;
}

/** What may be read for one batch because its header says so; more must agree with what else is known. */
const LARGE_BYTES = 1024 * 1024;

/** The walk needs bytes beyond those at hand. */
export const MORE = -1;

/** Goes from batch to batch through bytes of a file and checks each; offsets and epochs must go on. */
export class BatchWalk {
  private readonly bounds: BatchFileBounds;
  /** Where the next batch begins in the file. */
  position: number;
  /** No batch from here on has a lower offset. */
  nextOffset: number;
  /** The last offset of the next batch, where an index says it. */
  private expected: number | null;
  private epoch = -1;
  /** Where the last batch began, if offsets are missing before it, and what offset was possible there. */
  private gap: { readonly position: number; readonly nextOffset: number } | null = null;
  /** Bytes of the next batch, once its header was seen; else of a header. */
  wanted = BATCH_HEADER_BYTES;

  constructor(bounds: BatchFileBounds, from: IndexedBatch = { position: 0, lastOffset: null }) {
    this.bounds = bounds;
    this.position = from.position;
    this.expected = from.lastOffset;
    this.nextOffset = bounds.baseOffset;
  }

  get isAtEnd(): boolean {
    return this.position >= this.bounds.byteCount;
  }

  private damaged(fault: StoredFault, position = this.position): DamagedLog {
    const { path, baseOffset } = this.bounds;
    return new DamagedLog({ path, baseOffset, position, fault });
  }

  /** Checks the header of the next batch, if it is at hand: it may tell of the batch before it. */
  peek(b: Buffer, at: number, end: number): void {
    const fault = this.isAtEnd ? null : this.headerFault(b, at, end);
    if (fault !== null) throw this.damaged(fault, this.suspect(fault, b, at));
  }

  /** Offsets that fall where they had left some out before: it was that batch which said too much. */
  private suspect(fault: StoredFault, b: Buffer, at: number): number {
    const { gap, position } = this;
    if (fault !== 'offset' || gap === null) return position;
    const base = batch.baseOffset(b, at);
    return base >= gap.nextOffset && base < this.nextOffset ? gap.position : position;
  }

  /** Nothing was read where bytes are known to be. */
  missing(): DamagedLog {
    return this.damaged('missing');
  }

  tooLong(): DamagedLog {
    return this.damaged('length');
  }

  /**
   * Takes the batch at `at` of bytes that end at `end`.
   * @returns where it ends in the bytes, or MORE: not all of it is at hand
   * @throws DamagedLog
   */
  step(b: Buffer, at: number, end: number): number {
    const fault = this.headerFault(b, at, end);
    if (fault !== null) throw this.damaged(fault, this.suspect(fault, b, at));
    const size = end - at < BATCH_HEADER_BYTES ? BATCH_HEADER_BYTES : batch.byteCount(b, at);
    this.wanted = size;
    if (at + size > end) return MORE;
    const content = batchFault(b, at, end);
    if (content !== null) throw this.damaged(content === 'truncated' ? 'length' : content);
    const { nextOffset, position } = this;
    this.gap = batch.baseOffset(b, at) > nextOffset ? { nextOffset, position } : null;
    this.nextOffset = batch.lastOffset(b, at) + 1;
    this.epoch = batch.leaderEpoch(b, at);
    this.expected = null;
    this.position += size;
    this.wanted = BATCH_HEADER_BYTES;
    return at + size;
  }

  /** What is wrong with the header of the next batch as far as it is at hand; null: nothing. */
  private headerFault(b: Buffer, at: number, end: number): StoredFault | null {
    const { bounds, position } = this;
    const left = bounds.byteCount - position;
    if (left < BATCH_HEADER_BYTES) return 'length';
    if (end - at < BATCH_HEADER_BYTES) return null;
    const size = batch.byteCount(b, at);
    if (size < BATCH_HEADER_BYTES || size > left) return 'length';
    if (size > LARGE_BYTES && position + size > bounds.nextKnown(position)) return 'length';
    if (batch.magic(b, at) !== 2) return 'magic';
    const base = batch.baseOffset(b, at);
    // What is no offset at all is read as something else than a number.
    if (!Number.isSafeInteger(base)) return 'offset';
    const last = base + batch.lastOffsetDelta(b, at);
    if (!(base >= this.nextOffset && last >= base && last < bounds.endOffset)) return 'offset';
    if (this.expected !== null && last !== this.expected) return 'offset';
    const epoch = batch.leaderEpoch(b, at);
    if (epoch === this.epoch) return null;
    const known = bounds.epochAt(base);
    return known === -1 || known === epoch ? null : 'epoch';
  }
}

/** Windows in which a file is read through. */
const WINDOW_BYTES = 1024 * 1024;

export interface ReadableFile {
  readAt(position: number, target: Buffer): number;
}

export interface ReadableLater {
  readAtLater(position: number, target: Buffer): Promise<number>;
}

/**
 * Reads batches one after the other from where a walk stands, and gives each to `visit`, until that
 * returns false or the file ends.
 * @throws DamagedLog
 */
export function readBatches(
  file: ReadableFile,
  bounds: BatchFileBounds,
  walk: BatchWalk,
  visit: (b: Buffer, at: number, position: number) => boolean | undefined | void,
): void {
  let window = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, bounds.byteCount - walk.position));
  while (!walk.isAtEnd) {
    const start = walk.position;
    const count = Math.min(file.readAt(start, window), bounds.byteCount - start);
    let at = 0;
    while (at < count) {
      const position = start + at;
      const end = walk.step(window, at, count);
      if (end === MORE) break;
      if (visit(window, at, position) === false) return;
      at = end;
    }
    if (at > 0) continue;
    if (count < Math.min(window.length, bounds.byteCount - start)) throw walk.missing();
    if (!leadsOn(file, bounds, walk)) throw walk.tooLong();
    window = Buffer.allocUnsafe(walk.wanted);
  }
}

const PIECE_BYTES = 512 * 1024;

export interface Piece {
  /** Whole batches. */
  readonly bytes: Buffer;
  /** Where they begin in the file. */
  readonly position: number;
}

/**
 * The batches of a file, a piece at a time, each read by another thread: nobody waits for them.
 * @param of.check called after every wait; throws where the file means nothing any more
 * @throws DamagedLog
 */
export async function* readPieces(
  of: { readonly file: ReadableLater },
  bounds: BatchFileBounds,
  { check, pieceBytes = PIECE_BYTES }: { check: () => void; pieceBytes?: number },
): AsyncGenerator<Piece> {
  const walk = new BatchWalk(bounds);
  let size = pieceBytes;
  while (!walk.isAtEnd) {
    const position = walk.position;
    const left = bounds.byteCount - position;
    const target = Buffer.allocUnsafe(Math.min(size, left));
    const count = await of.file.readAtLater(position, target);
    check();
    let end = 0;
    while (end < count) {
      const next = walk.step(target, end, count);
      if (next === MORE) break;
      end = next;
    }
    size = pieceBytes;
    if (end > 0) yield { bytes: target.subarray(0, end), position };
    else if (count < target.length) throw walk.missing();
    else size = walk.wanted;
    check();
  }
}

/** Whether another batch begins where a large one says that it ends, or the file ends there. */
function leadsOn(file: ReadableFile, bounds: BatchFileBounds, walk: BatchWalk): boolean {
  const end = walk.position + walk.wanted;
  if (end === bounds.byteCount) return true;
  const header = Buffer.alloc(BATCH_HEADER_BYTES);
  return (
    file.readAt(end, header) === header.length &&
    batch.magic(header) === 2 &&
    Number.isSafeInteger(batch.baseOffset(header)) &&
    batch.baseOffset(header) > walk.nextOffset
  );
}

/**
 * Whether what cannot be read at the end of a file is a write that was cut short, and not damage: no
 * whole batch is in it, were it not for a length that is wrong.
 */
export function isTornEnd(file: ReadableFile, position: number, byteCount: number): boolean {
  const size = byteCount - position;
  if (size < BATCH_HEADER_BYTES) return true;
  // More than is ever written at once.
  if (size > TORN_BYTES_MAX) return false;
  const rest = Buffer.allocUnsafe(size);
  const count = file.readAt(position, rest);
  if (count < size) return true;
  const length = batch.byteCount(rest);
  if (length >= BATCH_HEADER_BYTES && length <= size) return false;
  if (crc32c(rest, ATTRIBUTES_AT) === batch.crc(rest)) return false;
  const base = batch.baseOffset(rest);
  for (let at = 1; at + BATCH_HEADER_BYTES <= size; at++) {
    if (rest[at + MAGIC_AT] !== 2 || rest[at] !== 0) continue;
    if (batch.baseOffset(rest, at) > base && batchFault(rest, at, size) === null) return false;
  }
  return true;
}
const TORN_BYTES_MAX = 16 * 1024 * 1024;
const MAGIC_AT = 16;
const ATTRIBUTES_AT = 21;
