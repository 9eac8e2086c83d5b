/**
 * CRC-32C (Castagnoli), the checksum of record batches.
 *
 * Native code from 256 bytes on; below that the call itself costs more than the sum. Where no
 * native binary loads, the JavaScript form serves every size.
 */
import { createRequire } from 'node:module';

const POLYNOMIAL = 0x82f63b78;
const NATIVE_BYTES_MIN = 256;

const tables: Uint32Array[] = [];
for (let t = 0; t < 8; t++) tables.push(new Uint32Array(256));
for (let i = 0; i < 256; i++) {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  (tables[0] as Uint32Array)[i] = crc;
}
for (let t = 1; t < 8; t++) {
  const before = tables[t - 1] as Uint32Array;
  const table = tables[t] as Uint32Array;
  for (let i = 0; i < 256; i++) {
    const crc = before[i] as number;
    table[i] = (crc >>> 8) ^ ((tables[0] as Uint32Array)[crc & 0xff] as number);
  }
}
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

/** Eight bytes a step in plain JavaScript. */
export function crc32cPortable(b: Uint8Array, start: number, end: number): number {
  let crc = 0xffffffff;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    crc ^= b[i]! | (b[i + 1]! << 8) | (b[i + 2]! << 16) | (b[i + 3]! << 24);
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[b[i + 4]!]! ^
      t2[b[i + 5]!]! ^
      t1[b[i + 6]!]! ^
      t0[b[i + 7]!]!;
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ t0[(crc ^ b[i]!) & 0xff]!;
  return ~crc >>> 0;
}

type Native = (input: Buffer, previous?: number) => number;

function loadNative(): Native | null {
  try {
    const { crc32c } = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: Native };
    return crc32c;
  } catch {
    return null; // No binary for this platform: slower, not wrong.
  }
}

const native = loadNative();

/** The checksum of `buffer[start, end)` as an unsigned 32-bit number. */
export function crc32c(buffer: Buffer, start = 0, end = buffer.length): number {
  if (native === null || end - start < NATIVE_BYTES_MIN) return crc32cPortable(buffer, start, end);
  return native(buffer.subarray(start, end)) >>> 0;
}
