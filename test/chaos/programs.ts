/** Other people's clients as processes of their own, under every fault, and what they told (librdkafka.py). */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sleepMs } from '../support/wait.ts';
import { FinalView, TopicHistory } from './history.ts';
import {
  judgeProcessed,
  ReaderLedger,
  SenderLedger,
  type Told,
  TransactionLedger,
} from './ledger-core.ts';

const PROGRAM = join(import.meta.dirname, 'librdkafka.py');
const PYTHON = process.env.TENURE_TEST_PYTHON ?? 'python3';
const COMPLAINTS_MAX = 100;
const COMPLAINTS_SHOWN_MAX = 1500;
const ABORT_TIMEOUT_MS = 5_000;
const END_TIMEOUT_MS = 150_000;
/** Without a line. */
const DUMP_TIMEOUT_MS = 150_000;
/** Those who follow have read everything where none of them has said anything for so long. */
const QUIET_MS = 10_000;
const QUIET_TIMEOUT_MS = 300_000;

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

/** What is kept of what a program tells. */
interface Ledger {
  take(told: Told): void;
}

class Program<L extends Ledger = Ledger> {
  readonly name: string;
  readonly ledger: L;
  /** How often it told of each kind of thing. */
  readonly counts = new Map<Told['kind'], number>();
  /** What it met and went on from, and how often. */
  readonly troubles = new Map<string, number>();
  private readonly child: ChildProcess;
  private readonly ended: Promise<number | null>;
  private readonly complaints: string[] = [];
  private patience: NodeJS.Timeout | null = null;
  saidAtMs = 0;

  constructor(name: string, args: readonly string[], ledger: L) {
    this.name = name;
    this.ledger = ledger;
    this.child = spawn(PYTHON, [PROGRAM, ...args, '--name', name], {
      env: { ...process.env, PYTHONFAULTHANDLER: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', (line) =>
      this.take(JSON.parse(line) as Told),
    );
    this.child.stderr?.on('data', (text: Buffer) => {
      this.complaints.push(text.toString());
      if (this.complaints.length > COMPLAINTS_MAX) this.complaints.shift();
    });
    this.ended = new Promise((done) => this.child.on('close', done));
  }

  private take(one: Told): void {
    this.saidAtMs = performance.now();
    this.patience?.refresh();
    this.counts.set(one.kind, (this.counts.get(one.kind) ?? 0) + 1);
    const trouble =
      one.kind === 'retry' || one.kind === 'died'
        ? `${one.kind} ${one.error}`
        : one.kind === 'txn'
          ? one.outcome
          : null;
    if (trouble !== null) this.troubles.set(trouble, (this.troubles.get(trouble) ?? 0) + 1);
    this.ledger.take(one);
  }

  /** Lets it come to an end; returns what is wrong with how it ended. */
  async end(timeoutMs: number, asked = true): Promise<string[]> {
    if (asked) this.child.kill('SIGTERM');
    // Who hangs says where before it ends.
    const timer = setTimeout(() => {
      this.child.kill('SIGABRT');
      setTimeout(() => this.child.kill('SIGKILL'), ABORT_TIMEOUT_MS).unref();
    }, timeoutMs);
    // Who is not asked ends by itself, and is given the time as long as it gets on.
    if (!asked) this.patience = timer;
    const code = await this.ended;
    clearTimeout(timer);
    if (code === 0) return [];
    return [
      `${this.name} ended with ${code}: ${this.complaints.join('').slice(-COMPLAINTS_SHOWN_MAX)}`,
    ];
  }
}

async function dump(
  bootstrap: string,
  topic: string,
  isolation: string,
  ledger: Ledger,
): Promise<string[]> {
  const program = new Program(
    `dump-${topic}`,
    [
      'dump',
      ...['--bootstrap', bootstrap, '--topic', topic, '--isolation', isolation],
      ...['--partitions', String(PROGRAM_PARTITIONS)],
    ],
    ledger,
  );
  const anomalies = await program.end(DUMP_TIMEOUT_MS, false);
  if (!program.counts.has('done'))
    anomalies.push(`unread: the end of ${topic} was not reached (${isolation})`);
  return anomalies;
}

/** Records as they are dumped. */
const filling = (final: FinalView): Ledger => ({
  take: (told) => {
    if (told.kind === 'read') for (const record of told.records) final.add(...record);
  },
});

/** The dump of what is not committed is only to reach the end. */
const NOTHING: Ledger = { take: () => {} };

/** What the programs came to. */
export interface Outcome {
  readonly anomalies: readonly string[];
  readonly summary: string;
}

/** What the programs were told until now, and what looks wrong already. */
export interface SoFar {
  readonly acknowledged: number;
  readonly read: number;
  readonly transactions: number;
  readonly noticed: readonly string[];
}

export class Programs {
  private readonly bootstrap: string;
  private readonly senders: Program<SenderLedger>[];
  private readonly traders: Program<TransactionLedger>[];
  private readonly workers: Program[];
  private readonly readers: { readonly topic: string; readonly program: Program<ReaderLedger> }[];
  private readonly histories = new Map(PROGRAM_TOPICS.map((topic) => [topic, new TopicHistory()]));

  constructor(bootstrap: string) {
    this.bootstrap = bootstrap;
    const common = ['--bootstrap', bootstrap, '--partitions', String(PROGRAM_PARTITIONS)];
    const protocols = ['classic', 'consumer'] as const;
    const argsOf = (role: string, topic: string) => [role, ...common, '--topic', topic];
    this.senders = ['sender-0', 'sender-1'].map(
      (name) =>
        new Program(name, argsOf('idempotent', SENT), new SenderLedger(this.historyOf(SENT))),
    );
    this.traders = ['trader-0', 'trader-1'].map(
      (name) =>
        new Program(
          name,
          argsOf('transactional', TRANSFERS),
          new TransactionLedger(this.historyOf(TRANSFERS)),
        ),
    );
    // Two members of one group, the old protocol and the new one side by side would be a migration.
    this.workers = ['worker-0', 'worker-1'].map((name) => {
      const more = ['--to', ANSWERS, '--group', 'workers', '--protocol', 'consumer'];
      return new Program(name, [...argsOf('process', TRANSFERS), ...more], NOTHING);
    });
    this.readers = protocols.flatMap((protocol) =>
      [SENT, TRANSFERS].map((topic) => {
        const name = `reader-${protocol}-${topic}`;
        const more = ['--group', `readers-${protocol}-${topic}`, '--protocol', protocol];
        const ledger = new ReaderLedger(this.historyOf(topic));
        return { topic, program: new Program(name, [...argsOf('read', topic), ...more], ledger) };
      }),
    );
  }

  private historyOf(topic: string): TopicHistory {
    return this.histories.get(topic) as TopicHistory;
  }

  private get followers(): Program[] {
    return [...this.workers, ...this.readers.map(({ program }) => program)];
  }

  private count(of: readonly Program[], kind: Told['kind']): number {
    return of.reduce((sum, { counts }) => sum + (counts.get(kind) ?? 0), 0);
  }

  private troubles(of: readonly Program[]): string {
    return of
      .flatMap(({ name, troubles }) =>
        [...troubles].map(([what, count]) => `${name} ${what} ${count}`),
      )
      .join(', ');
  }

  /** How far they are. */
  soFar(): SoFar {
    const histories = [...this.histories.values()];
    return {
      acknowledged: this.senders.reduce((sum, { ledger }) => sum + ledger.acknowledged.count, 0),
      read: this.readers.reduce((sum, { program }) => sum + program.ledger.count, 0),
      transactions: this.count(this.traders, 'txn'),
      noticed: [
        ...this.senders.flatMap(({ ledger }) => ledger.anomalies),
        ...histories.flatMap(({ noticed }) => noticed),
      ],
    };
  }

  /** Until those who follow have read what was written last. */
  private async quiet(): Promise<void> {
    const sinceMs = performance.now();
    const lastMs = () => Math.max(sinceMs, ...this.followers.map(({ saidAtMs }) => saidAtMs));
    while (
      performance.now() - lastMs() < QUIET_MS &&
      performance.now() - sinceMs < QUIET_TIMEOUT_MS
    )
      await sleepMs(500);
  }

  /** Ends them in the order of what they write, and judges. */
  async judge(): Promise<Outcome> {
    const anomalies: string[] = [];
    const end = async (of: readonly Program[]) => {
      for (const found of await Promise.all(of.map((one) => one.end(END_TIMEOUT_MS))))
        anomalies.push(...found);
    };
    await end([...this.senders, ...this.traders]);
    await this.quiet();
    await end(this.followers);
    const finals = new Map<string, FinalView>();
    for (const topic of PROGRAM_TOPICS) {
      const final = new FinalView(this.historyOf(topic));
      finals.set(topic, final);
      anomalies.push(
        ...(await dump(this.bootstrap, topic, 'read_committed', filling(final))),
        ...(await dump(this.bootstrap, topic, 'read_uncommitted', NOTHING)),
      );
    }
    const finalOf = (topic: string) => finals.get(topic) as FinalView;
    const judge = (
      { ledger, name }: Program<SenderLedger | TransactionLedger | ReaderLedger>,
      topic: string,
    ) => {
      for (const one of ledger.judge(finalOf(topic))) anomalies.push(`${name}: ${one}`);
    };
    for (const one of this.senders) judge(one, SENT);
    for (const one of this.traders) judge(one, TRANSFERS);
    for (const { program, topic } of this.readers) judge(program, topic);
    anomalies.push(...judgeProcessed(finalOf(TRANSFERS), finalOf(ANSWERS)));
    const { acknowledged, read, transactions } = this.soFar();
    const ended = [...this.traders, ...this.workers].filter(({ counts }) => counts.has('died'));
    return {
      anomalies,
      summary:
        `librdkafka: ${acknowledged} records acknowledged, ` +
        `${transactions} transactions, ` +
        `${finalOf(ANSWERS).size} records processed, ${read} read meanwhile, ` +
        `${ended.length} transactional producers begun anew, ${anomalies.length} anomalies\n` +
        `transactions: ${this.troubles([...this.traders, ...this.workers])}`,
    };
  }
}
