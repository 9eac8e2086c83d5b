/** `npm run build`: what the image runs, one file for brokers and one for the operator. */
import { join } from 'node:path';
import { bundle } from '../local/bundle.ts';
import { ROOT } from '../stdx/root.ts';

for (const part of ['broker', 'operator']) {
  process.stdout.write(`${await bundle(`${part}/main.ts`, join(ROOT, `dist/${part}.mjs`))}\n`);
}
