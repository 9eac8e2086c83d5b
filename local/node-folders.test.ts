/** Whatever pods, claims and Secrets are called, a node writes within its own folder. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { NodeFolders, UnsafePath } from './node-folders.ts';

const outside = realpathSync(mkdtempSync(join(tmpdir(), 'tenure-folders-')));
const root = join(outside, 'node');
const folders = new NodeFolders(root);
after(() => rmSync(outside, { recursive: true }));

const hostile = fc.oneof(
  fc.constantFrom(
    '..',
    '.',
    '',
    '../../x',
    'a/b',
    '/etc',
    'a\0b',
    'a\\b',
    '%2e%2e',
    '..a',
    '-',
    '_',
  ),
  fc.string({ maxLength: 12 }),
  fc
    .array(fc.constantFrom('..', '/', '.', 'a', '\0'), { maxLength: 8 })
    .map((parts) => parts.join('')),
);

const ways: readonly ((a: string, b: string) => unknown)[] = [
  (a, b) => folders.claim(a, b),
  (a, b) => folders.ephemeral(a, b),
  (a, b) => folders.log(a, b),
  (a) => folders.serviceAccount(a),
  (a) => folders.dropEphemeral(a),
  (a, b) => folders.writeSecret(a, b, a, Buffer.from('x')),
  (a, b) => folders.writeSecret('uid', a, b, Buffer.from('x')),
];

test('every path lies in the folder, or is refused', () => {
  fc.assert(
    fc.property(hostile, hostile, fc.nat(ways.length - 1), (a, b, way) => {
      let path: unknown;
      try {
        path = ways[way]?.(a, b);
      } catch (cause) {
        // One name may be that of a file for one way and of a folder for another.
        const code = (cause as NodeJS.ErrnoException).code ?? '';
        assert.ok(cause instanceof UnsafePath || ['EEXIST', 'ENOTDIR', 'EISDIR'].includes(code));
      }
      if (typeof path === 'string') assert.ok(path.startsWith(root + sep), path);
      assert.deepEqual(readdirSync(outside), ['node']);
    }),
    { numRuns: 2_000 },
  );
});

test('a claim of a pod cannot name a folder above', () => {
  assert.throws(() => folders.claim('default', '../../../x'), UnsafePath);
  assert.throws(() => folders.claim('..', 'x'), UnsafePath);
  assert.equal(folders.claim('default', 'data-0'), join(root, 'volumes/default_data-0'));
});

test('a link in the way leads nowhere', () => {
  const elsewhere = join(outside, 'elsewhere');
  mkdirSync(elsewhere);
  mkdirSync(join(root, 'volumes'), { recursive: true });
  symlinkSync(elsewhere, join(root, 'volumes/default_linked'));
  assert.throws(() => folders.claim('default', 'linked'), UnsafePath);
  const victim = join(elsewhere, 'victim');
  writeFileSync(victim, 'mine');
  symlinkSync(victim, join(folders.ephemeral('pod', 'keys'), 'tls.key'));
  folders.writeSecret('pod', 'keys', 'tls.key', Buffer.from('secret'));
  assert.equal(readFileSync(victim, 'utf8'), 'mine');
  const written = join(root, 'ephemeral/pod/keys/tls.key');
  assert.equal(readFileSync(written, 'utf8'), 'secret');
  assert.equal(statSync(written).mode & 0o777, 0o600);
  rmSync(elsewhere, { recursive: true });
});

test('what belongs to a pod goes with it', () => {
  const folder = folders.ephemeral('gone', 'scratch');
  folders.dropEphemeral('gone');
  assert.ok(!existsSync(folder));
});
