/**
 * What compaction keeps of a log: of every key the latest record, tombstones and markers for a
 * while, of every producer the last batch. Pure. Sources: Kafka's documentation of log compaction,
 * KIP-98, KIP-534.
 */
import {
  BatchReader,
  codecOf,
  eachRecord,
  type RawRecord,
  rawRecords,
  rebuildBatch,
} from '../../proto/kafka/batch-body.ts';
import { CorruptCompression } from '../../proto/kafka/compression.ts';
import { MalformedMessage } from '../../proto/kafka/cursor.ts';
import {
  batch,
  CONTROL_BIT,
  DELETE_HORIZON_BIT,
  TRANSACTIONAL_BIT,
  transactionEndOf,
} from '../../proto/kafka/record-batch.ts';
import type { ProducerState } from './producer-state.ts';
import type { AbortedTransaction } from './transaction-index.ts';

/** Which records of aborted transactions a batch holds. */
class Aborted {
  private readonly byProducer = new Map<number, AbortedTransaction[]>();

  constructor(aborted: Iterable<AbortedTransaction>) {
    for (const one of aborted) {
      const known = this.byProducer.get(one.producerId);
      if (known === undefined) this.byProducer.set(one.producerId, [one]);
      else known.push(one);
    }
  }

  has(b: Buffer, at: number): boolean {
    if ((batch.attributes(b, at) & TRANSACTIONAL_BIT) === 0) return false;
    const offset = batch.baseOffset(b, at);
    return (this.byProducer.get(batch.producerId(b, at)) ?? []).some(
      ({ firstOffset, lastOffset }) => firstOffset <= offset && offset <= lastOffset,
    );
  }
}

/** What one batch may unpack to: more than a leader ever takes. */
const UNPACKED_BYTES_MAX = 2 ** 31;
/** Nobody waits for more than so much of a batch at a time. */
const STEP_BYTES = 256 * 1024;
/** A batch that unpacks to more is kept as it is while anything of it is needed. */
export const REBUILT_BYTES_MAX = 16 * 1024 * 1024;

/** Whether it is a batch that cannot be read, and not the disk, or a bug. */
function isUnreadable(cause: unknown): boolean {
  return cause instanceof CorruptCompression || cause instanceof MalformedMessage;
}

/**
 * Shows every record of a batch, in steps.
 * @returns the bytes of all; null: it cannot be read, and what was shown is the part that can
 */
function* over(b: Buffer, at: number, show: (reader: BatchReader) => void): Steps<number | null> {
  let reader: BatchReader | null = null;
  try {
    reader = new BatchReader(b, at, UNPACKED_BYTES_MAX);
    for (let until = STEP_BYTES; reader.next(); ) {
      show(reader);
      if (reader.byteCount < until) continue;
      until = reader.byteCount + STEP_BYTES;
      yield;
    }
    return reader.byteCount;
  } catch (cause) {
    if (!isUnreadable(cause)) throw cause;
    return null;
  } finally {
    reader?.close();
  }
}

/** Work on one batch that can be left off for a while at every step. */
export type Steps<T> = Generator<void, T, void>;

const isControl = (b: Buffer, at: number) => (batch.attributes(b, at) & CONTROL_BIT) !== 0;

/** First pass: the newest offset of every key in the part of the log that was not compacted yet. */
export class LatestOffsets {
  private readonly offsets = new Map<string, number>();
  private readonly aborted: Aborted;
  private readonly keyBytesMax: number;
  private keyBytes = 0;
  /** Records below this are known. */
  endOffset: number;

  constructor(startOffset: number, aborted: Iterable<AbortedTransaction>, keyBytesMax: number) {
    this.endOffset = startOffset;
    this.aborted = new Aborted(aborted);
    this.keyBytesMax = keyBytesMax;
  }

  get size(): number {
    return this.offsets.size;
  }

  /** No more keys fit: compaction goes as far as this and on from here next time. */
  get isFull(): boolean {
    return this.keyBytes >= this.keyBytesMax;
  }

  *note(b: Buffer, at: number): Steps<void> {
    const counts = !isControl(b, at) && !this.aborted.has(b, at);
    if (counts && batch.count(b, at) > 0) {
      const base = batch.baseOffset(b, at);
      yield* over(b, at, (reader) => {
        if (!reader.hasKey) return;
        const text = reader.keyText();
        if (!this.offsets.has(text)) this.keyBytes += text.length + KEY_OVERHEAD_BYTES;
        this.offsets.set(text, base + reader.walk.offsetDelta);
      });
    }
    this.endOffset = batch.lastOffset(b, at) + 1;
  }

  /** Whether a newer record of the key is known. */
  isOutdated(key: string, offset: number): boolean {
    return offset < (this.offsets.get(key) ?? -1);
  }
}
const KEY_OVERHEAD_BYTES = 80;

export interface CompactionRules {
  readonly nowMs: number;
  readonly deleteRetentionMs: number;
  readonly producers: ProducerState;
}

export interface CompactionCounts {
  kept: number;
  dropped: number;
  /** Batches that cannot be unpacked. */
  unreadable: number;
  firstUnreadableOffset: number;
}

/** Second pass: batch by batch in order, what goes into the compacted files. */
export class BatchFilter {
  private readonly latest: LatestOffsets;
  private readonly rules: CompactionRules;
  private readonly aborted: Aborted;
  /** Producers of which data was seen since their last marker: that marker is still needed. */
  private readonly withData = new Set<number>();
  readonly counts: CompactionCounts = {
    kept: 0,
    dropped: 0,
    unreadable: 0,
    firstUnreadableOffset: -1,
  };

  constructor(
    latest: LatestOffsets,
    aborted: Iterable<AbortedTransaction>,
    rules: CompactionRules,
  ) {
    this.latest = latest;
    this.aborted = new Aborted(aborted);
    this.rules = rules;
  }

  /** The batch to be written in place of the one at `at`: itself, a smaller one, or none. */
  *filter(b: Buffer, at: number): Steps<Buffer | null> {
    const whole = b.subarray(at, at + batch.byteCount(b, at));
    if (isControl(b, at)) return this.filterMarker(b, at, whole);
    const isTransactional = (batch.attributes(b, at) & TRANSACTIONAL_BIT) !== 0;
    if (isTransactional) this.withData.add(batch.producerId(b, at));
    if (this.aborted.has(b, at)) {
      this.counts.dropped += batch.count(b, at);
      return this.withoutRecords(b, at);
    }
    const base = batch.baseOffset(b, at);
    const horizonMs = horizonOf(b, at);
    const count = batch.count(b, at);
    let kept = 0;
    let hasTombstone = false;
    const byteCount =
      count === 0
        ? 0
        : yield* over(b, at, (reader) => {
            const key = reader.hasKey ? reader.keyText() : null;
            const isTombstone = reader.walk.valueLength < 0;
            if (!this.keeps(key, isTombstone, base + reader.walk.offsetDelta, horizonMs)) return;
            kept++;
            hasTombstone ||= isTombstone;
          });
    if (byteCount === null) return this.unreadable(b, at, whole);
    const startsHorizon = horizonMs === null && hasTombstone;
    if (kept > 0 && byteCount > REBUILT_BYTES_MAX) kept = count;
    this.counts.kept += kept;
    this.counts.dropped += count - kept;
    if (kept === 0) return this.withoutRecords(b, at);
    if (byteCount > REBUILT_BYTES_MAX || (kept === count && !startsHorizon)) return whole;
    return rebuildBatch(b, at, this.keptOf(b, at, horizonMs), {
      codec: codecOf(b, at),
      level: DEFAULT_LEVEL,
      deleteHorizonMs: startsHorizon ? this.rules.nowMs + this.rules.deleteRetentionMs : horizonMs,
    });
  }

  private *keptOf(b: Buffer, at: number, horizonMs: number | null): Generator<RawRecord> {
    const base = batch.baseOffset(b, at);
    for (const record of eachRecord(b, at, REBUILT_BYTES_MAX)) {
      const key = record.key === null ? null : record.key.toString('latin1');
      if (this.keeps(key, record.isTombstone, base + record.offsetDelta, horizonMs)) yield record;
    }
  }

  private withoutRecords(b: Buffer, at: number): Buffer | null {
    return this.mustStay(b, at) ? this.emptied(b, at) : null;
  }

  /** From before every record was judged: nobody can say what is in it, and it stays as it is. */
  private unreadable(b: Buffer, at: number, whole: Buffer): Buffer {
    if (this.counts.unreadable++ === 0) this.counts.firstUnreadableOffset = batch.baseOffset(b, at);
    return whole;
  }

  private keeps(
    key: string | null,
    isTombstone: boolean,
    offset: number,
    horizonMs: number | null,
  ): boolean {
    if (offset >= this.latest.endOffset) return true;
    if (key === null || this.latest.isOutdated(key, offset)) return false;
    return !isTombstone || horizonMs === null || this.rules.nowMs < horizonMs;
  }

  /** A marker goes after a while, once nothing of its transaction is left. */
  private filterMarker(b: Buffer, at: number, whole: Buffer): Buffer | null {
    const producerId = batch.producerId(b, at);
    const hasData = this.withData.delete(producerId);
    // One without its record went before, and stayed only for what its header says of the producer.
    const isKnown = batch.count(b, at) === 0 || transactionEndOf(b, at) !== null;
    const mayGo = !hasData && isKnown;
    const horizonMs = horizonOf(b, at);
    if (!mayGo) return whole;
    if (horizonMs === null) {
      const deleteHorizonMs = this.rules.nowMs + this.rules.deleteRetentionMs;
      const records = rawRecords(b, at);
      return rebuildBatch(b, at, records, { codec: 'none', level: 0, deleteHorizonMs });
    }
    if (this.rules.nowMs < horizonMs) return whole;
    return this.mustStay(b, at) ? this.emptied(b, at) : null;
  }

  /**
   * Batches that stay, if only as headers: what a producer wrote last, and the last of the run, as in Apache
   * Kafka. It may be the last of the log, and a copy of a log ends where its last batch does.
   */
  private mustStay(b: Buffer, at: number): boolean {
    return batch.lastOffset(b, at) + 1 === this.latest.endOffset || this.isLastOfProducer(b, at);
  }

  /** Its sequence is in it. */
  private isLastOfProducer(b: Buffer, at: number): boolean {
    const producerId = batch.producerId(b, at);
    const producer = producerId < 0 ? null : this.rules.producers.get(producerId);
    if (producer === null) return false;
    const last = producer.batches.at(-1);
    if (last !== undefined) return batch.lastOffset(b, at) === last.lastOffset;
    return isControl(b, at) && batch.producerEpoch(b, at) === producer.epoch;
  }

  private emptied(b: Buffer, at: number): Buffer {
    if (batch.count(b, at) === 0) return b.subarray(at, at + batch.byteCount(b, at));
    return rebuildBatch(b, at, [], { codec: 'none', level: 0, deleteHorizonMs: horizonOf(b, at) });
  }
}
const DEFAULT_LEVEL = 3;

function horizonOf(b: Buffer, at: number): number | null {
  return (batch.attributes(b, at) & DELETE_HORIZON_BIT) !== 0 ? batch.baseTimestamp(b, at) : null;
}

/** What decides whether a log is due. */
export interface Dirtiness {
  readonly cleanBytes: number;
  readonly dirtyBytes: number;
  /** Largest timestamp of the oldest segment that was not compacted yet; null if there is none. */
  readonly oldestDirtyMs: number | null;
}

/** Share of the log that is uncompacted. */
export function dirtyRatio({ cleanBytes, dirtyBytes }: Dirtiness): number {
  return dirtyBytes === 0 ? 0 : dirtyBytes / (cleanBytes + dirtyBytes);
}

export function isDue(
  dirtiness: Dirtiness,
  rules: { minCleanableRatio: number; maxCompactionLagMs: number },
  nowMs: number,
): boolean {
  if (dirtiness.dirtyBytes === 0 || dirtiness.oldestDirtyMs === null) return false;
  const late = nowMs - dirtiness.oldestDirtyMs > rules.maxCompactionLagMs;
  return late || dirtyRatio(dirtiness) > rules.minCleanableRatio;
}
