/** `npm run bench -- --against kafka`: both systems under the same loads, in turns, on this machine. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../../stdx/root.ts';
import { VERSION } from '../../../stdx/version.ts';
import { missingForKafka } from '../../compare/apache-kafka.ts';
import { machine, writeSection } from './document.ts';
import { load, missingForLoad } from './load.ts';
import { CLIENT_ALONE, type Comparison, chartOf, tableOf } from './report.ts';
import { apacheKafka, type Contender, tenure } from './systems.ts';
import { alone, clientAlone, type Figures, type Plan, replicated } from './workloads.ts';

const RESULTS = join(ROOT, 'test/bench/results');

export interface AgainstOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly only: 'alone' | 'replicated' | null;
  /** Puts the table into docs/benchmarks.md. */
  readonly write: boolean;
}

async function round(contender: Contender, plan: Plan, only: AgainstOptions['only']) {
  const figures: Figures = {};
  if (only !== 'replicated') Object.assign(figures, await alone(contender, plan));
  if (only !== 'alone') Object.assign(figures, await replicated(contender, plan));
  return figures;
}

export async function against(options: AgainstOptions): Promise<void> {
  const missing = missingForKafka() ?? missingForLoad();
  if (missing !== null) throw new Error(missing);
  const { librdkafka } = await load('version', {});
  const rounds: Record<string, Figures[]> = {};
  for (let i = 1; i <= options.rounds; i++) {
    for (const contender of [tenure, apacheKafka]) {
      const say = (what: string) =>
        void process.stderr.write(`${i}/${options.rounds} ${contender.name}: ${what}\n`);
      const figures = await round(contender, { seconds: options.seconds, say }, options.only);
      (rounds[contender.name] ??= []).push(figures);
    }
    if (options.only === 'replicated') continue;
    const say = (what: string) =>
      void process.stderr.write(`${i}/${options.rounds} client alone: ${what}\n`);
    (rounds[CLIENT_ALONE] ??= []).push(await clientAlone({ seconds: options.seconds, say }));
  }
  const flags = [
    `--rounds ${options.rounds}`,
    `--seconds ${options.seconds}`,
    ...(options.only === null ? [] : [`--only ${options.only}`]),
  ];
  const pom = readFileSync(join(ROOT, 'test/compare/pom.xml'), 'utf8');
  const comparison: Comparison = {
    at: new Date().toISOString(),
    command: `npm run bench -- --against kafka ${flags.join(' ')}`,
    machine: machine(),
    versions: {
      Tenure: VERSION,
      'Node.js': process.versions.node,
      'Apache Kafka': /<version>(\d+\.\d+\.\d+)<\/version>/.exec(pom)?.[1] ?? '',
      librdkafka: String(librdkafka),
    },
    rounds,
  };
  const table = tableOf(comparison);
  process.stdout.write(`\n${table}\n`);
  if (!options.write) return;
  mkdirSync(RESULTS, { recursive: true });
  const name = `${comparison.at.slice(0, 16).replaceAll(':', '')}.json`;
  writeFileSync(join(RESULTS, name), `${JSON.stringify(comparison, null, 2)}\n`);
  writeDocument(comparison, table, name);
}

function writeDocument(comparison: Comparison, table: string, raw: string): void {
  const versions = Object.entries(comparison.versions)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
  writeSection('comparison', [
    '```',
    comparison.command,
    '```',
    '',
    `${comparison.at.slice(0, 10)}, ${versions}, ${comparison.machine}. Medians of the rounds, and their spread;`,
    `raw figures: [${raw}](../test/bench/results/${raw}).`,
    '',
    table,
    '',
    chartOf(comparison),
  ]);
}
