/**
 * Judges the records of a produced batch, every one, as Kafka does: framing, offsets from 0 on, keys where
 * the topic needs them, timestamps by the topic's rule. Pure; nothing is made of a record that is right.
 */
import type { Codec } from '../../proto/kafka/compression.ts';
import type { ErrorName } from '../../proto/kafka/errors.ts';
import {
  BATCH_HEADER_BYTES,
  batch,
  stampTimestamps,
  TIMESTAMP_TYPE_BIT,
} from '../../proto/kafka/record-batch.ts';
import { BROKEN, MORE, RecordWalk } from '../../proto/kafka/record-walk.ts';

export interface RecordRules {
  /** Every record must have a key. */
  readonly isCompacted: boolean;
  /** The broker's time counts, whatever records say. */
  readonly logAppendTime: boolean;
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  /** The codec that batches are stored in; null: as they come. */
  readonly codec: Codec | null;
  readonly compressionLevel: number;
  /** What a batch may unpack to. */
  readonly unpackedBytesMax: number;
}

export interface RecordFault {
  readonly batchIndex: number;
  readonly message: string;
}

export interface RecordsRefusal {
  readonly error: ErrorName;
  readonly message: string;
  /** Which records are to blame, the first of them (KIP-467); none: what is there are no records. */
  readonly faults: readonly RecordFault[];
}

/** An answer names no more of them: what is wrong with many is wrong with the next as well. */
export const RECORD_FAULTS_MAX = 100;
const NO_FAULTS: readonly RecordFault[] = [];

/** Times are compared as what records say of them, within what is no object to the engine. */
const DELTA_MAX = 0x3fff_ffff;

function near(delta: number): number {
  if (delta > DELTA_MAX) return DELTA_MAX;
  return delta < -DELTA_MAX ? -DELTA_MAX : delta | 0;
}

/** One batch after the other: `begin`, then the bytes of its records in order, then `finish`. */
export class RecordsCheck {
  /** After `take` did not get to the end: bytes from there on that the next record has at least. */
  wanted = 0;
  private readonly walk = new RecordWalk();
  private rules: RecordRules | null = null;
  private nowMs = 0;
  private count = 0;
  private index = 0;
  private baseTimestamp = 0;
  /** The batch says that one time counts for all its records. */
  private isOneTime = false;
  private needsKey = false;
  /** What is beyond these is looked at more closely. */
  private earliestDelta = 0;
  private latestDelta = 0;
  private maxDelta = 0;
  private message: string | null = null;
  private faults: RecordFault[] | null = null;
  private isTimeAtFault = false;

  /** @param at where the batch begins whose header says what its records are */
  begin(b: Buffer, at: number, rules: RecordRules, nowMs: number): void {
    this.rules = rules;
    this.nowMs = nowMs;
    this.count = batch.count(b, at);
    this.index = 0;
    this.isOneTime = (batch.attributes(b, at) & TIMESTAMP_TYPE_BIT) !== 0;
    const base = this.isOneTime ? batch.maxTimestamp(b, at) : batch.baseTimestamp(b, at);
    this.baseTimestamp = base;
    this.needsKey = rules.isCompacted;
    // What is no time at all is read as something else than was written: every record is looked at.
    const isNoTime = base >= Number.MAX_SAFE_INTEGER || base <= Number.MIN_SAFE_INTEGER;
    this.earliestDelta = isNoTime ? DELTA_MAX : near(nowMs - rules.timestampBeforeMaxMs - base);
    this.latestDelta = isNoTime ? -DELTA_MAX : near(nowMs + rules.timestampAfterMaxMs - base);
    this.maxDelta = 0;
    this.message = null;
    this.faults = null;
    this.isTimeAtFault = false;
  }

  /** Of the records so far. */
  get maxTimestamp(): number {
    return Math.max(-1, this.baseTimestamp + this.maxDelta);
  }

  /** Whether it makes sense to go on. */
  get isBroken(): boolean {
    return this.message !== null;
  }

  /**
   * Judges the records that are whole in `b[at, end)`.
   * @returns where the first one begins that is not
   */
  take(b: Buffer, at: number, end: number): number {
    const { walk } = this;
    let from = at;
    while (from < end) {
      if (this.index === this.count) {
        this.message = 'nothing must follow the last record of a batch';
        return from;
      }
      const to = walk.read(b, from, end);
      if (to === MORE) {
        this.wanted = walk.wanted;
        return from;
      }
      if (to === BROKEN) {
        this.message = `record ${this.index}: ${walk.fault}`;
        return from;
      }
      this.judge(walk);
      this.index++;
      from = to;
    }
    this.wanted = 1;
    return from;
  }

  /** What is wrong; null: nothing. To be asked when every byte was taken, or `isBroken`. */
  finish(left = 0): RecordsRefusal | null {
    if (this.message === null && (left > 0 || this.index < this.count))
      this.message = 'a batch must hold as many whole records as it says';
    if (this.message !== null)
      return { error: 'INVALID_RECORD', message: this.message, faults: NO_FAULTS };
    if (this.faults === null) return null;
    return this.isTimeAtFault
      ? { error: 'INVALID_TIMESTAMP', message: OUT_OF_TIME, faults: this.faults }
      : {
          error: 'INVALID_RECORD',
          message: 'records of the batch are invalid',
          faults: this.faults,
        };
  }

  private judge(walk: RecordWalk): void {
    const delta = this.isOneTime ? 0 : walk.timestampDelta;
    if (delta > this.maxDelta || this.index === 0) this.maxDelta = delta;
    if (walk.offsetDelta !== this.index)
      this.blame('the offsets of records must count from 0 on', false);
    else if (this.needsKey && walk.keyLength < 0)
      this.blame('a compacted topic needs a key here', false);
    else if (this.isOneTime || delta < this.earliestDelta || delta > this.latestDelta)
      this.judgeTime(this.baseTimestamp + delta);
  }

  /** As Kafka: what has no time has none that is wrong, and who sets the time is not for the producer to say. */
  private judgeTime(timestampMs: number): void {
    const { nowMs, rules } = this;
    if (rules === null) return;
    if (rules.logAppendTime || timestampMs === -1) {
      if (this.isOneTime) this.blame('a producer must not say that the broker set the time', true);
    } else if (
      Math.abs(this.baseTimestamp) >= Number.MAX_SAFE_INTEGER ||
      Math.abs(timestampMs) >= Number.MAX_SAFE_INTEGER ||
      nowMs - timestampMs > rules.timestampBeforeMaxMs ||
      timestampMs - nowMs > rules.timestampAfterMaxMs
    )
      this.blame(OUT_OF_TIME, true);
  }

  private blame(message: string, isTimeAtFault: boolean): void {
    this.isTimeAtFault ||= isTimeAtFault;
    this.faults ??= [];
    if (this.faults.length < RECORD_FAULTS_MAX)
      this.faults.push({ batchIndex: this.index, message });
  }
}
const OUT_OF_TIME =
  'the timestamp must lie within message.timestamp.before.max.ms and after.max.ms';

/** One for all: a batch is judged from its begin to its finish in one go. */
const plain = new RecordsCheck();

/**
 * Judges the records of an uncompressed batch, and sets in its header what the records say.
 * @returns null: they are right
 */
export function judgePlainRecords(
  b: Buffer,
  rules: RecordRules,
  nowMs: number,
): RecordsRefusal | null {
  plain.begin(b, 0, rules, nowMs);
  const taken = plain.take(b, BATCH_HEADER_BYTES, b.length);
  const refusal = plain.finish(b.length - taken);
  if (refusal === null) settleTimestamps(b, rules, plain.maxTimestamp, nowMs);
  return refusal;
}

/** The largest timestamp is what the records say, or the broker's time: producers may have it wrong. */
export function settleTimestamps(
  b: Buffer,
  rules: RecordRules,
  maxTimestamp: number,
  nowMs: number,
): void {
  stampTimestamps(b, 0, rules.logAppendTime, rules.logAppendTime ? nowMs : maxTimestamp);
}
