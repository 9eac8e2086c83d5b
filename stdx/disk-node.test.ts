import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { mkdtempSync, rmSync, statSync } from 'node:fs';
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

const LOCKER = `
  import { nodeDisk } from ${JSON.stringify(new URL('./disk-node.ts', import.meta.url).href)};
  globalThis.lock = nodeDisk.lock(process.argv[1]);
  process.stdout.write(globalThis.lock === null ? 'refused' : 'taken');
  setInterval(() => {}, 1000);
`;

/** A process of its own that asks for the lock, and what it was told. */
async function locker(path: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', LOCKER, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: said.toString() };
}

async function ended(child: ChildProcess): Promise<void> {
  const end = once(child, 'exit');
  child.kill('SIGKILL');
  await end;
}

test('a lock is another process’s until that process is gone, also while it stands still', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-disk-node-'));
  const path = join(folder, '.lock');
  try {
    const first = await locker(path);
    assert.equal(first.said, 'taken');
    first.child.kill('SIGSTOP');
    assert.equal(nodeDisk.lock(path), null);
    await ended(first.child);
    const own = nodeDisk.lock(path);
    assert.notEqual(own, null);
    const second = await locker(path);
    assert.equal(second.said, 'refused');
    await ended(second.child);
    own?.[Symbol.dispose]();
    const again = nodeDisk.lock(path);
    assert.notEqual(again, null);
    again?.[Symbol.dispose]();
    assert.equal(statSync(path).size, 0, 'nothing is written into it');
    assert.deepEqual(nodeDisk.list(folder), ['.lock']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('one process cannot take a lock twice', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-disk-node-'));
  const path = join(folder, '.lock');
  using lock = nodeDisk.lock(path);
  assert.notEqual(lock, null);
  assert.equal(nodeDisk.lock(path), null);
  rmSync(folder, { recursive: true, force: true });
});

test('a folder in which no lock can be taken is said to be so', () => {
  assert.throws(
    () => nodeDisk.lock('/nowhere/at/all/.lock'),
    (cause: unknown) => cause instanceof DiskError,
  );
});

test('a copy of a file is another file, however like it', () => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'tenure-id-'));
  const [path, copy] = [join(folder, 'a'), join(folder, 'b')];
  fs.writeFileSync(path, 'x');
  fs.cpSync(path, copy, { preserveTimestamps: true });
  const id = nodeDisk.idOf(path);
  assert.notEqual(id, null);
  assert.notEqual(nodeDisk.idOf(copy), id);
  fs.appendFileSync(path, 'y');
  fs.renameSync(path, `${path}.moved`);
  assert.equal(nodeDisk.idOf(`${path}.moved`), id);
  assert.equal(nodeDisk.idOf(path), null);
  fs.rmSync(folder, { recursive: true });
});
