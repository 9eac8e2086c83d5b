/** What producers write: every record can be told from every other one. */
import { buildBatch, type NewRecord } from '../../proto/kafka/record-batch.ts';
import type { Random } from './random.ts';
import { tombstone } from './reader.ts';
import type { TopicShape } from './scene.ts';

const KEYS = 8;
const EPOCH_MS = 1_800_000_000_000;

export interface Writer {
  readonly name: string;
  readonly producerId: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly attributes: number;
  readonly nowMs: number;
}

/** Numbers of a client's records. */
export type Next = () => number;

export function someRecords(
  shape: TopicShape,
  random: Random,
  writer: Writer,
  next: Next,
): { bytes: Buffer; values: string[] } {
  const { attributes, epoch, name, nowMs, producerId, sequence } = writer;
  const count = 1 + random.below(shape.kind === 'trimmed' ? 6 : 3);
  const values: string[] = [];
  const records: NewRecord[] = [];
  for (let i = 0; i < count; i++) {
    const value = `${name}:${next()}`;
    if (shape.kind !== 'compacted') {
      values.push(value);
      records.push({ key: null, value: Buffer.from(value) });
      continue;
    }
    const key = `k${random.below(KEYS)}`;
    const deletes = random.chance(0.2);
    values.push(deletes ? tombstone(key, producerId, epoch, sequence + i) : `${key}|${value}`);
    records.push({ key: Buffer.from(key), value: deletes ? null : Buffer.from(value) });
  }
  const bytes = buildBatch(records, {
    timestampMs: EPOCH_MS + Math.floor(nowMs),
    producerId,
    producerEpoch: epoch,
    baseSequence: sequence,
    attributes,
  });
  return { bytes, values };
}
