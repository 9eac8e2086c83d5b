/** Who asks a program for what there is not gets a sentence and status 2, before anything is done. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../stdx/root.ts';

const wrong = [
  ['mutants', '--only', 'there-is-no-such'],
  ['chaos', '--only', 'there-is-no-such'],
  ['chaos', '--rounds', '0'],
  ['sim', '--seed', 'x'],
  ['sim', '--runs', '0'],
  ['sim', '--faults', ','],
  ['sim', '--there-is-no-such'],
  ['spec', '--records', ''],
] as const;

for (const [program, ...args] of wrong) {
  test(`${program} ${args.join(' ')}`, () => {
    const { status, stderr, stdout } = spawnSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(ROOT, 'test', program, 'main.ts'), ...args],
      { encoding: 'utf8' },
    );
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /^.{15,}\n$/, 'one sentence, no stack');
  });
}
