/** npm run spec: explores the specification of leadership and replication exhaustively. */
import { parseArgs } from 'node:util';
import { explore } from './explore.ts';
import { type Bounds, SOUND } from './model.ts';

const HELP = `Visits every state of one partition on three brokers within bounds, and checks each.

  npm run spec -- [--records N] [--leader-epochs N] [--fences N] [--kills N] [--losses N]
                  [--proposals N] [--suspensions N] [--drains N] [--states N]

Without bounds of its own it goes through the ones that CI checks. --states: give up after so many.
`;
const { values } = parseArgs({
  options: {
    records: { type: 'string' },
    'leader-epochs': { type: 'string' },
    fences: { type: 'string' },
    kills: { type: 'string' },
    losses: { type: 'string' },
    proposals: { type: 'string' },
    suspensions: { type: 'string' },
    drains: { type: 'string' },
    states: { type: 'string', default: '3000000' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

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
const number = (text: string | undefined) => Number(text ?? 0);
const { states, help: _help, ...own } = values;
const asked: Bounds | null =
  Object.keys(own).length === 0
    ? null
    : {
        records: Number(own.records ?? 1),
        leaderEpochs: Number(own['leader-epochs'] ?? 1),
        fences: number(own.fences),
        kills: number(own.kills),
        losses: number(own.losses),
        proposals: number(own.proposals),
        suspensions: number(own.suspensions),
        drains: number(own.drains),
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
let failed = false;
for (const bounds of asked === null ? ALL : [asked]) {
  const startedMs = performance.now();
  const {
    depth,
    isComplete,
    states: visited,
    violation,
  } = explore(bounds, SOUND, {
    statesMax: Number(states),
    onProgress: (count) => process.stderr.write(`\r${count} states`),
  });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const text = Object.entries(bounds)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
  process.stderr.write('\r');
  console.log(
    `${violation === null ? (isComplete ? 'holds' : 'holds as far as it went') : 'BROKEN'}: ${visited} states, ${depth} steps deep, ${seconds} s (${text})`,
  );
  if (violation === null) continue;
  failed = true;
  console.log(`  ${violation.invariant} does not hold after:`);
  for (const step of violation.history) console.log(`    ${step}`);
}
process.exit(failed ? 1 : 0);
