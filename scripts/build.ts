/** `npm run build`: what the image runs, as one file for brokers and one for the operator. */
import { join } from 'node:path';
import { bundleBroker } from '../local/bundle.ts';
import { ROOT } from '../stdx/root.ts';

process.stdout.write(`${await bundleBroker(join(ROOT, 'dist/broker.mjs'))}\n`);
