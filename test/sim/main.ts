/** npm run sim: the cluster under faults, on simulated time. A seed that fails can be played again. */
import { parseArgs } from 'node:util';
import { type FaultKind, faultKinds } from './faults.ts';
import { runSeed } from './run.ts';
import { shrink } from './shrink.ts';

const HELP = `Runs whole brokers in a simulated world and looks for anomalies.

  npm run sim -- [--seed N] [--runs N] [--minutes M] [--faults kill,power,…]
                 [--skip N,N,…] [--log]

  --seed     the first seed (default 1)
  --runs     how many seeds, one after the other (default 20)
  --minutes  how long faults go on in each, in simulated time (default 0.5)
  --faults   only these: ${faultKinds.join(', ')}
  --skip     faults to leave out, by the number that the log gives them
  --log      prints what happened, also where nothing was found
`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '20' },
    minutes: { type: 'string', default: '0.5' },
    faults: { type: 'string' },
    skip: { type: 'string' },
    log: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const kinds = values.faults?.split(',').filter((kind) => faultKinds.includes(kind as FaultKind)) as
  | FaultKind[]
  | undefined;
const skip = new Set(values.skip?.split(',').map(Number));
const first = Number(values.seed);
const runs = Number(values.runs);
const minutes = Number(values.minutes);
const startedMs = performance.now();
const total = {
  acked: 0,
  reads: 0,
  committed: 0,
  commits: 0,
  events: 0,
  simulatedMs: 0,
  failures: 0,
};
const faults = new Map<FaultKind, number>();
for (let seed = first; seed < first + runs; seed++) {
  const options = { seed, minutes, skip, ...(kinds === undefined ? {} : { kinds }) };
  const verdict = await runSeed(options);
  total.acked += verdict.counts.acked;
  total.reads += verdict.counts.reads;
  total.committed += verdict.counts.committed;
  total.commits += verdict.counts.commits;
  total.events += verdict.events;
  total.simulatedMs += verdict.simulatedMs;
  for (const [kind, count] of verdict.faults) faults.set(kind, (faults.get(kind) ?? 0) + count);
  const failed = verdict.anomalies.length > 0;
  if (failed) total.failures++;
  if (failed || values.log || runs <= 20) {
    const { aborted, acked, committed, commits, failed: no, unknown } = verdict.counts;
    console.log(
      `seed ${seed}: ${failed ? 'ANOMALIES' : 'ok'} · ${acked} acked, ${no} failed, ${unknown} unknown, ` +
        `${committed} transactions committed, ${aborted} aborted, ${commits} offsets committed, ` +
        `${verdict.counts.reads} read · longest wait ${(verdict.longestGapMs / 1000).toFixed(1)} s · ${verdict.events} events`,
    );
  }
  for (const anomaly of verdict.anomalies) console.log(`  ${anomaly}`);
  if (values.log) for (const line of verdict.log) console.log(line);
  if (failed && values.log === false) {
    const { anomalies, faults: left, skip: without, story } = await shrink(options, verdict);
    console.log(`  shortest history found, with ${left} of ${verdict.struck.length} faults:`);
    for (const line of [...story, ...anomalies]) console.log(`    ${line}`);
    const parts = [`--seed ${seed} --runs 1 --minutes ${minutes}`];
    if (values.faults !== undefined) parts.push(`--faults ${values.faults}`);
    if (without.length > 0) parts.push(`--skip ${without.join()}`);
    console.log(`  again: npm run sim -- ${parts.join(' ')} --log`);
  }
}
const seconds = (performance.now() - startedMs) / 1000;
const shown = [...faults].map(([kind, count]) => `${kind} ${count}`).join(', ');
console.log(
  `${runs} seeds, ${(total.simulatedMs / 60_000).toFixed(0)} simulated minutes in ${seconds.toFixed(0)} s: ` +
    `${total.acked} writes acknowledged, ${total.committed} transactions and ${total.commits} offsets committed, ${total.reads} records read, ${total.failures} seeds with anomalies\nfaults: ${shown}`,
);
process.exit(total.failures === 0 ? 0 : 1);
