/**
 * Kafka messages as data: one value describes every version of a message, its TypeScript type is
 * inferred from it, and a codec is compiled from it once per version.
 *
 *     const heartbeatRequest = message({ name: 'HeartbeatRequest', versions: [0, 4], flexibleSince: 4 }, {
 *       groupId: string,
 *       groupInstanceId: field(string, { since: 3, nullable: 3, default: null }),
 *     });
 *
 * Source of the rules (compact forms, tagged fields, nullable structs): KIP-482 and KIP-893.
 */
import { MalformedMessage, Reader, TAGGED_FIELDS_MAX, Writer } from './cursor.ts';
import { orNull, readLength, writeLength } from './primitives.ts';

export {
  bool,
  bytes,
  float64,
  int8,
  int16,
  int32,
  int64,
  type Records,
  records,
  sentence,
  string,
  uint16,
  uint32,
  uuid,
} from './primitives.ts';

/** How one type is read and written in one version of a message. */
export interface Codec<T> {
  read(reader: Reader): T;
  write(writer: Writer, value: T): void;
  /** The same in steps of about `STEP_ELEMENTS`, where there may be lists in it. */
  readonly steps?: {
    read(reader: Reader): Generator<void, T>;
    write(writer: Writer, value: T): Generator<void, void>;
  };
}

const STEP_ELEMENTS = 32;

/** `tagged`: inside a tagged field, where a struct's null marker is a varint. */
export interface Layout {
  readonly version: number;
  readonly flexible: boolean;
  readonly nullable: boolean;
  readonly tagged: boolean;
}

/** A type of the protocol. `T` is its shape in TypeScript. */
export interface Type<T> {
  /** What a struct consists of, and the elements of an array are. */
  readonly fields?: Fields;
  readonly element?: Type<unknown>;
  readonly zero: () => T;
  readonly codec: (layout: Layout) => Codec<T>;
}

export interface FieldOptions {
  /** First and last version that carries the field. */
  readonly since?: number;
  readonly until?: number;
  /** First (and last) version in which the field may be null. */
  readonly nullable?: number;
  readonly nullableUntil?: number;
  readonly tag?: number;
  readonly tagSince?: number;
  readonly default?: unknown;
  /** KIP-511: the client id of the request header stays in the old form. */
  readonly flexibleNever?: true;
}

export interface Field<T> {
  readonly type: Type<T>;
  readonly options: FieldOptions;
}

export type Fields = Readonly<Record<string, Type<never> | Type<any> | Field<any>>>;
type ValueOf<F> = F extends Field<infer T> ? T : F extends Type<infer T> ? T : never;
export type StructOf<F extends Fields> = { -readonly [K in keyof F]: ValueOf<F[K]> };

/** What an encoder accepts: fields that are left out take their defaults. */
export type Partially<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer E)[]
    ? readonly Partially<E>[]
    : T extends object
      ? { [K in keyof T]?: Partially<T[K]> }
      : T;

export function field<T, const O extends FieldOptions>(
  type: Type<T>,
  options: O,
): Field<O extends { nullable: number } ? T | null : T> {
  return { type, options } as unknown as Field<never>;
}

export function array<T>(element: Type<T>): Type<T[]> {
  return {
    element: element as Type<unknown>,
    zero: () => [],
    codec(layout) {
      const inner = element.codec({ ...layout, nullable: false, tagged: false });
      const readCount = (r: Reader) => {
        const length = readLength(r, layout.flexible, true);
        return length < 0 ? length : r.arrayLength(length);
      };
      return {
        read(r) {
          const length = readCount(r);
          if (length < 0) return orNull(layout, 'an array');
          const list: T[] = [];
          for (let i = 0; i < length; i++) list.push(inner.read(r));
          return list;
        },
        write(w, value) {
          if (value === null) return writeLength(w, -1, layout.flexible, true);
          writeLength(w, value.length, layout.flexible, true);
          w.count(value.length);
          for (const item of value) inner.write(w, item);
        },
        steps: {
          *read(r) {
            const length = readCount(r);
            if (length < 0) return orNull(layout, 'an array');
            const list: T[] = [];
            for (let i = 0; i < length; i++) {
              if (i % STEP_ELEMENTS === 0) yield;
              list.push(inner.steps === undefined ? inner.read(r) : yield* inner.steps.read(r));
            }
            return list;
          },
          *write(w, value) {
            if (value === null) return writeLength(w, -1, layout.flexible, true);
            writeLength(w, value.length, layout.flexible, true);
            w.count(value.length);
            for (let i = 0; i < value.length; i++) {
              if (i % STEP_ELEMENTS === 0) yield;
              if (inner.steps === undefined) inner.write(w, value[i] as T);
              else yield* inner.steps.write(w, value[i] as T);
            }
          },
        },
      };
    },
  };
}

interface Slot {
  readonly name: string;
  readonly codec: Codec<unknown>;
  readonly zero: () => unknown;
  readonly tag: number;
}

function defaultOf(type: Type<unknown>, options: FieldOptions): () => unknown {
  if (!('default' in options)) return type.zero;
  return () => options.default;
}

function sameAsDefault(value: unknown, preset: unknown): boolean {
  if (value === preset) return true;
  if (value === null || preset === null) return false;
  if (Array.isArray(value) && Array.isArray(preset))
    return value.length === 0 && preset.length === 0;
  if (Buffer.isBuffer(value) && Buffer.isBuffer(preset)) return value.equals(preset);
  if (typeof value === 'object' && typeof preset === 'object') {
    return Object.entries(preset as object).every(([name, of]) => {
      const got = (value as Record<string, unknown>)[name];
      return got === undefined || sameAsDefault(got, of);
    });
  }
  return false;
}

/** The fields that exist in one version: in order, then the tagged ones. */
function slotsOf(
  fields: Fields,
  layout: Layout,
): { plain: Slot[]; tagged: Slot[]; absent: Slot[] } {
  const slots = { plain: [] as Slot[], tagged: [] as Slot[], absent: [] as Slot[] };
  const { version } = layout;
  for (const [name, entry] of Object.entries(fields)) {
    const { type, options } =
      'type' in entry ? entry : { type: entry, options: {} as FieldOptions };
    const present = version >= (options.since ?? 0) && version <= (options.until ?? 0x7fff);
    const nullable =
      options.nullable !== undefined &&
      version >= options.nullable &&
      version <= (options.nullableUntil ?? 0x7fff);
    const isTagged =
      options.tag !== undefined && version >= (options.tagSince ?? 0) && layout.flexible;
    const slot: Slot = {
      name,
      codec: type.codec({
        version,
        flexible: layout.flexible && options.flexibleNever !== true,
        nullable,
        tagged: isTagged,
      }),
      zero: defaultOf(type, options),
      tag: isTagged ? (options.tag as number) : -1,
    };
    if (!present) slots.absent.push(slot);
    else if (isTagged) slots.tagged.push(slot);
    else slots.plain.push(slot);
  }
  slots.tagged.sort((a, b) => a.tag - b.tag);
  return slots;
}

function readTagged(r: Reader, target: Record<string, unknown>, tagged: readonly Slot[]): void {
  const count = r.uvarint();
  if (count > TAGGED_FIELDS_MAX) {
    throw new MalformedMessage(`there must be at most ${TAGGED_FIELDS_MAX} tagged fields`);
  }
  r.count(count);
  for (let i = 0; i < count; i++) {
    const tag = r.uvarint();
    const end = r.uvarint() + r.at;
    if (end > r.end) throw new MalformedMessage('a tagged field must end within the message');
    const slot = tagged.find((candidate) => candidate.tag === tag);
    if (slot === undefined) {
      r.at = end;
      continue;
    }
    target[slot.name] = slot.codec.read(r);
    if (r.at !== end) throw new MalformedMessage(`tagged field ${tag} must have its stated size`);
  }
}

function writeTagged(w: Writer, value: Record<string, unknown>, tagged: readonly Slot[]): void {
  const present = tagged.filter(({ name, zero }) => {
    const v = value[name];
    return v !== undefined && !sameAsDefault(v, zero());
  });
  w.uvarint(present.length);
  for (const slot of present) {
    const inner = new Writer(64);
    slot.codec.write(inner, value[slot.name]);
    w.uvarint(slot.tag);
    w.uvarint(inner.byteCount);
    for (const chunk of inner.finish()) w.bytes(chunk);
  }
}

export function struct<F extends Fields>(fields: F): Type<StructOf<F>> {
  const zero = () => {
    const value: Record<string, unknown> = {};
    for (const [name, entry] of Object.entries(fields)) {
      const { type, options } =
        'type' in entry ? entry : { type: entry, options: {} as FieldOptions };
      value[name] = defaultOf(type, options)();
    }
    return value as StructOf<F>;
  };
  return { fields, zero, codec: (layout) => structCodec(fields, layout) as Codec<StructOf<F>> };
}

function structCodec(fields: Fields, layout: Layout): Codec<Record<string, unknown>> {
  const { plain, tagged, absent } = slotsOf(fields, layout);
  const optional = [...tagged, ...absent];
  const { flexible } = layout;
  const readBody = (r: Reader) => {
    const value: Record<string, unknown> = {};
    for (const { name, codec } of plain) value[name] = codec.read(r);
    for (const { name, zero } of optional) value[name] = zero();
    if (flexible) readTagged(r, value, tagged);
    return value;
  };
  const writeBody = (w: Writer, value: Record<string, unknown>) => {
    for (const { name, codec, zero } of plain) {
      const v = value[name];
      codec.write(w, v === undefined ? zero() : v);
    }
    if (flexible) writeTagged(w, value, tagged);
  };
  const steps = plain.some(({ codec }) => codec.steps !== undefined)
    ? {
        *read(r: Reader) {
          const value: Record<string, unknown> = {};
          for (const { name, codec } of plain)
            value[name] = codec.steps === undefined ? codec.read(r) : yield* codec.steps.read(r);
          for (const { name, zero } of optional) value[name] = zero();
          if (flexible) readTagged(r, value, tagged);
          return value;
        },
        *write(w: Writer, value: Record<string, unknown>) {
          for (const { name, codec, zero } of plain) {
            const v = value[name] === undefined ? zero() : value[name];
            if (codec.steps === undefined) codec.write(w, v);
            else yield* codec.steps.write(w, v);
          }
          if (flexible) writeTagged(w, value, tagged);
        },
      }
    : undefined;
  if (!layout.nullable)
    return { read: readBody, write: writeBody, ...(steps === undefined ? {} : { steps }) };
  return {
    read(r) {
      const present = layout.tagged ? r.uvarint() !== 0 : r.int8() >= 0;
      return present ? readBody(r) : (null as never);
    },
    write(w, value) {
      if (layout.tagged) w.uvarint(value === null ? 0 : 1);
      else w.int8(value === null ? -1 : 1);
      if (value !== null) writeBody(w, value);
    },
  };
}

export interface MessageInfo {
  readonly name: string;
  /** First and last version that this schema describes. */
  readonly versions: readonly [number, number];
  /** First version with compact lengths and tagged fields; absent: none. */
  readonly flexibleSince?: number;
}

export interface Message<T> extends MessageInfo {
  readonly fields: Fields;
  isFlexible(version: number): boolean;
  /** @throws MalformedMessage where the bytes are not this message in this version. */
  read(reader: Reader, version: number): T;
  write(writer: Writer, version: number, value: Partially<T>): void;
  /** As `read` and `write`, a few elements at a time. */
  readInSteps(reader: Reader, version: number): Generator<void, T>;
  writeInSteps(writer: Writer, version: number, value: Partially<T>): Generator<void, void>;
  /** @param isExact as of `Reader` */
  decode(buffer: Buffer, version: number, isExact?: boolean): T;
  encode(value: Partially<T>, version: number): Buffer;
}

export type Infer<M> = M extends Message<infer T> ? T : never;
export type Encodable<M> = M extends Message<infer T> ? Partially<T> : never;

/** Describes a message; codecs are compiled when a version is first used. */
export function message<F extends Fields>(info: MessageInfo, fields: F): Message<StructOf<F>> {
  const codecs = new Map<number, Codec<StructOf<F>>>();
  const type = struct(fields);
  const isFlexible = (version: number) => version >= (info.flexibleSince ?? Infinity);
  const codecFor = (version: number) => {
    let codec = codecs.get(version);
    if (codec === undefined) {
      if (version < info.versions[0] || version > info.versions[1]) {
        throw new RangeError(`${info.name} has no version ${version}`);
      }
      codec = type.codec({
        version,
        flexible: isFlexible(version),
        nullable: false,
        tagged: false,
      });
      codecs.set(version, codec);
    }
    return codec;
  };
  return {
    ...info,
    fields,
    isFlexible,
    read: (reader, version) => codecFor(version).read(reader),
    write: (writer, version, value) => codecFor(version).write(writer, value as StructOf<F>),
    *readInSteps(reader, version) {
      const codec = codecFor(version);
      return codec.steps === undefined ? codec.read(reader) : yield* codec.steps.read(reader);
    },
    *writeInSteps(writer, version, value) {
      const codec = codecFor(version);
      if (codec.steps === undefined) codec.write(writer, value as StructOf<F>);
      else yield* codec.steps.write(writer, value as StructOf<F>);
    },
    decode(buffer, version, isExact = false) {
      const reader = new Reader(buffer, 0, buffer.length, isExact);
      const value = codecFor(version).read(reader);
      if (reader.remaining > 0) {
        throw new MalformedMessage(`${info.name} must end where its bytes end`);
      }
      return value;
    },
    encode(value, version) {
      const writer = new Writer();
      codecFor(version).write(writer, value as StructOf<F>);
      return writer.toBuffer();
    },
  };
}
