#!/usr/bin/env node
import { root, run } from '../../scripts/run.mjs';

run([`${root}cli/tenure.ts`, 'kafka-delete-records', ...process.argv.slice(2)]);
