#!/usr/local/bin/node
/** `tenure broker` and `tenure operator` inside the image: no shell is needed there. */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const programs = new Map([
  ['broker', 'broker'],
  ['operator', 'operator'],
  ['check-operator', 'check'],
]);
const [node, , command, ...args] = process.argv;
const folder = '/app/dist';
const file = `${folder}/${programs.get(command)}.cjs`;
if (command === 'warm-up') {
  // Loads programs without starting them, so that the compile cache of the image is filled.
  const { spawnSync } = await import('node:child_process');
  for (const one of readdirSync(folder))
    spawnSync(node, [`${folder}/${one}`], { env: { ...process.env, POD_NAME: '' } });
} else if (existsSync(file)) {
  process.argv = [node, file, ...args];
  createRequire(import.meta.url)(file);
} else {
  process.stderr.write(
    `usage: tenure ${[...programs.keys()].join('|')} (configured by environment variables)\n`,
  );
  process.exit(2);
}
