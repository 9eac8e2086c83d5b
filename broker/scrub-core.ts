/** How fast stored records are read through. Pure. */

/** Little is read quickly: a round of a small broker is over before anybody notices. */
const BYTES_PER_SECOND_MIN = 1024 * 1024;
/** A replica is due after half of the interval; the rest, and a reserve, is for reading. */
const READING_SHARE = 0.4;

/** Bytes in a second that bring everything about within the interval, as far as the limit allows. */
export function paceOf(of: {
  readonly totalBytes: number;
  readonly intervalMs: number;
  readonly bytesPerSecondMax: number;
}): number {
  const needed = of.totalBytes / ((of.intervalMs / 1000) * READING_SHARE);
  return Math.min(Math.max(needed, BYTES_PER_SECOND_MIN), of.bytesPerSecondMax);
}
