/** `npm run build`: what the image runs, one file for each program. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../local/bundle.ts';
import { ROOT } from '../stdx/root.ts';

const parts = {
  broker: 'broker/main.ts',
  'records-worker': 'broker/records-worker.ts',
  operator: 'operator/main.ts',
  check: 'operator/check.ts',
};
rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
for (const [name, entry] of Object.entries(parts)) {
  process.stdout.write(`${await bundle(entry, join(ROOT, `dist/${name}.cjs`))}\n`);
}
