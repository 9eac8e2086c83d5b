/** How coordinators write records: a type or version in two bytes, then a message of that schema. Pure. */
import { Writer } from '../../proto/kafka/cursor.ts';
import type { Message, Partially } from '../../proto/kafka/schema.ts';

export interface RecordPair {
  readonly key: Buffer;
  /** Null: a tombstone. */
  readonly value: Buffer | null;
}

/** A message behind its prefix: the type of a key, the version of a value. */
export function prefixed<T>(
  prefix: number,
  schema: Message<T>,
  version: number,
  value: Partially<T>,
): Buffer {
  const w = new Writer(128);
  w.int16(prefix);
  schema.write(w, version, value);
  return w.toBuffer();
}

/** A record of that type; key and value in version 0. */
export function pair<K, V>(
  type: number,
  keySchema: Message<K>,
  key: Partially<K>,
  valueSchema: Message<V>,
  value: Partially<V> | null,
): RecordPair {
  return {
    key: prefixed(type, keySchema, 0, key),
    value: value === null ? null : prefixed(0, valueSchema, 0, value),
  };
}
