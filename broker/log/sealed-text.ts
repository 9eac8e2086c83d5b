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

const BLANKS = 32;

/**
 * Seals a text of lines in Kafka's formats so that Kafka's own readers take it as it was: the sum is
 * written in blanks and tabs at its end, over which they pass. A text without entries has nowhere to put them.
 */
export function sealWithBlanks(text: string): string {
  const bits = crc32c(Buffer.from(text)).toString(2).padStart(BLANKS, '0');
  const blanks = bits.replaceAll('0', ' ').replaceAll('1', '\t');
  return `${text.slice(0, -1)}${blanks}\n`;
}

/**
 * The text without its seal; as it is where it has none, as Kafka and earlier versions wrote it; null where
 * the seal is not right. What is left of a damaged seal is no part of a line, so such a text is not read.
 */
export function unsealBlanks(sealed: string): string | null {
  if (!/[ \t]\n$/.test(sealed)) return /[^\S\n]{2}/.test(sealed) ? null : sealed;
  const text = `${sealed.slice(0, -BLANKS - 1)}\n`;
  return sealWithBlanks(text) === sealed ? text : null;
}

/** The value of a sealed JSON file; undefined where it is damaged. */
export function unsealJson(sealed: Buffer): unknown {
  return jsonOf(unseal(sealed) ?? '');
}

/** The value of a text; undefined where it is not JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // Sealed by something else.
  }
}
