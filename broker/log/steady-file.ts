/**
 * Small files that a start must be able to write on a disk without any room: a sealed text lies in them
 * twice, each in a place of its own that is written over where it lies. First the older place is written
 * and made safe, then the other. So a write that is cut short leaves one of them whole, and what becomes
 * damaged later is still to be had from the other: at rest both say the same.
 */
import type { Disk } from '../../stdx/disk.ts';
import { seal, unseal } from './sealed-text.ts';

/** A multiple of what file systems give out. */
const PLACE_BYTES = 4096;
const LINE_END = 0x0a;

interface Place {
  /** How often the file was written then. */
  readonly count: number;
  readonly text: string;
}

function placeOf(bytes: Buffer): Place | null {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === LINE_END) end--;
  const [, count, text] = /^(\d+)\n(.*)$/s.exec(unseal(bytes.subarray(0, end + 1)) ?? '') ?? [];
  return count === undefined || text === undefined ? null : { count: Number(count), text };
}

function bytesOf({ count, text }: Place, placeBytes: number): Buffer {
  const sealed = seal(`${count}\n${text}`);
  const whole = Math.max(placeBytes, Math.ceil(sealed.length / PLACE_BYTES) * PLACE_BYTES);
  return Buffer.concat([sealed, Buffer.alloc(whole - sealed.length, LINE_END)]);
}

interface Found {
  readonly places: readonly (Place | null)[];
  readonly placeBytes: number;
  /** Which place tells; where both were written as often the second does, for everybody who looks. */
  readonly newest: 0 | 1;
}

function find(bytes: Buffer): Found {
  const placeBytes = bytes.length / 2;
  if (placeBytes % PLACE_BYTES !== 0) return { places: [null, null], placeBytes: 0, newest: 1 };
  const first = placeOf(bytes.subarray(0, placeBytes));
  const second = placeOf(bytes.subarray(placeBytes));
  const isFirst = first !== null && (second === null || first.count > second.count);
  return { places: [first, second], placeBytes, newest: isFirst ? 0 : 1 };
}

/** The text; undefined where it is damaged in both places, null where there is no such file. */
export function readSteady(disk: Disk, path: string): string | null | undefined {
  const bytes = disk.readBytes(path);
  if (bytes === null) return null;
  const { newest, places } = find(bytes);
  // Earlier versions wrote it once, and made the file anew each time.
  return places[newest]?.text ?? unseal(bytes) ?? undefined;
}

/**
 * On stable storage when it returns. Takes room only where the file is not there yet, or too small.
 * @throws DiskError; the file may then say either
 */
export function writeSteady(disk: Disk, path: string, text: string): void {
  const { newest, placeBytes, places } = find(disk.readBytes(path) ?? Buffer.alloc(0));
  const place = bytesOf({ count: (places[newest]?.count ?? 0) + 1, text }, placeBytes);
  if (place.length !== placeBytes) return disk.replaceFile(path, Buffer.concat([place, place]));
  const older = newest === 0 ? 1 : 0;
  for (const i of [older, newest]) disk.overwrite(path, i * placeBytes, place);
}
