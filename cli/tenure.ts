#!/usr/bin/env node
/** The one executable: `tenure broker` and `tenure operator` run in pods, the rest is for people. */

const [, , command] = process.argv;

// Brokers and operator do not load what only people need.
if (command === 'broker') await import('../broker/main.ts');
else if (command === 'operator') await import('../operator/main.ts');
else await import('./program.ts');
