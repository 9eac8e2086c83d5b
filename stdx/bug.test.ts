import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { AssertionFailed } from './assert.ts';
import { expectNoBug, isBug, setFate } from './bug.ts';
import { DiskError } from './disk.ts';

test('an error of the world is left to whoever caught it, a bug is not', () => {
  const ended: string[] = [];
  using _ = setFate((doing) => void ended.push(doing));
  const bugs = [new AssertionFailed('x'), new TypeError('x'), new RangeError('x')];
  for (const bug of bugs) expectNoBug('testing', bug);
  assert.equal(ended.length, bugs.length);
  const world = [new Error('x'), new SyntaxError('x'), new DiskError('/x', new Error('x'))];
  for (const cause of world) expectNoBug('testing', cause);
  assert.equal(ended.length, bugs.length);
  assert.equal(isBug('text'), false);
});

test('where nobody says what ends the process, nothing can catch a bug', () => {
  const program = `
    import { fatal } from ${JSON.stringify(import.meta.resolve('./bug.ts'))};
    setTimeout(() => console.log('it went on'), 1000);
    try {
      fatal('testing', new TypeError('planted'));
    } catch {
      console.log('it was caught');
    }`;
  const args = ['--input-type=module', '--eval', program];
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(stderr, /TypeError: planted/);
});
