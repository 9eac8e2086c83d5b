/**
 * docs/reference/limits.md says what bounds everything that clients can create. The tests and metrics
 * that it names must be there, and a row that nothing bounds or shows says so.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { brokerSettingsByName } from '../broker/config/broker-settings.ts';
import { ROOT } from '../stdx/root.ts';

const PAGE = 'docs/reference/limits.md';
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

interface Row {
  readonly name: string;
  readonly cells: readonly string[];
}

const rows: Row[] = read(PAGE)
  .split('\n')
  .flatMap((line) => {
    const name = /^\| \*\*(.+?)\*\*/.exec(line)?.[1];
    const cells = line.split('|').slice(1, -1);
    return name === undefined ? [] : [{ name, cells: cells.map((cell) => cell.trim()) }];
  });

/** Tests of a file, by the names that they are written down with. */
function testNames(file: string): string[] {
  if (!existsSync(join(ROOT, file))) return [];
  const found = read(file).matchAll(/\b(?:test|it)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/g);
  return [...found].map(([, , title = '']) => title.replaceAll("\\'", "'"));
}

test('every row has a bound, what is heard at it, who makes room, a metric and a test', () => {
  assert.ok(rows.length >= 10);
  const wrong = rows.filter(({ cells }) => cells.length !== 6 || cells.some((cell) => cell === ''));
  assert.deepEqual(wrong, []);
  assert.equal(new Set(rows.map(({ name }) => name)).size, rows.length, 'each has one row');
});

test('the tests that rows name are there, and a row without one says why', () => {
  const wrong: string[] = [];
  for (const { name, cells } of rows)
    for (const ref of (cells[5] ?? '').split('<br>')) {
      if (/^\*\*Not (bounded|shown)\*\*: ./.test(ref)) continue;
      const [, file = '', title = ''] = /^`([^`]+)` › (.+)$/.exec(ref) ?? [];
      if (!testNames(file).includes(title)) wrong.push(`${name}: there is no ${ref}`);
    }
  assert.deepEqual(wrong, []);
});

test('the metrics that rows name are there', () => {
  const folder = join(ROOT, 'broker/observe');
  const sources = readdirSync(folder).map((name) => read(`broker/observe/${name}`));
  // Some names are put together from a beginning that several share.
  const text = sources
    .join('\n')
    .replaceAll('${rm}', 'kafka_server_replicamanager_')
    .replaceAll('${kc}', 'kafka_controller_kafkacontroller_');
  const wrong = rows.flatMap(({ name, cells }) =>
    [...(cells[4] ?? '').matchAll(/`([a-z_]+)`/g)]
      .filter(([, metric = '']) => !text.includes(metric))
      .map(([metric]) => `${name}: there is no ${metric}`),
  );
  assert.deepEqual(wrong, []);
});

test('the settings that rows name are settings', () => {
  const wrong = rows.flatMap(({ name, cells }) =>
    [...`${cells[1]} ${cells[3]}`.matchAll(/`([a-z.]+\.[a-z.]+)`/g)]
      .filter(([, setting = '']) => !brokerSettingsByName.has(setting))
      .map(([setting]) => `${name}: there is no ${setting}`),
  );
  assert.deepEqual(wrong, []);
});
