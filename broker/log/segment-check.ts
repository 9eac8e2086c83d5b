/**
 * Reads a whole segment and compares everything in it and beside it: batches with their checksums, indexes
 * with the batches that they point to. Nobody waits for it.
 */
import { batch, batchesOf, CONTROL_BIT, transactionEndOf } from '../../proto/kafka/record-batch.ts';
import type { PartitionLog } from './partition-log.ts';
import { ProducerState } from './producer-state.ts';
import type { SavedIndexes, Segment } from './segment.ts';
import { readPieces } from './stored-batches.ts';
import type { AbortedTransaction } from './transaction-index.ts';

/** `repaired`: what stood beside the records was wrong and was made anew from them. */
export type SegmentCheck = 'sound' | 'repaired' | 'gone';

/** The segment was cut, replaced or removed meanwhile. */
class Gone extends Error {}

/**
 * @param pause called after every piece: waits as long as the rate asks for
 * @throws DamagedLog where what is damaged cannot be made anew from what is there
 */
export async function checkSegment(
  log: PartitionLog,
  segment: Segment,
  pause: (byteCount: number) => Promise<void>,
): Promise<SegmentCheck> {
  try {
    return await new SegmentReading(log, segment).run(pause);
  } catch (cause) {
    if (cause instanceof Gone || segment.isGone) return 'gone';
    throw cause;
  }
}

class SegmentReading {
  private readonly log: PartitionLog;
  private readonly segment: Segment;
  private readonly saved: SavedIndexes | null;
  private readonly indexes: IndexReading | null;
  /** Producers of abort markers, by offset. */
  private readonly markers = new Map<number, number>();
  /** What the producers before the segment and its batches say about aborted transactions. */
  private readonly expected: AbortedTransaction[] = [];
  private readonly producers: ProducerState | null;
  private readonly hasBadSnapshot: boolean;
  private hasRestored = false;

  constructor(log: PartitionLog, segment: Segment) {
    this.log = log;
    this.segment = segment;
    const isClosed = segment !== log.segmentsNow.at(-1);
    this.saved = isClosed ? segment.savedIndexes() : null;
    this.indexes = this.saved === null ? null : new IndexReading(this.saved, segment.baseOffset);
    const producers = new ProducerState();
    const snapshot = segment.readSnapshot();
    this.hasBadSnapshot = snapshot !== null && !producers.load(snapshot);
    const isKnown = (snapshot !== null && !this.hasBadSnapshot) || segment.baseOffset === 0;
    // Compaction takes away what a transaction began with.
    const isAsWritten = !log.config.compacts && log.cleanedOffset <= segment.baseOffset;
    this.producers = isKnown && isAsWritten ? producers : null;
  }

  async run(pause: (byteCount: number) => Promise<void>): Promise<SegmentCheck> {
    const { log, segment } = this;
    const check = () => {
      if (segment.isGone) throw new Gone();
    };
    check();
    const bounds = { ...log.boundsOf(segment), nextKnown: () => segment.byteCount };
    const fresh = segment.beside();
    let endOffset = segment.baseOffset;
    for await (const { bytes, position } of readPieces(segment, bounds, { check })) {
      for (const { at } of batchesOf(bytes)) {
        this.note(bytes, at, position + at);
        fresh.account(bytes, at, log.config.indexIntervalBytes);
        endOffset = batch.lastOffset(bytes, at) + 1;
      }
      await pause(bytes.length);
      check();
    }
    this.checkAborted(endOffset);
    if (this.hasBadSnapshot) segment.removeSnapshot();
    if (this.indexes === null || this.indexes.isSound)
      return this.hasBadSnapshot || this.hasRestored ? 'repaired' : 'sound';
    segment.takeIndexes(fresh);
    log.noteIndexes();
    return 'repaired';
  }

  private note(b: Buffer, at: number, position: number): void {
    this.indexes?.note(b, at, position);
    const ended = this.producers?.observe(b, at) ?? null;
    if (ended?.committed === false) this.expected.push(ended);
    if ((batch.attributes(b, at) & CONTROL_BIT) === 0) return;
    if (transactionEndOf(b, at)?.committed === false)
      this.markers.set(batch.lastOffset(b, at), batch.producerId(b, at));
  }

  /** The file is damaged; memory may have what was in it. */
  private restoreAborted(): readonly AbortedTransaction[] {
    const known = this.segment.restoreAborted();
    if (known === null) throw this.segment.damagedBeside('.txnindex');
    this.hasRestored = true;
    return known;
  }

  /** @throws DamagedLog: what a transaction began with may lie in segments before this one */
  private checkAborted(endOffset: number): void {
    const saved = this.segment.readAborted() ?? this.restoreAborted();
    const found = saved.filter(({ lastOffset }) => lastOffset < endOffset);
    const isMarked = found.every(
      ({ lastOffset, producerId }) => this.markers.get(lastOffset) === producerId,
    );
    const byMarker = new Map(found.map((one) => [one.lastOffset, one]));
    const isComplete = this.expected.every((one) => {
      const other = byMarker.get(one.lastOffset);
      return (
        other !== undefined &&
        other.firstOffset === one.firstOffset &&
        other.lastStableOffset === one.lastStableOffset
      );
    });
    if (!isMarked || !isComplete) throw this.segment.damagedBeside('.txnindex');
  }
}

/** Whether every entry of the saved indexes is met in the file. */
class IndexReading {
  private readonly saved: SavedIndexes;
  private readonly baseOffset: number;
  private nextOffset = 0;
  private nextTime = 0;
  private isWrong = false;

  constructor(saved: SavedIndexes, baseOffset: number) {
    this.saved = saved;
    this.baseOffset = baseOffset;
  }

  note(b: Buffer, at: number, position: number): void {
    const relativeOffset = batch.lastOffset(b, at) - this.baseOffset;
    const entry = this.saved.offsets?.[this.nextOffset];
    if (entry?.position === position) {
      if (entry.relativeOffset !== relativeOffset) this.isWrong = true;
      this.nextOffset++;
    }
    const time = this.saved.times?.[this.nextTime];
    if (time?.relativeOffset === relativeOffset) {
      if (time.timestampMs !== batch.maxTimestamp(b, at)) this.isWrong = true;
      this.nextTime++;
    }
  }

  get isSound(): boolean {
    const { offsets, times } = this.saved;
    return !this.isWrong && this.nextOffset === offsets?.length && this.nextTime === times?.length;
  }
}
