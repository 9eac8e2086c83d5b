/** Starts a TypeScript file with the Node of this project, installing what is missing first. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));

/** The Node that package.json pins, if the machine's own is too old to run TypeScript. */
export function nodeOfProject() {
  const pinned = `${root}node_modules/.bin/node`;
  return existsSync(pinned) ? pinned : process.execPath;
}

/** Installs dependencies where there are none. Ends the process with a sentence where that fails. */
export function install() {
  if (existsSync(`${root}node_modules/.package-lock.json`)) return;
  process.stderr.write('installing what is missing (once) …\n');
  const { status, stderr } = spawnSync(
    'npm',
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  if (status === 0) return;
  process.stderr.write(`npm ci failed: ${String(stderr).trim().split('\n')[0] ?? 'see npm ci'}\n`);
  process.exit(1);
}

export function run(args) {
  const child = spawn(nodeOfProject(), ['--disable-warning=ExperimentalWarning', ...args], {
    stdio: 'inherit',
  });
  // Ctrl-C reaches the child by itself; this process only waits for it.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 130)));
}

export { root };
