/** Runs load.py and reads what it says. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from '../../../stdx/root.ts';

const SCRIPT = join(ROOT, 'test/bench/against/load.py');
const python = process.env.TENURE_TEST_PYTHON ?? 'python3';

export type Facts = Readonly<Record<string, number | string | boolean | null>>;
export type Options = Readonly<Record<string, string | number>>;

/** Why there can be no load here, or null. */
export function missingForLoad(): string | null {
  return spawnSync(python, ['-c', 'import confluent_kafka']).status === 0
    ? null
    : `${python} has no confluent-kafka package: pip install confluent-kafka, and name that Python in TENURE_TEST_PYTHON`;
}

export class LoadRun {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private readonly errors: Buffer[] = [];

  constructor(command: string, options: Options) {
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.child = spawn(python, [SCRIPT, command, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stderr?.on('data', (part: Buffer) => this.errors.push(part));
    this.lines = createInterface({ input: this.child.stdout as NodeJS.ReadableStream })[
      Symbol.asyncIterator
    ]();
  }

  /** For a load that was told to wait. */
  go(): void {
    this.child.stdin?.write('\n');
  }

  /** @throws Error with what the load printed, where it ended without saying anything. */
  async next(): Promise<Facts> {
    const { value, done } = await this.lines.next();
    if (done === true) throw new Error(`the load failed: ${Buffer.concat(this.errors)}`);
    return JSON.parse(value) as Facts;
  }
}

export async function load(command: string, options: Options): Promise<Facts> {
  return new LoadRun(command, options).next();
}
