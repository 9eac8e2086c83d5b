/**
 * The types of the protocol that have no parts: numbers, strings, bytes.
 *
 * What was read can be written: no string is handed out that is too long for an answer, so that whatever
 * repeats a name of a request can be encoded.
 */
import { MalformedMessage, type Reader, Unencodable, type Writer, ZERO_UUID } from './cursor.ts';
import type { Layout, Type } from './schema.ts';

function fixed<T>(
  zero: T,
  read: (reader: Reader) => T,
  write: (writer: Writer, value: T) => void,
): Type<T> {
  const codec = { read, write };
  return { zero: () => zero, codec: () => codec };
}

export const bool: Type<boolean> = fixed<boolean>(
  false,
  (r) => r.int8() !== 0,
  (w, v) => w.int8(v ? 1 : 0),
);
export const int8 = fixed(
  0,
  (r) => r.int8(),
  (w, v) => w.int8(v),
);
export const int16 = fixed(
  0,
  (r) => r.int16(),
  (w, v) => w.int16(v),
);
export const uint16 = fixed(
  0,
  (r) => r.uint16(),
  (w, v) => w.uint16(v),
);
export const int32 = fixed(
  0,
  (r) => r.int32(),
  (w, v) => w.int32(v),
);
export const uint32 = fixed(
  0,
  (r) => r.uint32(),
  (w, v) => w.uint32(v),
);
export const int64 = fixed(
  0,
  (r) => r.int64(),
  (w, v) => w.int64(v),
);
export const float64 = fixed(
  0,
  (r) => r.float64(),
  (w, v) => w.float64(v),
);
/** 16 bytes, as 22 characters of base64url. */
export const uuid: Type<string> = fixed<string>(
  ZERO_UUID,
  (r) => r.uuid(),
  (w, v) => w.uuid(v),
);

/** Reads and writes a length in the form that the layout asks for; -1 stands for null. */
export function readLength(r: Reader, flexible: boolean, wide: boolean): number {
  if (flexible) return r.uvarint() - 1;
  return wide ? r.int32() : r.int16();
}
export function writeLength(w: Writer, length: number, flexible: boolean, wide: boolean): void {
  if (flexible) w.uvarint(length + 1);
  else if (wide) w.int32(length);
  else w.int16(length);
}

export function orNull<T>(layout: Layout, what: string): T {
  if (!layout.nullable) throw new MalformedMessage(`${what} must not be null`);
  return null as T;
}

/** In every version, whatever its length field could say. */
export const STRING_BYTES_MAX = 0x7fff;
/**
 * As in Kafka every byte that is no UTF-8 is read as U+FFFD, which has three. A string that grows too long
 * by that could be read and not repeated in an answer.
 */
const REPLACED_BYTES_MAX = Math.floor(STRING_BYTES_MAX / 3);

export const string: Type<string> = {
  zero: () => '',
  codec: (layout) => ({
    read(r) {
      const length = readLength(r, layout.flexible, false);
      if (length > STRING_BYTES_MAX)
        throw new MalformedMessage(`a string must not exceed ${STRING_BYTES_MAX} bytes`);
      if (length < 0) return orNull(layout, 'a string');
      const text = r.text(length);
      if (length > REPLACED_BYTES_MAX && Buffer.byteLength(text) > STRING_BYTES_MAX)
        throw new MalformedMessage('a string so long must be UTF-8');
      return text;
    },
    write(w, value) {
      if (value === null) return writeLength(w, -1, layout.flexible, false);
      const byteCount = Buffer.byteLength(value);
      if (byteCount > STRING_BYTES_MAX) {
        throw new Unencodable(
          `a string must not exceed ${STRING_BYTES_MAX} bytes, one has ${byteCount}`,
        );
      }
      writeLength(w, byteCount, layout.flexible, false);
      w.text(value, byteCount);
    },
  }),
};

/** A string for people, as messages of errors are: what does not fit of it is left out. */
export const sentence: Type<string> = {
  zero: () => '',
  codec(layout) {
    const asString = string.codec(layout);
    return {
      read: (r) => asString.read(r),
      write(w, value) {
        const fits = value === null || Buffer.byteLength(value) <= STRING_BYTES_MAX;
        // No character has more than four bytes.
        asString.write(w, fits ? value : value.slice(0, STRING_BYTES_MAX / 4));
      },
    };
  },
};

export const bytes: Type<Buffer> = {
  zero: () => Buffer.alloc(0),
  codec: (layout) => ({
    read(r) {
      const length = readLength(r, layout.flexible, true);
      return length < 0 ? orNull(layout, 'a bytes field') : r.view(length);
    },
    write(w, value) {
      if (value === null) return writeLength(w, -1, layout.flexible, true);
      writeLength(w, value.length, layout.flexible, true);
      w.chunk(value);
    },
  }),
};

/** Record batches stay opaque bytes; a list of buffers is written as if it were one. */
export type Records = Buffer | readonly Buffer[];
export const records: Type<Records> = {
  zero: () => [],
  codec: (layout) => {
    const asBytes = (bytes as Type<Records>).codec(layout);
    return {
      read: (r) => asBytes.read(r),
      write(w, value) {
        if (value === null) return writeLength(w, -1, layout.flexible, true);
        if (Buffer.isBuffer(value)) {
          writeLength(w, value.length, layout.flexible, true);
          return w.chunk(value);
        }
        let byteCount = 0;
        for (const part of value as readonly Buffer[]) byteCount += part.length;
        writeLength(w, byteCount, layout.flexible, true);
        for (const part of value as readonly Buffer[]) w.chunk(part);
      },
    };
  },
};
