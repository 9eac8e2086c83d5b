/** Runs one of the project's TypeScript programs with the pinned Node: `run-tool.mjs FILE [arguments…]`. */
import { install, run } from './run.mjs';

install();
run(process.argv.slice(2));
