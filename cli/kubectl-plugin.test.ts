/** kubectl runs what is called kubectl-tenure on the PATH. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../stdx/root.ts';

const BIN = join(ROOT, 'cli/bin');

function help(folder: string): string {
  const PATH = [folder, dirname(process.execPath), process.env.PATH].join(delimiter);
  const { status, stderr, stdout } = spawnSync('sh', ['-c', 'kubectl-tenure --help'], {
    env: { ...process.env, PATH },
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

test('with cli/bin on the PATH, and through a link from another folder', () => {
  assert.match(help(BIN), /doctor/);
  const folder = mkdtempSync(join(tmpdir(), 'tenure-plugin-'));
  try {
    symlinkSync(join(BIN, 'kubectl-tenure'), join(folder, 'kubectl-tenure'));
    assert.match(help(folder), /doctor/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
