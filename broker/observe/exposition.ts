/**
 * Metrics as the text that Prometheus reads, made in slices: others have their turn in between, and what
 * is made is as large as a bound allows, however many rows there are. Pure but for the pause it is given.
 */

/** A metric with a row for each of many things. */
export interface Table {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly rows: () => Iterable<readonly [labels: Readonly<Record<string, string>>, value: number]>;
}

export interface Pace {
  readonly nowMs: () => number;
  /** Resolves when others have had their turn. */
  readonly pause: () => Promise<void>;
}

const SLICE_MS = 4;
/** Rows between two looks at the clock. */
const LOOK_ROWS = 64;
export const BYTES_MAX = 64 * 1024 * 1024;

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** Pieces of the text, each made without holding anybody up; how many rows had no room is said at the end. */
export async function* exposition(
  tables: readonly Table[],
  pace: Pace,
  bytesMax = BYTES_MAX,
): AsyncGenerator<string> {
  let left = bytesMax;
  let leftOut = 0;
  let text = '';
  let sinceMs = pace.nowMs();
  for (const { name, help, type, rows } of tables) {
    text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    let count = 0;
    for (const [labels, value] of rows()) {
      const row = `${name}${labelText(labels)} ${value}\n`;
      if (row.length > left) leftOut++;
      else {
        text += row;
        left -= row.length;
      }
      if (++count % LOOK_ROWS !== 0 || pace.nowMs() - sinceMs < SLICE_MS) continue;
      yield text;
      text = '';
      await pace.pause();
      sinceMs = pace.nowMs();
    }
  }
  const name = 'tenure_scrape_rows_left_out';
  yield `${text}# HELP ${name} Rows that had no room in this answer.\n# TYPE ${name} gauge\n${name} ${leftOut}\n`;
}
