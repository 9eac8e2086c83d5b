/**
 * Judges the records of a batch that must be unpacked for it, and packs them anew where the topic has a codec
 * of its own. Needs no more memory than a record and a piece of the body, unless it packs. Pure.
 */
import { codecOf, repacked } from '../../proto/kafka/batch-body.ts';
import { type Codec, CorruptCompression } from '../../proto/kafka/compression.ts';
import { BATCH_HEADER_BYTES } from '../../proto/kafka/record-batch.ts';
import { TooMuchUnpacked, UnpackedWindow, unpack } from '../../proto/kafka/unpacking.ts';
import { type RecordRules, RecordsCheck, type RecordsRefusal } from './records-core.ts';

export type RecordsVerdict =
  | {
      readonly kind: 'ok';
      /** What is to be appended in place of the batch: itself, or its records in the topic's codec. */
      readonly bytes: Buffer;
      readonly maxTimestamp: number;
    }
  | ({ readonly kind: 'refuse' } & RecordsRefusal);

/** Whether the records of a batch can only be judged by `judgePackedRecords`. */
export function isPacked(b: Buffer, rules: RecordRules): boolean {
  const codec = codecOf(b);
  return codec !== 'none' || packsAnew(codec, rules);
}

function packsAnew(codec: Codec, rules: RecordRules): boolean {
  return rules.codec !== null && rules.codec !== codec;
}

function refuse(
  error: RecordsRefusal['error'],
  message: string,
  faults: RecordsRefusal['faults'] = [],
): RecordsVerdict {
  return { kind: 'refuse', error, message, faults };
}

/** Judges one batch after the other; what it needs for that it keeps. */
export class PackedJudge {
  /** Of the last batch, as far as it was unpacked. */
  unpackedBytes = 0;
  private readonly check = new RecordsCheck();
  private window = new UnpackedWindow();

  /**
   * @param b one whole batch that is right by its header
   * @param bytesMax give up beyond it: null; beyond what the rules allow the batch is refused
   */
  judge(
    b: Buffer,
    rules: RecordRules,
    nowMs: number,
    bytesMax = rules.unpackedBytesMax,
  ): RecordsVerdict | null {
    try {
      return this.unpacked(b, rules, nowMs, Math.min(bytesMax, rules.unpackedBytesMax));
    } catch (cause) {
      if (cause instanceof TooMuchUnpacked && bytesMax < rules.unpackedBytesMax) return null;
      // Producers split a batch that is too large and send it again.
      if (cause instanceof TooMuchUnpacked) return refuse('MESSAGE_TOO_LARGE', cause.message);
      if (cause instanceof CorruptCompression) return refuse('INVALID_RECORD', cause.message);
      throw cause;
    } finally {
      if (this.window.bytes.length > KEPT_BYTES) this.window = new UnpackedWindow();
    }
  }

  private unpacked(b: Buffer, rules: RecordRules, nowMs: number, bytesMax: number): RecordsVerdict {
    const { check, window } = this;
    const codec = codecOf(b);
    const pieces: Buffer[] | null = packsAnew(codec, rules) ? [] : null;
    window.clear();
    this.unpackedBytes = 0;
    check.begin(b, 0, rules, nowMs);
    const unpacking = unpack(codec, b.subarray(BATCH_HEADER_BYTES), bytesMax);
    try {
      while (!check.isBroken) {
        const before = window.end - window.start;
        if (!unpacking.more(window)) break;
        this.unpackedBytes += window.end - window.start - before;
        pieces?.push(Buffer.from(window.bytes.subarray(window.start + before, window.end)));
        window.start = check.take(window.bytes, window.start, window.end);
      }
    } finally {
      unpacking.close();
    }
    const refusal = check.finish(window.end - window.start);
    if (refusal !== null) return { kind: 'refuse', ...refusal };
    const { maxTimestamp } = check;
    if (pieces === null || rules.codec === null) return { kind: 'ok', bytes: b, maxTimestamp };
    const as = { codec: rules.codec, level: rules.compressionLevel };
    return { kind: 'ok', bytes: repacked(b, 0, Buffer.concat(pieces), as), maxTimestamp };
  }
}
/** More is let go of when a batch was judged. */
const KEPT_BYTES = 1024 * 1024;

export interface PackedJob {
  readonly bytes: Uint8Array;
  readonly rules: RecordRules;
  readonly nowMs: number;
}

/** What a thread does with a job. */
export function doPackedJob(
  judge: PackedJudge,
  { bytes, rules, nowMs }: PackedJob,
): RecordsVerdict {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const verdict = judge.judge(b, rules, nowMs);
  if (verdict === null) throw new Error('a batch is judged to its end here');
  return verdict;
}
