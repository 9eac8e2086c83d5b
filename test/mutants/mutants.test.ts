/** Every mutant still has its line and its killer; whether it is caught, `npm run mutants` says. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../stdx/root.ts';
import { faultKinds } from '../sim/fault-kinds.ts';
import { mutants } from './mutants.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

test('each mutant changes one place, and what is to find it is there', () => {
  const wrong: string[] = [];
  for (const { name, file, find, put, by } of mutants) {
    if (read(file).split(find).length !== 2)
      wrong.push(`${name}: its line must stand in ${file} exactly once`);
    if (find === put) wrong.push(`${name}: it must change something`);
    if ('test' in by && !existsSync(join(ROOT, by.test)))
      wrong.push(`${name}: there is no ${by.test}`);
    for (const kind of ('seeds' in by ? by.faults : undefined)?.split(',') ?? [])
      if (!faultKinds.includes(kind as never)) wrong.push(`${name}: there is no fault ${kind}`);
  }
  assert.deepEqual(wrong, []);
});

test('there are at least forty, each of a name of its own', () => {
  assert.ok(mutants.length >= 40, `there are ${mutants.length}`);
  assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length);
});
