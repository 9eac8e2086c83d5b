/**
 * What the programs of this folder are asked on their command line. Who asks for what there is not gets a
 * sentence and status 2: a program that did nothing has shown nothing.
 */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/** Ends the process with a sentence. */
export function refuse(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(2);
}

/** The options that were given; prints the help where it is asked for, and ends. */
export function readOptions<T extends ParseArgsOptionsConfig>(options: T, help: string) {
  try {
    const args = process.argv.slice(2);
    if (!args.includes('--help')) return parseArgs({ args, options }).values;
  } catch (cause) {
    refuse(`${(cause as Error).message.split('. ')[0]}; --help lists the options`);
  }
  process.stdout.write(help);
  process.exit(0);
}

/** A number that makes sense for an option. */
export function numberOf(
  option: string,
  text: string,
  of: { readonly min: number; readonly isWhole?: boolean },
): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  const isOne = of.isWhole === false ? Number.isFinite(value) : Number.isSafeInteger(value);
  if (!isOne || value < of.min)
    refuse(
      `--${option} must be a ${of.isWhole === false ? '' : 'whole '}number from ${of.min} up, it is ${text}`,
    );
  return value;
}

/** The names of a list with commas between, each of which there must be. */
export function namesOf<T extends string>(option: string, all: readonly T[], text: string): T[] {
  const names = text.split(',').filter((name) => name !== '');
  const strange = names.find((name) => !all.includes(name as T));
  if (strange !== undefined)
    refuse(`--${option}: there is no ${strange}; there are ${all.join(', ')}`);
  if (names.length === 0) refuse(`--${option} names nothing; there are ${all.join(', ')}`);
  return names as T[];
}
