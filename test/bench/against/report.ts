/** The rounds of a comparison as a table and a chart in Markdown. Pure. */
import { isMet, type Mark, marks, words } from './marks.ts';
import type { Figures } from './workloads.ts';

/** What client and loopback take by themselves. */
export const CLIENT_ALONE = 'client alone';

export interface Comparison {
  readonly at: string;
  readonly command: string;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  /** The figures of each round, by system. */
  readonly rounds: Readonly<Record<string, readonly Figures[]>>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

const short = (value: number) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

function cell(values: readonly number[]): string {
  if (values.length === 0) return '';
  const spread = `${short(Math.min(...values))}–${short(Math.max(...values))}`;
  return values.length === 1 ? short(values[0] as number) : `${short(median(values))} (${spread})`;
}

interface Row {
  readonly figure: string;
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
  readonly floor: readonly number[];
  readonly mark: Mark | null;
}

export function rowsOf({ rounds }: Comparison, ours = 'Tenure', theirs = 'Apache Kafka'): Row[] {
  const of = (system: string, figure: string) =>
    (rounds[system] ?? []).flatMap((figures) => {
      const value = figures[figure];
      return value === undefined ? [] : [value];
    });
  const names = new Set((rounds[ours] ?? []).flatMap((figures) => Object.keys(figures)));
  return [...names].map((figure) => ({
    figure,
    ours: of(ours, figure),
    theirs: of(theirs, figure),
    floor: of(CLIENT_ALONE, figure),
    mark: marks.find((mark) => mark.figure === figure) ?? null,
  }));
}

const ratioOf = ({ ours, theirs }: Row) =>
  theirs.length === 0 ? null : median(ours) / median(theirs);

function verdict(row: Row): string {
  if (row.mark === null) return '';
  const met = isMet(
    row.mark,
    median(row.ours),
    row.theirs.length === 0 ? undefined : median(row.theirs),
  );
  return met === null ? '' : met ? 'met' : '**missed**';
}

export function tableOf(comparison: Comparison): string {
  const lines = rowsOf(comparison).map((row) => {
    const ratio = ratioOf(row);
    const cells = [
      row.figure,
      cell(row.ours),
      cell(row.theirs),
      cell(row.floor),
      ratio === null ? '' : ratio.toFixed(2),
      row.mark === null ? '' : words(row.mark),
      verdict(row),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    `| figure | Tenure | Apache Kafka | ${CLIENT_ALONE} | ratio | mark | |`,
    '| --- | ---: | ---: | ---: | ---: | ---: | --- |',
    ...lines,
  ].join('\n');
}

/** Broker CPU of each load, Apache Kafka being 1. */
export function chartOf(comparison: Comparison): string {
  const rows = rowsOf(comparison).filter(
    (row) => row.figure.endsWith('CPU-s/GB') && row.theirs.length > 0,
  );
  const label = ({ figure }: Row) => `"${figure.replace(', broker CPU-s/GB', '')}"`;
  return [
    '```mermaid',
    'xychart-beta',
    '  title "Broker CPU for each GB, Apache Kafka = 1"',
    `  x-axis [${rows.map(label).join(', ')}]`,
    '  y-axis "ratio" 0 --> 1.5',
    `  bar [${rows.map((row) => (ratioOf(row) as number).toFixed(2)).join(', ')}]`,
    `  line [${rows.map(() => '1').join(', ')}]`,
    '```',
  ].join('\n');
}
