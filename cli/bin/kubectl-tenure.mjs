#!/usr/bin/env node
import { root, run } from '../../scripts/run.mjs';

run([`${root}cli/kubectl.ts`, ...process.argv.slice(2)]);
