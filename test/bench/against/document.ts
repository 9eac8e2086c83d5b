/** What was measured becomes a section of docs/benchmarks.md, between its two marks. */
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../../stdx/root.ts';

const PAGE = join(ROOT, 'docs/benchmarks.md');

/** @throws Error where the page has no such section */
export function writeSection(name: string, lines: readonly string[]): void {
  const begin = `<!-- ${name}: written by npm run bench -->`;
  const end = `<!-- end of ${name} -->`;
  const page = readFileSync(PAGE, 'utf8');
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${PAGE} must have the lines ${begin} and ${end}`);
  writeFileSync(
    PAGE,
    `${page.slice(0, from)}${[begin, '', ...lines, '', ''].join('\n')}${page.slice(to)}`,
  );
}

export function machine(): string {
  const cores = os.cpus();
  const memory = Math.round(os.totalmem() / 2 ** 30);
  return `${cores.length} shared cores (${cores[0]?.model.trim()}), ${memory} GiB, Linux ${os.release().split('-')[0]}`;
}
