/**
 * `npm run compare`: the same requests to Apache Kafka and to Tenure, the answers compared field by
 * field. Ends with the number of differences that nobody has explained.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { BrokerConnection } from '../../client/connection.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { sleepMs, startTestCluster } from '../support/local.ts';
import { ApacheKafka, missingForKafka } from './apache-kafka.ts';
import { type Difference, differencesOf } from './differences.ts';
import { explanationFor } from './explained.ts';
import { type Context, scenarios } from './scenarios.ts';

const HELP = `Usage: npm run compare -- [options]

Starts Apache Kafka (by Maven) and Tenure, one broker each, sends both the same requests and
compares the answers.

  --only TEXT   scenarios whose name contains the text
  --verbose     print explained differences as well
  --json FILE   write every answer pair to a file
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const missing = missingForKafka();
if (missing !== null) {
  process.stdout.write(`skipped: ${missing}\n`);
  process.exit(0);
}

const SETTINGS = [
  'group.initial.rebalance.delay.ms=0',
  'offsets.topic.num.partitions=4',
  'transaction.state.log.num.partitions=4',
];
await using kafka = await ApacheKafka.make(1, SETTINGS);
kafka.spawn(0);
await kafka.listens(0);
await using tenure = await startTestCluster({ manifests: 'test/compare/cluster.yaml' });
const systems = [
  { name: 'kafka', address: ['127.0.0.1', kafka.nodes[0]?.port ?? 0] as const },
  { name: 'tenure', address: [await tenure.address(0), 9092] as const },
];

interface Outcome {
  readonly answer: unknown;
  readonly lost: boolean;
}

async function ask(
  context: Context,
  step: ReturnType<typeof scenarios>[number],
  version: number,
): Promise<Outcome> {
  const api = apis[step.api];
  // Where the answer says "not yet", both are given a moment, as any client would.
  for (let attempt = 0; ; attempt++) {
    const body = typeof step.body === 'function' ? step.body(context) : step.body;
    try {
      const connection = await context.connection();
      const answer = await connection.send(api as never, version, body as never);
      step.keep?.(answer as never, context);
      if (attempt < 80 && step.retry?.(answer as never) === true) {
        await sleepMs(100);
        continue;
      }
      return { answer, lost: false };
    } catch {
      context.drop();
      return { answer: null, lost: true };
    }
  }
}

const contexts = systems.map(({ address }): Context => {
  let open: Promise<BrokerConnection> | null = null;
  return {
    known: new Map(),
    connection: () => (open ??= BrokerConnection.open(address[0], address[1])),
    drop: () => {
      open = null;
    },
  };
});

const answers: object[] = [];
let asked = 0;
let unexplained = 0;
let explained = 0;
for (const step of scenarios()) {
  if (values.only !== undefined && !step.name.includes(values.only) && !step.always) continue;
  const { request } = apis[step.api];
  // The newest version of this one is not stable and not served.
  const newest = step.api === 'InitProducerId' ? 5 : request.versions[1];
  const versions = step.versions ?? [newest];
  for (const version of versions) {
    const [a, b] = await Promise.all(contexts.map((context) => ask(context, step, version)));
    asked++;
    answers.push({ step: step.name, api: step.api, version, kafka: a?.answer, tenure: b?.answer });
    const found: Difference[] =
      a?.lost !== b?.lost
        ? [
            {
              path: 'connection',
              kafka: a?.lost ? 'closed' : 'open',
              tenure: b?.lost ? 'closed' : 'open',
            },
          ]
        : differencesOf(
            step.show?.(a?.answer as never) ?? a?.answer,
            step.show?.(b?.answer as never) ?? b?.answer,
          );
    for (const difference of found) {
      const why = explanationFor(step.name, step.api, difference);
      if (why === null) unexplained++;
      else explained++;
      if (why !== null && !values.verbose) continue;
      const shown = (value: unknown) => JSON.stringify(value)?.slice(0, 120);
      process.stdout.write(
        `${why === null ? 'DIFFERS' : 'explained'}  ${step.api} v${version}  ${step.name}  ${difference.path}\n` +
          `    kafka  ${shown(difference.kafka)}\n    tenure ${shown(difference.tenure)}\n` +
          (why === null ? '' : `    ${why}\n`),
      );
    }
  }
}
for (const context of contexts) (await context.connection())[Symbol.dispose]();
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(answers, null, 1));
process.stdout.write(
  `${asked} requests to each; ${unexplained} unexplained differences, ${explained} explained\n`,
);
process.exitCode = unexplained === 0 ? 0 : 1;
