/**
 * Small files of our own: a text, and below it its CRC-32C. What is not exactly as it was written is not
 * believed at all. Pure.
 */
import { crc32c } from '../../stdx/crc32c.ts';

const CRC_DIGITS = 8;
/** The sum and the line ends before and behind it. */
const SEAL_BYTES = CRC_DIGITS + 2;
const LINE_END = 0x0a;

const sumOf = (bytes: Buffer) => crc32c(bytes).toString(16).padStart(CRC_DIGITS, '0');

export function seal(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([bytes, Buffer.from(`\n${sumOf(bytes)}\n`)]);
}

/** The text of a sealed file; null where it is damaged, or never had a seal. */
export function unseal(sealed: Buffer): string | null {
  const end = sealed.length - SEAL_BYTES;
  if (end < 0 || sealed[end] !== LINE_END || sealed[sealed.length - 1] !== LINE_END) return null;
  const text = sealed.subarray(0, end);
  const sum = sealed.toString('latin1', end + 1, sealed.length - 1);
  return sum === sumOf(text) ? text.toString('utf8') : null;
}

/** The value of a sealed JSON file; undefined where it is damaged. */
export function unsealJson(sealed: Buffer): unknown {
  const text = unseal(sealed);
  if (text === null) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // Sealed by something else.
  }
}
