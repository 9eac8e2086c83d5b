/**
 * npm run bench:transactions: how long a transaction of a Java producer takes on a machine that has more
 * to do, back to back, against Apache Kafka in the same run.
 */
import { parseArgs } from 'node:util';
import { missingForKafka } from '../compare/apache-kafka.ts';
import { type BackToBack, BusyLoops, runBackToBack } from '../support/back-to-back.ts';
import { buildJava } from '../support/java.ts';
import { apacheKafka, type Contender, tenure } from './against/systems.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '2' },
    transactions: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '30' },
    busy: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(`Transactions of a Java producer with five requests in flight, back to back, on three brokers.

  npm run bench:transactions -- [--rounds N] [--transactions N] [--seconds N] [--busy N]

  --rounds        how often each system has its turn (default 2)
  --transactions  in each turn (default 200), for --seconds at most (default 30)
  --busy          busy loops beside it, for each core (default 3; 0 for a quiet machine)
`);
  process.exit(0);
}

async function turn(contender: Contender): Promise<BackToBack> {
  await using system = await contender.start(3, () => {});
  // Processes that have just begun are not what is measured.
  await runBackToBack(system.bootstrap, { topic: 'warm-up', transactions: 20, secondsMax: 60 });
  using _busy = new BusyLoops(Number(values.busy), 180);
  return await runBackToBack(system.bootstrap, {
    topic: 'back-to-back',
    transactions: Number(values.transactions),
    secondsMax: Number(values.seconds),
  });
}

const missing = missingForKafka();
if (missing !== null) throw new Error(missing);
buildJava();
const row = (cells: readonly (string | number)[]) =>
  void process.stdout.write(`${cells.map((cell) => String(cell).padStart(14)).join('')}\n`);
row(['system', 'transactions', 'median ms', 'p99 ms', 'worst ms']);
for (let round = 0; round < Number(values.rounds); round++) {
  for (const contender of [tenure, apacheKafka]) {
    const { transactions, medianMs, p99Ms, worstMs } = await turn(contender);
    row([contender.name, transactions, medianMs, p99Ms, worstMs]);
  }
}
