/** `npm start`: see local/main.ts. */
import { install, root, run } from './run.mjs';

install();
run([`${root}local/main.ts`, ...process.argv.slice(2)]);
