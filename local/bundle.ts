/** A broker as one file: a third of the start-up time and 15 MB less than its two hundred modules. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from '../stdx/root.ts';

/** What ES modules ask for inside a CommonJS bundle. */
const BANNER = "const __url = require('node:url').pathToFileURL(__filename).href;";

/** The bundle lies below the project, so that it finds package.json, proto/ and native packages. */
export const BUNDLE = join(ROOT, 'node_modules/.cache/tenure/broker.cjs');

export async function bundleBroker(): Promise<string> {
  await bundle('broker/records-worker.ts', join(dirname(BUNDLE), 'records-worker.cjs'));
  return bundle('broker/main.ts', BUNDLE);
}

/**
 * CommonJS, because to import one of Node's own modules into an ES module is to touch all that it exports:
 * with `http` comes a second HTTP client, 46 ms of every start.
 */
export async function bundle(entry: string, outfile: string): Promise<string> {
  mkdirSync(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [join(ROOT, entry)],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    outfile,
    external: ['@node-rs/crc32'],
    define: { 'import.meta.url': '__url' },
    banner: { js: BANNER },
    logLevel: 'error',
  });
  return outfile;
}
