/** npm run spec: explores the specification of leadership and replication exhaustively. */
import { numberOf, readOptions } from '../support/options.ts';
import { explore } from './explore.ts';
import { type Bounds, SOUND } from './model.ts';

const HELP = `Visits every state of one partition on three brokers within bounds, and checks each.

  npm run spec -- [--records N] [--leader-epochs N] [--fences N] [--kills N] [--losses N]
                  [--proposals N] [--suspensions N] [--drains N] [--states N]

Without bounds of its own it goes through the ones that CI checks, which takes about a minute.
--states: give up after so many.
`;
const values = readOptions(
  {
    records: { type: 'string' },
    'leader-epochs': { type: 'string' },
    fences: { type: 'string' },
    kills: { type: 'string' },
    losses: { type: 'string' },
    proposals: { type: 'string' },
    suspensions: { type: 'string' },
    drains: { type: 'string' },
    states: { type: 'string', default: '3000000' },
  },
  HELP,
);

const NOTHING: Bounds = {
  records: 1,
  leaderEpochs: 1,
  fences: 0,
  kills: 0,
  losses: 0,
  proposals: 0,
  suspensions: 0,
  drains: 0,
};
const { states, ...own } = values;
const bound = (option: keyof typeof own, otherwise: number) =>
  numberOf(option, own[option] ?? String(otherwise), { min: 0 });
const asked: Bounds | null =
  Object.keys(own).length === 0
    ? null
    : {
        records: bound('records', 1),
        leaderEpochs: bound('leader-epochs', 1),
        fences: bound('fences', 0),
        kills: bound('kills', 0),
        losses: bound('losses', 0),
        proposals: bound('proposals', 0),
        suspensions: bound('suspensions', 0),
        drains: bound('drains', 0),
      };
const ALL: readonly Bounds[] = [
  { ...NOTHING, fences: 1, proposals: 1 },
  { ...NOTHING, kills: 1, proposals: 1 },
  { ...NOTHING, losses: 1, proposals: 1 },
  { ...NOTHING, fences: 1, losses: 1 },
  { ...NOTHING, fences: 1, proposals: 1, suspensions: 1 },
  { ...NOTHING, leaderEpochs: 2, drains: 1, kills: 1 },
  { ...NOTHING, records: 2, fences: 1 },
];
const statesMax = numberOf('states', states, { min: 1 });
const isTerminal = process.stderr.isTTY === true;
if (asked === null) console.log('every state within the bounds that CI checks: about a minute');
let failed = false;
for (const bounds of asked === null ? ALL : [asked]) {
  const startedMs = performance.now();
  const {
    depth,
    isComplete,
    states: visited,
    violation,
  } = explore(bounds, SOUND, {
    statesMax,
    onProgress: (count) => {
      if (isTerminal) process.stderr.write(`\r${count} states`);
    },
  });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const text = Object.entries(bounds)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
  // The line of the progress is taken away before the next one is written.
  if (isTerminal) process.stderr.write('\r\u001B[K');
  console.log(
    `${violation === null ? (isComplete ? 'holds' : 'holds as far as it went') : 'BROKEN'}: ${visited} states, ${depth} steps deep, ${seconds} s (${text})`,
  );
  if (violation === null) continue;
  failed = true;
  console.log(`  ${violation.invariant} does not hold after:`);
  for (const step of violation.history) console.log(`    ${step}`);
}
process.exit(failed ? 1 : 0);
