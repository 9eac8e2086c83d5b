/** `npm test`: everything that needs no extra service; ends with how many tests passed and failed. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { install, nodeOfProject, root } from './run.mjs';

const HELP = `Usage: npm test -- [unit|e2e|k8s] [files…]

  unit    fast tests beside the code, golden bytes, house rules
  e2e     real processes and real clients; on a real API server where TENURE_TEST_KUBECONFIG names one
  k8s     a real Kubernetes with nodes: KUBECONFIG, and TENURE_TEST_IMAGE, an image that its nodes have
`;

install();
const wanted = process.argv.slice(2);
if (wanted.includes('--help')) {
  process.stdout.write(HELP);
  process.exit(0);
}

const unit = [
  '{stdx,proto,kube,broker,operator,client,cli,local}/**/*.test.ts',
  'test/*.test.ts',
  'test/golden/*.test.ts',
  'test/chaos/*.test.ts',
];
const e2e = [
  'test/sim/*.test.ts',
  'test/mutants/*.test.ts',
  'test/e2e/*.test.ts',
  'test/chart/*.test.ts',
];
const files = wanted.filter((one) => one.endsWith('.ts'));
const suites = [];
if (files.length > 0) suites.push(files);
else {
  if (wanted.length === 0 || wanted.includes('unit')) suites.push(unit);
  if (wanted.length === 0 || wanted.includes('e2e')) suites.push(e2e);
  if (wanted.includes('k8s')) suites.push(['test/k8s/*.test.ts']);
}

const folder = mkdtempSync(join(tmpdir(), 'tenure-tests-'));
const total = { pass: 0, fail: 0, cancelled: 0, skipped: 0 };
for (const [i, patterns] of suites.entries()) {
  const tap = join(folder, `${i}.tap`);
  spawnSync(
    nodeOfProject(),
    [
      '--disable-warning=ExperimentalWarning',
      '--disable-warning=TimeoutNegativeWarning',
      '--test',
      // One file at a time: the real processes of two would fight for the same cores.
      '--test-concurrency=1',
      // Clients that crashed may start again by timers that nobody can stop: they do not hold up a run.
      ...(patterns === unit ? [] : ['--test-force-exit']),
      `--test-timeout=${wanted.includes('k8s') ? 900_000 : 300_000}`,
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      '--test-reporter=tap',
      `--test-reporter-destination=${tap}`,
      ...patterns,
    ],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const text = readFileSync(tap, 'utf8');
  for (const name of Object.keys(total))
    total[name] += Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}
rmSync(folder, { recursive: true, force: true });
const failed = total.fail + total.cancelled;
process.stdout.write(`${total.pass} passed, ${failed} failed, ${total.skipped} skipped\n`);
process.exit(failed === 0 && total.pass > 0 ? 0 : 1);
