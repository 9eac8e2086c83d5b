import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exposition, type Table } from './exposition.ts';

const table = (count: number, label = 'x'): Table => ({
  name: 'm',
  help: 'What it is.',
  type: 'counter',
  *rows() {
    for (let i = 0; i < count; i++) yield [{ topic: `${label}${i}` }, i] as const;
  },
});

async function all(pieces: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const piece of pieces) found.push(piece);
  return found;
}

test('rows stand under their metric, with their labels quoted', async () => {
  const pace = { nowMs: () => 0, pause: async () => {} };
  const text = (await all(exposition([table(2, 'a"\\\n')], pace))).join('');
  assert.deepEqual(text.split('\n').slice(0, 4), [
    '# HELP m What it is.',
    '# TYPE m counter',
    'm{topic="a\\"\\\\\\n0"} 0',
    'm{topic="a\\"\\\\\\n1"} 1',
  ]);
});

test('others have their turn after every few milliseconds, however many rows there are', async () => {
  let nowMs = 0;
  let sinceMs = 0;
  let longestMs = 0;
  const pace = {
    nowMs: () => (nowMs += 0.5), // As if a few rows took that long.
    pause: async () => {
      longestMs = Math.max(longestMs, nowMs - sinceMs);
      sinceMs = nowMs;
    },
  };
  const pieces = await all(exposition([table(100_000)], pace));
  assert.ok(pieces.length > 100);
  assert.ok(longestMs <= 10, `${longestMs}`);
});

test('what is made has a bound, and says how many rows had no room', async () => {
  const pace = { nowMs: () => 0, pause: async () => {} };
  const text = (await all(exposition([table(10_000)], pace, 10_000))).join('');
  assert.ok(text.length < 10_500);
  const rows = text.split('\n').filter((line) => line.startsWith('m{')).length;
  assert.match(text, new RegExp(`\\ntenure_scrape_rows_left_out ${10_000 - rows}\\n$`));
});
