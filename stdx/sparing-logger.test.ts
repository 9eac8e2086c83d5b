import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SparingLogger } from './sparing-logger.ts';

test('of many lines of a kind the first is written, and one a minute that counts the others', () => {
  let nowMs = 0;
  const lines: unknown[] = [];
  const logger = new SparingLogger(
    { monotonicMs: () => nowMs },
    { error: (message, fields) => void lines.push([message, fields]) },
  );
  for (let i = 0; i < 1000; i++) logger.error('refused', { i });
  logger.error('another', {});
  nowMs = 60_000;
  logger.error('refused', { i: 1000 });
  assert.deepEqual(lines, [
    ['refused', { i: 0 }],
    ['another', {}],
    ['refused', { i: 1000, more: 999 }],
  ]);
});
