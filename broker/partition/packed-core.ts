/** Checks and changes that need the records inside a produced batch; most topics need none. Pure. */
import { codecOf, rawRecords, rebuildBatch } from '../../proto/kafka/batch-body.ts';
import { CorruptCompression, isCodecReady } from '../../proto/kafka/compression.ts';
import { MalformedMessage } from '../../proto/kafka/cursor.ts';
import type { ErrorName } from '../../proto/kafka/errors.ts';
import type { RecordFault, RecordRules } from './records-core.ts';

export type RecordsVerdict =
  | { readonly kind: 'ok'; readonly bytes: Buffer }
  | {
      readonly kind: 'refuse';
      readonly error: ErrorName;
      readonly message: string;
      readonly faults: readonly RecordFault[];
    };

/** Whether the records of a batch have to be looked at. */
export function mustLook(b: Buffer, rules: RecordRules): boolean {
  return (
    (rules.isCompacted && codecOf(b) !== 'none') ||
    (rules.codec !== null && rules.codec !== codecOf(b))
  );
}

/** Whether `judgeRecords` may be called now; if not, after `loadCodecs`. */
export function canLook(b: Buffer, rules: RecordRules): boolean {
  return isCodecReady(codecOf(b)) && (rules.codec === null || isCodecReady(rules.codec));
}

/** What is to be appended in place of the batch, or why nothing is. Source: KIP-467. */
export function judgeRecords(b: Buffer, rules: RecordRules): RecordsVerdict {
  try {
    const records = rawRecords(b);
    const faults = rules.isCompacted
      ? records.flatMap(({ key }, batchIndex) =>
          key === null ? [{ batchIndex, message: 'a compacted topic needs a key here' }] : [],
        )
      : [];
    if (faults.length > 0) {
      const message = 'every record of a compacted topic must have a key';
      return { kind: 'refuse', error: 'INVALID_RECORD', message, faults };
    }
    if (rules.codec === null || rules.codec === codecOf(b)) return { kind: 'ok', bytes: b };
    const as = { codec: rules.codec, level: rules.compressionLevel };
    return { kind: 'ok', bytes: rebuildBatch(b, 0, records, as) };
  } catch (cause) {
    if (!(cause instanceof CorruptCompression) && !(cause instanceof MalformedMessage)) throw cause;
    const { message } = cause as Error;
    return { kind: 'refuse', error: 'CORRUPT_MESSAGE', message, faults: [] };
  }
}
