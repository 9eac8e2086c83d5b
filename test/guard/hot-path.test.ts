/**
 * A change that makes a request dearer shows here, in the commit that brings it. The counts were recorded
 * (`UPDATE_GUARD=1 npm test -- test/guard/hot-path.test.ts` records them anew); fewer are welcome, and
 * then recorded.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../stdx/root.ts';

const RECORDED = join(ROOT, 'test/guard/hot-path.json');
/** Addresses and alignment make a little difference. */
const SHARE = 1.02;
const SLACK = {
  heapBytes: 24,
  keptBytes: 8,
  bufferBytes: 24,
  promises: 0,
  timers: 0,
  writes: 0,
} as const;
type Counts = Record<keyof typeof SLACK, number>;

/** By the interpreter alone, with room for everything that is allocated meanwhile. */
const FLAGS = [
  '--expose-gc',
  '--no-opt',
  '--no-sparkplug',
  '--no-maglev',
  '--single-threaded-gc',
  '--min-semi-space-size=256',
  '--max-semi-space-size=256',
  '--disable-warning=ExperimentalWarning',
];

function count(): Record<string, Counts> {
  const program = join(ROOT, 'test/guard/hot-path.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [...FLAGS, program], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Record<string, Counts>;
}

test('no request of the hot path costs more than it did', () => {
  const counted = count();
  if (process.env.UPDATE_GUARD === '1')
    writeFileSync(RECORDED, `${JSON.stringify(counted, null, 2)}\n`);
  assert.ok(existsSync(RECORDED), 'record it with UPDATE_GUARD=1');
  const recorded = JSON.parse(readFileSync(RECORDED, 'utf8')) as Record<string, Counts>;
  assert.deepEqual(Object.keys(counted), Object.keys(recorded));
  for (const [name, counts] of Object.entries(counted)) {
    for (const [what, slack] of Object.entries(SLACK) as [keyof Counts, number][]) {
      const before = recorded[name]?.[what] ?? 0;
      const limit = slack === 0 ? before : before * SHARE + slack;
      assert.ok(counts[what] <= limit, `${name}: ${counts[what]} ${what}, it was ${before}`);
    }
  }
});
