/**
 * How far the Kubernetes API had come when a page was written. A memory that is older than somebody's is known
 * by this alone: lines that come or go raise the page's generation, every other change of a line its epochs,
 * and two pages of the same age say the same. Pure.
 */
import { type PartitionLine, sameMember } from '../../kube/partition-line.ts';
import { crc32c } from '../../stdx/crc32c.ts';

export interface PageAge {
  readonly name: string;
  readonly generation: number;
  /** How often lines of it changed, all together. */
  readonly changes: number;
  /** Of its lines: pages of the same age that are not the same were written by two memories. */
  readonly sum: number;
}

export function ageOf(
  of: { readonly name: string; readonly generation: number },
  text: string,
  lines: ReadonlyMap<string, PartitionLine>,
): PageAge {
  let changes = 0;
  for (const { leaderEpoch, partitionEpoch } of lines.values())
    changes += leaderEpoch + partitionEpoch;
  return { ...of, changes, sum: crc32c(Buffer.from(text)) };
}

/** Whether a page that somebody saw cannot have come before the one that the API has now. */
export function isLater(seen: PageAge, now: PageAge): boolean {
  if (seen.generation !== now.generation) return seen.generation > now.generation;
  if (seen.changes !== now.changes) return seen.changes > now.changes;
  return seen.sum !== now.sum;
}

/** Negative: a is older than b. */
export function compareLines(a: PartitionLine, b: PartitionLine): number {
  return a.leaderEpoch - b.leaderEpoch || a.partitionEpoch - b.partitionEpoch;
}

/** Whether a line cannot have come after the one that was known: no line goes back, and each is written once. */
export function wentBack(known: PartitionLine, line: PartitionLine): boolean {
  const difference = compareLines(line, known);
  if (difference !== 0) return difference < 0;
  const isSame =
    sameMember(line.leader, known.leader) &&
    line.isr.length === known.isr.length &&
    line.isr.every((member, i) => sameMember(member, known.isr[i] ?? null));
  return !isSame;
}

/** A leader epoch has one leader, ever: two lines that name different ones were written by two memories. */
export function areRivals(a: PartitionLine, b: PartitionLine): boolean {
  return (
    a.leaderEpoch === b.leaderEpoch &&
    a.leader !== null &&
    b.leader !== null &&
    !sameMember(a.leader, b.leader)
  );
}

/** Whether any line of a page went back: the page is older than the one that was known before. */
export function isOlderPage(
  known: ReadonlyMap<string, PartitionLine> | undefined,
  lines: ReadonlyMap<string, PartitionLine>,
): boolean {
  if (known === undefined) return false;
  for (const [key, line] of lines) {
    const before = known.get(key);
    if (before !== undefined && wentBack(before, line)) return true;
  }
  return false;
}
