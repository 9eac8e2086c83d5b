/** npm run sim: the cluster under faults, on simulated time. A seed that fails can be played again. */
import { namesOf, numberOf, readOptions } from '../support/options.ts';
import { defaultFeatures, defaultKinds } from './defaults.ts';
import { faultKinds } from './fault-kinds.ts';
import { type RunOptions, runSeed, type Verdict } from './run.ts';
import { features } from './scene.ts';
import { shrink } from './shrink.ts';
import { Tally } from './tally.ts';

const without = (all: readonly string[], some: readonly string[]) =>
  all.filter((one) => !some.includes(one)).join(', ') || 'none';

const HELP = `Runs whole brokers in a simulated world and looks for anomalies.

  npm run sim -- [--seed N] [--runs N] [--minutes M] [--faults kill,power,…]
                 [--with compacted,…] [--skip N,N,…] [--log] [--every N]

  --seed     the first seed (default 1)
  --runs     how many seeds, one after the other (default 20)
  --minutes  how long faults go on in each, in simulated time (default 0.5)
  --faults   only these: ${faultKinds.join(', ')}
             (not unless they are asked for: ${without(faultKinds, defaultKinds)})
  --with     what some seeds have besides the plain topic: ${features.join(', ')}
             (not unless they are asked for: ${without(features, defaultFeatures)})
  --skip     faults to leave out, by the number that the log gives them
  --log      prints what happened, also where nothing was found
  --every    prints how far it is after so many seeds
`;
/** Among so many seeds, every kind of fault strikes and every kind of work gets somewhere. */
const SEEDS_FOR_ALL = 300;

const values = readOptions(
  {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '20' },
    minutes: { type: 'string', default: '0.5' },
    faults: { type: 'string' },
    with: { type: 'string' },
    skip: { type: 'string' },
    log: { type: 'boolean', default: false },
    every: { type: 'string' },
  },
  HELP,
);

const first = numberOf('seed', values.seed, { min: 0 });
const runs = numberOf('runs', values.runs, { min: 1 });
const minutes = numberOf('minutes', values.minutes, { min: 0, isWhole: false });
const every = values.every === undefined ? Infinity : numberOf('every', values.every, { min: 1 });
const kinds =
  values.faults === undefined ? defaultKinds : namesOf('faults', faultKinds, values.faults);
const wanted = values.with === undefined ? defaultFeatures : namesOf('with', features, values.with);
const skip = new Set(values.skip?.split(',').map((one) => numberOf('skip', one, { min: 0 })));
const tally = new Tally();

async function story(options: RunOptions, verdict: Verdict): Promise<void> {
  const { anomalies, faults, skip: left, story: lines } = await shrink(options, verdict);
  console.log(`  shortest history found, with ${faults} of ${verdict.struck.length} faults:`);
  for (const line of [...lines, ...anomalies]) console.log(`    ${line}`);
  const parts = [`--seed ${options.seed} --runs 1 --minutes ${minutes}`];
  if (values.faults !== undefined) parts.push(`--faults ${values.faults}`);
  if (values.with !== undefined) parts.push(`--with ${values.with}`);
  if (left.length > 0) parts.push(`--skip ${left.join()}`);
  console.log(`  again: npm run sim -- ${parts.join(' ')} --log`);
}

for (let seed = first; seed < first + runs; seed++) {
  const options = { seed, minutes, skip, kinds, features: wanted };
  const verdict = await runSeed(options);
  tally.add(verdict);
  const failed = verdict.anomalies.length > 0;
  if (failed || values.log || runs <= 20) console.log(Tally.line(verdict));
  for (const anomaly of verdict.anomalies) console.log(`  ${anomaly}`);
  if (values.log) for (const line of verdict.log) console.log(line);
  if (failed && !values.log) await story(options, verdict);
  if ((seed - first + 1) % every === 0) console.log(tally.summary);
}
console.log(tally.summary);
const idle = runs >= SEEDS_FOR_ALL ? tally.idle(kinds, wanted) : [];
if (idle.length > 0) console.log(`never happened: ${idle.join(', ')}`);
process.exit(tally.failures === 0 && idle.length === 0 ? 0 : 1);
