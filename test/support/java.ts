/** Programs on Apache Kafka's jars, built by Maven. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../stdx/root.ts';
import { missing } from './programs.ts';

const FOLDER = join(ROOT, 'test/java/programs');

/** False where they can be built, otherwise the reason to skip. */
export const missingJava = (): false | string => missing('java') || missing('mvn');

export function buildJava(): void {
  const lib = join(FOLDER, 'target/lib');
  const copy = existsSync(lib) ? [] : ['dependency:copy-dependencies', `-DoutputDirectory=${lib}`];
  const args = ['-q', '-B', 'compile', ...copy];
  const built = spawnSync('mvn', args, { cwd: FOLDER, encoding: 'utf8' });
  assert.equal(built.status, 0, built.stdout);
}

/** What `java` is given to run a main class of ours or of Kafka's. */
export const javaArguments = (main: string, args: readonly string[]): string[] => [
  '-Xmx384m',
  '-cp',
  `${FOLDER}/target/classes:${FOLDER}/target/lib/*`,
  main,
  ...args,
];
