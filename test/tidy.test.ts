/** The house rules that a machine can check: which way imports point, what only a few files may do. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../stdx/root.ts';

const FOLDERS = [
  'stdx',
  'proto',
  'kube',
  'broker',
  'operator',
  'local',
  'client',
  'cli',
  'scripts',
  'test',
];

/** Folder → what it may import. Changing a line needs a reason in the commit. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  stdx: [],
  proto: ['stdx'],
  kube: ['stdx', 'proto'],
  broker: ['stdx', 'proto', 'kube'],
  operator: ['stdx', 'proto', 'kube'],
  client: ['stdx', 'proto'],
  local: ['stdx', 'proto', 'kube', 'operator'],
  // The plugin of kubectl speaks to the Kubernetes API alone.
  cli: ['stdx', 'proto', 'kube', 'client', 'broker', 'operator'],
  // The reference is generated from what the broker serves.
  scripts: ['stdx', 'proto', 'broker', 'operator', 'local'],
};

/** The same inside the broker; files at its top wire the parts together. */
const BROKER_MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  memory: [],
  log: [],
  partition: ['log'],
  replication: ['log', 'memory', 'partition', 'metadata'],
  metadata: [],
  coordinator: [],
  share: ['log', 'partition'],
  config: ['log', 'partition', 'metadata'],
  api: ['config', 'coordinator', 'memory', 'metadata', 'partition', 'log', 'share'],
  server: ['api', 'memory', 'partition'],
  observe: ['api', 'memory', 'partition', 'server'],
};

const sources = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name))),
).map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

function importsOf({ path, text }: { path: string; text: string }): string[] {
  return [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, target]) =>
    relative(ROOT, resolve(join(ROOT, dirname(path)), target as string)),
  );
}

test('imports point one way between the top folders', () => {
  const wrong: string[] = [];
  for (const source of sources) {
    const from = source.path.split('/')[0] as string;
    const allowed = MAY_IMPORT[from];
    if (allowed === undefined || source.path.endsWith('.test.ts')) continue;
    for (const target of importsOf(source)) {
      const to = target.split('/')[0] as string;
      if (to !== from && !allowed.includes(to)) wrong.push(`${source.path} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('imports point one way inside the broker', () => {
  const wrong: string[] = [];
  for (const source of sources) {
    const [top, from, file] = source.path.split('/') as [string, string, string | undefined];
    if (top !== 'broker' || file === undefined || source.path.endsWith('.test.ts')) continue;
    for (const target of importsOf(source)) {
      const [otherTop, to] = target.split('/') as [string, string];
      if (otherTop !== 'broker' || to === from) continue;
      if (!BROKER_MAY_IMPORT[from]?.includes(to)) wrong.push(`${source.path} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('pure files neither wait, nor read a clock, nor touch a disk', () => {
  const banned =
    /\bPromise\b|\basync\b|\bawait\b|node:fs|node:net|node:http|\bDate\.now|performance\.now|Math\.random|setTimeout|setInterval/;
  const pure = sources.filter(({ path }) =>
    /-core\.ts$|operator\/cluster\/(status|observed|desired\/.*)\.ts$/.test(path),
  );
  assert.ok(pure.length >= 5);
  const wrong = pure.filter(({ text }) =>
    banned.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')),
  );
  assert.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
});

test('time, chance and disk are arguments in everything that serves', () => {
  const banned =
    /\bDate\.now\b|\bMath\.random\b|(?<!\.)\bsetTimeout\(|(?<!\.)\bsetInterval\(|\bsetImmediate\(|from 'node:fs'/;
  const may =
    /^(stdx\/|broker\/main\.ts|operator\/main\.ts|kube\/client\.ts|kube\/embedded\/store\.ts)/;
  const serving = sources.filter(
    ({ path }) =>
      /^(broker|operator|kube)\//.test(path) && !may.test(path) && !path.endsWith('.test.ts'),
  );
  const wrong = serving.filter(({ text }) =>
    banned.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')),
  );
  assert.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
});

test('files stay small enough to be read from top to bottom', () => {
  const big = sources.filter(({ text }) => text.split('\n').length > 700).map(({ path }) => path);
  assert.deepEqual(big, []);
});

test('nothing is left unfinished or switched off', () => {
  const marks = sources.filter(
    ({ path, text }) => path !== 'test/tidy.test.ts' && /\b(TODO|FIXME|XXX|HACK)\b/.test(text),
  );
  assert.deepEqual(
    marks.map(({ path }) => path),
    [],
  );
});
