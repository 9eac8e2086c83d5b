/** What is to be reached, as ratios to Apache Kafka in the same run or as bounds of our own. */

export interface Mark {
  readonly figure: string;
  /** The ratio Tenure / Apache Kafka that must not be exceeded. */
  readonly ratioMax?: number;
  /** The ratio that must be reached. */
  readonly ratioMin?: number;
  /** A bound on the figure itself. */
  readonly valueMax?: number;
}

export const marks: readonly Mark[] = [
  { figure: 'produce RF=1 16 KiB, broker CPU-s/GB', ratioMax: 1 / 4 },
  { figure: 'produce RF=1 16 KiB, MB/s', ratioMin: 2 },
  { figure: 'produce RF=1 128 KiB, broker CPU-s/GB', ratioMax: 1 / 3 },
  { figure: 'produce RF=1 128 KiB, MB/s', ratioMin: 2 },
  { figure: 'produce RF=3 16 KiB, broker CPU-s/GB', ratioMax: 1 / 5 },
  { figure: 'produce RF=3 16 KiB, MB/s', ratioMin: 4 },
  { figure: 'produce RF=3 128 KiB, broker CPU-s/GB', ratioMax: 1 / 2 },
  { figure: 'produce RF=3 128 KiB, MB/s', ratioMin: 1.5 },
  { figure: 'consume a warm log, broker CPU-s/GB', ratioMax: 1 },
  { figure: 'consume a warm log, MB/s', ratioMin: 1 },
  { figure: 'consume at the tail, broker CPU-s/GB', ratioMax: 1 },
  { figure: 'latency RF=1 1000/s, p50 ms', ratioMax: 1 / 2 },
  { figure: 'latency RF=1 1000/s, p99 ms', ratioMax: 1 / 3 },
  { figure: 'latency RF=1 1000/s, p999 ms', ratioMax: 1 / 3 },
  { figure: 'latency RF=1 5000/s, p50 ms', valueMax: 1 },
  { figure: 'latency RF=1 5000/s, p99 ms', valueMax: 10 },
  { figure: '200 producers, 1,000 partitions, 2000/s, p50 ms', valueMax: 1 },
  { figure: '200 producers, 1,000 partitions, 2000/s, p99 ms', valueMax: 10 },
  { figure: 'latency RF=3 1000/s, p50 ms', ratioMax: 1 / 4 },
  { figure: 'latency RF=3 1000/s, p99 ms', ratioMax: 1 / 4 },
  { figure: 'idle, MiB', ratioMax: 1 / 4 },
  { figure: 'idle, % of a core', ratioMax: 1 / 5 },
  { figure: '1,000 partitions, MiB', ratioMax: 1 / 4 },
  { figure: 'under load, MiB', ratioMax: 1 / 5 },
  { figure: 'start, empty, ms', ratioMax: 1 / 6 },
  { figure: 'start, 1,000 partitions, ms', ratioMax: 1 / 8 },
  { figure: 'start after kill -9, 1,000 partitions, ms', ratioMax: 1 / 8 },
  { figure: '1,000 partitions RF=1, known, ms', valueMax: 300 },
  { figure: '1,000 partitions RF=1, each acknowledged, ms', ratioMax: 1 / 8 },
  { figure: '1,000 partitions RF=3, known, ms', valueMax: 300 },
  { figure: '1,000 partitions RF=3, each acknowledged, ms', ratioMax: 1 / 8 },
];

/** Whether the mark is met; null where there is nothing to compare with. */
export function isMet(mark: Mark, ours: number, theirs: number | undefined): boolean | null {
  if (mark.valueMax !== undefined) return ours < mark.valueMax;
  if (theirs === undefined) return null;
  const ratio = ours / theirs;
  return mark.ratioMax !== undefined ? ratio <= mark.ratioMax : ratio >= (mark.ratioMin as number);
}

const fraction = (value: number) => (value < 1 ? `1/${Math.round(1 / value)}` : `${value}`);

export function words({ ratioMax, ratioMin, valueMax }: Mark): string {
  if (valueMax !== undefined) return `< ${valueMax}`;
  return ratioMax !== undefined ? `≤ ${fraction(ratioMax)}` : `≥ ${fraction(ratioMin as number)}`;
}
