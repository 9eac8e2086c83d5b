#!/usr/bin/env node
import { root, run } from '../../scripts/run.mjs';

run([`${root}cli/tenure.ts`, 'kafka-console-consumer', ...process.argv.slice(2)]);
