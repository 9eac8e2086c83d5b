#!/usr/bin/env node
import { root, run } from '../../scripts/run.mjs';

run([`${root}cli/tenure.ts`, 'kafka-reassign-partitions', ...process.argv.slice(2)]);
