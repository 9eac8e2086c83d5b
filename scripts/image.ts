/**
 * `npm run image -- OUT.tar [NAME:TAG]`: the image as an archive, for machines without a container engine;
 * `ctr images import OUT.tar` or `docker load -i OUT.tar` takes it. The Dockerfile makes the same with one.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ROOT } from '../stdx/root.ts';
import { VERSION } from '../stdx/version.ts';

const [out, name = `tenure:${VERSION}`] = process.argv.slice(2);
if (out === undefined || out.startsWith('-')) {
  process.stderr.write('usage: npm run image -- OUT.tar [NAME:TAG]\n');
  process.exit(2);
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`${program} ${args[0]} failed: ${stderr}`);
  return stdout;
}

const folder = mkdtempSync(join(tmpdir(), 'tenure-image-'));
const root = join(folder, 'root');

function put(from: string, to: string): void {
  mkdirSync(dirname(join(root, to)), { recursive: true });
  cpSync(from, join(root, to), { recursive: true, dereference: true });
}

run(process.execPath, ['scripts/build.ts']);
const node = realpathSync(process.execPath);
put(node, 'usr/local/bin/node');
// The libraries that the program is linked with, where it looks for them.
for (const [, path = ''] of run('ldd', [node]).matchAll(/(\/\S+) \(0x/g))
  put(realpathSync(path), path.slice(1));
for (const part of ['package.json', 'proto', 'dist']) put(join(ROOT, part), `app/${part}`);
const native = 'node_modules/@node-rs';
for (const one of readdirSync(join(ROOT, native)))
  if (!/musl|darwin|win32|wasm/.test(one)) put(join(ROOT, native, one), `app/${native}/${one}`);
put(join(ROOT, 'scripts/image-entry.mjs'), 'usr/local/bin/tenure');
chmodSync(join(root, 'usr/local/bin/tenure'), 0o755);
mkdirSync(join(root, 'etc'), { recursive: true });
mkdirSync(join(root, 'tmp'), { recursive: true, mode: 0o1777 });
writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/\ntenure:x:1000:1000::/app:/\n');
writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');

const layer = join(folder, 'layer.tar');
run('tar', [
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--sort=name',
  '-C',
  root,
  '-cf',
  layer,
  '.',
]);
const digest = createHash('sha256').update(readFileSync(layer)).digest('hex');
const config = JSON.stringify({
  architecture: process.arch === 'x64' ? 'amd64' : process.arch,
  os: 'linux',
  config: {
    Env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'NODE_ENV=production'],
    Entrypoint: ['tenure'],
    User: '1000:1000',
    WorkingDir: '/app',
  },
  rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
  history: [{ created_by: 'npm run image' }],
});
const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
const manifest = JSON.stringify([{ Config: configName, RepoTags: [name], Layers: ['layer.tar'] }]);
writeFileSync(join(folder, configName), config);
writeFileSync(join(folder, 'manifest.json'), manifest);
run('tar', ['-C', folder, '-cf', resolve(out), configName, 'layer.tar', 'manifest.json']);
rmSync(folder, { recursive: true });
process.stdout.write(`${name} is in ${out}\n`);
