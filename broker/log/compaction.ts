/**
 * Compacts one log: reads its closed segments piece by piece, writes what stays into new files
 * beside them, and puts those in place. Nobody waits for it: every piece is read by another
 * thread, and between pieces the event loop is free.
 */
import { canRead } from '../../proto/kafka/batch-body.ts';
import { CorruptCompression, loadCodecs } from '../../proto/kafka/compression.ts';
import { MalformedMessage } from '../../proto/kafka/cursor.ts';
import {
  BATCH_HEADER_BYTES,
  batch,
  batchesOf,
  batchFault,
} from '../../proto/kafka/record-batch.ts';
import { BatchFilter, type CompactionRules, LatestOffsets } from './compaction-core.ts';
import type { PartitionLog } from './partition-log.ts';
import type { Segment } from './segment.ts';

const READ_BYTES = 512 * 1024;

export interface CompactionLimits {
  /** Memory for the keys of one run. */
  readonly keyBytesMax: number;
  /** Called after every piece: waits as long as the rate asks for. */
  readonly pause: (byteCount: number) => Promise<void>;
}

export interface CompactionResult {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly recordsDropped: number;
  readonly recordsKept: number;
  /** Files of the replaced segments, to be removed after a while. */
  readonly aside: readonly string[];
}

/** The log changed under the compaction: it is given up, and nothing was touched. */
class Overtaken extends Error {}

/** A batch is not what was written: a new checksum would hide that for good. */
class DamagedBatch extends Error {}

/** Whether compaction failed on what is stored, and not on the disk or by a bug: the log stays as it is. */
export function isUnreadable(cause: unknown): boolean {
  return (
    cause instanceof DamagedBatch ||
    cause instanceof CorruptCompression ||
    cause instanceof MalformedMessage
  );
}

/** Whole and intact batches of a segment, a piece at a time. @throws DamagedBatch */
async function* piecesOf(segment: Segment): AsyncGenerator<Buffer> {
  let position = 0;
  let size = READ_BYTES;
  while (position < segment.byteCount) {
    if (segment.isGone) throw new Overtaken();
    const target = Buffer.allocUnsafe(Math.min(size, segment.byteCount - position));
    const count = await segment.file.readAtLater(position, target);
    if (segment.isGone) throw new Overtaken();
    let end = 0;
    for (const found of batchesOf(target.subarray(0, count))) {
      const fault = batchFault(target, found.at, found.end);
      if (fault !== null)
        throw new DamagedBatch(
          `batch at ${position + found.at} of ${segment.baseOffset}: ${fault}`,
        );
      end = found.end;
    }
    if (end === 0) {
      const isRest = position + target.length >= segment.byteCount;
      if (isRest || count < BATCH_HEADER_BYTES)
        throw new DamagedBatch(`batch at ${position} of ${segment.baseOffset}: truncated`);
      size = Math.max(size * 2, batch.byteCount(target));
      continue;
    }
    for (const { at } of batchesOf(target.subarray(0, end)))
      if (!canRead(target, at)) await loadCodecs();
    yield target.subarray(0, end);
    position += end;
    size = READ_BYTES;
  }
}

/**
 * One run over a log.
 * @returns null where nothing was to be done or the log changed meanwhile
 */
export async function compactLog(
  log: PartitionLog,
  until: number,
  rules: CompactionRules,
  limits: CompactionLimits,
): Promise<CompactionResult | null> {
  try {
    return await run(log, until, rules, limits);
  } catch (cause) {
    if (cause instanceof Overtaken) return null;
    throw cause;
  }
}

async function run(
  log: PartitionLog,
  until: number,
  rules: CompactionRules,
  limits: CompactionLimits,
): Promise<CompactionResult | null> {
  const { clean, dirty } = log.compactable(until);
  const firstDirty = dirty[0];
  if (firstDirty === undefined) return null;
  // Of the whole log: the marker of a transaction may lie in a segment that stays as it is.
  const aborted = log.abortedTransactions(0, until);
  const latest = new LatestOffsets(firstDirty.baseOffset, aborted, limits.keyBytesMax);
  const covered: Segment[] = [];
  for (const segment of dirty) {
    for await (const bytes of piecesOf(segment)) {
      for (const { at } of batchesOf(bytes)) latest.note(bytes, at);
      await limits.pause(bytes.length);
    }
    covered.push(segment);
    if (latest.isFull) break;
  }
  const filter = new BatchFilter(latest, aborted, rules);
  let bytesBefore = 0;
  let bytesAfter = 0;
  const aside: string[] = [];
  for (const group of grouped([...clean, ...covered], log.config.segmentBytes)) {
    const known = group.flatMap((segment) => segment.aborted);
    const fresh = log.newCompacted((group[0] as Segment).baseOffset, known);
    try {
      for (const segment of group) {
        bytesBefore += segment.byteCount;
        for await (const bytes of piecesOf(segment)) {
          const kept: Buffer[] = [];
          for (const { at } of batchesOf(bytes)) {
            const after = filter.filter(bytes, at);
            if (after !== null) kept.push(after);
          }
          fresh.add(kept, log.config.indexIntervalBytes);
          await limits.pause(bytes.length);
        }
      }
      await fresh.flush();
      bytesAfter += fresh.byteCount;
      if (!log.holds(group)) throw new Overtaken();
      aside.push(...log.putInPlace(fresh, group));
    } catch (cause) {
      fresh.discard();
      throw cause;
    }
  }
  log.cleanedOffset = Math.max(log.cleanedOffset, latest.endOffset);
  const { kept, dropped } = filter.counts;
  return { bytesBefore, bytesAfter, recordsDropped: dropped, recordsKept: kept, aside };
}

/** Neighbours that fit into one segment together. */
function grouped(segments: readonly Segment[], segmentBytes: number): Segment[][] {
  const groups: Segment[][] = [];
  let byteCount = 0;
  for (const segment of segments) {
    const last = groups.at(-1);
    const first = last?.[0];
    const near = first !== undefined && segment.baseOffset - first.baseOffset < RELATIVE_OFFSET_MAX;
    if (last !== undefined && near && byteCount + segment.byteCount <= segmentBytes) {
      last.push(segment);
      byteCount += segment.byteCount;
    } else {
      groups.push([segment]);
      byteCount = segment.byteCount;
    }
  }
  return groups;
}
/** A segment's indexes count offsets in 31 bits; the last batch of the next segment must fit too. */
const RELATIVE_OFFSET_MAX = 0x3fff_ffff;
