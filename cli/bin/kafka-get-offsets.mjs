#!/usr/bin/env node
import { root, run } from '../../scripts/run.mjs';

run([`${root}cli/tenure.ts`, 'kafka-get-offsets', ...process.argv.slice(2)]);
