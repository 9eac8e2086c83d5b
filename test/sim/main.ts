/** npm run sim: the cluster under faults, on simulated time. A seed that fails can be played again. */
import { parseArgs } from 'node:util';
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

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '20' },
    minutes: { type: 'string', default: '0.5' },
    faults: { type: 'string' },
    with: { type: 'string' },
    skip: { type: 'string' },
    log: { type: 'boolean', default: false },
    every: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

function some<T extends string>(all: readonly T[], text: string | undefined): T[] | null {
  if (text === undefined) return null;
  const names = text.split(',').filter((name) => name !== '');
  for (const name of names)
    if (!all.includes(name as T)) {
      process.stderr.write(`there is no ${name}; there are ${all.join(', ')}\n`);
      process.exit(2);
    }
  return names as T[];
}

const first = Number(values.seed);
const runs = Number(values.runs);
const minutes = Number(values.minutes);
const every = Number(values.every ?? Infinity);
const kinds = some(faultKinds, values.faults) ?? defaultKinds;
const wanted = some(features, values.with) ?? defaultFeatures;
const skip = new Set(values.skip?.split(',').map(Number));
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
