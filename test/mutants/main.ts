/**
 * `npm run mutants`: the suites are only worth what they find. Each one-line bug is put into a copy of
 * the tree, and the test that is named for it must fail there.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../stdx/root.ts';
import { readOptions, refuse } from '../support/options.ts';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';

const HELP = `Usage: npm run mutants -- [options]

Puts one-line bugs into a copy of the tree, one at a time, and runs the test that is named for each:
it must fail. Prints a table; ends with an error where one survives.

  --only TEXT   mutants whose name contains the text
  --list        only say which there are, and what is to find them
`;
/** Of one run of a killer; what hangs is caught, too. */
const TIMEOUT_MS = 240_000;
const FOLDERS = ['stdx', 'proto', 'kube', 'broker', 'operator', 'local', 'client', 'cli'];
const BESIDE = ['test', 'scripts', 'crds', 'examples', 'package.json', 'tsconfig.json'];

const values = readOptions(
  { only: { type: 'string' }, list: { type: 'boolean', default: false } },
  HELP,
);

function copyTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'tenure-mutants-'));
  for (const name of [...FOLDERS, ...BESIDE])
    cpSync(join(ROOT, name), join(copy, name), {
      recursive: true,
      filter: (path) => !path.includes('/target'),
    });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** Runs what is to find the bug; returns what failed, null where nothing did. */
function finderOf(copy: string, { by }: Mutant): string | null {
  const args =
    'test' in by
      ? ['--test', '--test-force-exit', '--test-reporter=tap', by.test]
      : ['test/sim/main.ts', '--runs', String(by.seeds), '--minutes', '0.1'];
  if ('seeds' in by && by.faults !== undefined) args.push('--faults', by.faults);
  if ('seeds' in by && by.features !== undefined) args.push('--with', by.features);
  const { status, stdout } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', ...args],
    { cwd: copy, stdio: ['ignore', 'pipe', 'ignore'], timeout: TIMEOUT_MS, encoding: 'utf8' },
  );
  if (status === 0) return null;
  if (status === null) return `nothing came of it within ${TIMEOUT_MS / 1000} s`;
  if ('seeds' in by) return /^.*seed \d+.*$/m.exec(stdout)?.[0].slice(0, 100) ?? 'the simulator';
  // The innermost test comes first.
  return /^\s*not ok \d+ - (.*)$/m.exec(stdout)?.[1] ?? by.test;
}

const chosen = mutants.filter(({ name }) => name.includes(values.only ?? ''));
if (chosen.length === 0)
  refuse(`--only: no mutant's name contains ${values.only}; --list says which there are`);
const copy = values.list ? '' : copyTree();
let survivors = 0;
try {
  for (const mutant of chosen) {
    const { name, breaks, file, find, put } = mutant;
    if (values.list) {
      process.stdout.write(`${name}\n    ${file}: ${breaks}\n`);
      continue;
    }
    const path = join(copy, file);
    const sound = readFileSync(path, 'utf8');
    const startedMs = performance.now();
    writeFileSync(
      path,
      sound.replace(find, () => put),
    );
    const finder = finderOf(copy, mutant);
    writeFileSync(path, sound);
    if (finder === null) survivors++;
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1).padStart(5);
    process.stdout.write(
      finder === null
        ? `SURVIVED ${seconds} s  ${name}: ${breaks} (${file})\n`
        : `caught   ${seconds} s  ${name.padEnd(36)} ${finder}\n`,
    );
  }
} finally {
  if (copy !== '') rmSync(copy, { recursive: true, force: true });
}
if (!values.list)
  process.stdout.write(
    `${chosen.length} mutants, ${chosen.length - survivors} caught, ${survivors} survived\n`,
  );
process.exitCode = survivors === 0 ? 0 : 1;
