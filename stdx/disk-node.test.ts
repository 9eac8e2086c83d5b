import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DiskError } from './disk.ts';
import { nodeDisk } from './disk-node.ts';

test('a handle that is closed while another thread reads and flushes stays valid until they are done', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-disk-node-'));
  try {
    const file = nodeDisk.open(join(folder, 'f'), { create: true });
    file.writeAt(0, [Buffer.from('hello '), Buffer.from('world')]);
    const target = Buffer.alloc(11);
    const both = [file.readAtLater(0, target), file.flush()] as const;
    file.close();
    // Descriptors are given out lowest first: a freed one would be this file's.
    const other = nodeDisk.open(join(folder, 'g'), { create: true });
    other.writeAt(0, [Buffer.alloc(11, 'x')]);
    assert.equal(await both[0], 11);
    await both[1];
    assert.equal(target.toString(), 'hello world');
    other.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('what the system refuses is a DiskError with its code and the path', () => {
  assert.throws(
    () => nodeDisk.open('/nowhere/at/all', { create: true }),
    (cause: unknown) =>
      cause instanceof DiskError && cause.code === 'ENOENT' && cause.path === '/nowhere/at/all',
  );
});
