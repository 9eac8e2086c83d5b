/** Transactions of a Java producer, back to back, while busy loops run beside everything. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { javaArguments } from './java.ts';
import { runProgram } from './programs.ts';

export interface BackToBack {
  readonly transactions: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly worstMs: number;
}

/** Busy loops end with it, or by themselves when that time is over. */
export class BusyLoops implements Disposable {
  private readonly loops: ChildProcess[];

  constructor(perCore: number, secondsMax: number) {
    const endless = `const end = Date.now() + ${secondsMax * 1000}; while (Date.now() < end);`;
    this.loops = Array.from({ length: perCore * availableParallelism() }, () =>
      spawn(process.execPath, ['-e', endless], { stdio: 'ignore' }),
    );
  }

  [Symbol.dispose](): void {
    for (const loop of this.loops) loop.kill('SIGKILL');
  }
}

/** @throws AssertionError where a transaction failed, or is not there as a whole and in order */
export async function runBackToBack(
  bootstrap: string,
  of: { topic: string; transactions: number; secondsMax: number },
): Promise<BackToBack> {
  const args = [bootstrap, String(of.transactions), String(of.secondsMax), of.topic];
  const { code, stdout, stderr } = await runProgram(
    'java',
    javaArguments('tenure.BackToBack', args),
    { timeoutMs: (of.secondsMax + 120) * 1000 },
  );
  assert.equal(code, 0, `${stdout}\n${stderr.slice(0, 2000)}`);
  if (stderr !== '') process.stderr.write(stderr);
  return JSON.parse(stdout) as BackToBack;
}
