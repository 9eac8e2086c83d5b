/**
 * Compacts one log: reads its closed segments piece by piece, writes what stays into new files
 * beside them, and puts those in place. Nobody waits for it: every piece is read by another
 * thread, and between pieces the event loop is free.
 */
import { canRebuild } from '../../proto/kafka/batch-body.ts';
import { loadCodecs } from '../../proto/kafka/compression.ts';
import { batchesOf } from '../../proto/kafka/record-batch.ts';
import { BatchFilter, type CompactionRules, LatestOffsets, type Steps } from './compaction-core.ts';
import type { PartitionLog } from './partition-log.ts';
import type { Segment } from './segment.ts';
import { readPieces } from './stored-batches.ts';

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
  /** Batches that cannot be unpacked: they stay as they are. */
  readonly unreadable: number;
  readonly firstUnreadableOffset: number;
  /** Files of the replaced segments, to be removed after a while. */
  readonly aside: readonly string[];
}

/** The log changed under the compaction: it is given up, and nothing was touched. */
class Overtaken extends Error {}

/** Does all steps; the event loop is free between them. */
async function all<T>(steps: Steps<T>, { pause }: CompactionLimits): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await pause(0);
  }
}

/**
 * Whole and intact batches of a segment, a piece at a time.
 * @throws DamagedLog: a new checksum would hide the damage for good
 */
async function* piecesOf(log: PartitionLog, segment: Segment): AsyncGenerator<Buffer> {
  const ends = () => {
    if (segment.isGone) throw new Overtaken();
  };
  ends();
  for await (const { bytes } of readPieces(segment, log.boundsOf(segment), { check: ends })) {
    for (const { at } of batchesOf(bytes)) if (!canRebuild(bytes, at)) await loadCodecs();
    yield bytes;
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
    for await (const bytes of piecesOf(log, segment)) {
      for (const { at } of batchesOf(bytes)) await all(latest.note(bytes, at), limits);
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
        for await (const bytes of piecesOf(log, segment)) {
          const kept: Buffer[] = [];
          for (const { at } of batchesOf(bytes)) {
            const after = await all(filter.filter(bytes, at), limits);
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
  const { kept, dropped, ...unreadable } = filter.counts;
  const records = { recordsDropped: dropped, recordsKept: kept };
  return { bytesBefore, bytesAfter, ...records, ...unreadable, aside };
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
