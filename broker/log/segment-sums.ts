/**
 * Checksums of the indexes of a log's closed segments, in one sealed file of its folder: Kafka's formats
 * have none, and after a kill nothing else says that an index is still what was written. A sum that is not
 * right costs an index that is made anew; where the file itself is missing or damaged nothing is known.
 */
import type { Disk } from '../../stdx/disk.ts';
import { seal, unsealJson } from './sealed-text.ts';

const FILE = 'tenure-segments.json';

/** By base offset: of `.index` and `.timeindex`, and of `.txnindex`; -1 where it is not known. */
export type SegmentSums = ReadonlyMap<
  number,
  { readonly indexSum: number; readonly abortedSum: number }
>;

type Row = readonly [baseOffset: number, indexSum: number, abortedSum: number];

const isRow = (row: unknown): row is Row =>
  Array.isArray(row) && row.length === 3 && row.every(Number.isSafeInteger);

export function readSums(disk: Disk, folder: string): SegmentSums {
  const bytes = disk.readBytes(`${folder}/${FILE}`);
  const rows = bytes === null ? null : unsealJson(bytes);
  if (!Array.isArray(rows) || !rows.every(isRow)) return new Map();
  return new Map(
    rows.map(([baseOffset, indexSum, abortedSum]) => [baseOffset, { indexSum, abortedSum }]),
  );
}

export function writeSums(disk: Disk, folder: string, rows: readonly Row[]): void {
  disk.writeFile(`${folder}/${FILE}`, seal(JSON.stringify(rows)));
}
