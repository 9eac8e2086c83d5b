/**
 * Requests that a client may send, made from the schemas: every field of every version, with values that
 * are likely to be somewhere near the edge of something.
 */
import { Writer } from '../../proto/kafka/cursor.ts';
import { requestHeader } from '../../proto/kafka/messages/headers.ts';
import {
  bool,
  bytes,
  type Field,
  type FieldOptions,
  type Fields,
  float64,
  int8,
  int16,
  int32,
  int64,
  type Message,
  records,
  string,
  type Type,
  uint16,
  uint32,
  uuid,
} from '../../proto/kafka/schema.ts';
import type { Random } from './random.ts';

/** What exists in the world that the requests are sent to, so that they get past the first look. */
export interface Known {
  readonly strings: readonly string[];
  readonly uuids: readonly string[];
  readonly blobs: readonly Buffer[];
}

const SAFE = Number.MAX_SAFE_INTEGER;
const wholes = (bits: number) => [
  0,
  0,
  0,
  1,
  1,
  2,
  3,
  -1,
  -2,
  -5,
  100,
  2 ** (bits - 1) - 1,
  -(2 ** (bits - 1)),
];
const longs = [
  0,
  0,
  1,
  2,
  5,
  -1,
  -2,
  -3,
  -4,
  -5,
  1000,
  2 ** 31,
  2 ** 53 - 1,
  SAFE - 1,
  -SAFE,
  2 ** 62,
  -(2 ** 63),
];
const texts = [
  '',
  'a',
  '.',
  '..',
  'ä/ \u0000',
  '__consumer_offsets',
  'x'.repeat(300),
  'x'.repeat(0x7fff),
  'null',
  '__proto__',
  'constructor',
  'range',
  '*',
  '(',
  '1',
  '-1',
  '9'.repeat(30),
];

export class RandomRequests {
  private readonly random: Random;
  private readonly known: Known;
  private left = 0;

  constructor(random: Random, known: Known) {
    this.random = random;
    this.known = known;
  }

  private value(type: Type<unknown>, version: number): unknown {
    const { random } = this;
    const pick = <T>(list: readonly T[]) => random.pick(list);
    switch (type) {
      case bool:
        return random.chance(0.5);
      case int8:
        return pick(wholes(8));
      case int16:
        return pick(wholes(16));
      case int32:
        return pick(wholes(32));
      case int64:
        return pick(longs);
      case uint16:
      case uint32:
        return pick([0, 1, 0xffff]);
      case float64:
        return pick([0, 1, -1, 0.5, Number.NaN, Infinity, -Infinity, 1e300]);
      case string:
        return random.chance(0.6) ? pick(this.known.strings) : pick(texts);
      case uuid:
        return pick(this.known.uuids);
      case bytes as Type<unknown>:
      case records as Type<unknown>:
        return random.chance(0.7) ? pick(this.known.blobs) : this.noise();
      default:
    }
    const { element, fields } = type;
    if (element !== undefined) {
      const length = this.left <= 0 ? 0 : pick([0, 1, 1, 1, 2, 3]);
      return Array.from({ length }, () => this.value(element, version));
    }
    if (fields !== undefined) return this.struct(fields, version);
    throw new Error('a type of the protocol that is not known here');
  }

  private noise(): Buffer {
    return Buffer.from(
      Array.from({ length: Math.floor(this.random.between(0, 120)) }, () =>
        Math.floor(this.random.between(0, 256)),
      ),
    );
  }

  private struct(fields: Fields, version: number): object {
    this.left--;
    return Object.fromEntries(
      Object.entries(fields).flatMap(([name, entry]) => {
        const { type, options } = (
          'type' in entry ? entry : { type: entry, options: {} }
        ) as Field<unknown>;
        if (this.random.chance(0.15)) return [];
        if (mayBeNull(options, version) && this.random.chance(0.2)) return [[name, null]];
        return [[name, this.value(type, version)]];
      }),
    );
  }

  /** The body of a request, as an object. */
  body(request: Message<unknown>, version: number): object {
    this.left = 30;
    return this.struct(request.fields, version);
  }

  /** A whole frame; sometimes bytes of it are not what they were. */
  frame(api: { key: number; request: Message<any> }, version: number): Buffer {
    const { random } = this;
    const w = new Writer(256);
    requestHeader.write(w, api.request.isFlexible(version) ? 2 : 1, {
      requestApiKey: api.key,
      requestApiVersion: version,
      correlationId: 1,
      clientId: random.chance(0.1) ? null : 'fuzz',
    });
    const from = w.byteCount;
    api.request.write(w, version, this.body(api.request, version) as never);
    const frame = Buffer.from(w.toBuffer());
    if (random.chance(0.7)) return frame;
    for (let edits = random.pick([1, 1, 2, 8]); edits > 0 && frame.length > from; edits--)
      frame[Math.floor(random.between(from, frame.length))] = Math.floor(random.between(0, 256));
    return random.chance(0.2)
      ? frame.subarray(0, Math.floor(random.between(8, frame.length)))
      : frame;
  }
}

function mayBeNull({ nullable, nullableUntil }: FieldOptions, version: number): boolean {
  return nullable !== undefined && version >= nullable && version <= (nullableUntil ?? version);
}
