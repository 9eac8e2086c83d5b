/** Other people's clients as processes of their own, under every fault, and what they told (librdkafka.py). */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  judgeAcknowledged,
  judgeProcessed,
  judgeReader,
  judgeTransactions,
  type ReadRecord,
  type Told,
  type View,
} from './ledger-core.ts';

const PROGRAM = join(import.meta.dirname, 'librdkafka.py');
const PYTHON = process.env.TENURE_TEST_PYTHON ?? 'python3';
const END_TIMEOUT_MS = 150_000;
const DUMP_TIMEOUT_MS = 150_000;

/** Why librdkafka cannot be had here, or null. */
export function missingForPrograms(): string | null {
  const { status } = spawnSync(PYTHON, ['-c', 'import confluent_kafka']);
  return status === 0 ? null : `${PYTHON} has no confluent-kafka package`;
}

/** Topics that the programs write to. */
export const SENT = 'sent';
export const TRANSFERS = 'transfers';
export const ANSWERS = 'answers';
export const PROGRAM_TOPICS: readonly string[] = [SENT, TRANSFERS, ANSWERS];
export const PROGRAM_PARTITIONS = 6;

class Program {
  readonly name: string;
  readonly told: Told[] = [];
  private readonly child: ChildProcess;
  private readonly ended: Promise<number | null>;
  private readonly complaints: string[] = [];

  constructor(name: string, args: readonly string[]) {
    this.name = name;
    this.child = spawn(PYTHON, [PROGRAM, ...args, '--name', name], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', (line) =>
      this.told.push(JSON.parse(line) as Told),
    );
    this.child.stderr?.on('data', (text: Buffer) => this.complaints.push(text.toString()));
    this.ended = new Promise((done) => this.child.on('close', done));
  }

  /** Lets it come to an end; returns what is wrong with how it ended. */
  async end(timeoutMs: number, asked = true): Promise<string[]> {
    if (asked) this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), timeoutMs);
    const code = await this.ended;
    clearTimeout(timer);
    if (code === 0) return [];
    return [`${this.name} ended with ${code}: ${this.complaints.join('').slice(-300)}`];
  }
}

async function dump(bootstrap: string, topic: string, isolation: string, anomalies: string[]) {
  const program = new Program(`dump-${topic}`, [
    'dump',
    ...['--bootstrap', bootstrap, '--topic', topic, '--isolation', isolation],
    ...['--partitions', String(PROGRAM_PARTITIONS)],
  ]);
  anomalies.push(...(await program.end(DUMP_TIMEOUT_MS, false)));
  if (!program.told.some(({ kind }) => kind === 'done'))
    anomalies.push(`unread: the end of ${topic} was not reached (${isolation})`);
  return program.told.flatMap((one): readonly ReadRecord[] =>
    one.kind === 'read' ? one.records : [],
  );
}

/** What the programs came to. */
export interface Outcome {
  readonly anomalies: readonly string[];
  readonly summary: string;
}

export class Programs {
  private readonly bootstrap: string;
  private readonly writers: Program[];
  private readonly senders: Program[];
  private readonly traders: Program[];
  private readonly workers: Program[];
  private readonly readers: Program[];

  constructor(bootstrap: string) {
    this.bootstrap = bootstrap;
    const common = ['--bootstrap', bootstrap, '--partitions', String(PROGRAM_PARTITIONS)];
    const start = (name: string, role: string, topic: string, more: readonly string[] = []) =>
      new Program(name, [role, ...common, '--topic', topic, ...more]);
    const protocols = ['classic', 'consumer'] as const;
    this.senders = ['sender-0', 'sender-1'].map((name) => start(name, 'idempotent', SENT));
    this.traders = ['trader-0', 'trader-1'].map((name) => start(name, 'transactional', TRANSFERS));
    this.writers = [...this.senders, ...this.traders];
    // Two members of one group, the old protocol and the new one side by side would be a migration.
    this.workers = ['worker-0', 'worker-1'].map((name) =>
      start(name, 'process', TRANSFERS, [
        ...['--to', ANSWERS, '--group', 'workers', '--protocol', 'consumer'],
      ]),
    );
    this.readers = protocols.flatMap((protocol) =>
      [SENT, TRANSFERS].map((topic) =>
        start(`reader-${protocol}-${topic}`, 'read', topic, [
          ...['--group', `readers-${protocol}-${topic}`, '--protocol', protocol],
        ]),
      ),
    );
  }

  private count(of: readonly Program[], kind: Told['kind']): number {
    return of.reduce((sum, { told }) => sum + told.filter((one) => one.kind === kind).length, 0);
  }

  /** What they met and went on from, and how often. */
  private troubles(of: readonly Program[]): string {
    const counts = new Map<string, number>();
    for (const { name, told } of of)
      for (const one of told) {
        const what =
          one.kind === 'retry' || one.kind === 'died'
            ? `${one.kind} ${one.error}`
            : one.kind === 'txn'
              ? one.outcome
              : null;
        const key = `${name} ${what}`;
        if (what !== null) counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    return [...counts].map(([what, count]) => `${what} ${count}`).join(', ');
  }

  /** Ends them in the order of what they write, and judges. */
  async judge(): Promise<Outcome> {
    const anomalies: string[] = [];
    const end = async (of: readonly Program[]) => {
      for (const found of await Promise.all(of.map((one) => one.end(END_TIMEOUT_MS))))
        anomalies.push(...found);
    };
    await end(this.writers);
    // Those who follow are given the time to read what was written last.
    await new Promise((done) => setTimeout(done, 10_000));
    await end([...this.workers, ...this.readers]);
    const views = new Map<string, View>();
    for (const topic of PROGRAM_TOPICS)
      views.set(topic, {
        committed: await dump(this.bootstrap, topic, 'read_committed', anomalies),
        uncommitted: await dump(this.bootstrap, topic, 'read_uncommitted', anomalies),
      });
    const viewOf = (topic: string) => views.get(topic) as View;
    const name = (program: Program, found: readonly string[]) =>
      anomalies.push(...found.map((one) => `${program.name}: ${one}`));
    for (const one of this.senders) name(one, judgeAcknowledged(one.told, viewOf(SENT)));
    for (const one of this.traders) name(one, judgeTransactions(one.told, viewOf(TRANSFERS)));
    for (const [i, one] of this.readers.entries())
      name(one, judgeReader(one.told, viewOf(i % 2 === 0 ? SENT : TRANSFERS)));
    anomalies.push(...judgeProcessed(viewOf(TRANSFERS), viewOf(ANSWERS)));
    const read = this.readers.reduce(
      (sum, { told }) =>
        sum + told.reduce((n, one) => n + (one.kind === 'read' ? one.records.length : 0), 0),
      0,
    );
    const ended = [...this.traders, ...this.workers].filter(({ told }) =>
      told.some(({ kind }) => kind === 'died'),
    );
    return {
      anomalies,
      summary:
        `librdkafka: ${this.count(this.senders, 'acked')} records acknowledged, ` +
        `${this.count(this.traders, 'txn')} transactions, ` +
        `${viewOf(ANSWERS).committed.length} records processed, ${read} read meanwhile, ` +
        `${ended.length} transactional producers begun anew, ${anomalies.length} anomalies\n` +
        `transactions: ${this.troubles([...this.traders, ...this.workers])}`,
    };
  }
}
