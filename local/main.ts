/** `npm start`: a whole cluster on this machine, from the quickstart's manifests. */

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { KubeObject } from '../kube/objects.ts';
import { systemChance } from '../stdx/chance.ts';
import { systemClock } from '../stdx/clock.ts';
import { createLogger } from '../stdx/logger.ts';
import { ROOT } from '../stdx/root.ts';
import { LocalCluster } from './local-cluster.ts';
import { BrokenManifest, readManifests } from './manifests.ts';

const HELP = `Usage: npm start -- [options]

Runs a Kafka cluster on this machine: an embedded Kubernetes API, the operator and one process
for each broker, from the manifests in examples/quickstart.

  --brokers N     how many brokers (default: what the manifest says)
  --port N        bootstrap port on localhost (default 9092)
  --api-port N    port of the Kubernetes API on 127.0.0.1 (default 7443)
  --data DIR      where everything is kept (default .tenure)
  --manifests P   a YAML file or a folder of them (default examples/quickstart)
  --reset         forget everything and start afresh
  --verbose       show what operator and node do
  --help          this text
`;

function fail(sentence: string): never {
  process.stderr.write(`tenure: ${sentence}\n`);
  process.exit(1);
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        brokers: { type: 'string' },
        port: { type: 'string', default: '9092' },
        'api-port': { type: 'string', default: '7443' },
        data: { type: 'string', default: '.tenure' },
        manifests: { type: 'string', default: join(ROOT, 'examples/quickstart') },
        reset: { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (cause) {
    return fail(`${(cause as Error).message.split('. ')[0]}; see npm start -- --help`);
  }
}

function whole(name: string, text: string | undefined, min: number, max: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max)
    fail(`--${name} must be a whole number from ${min} to ${max}, it is ${text}`);
  return value;
}

/** What a new user wants to know next. */
function welcome(
  local: LocalCluster,
  bootstrap: string,
  elapsedMs: number,
  brokers: number,
  metrics: string,
): string {
  return `
Kafka is up: ${brokers} brokers in ${(elapsedMs / 1000).toFixed(1)} s.

  bootstrap server   ${bootstrap}
  Kubernetes API     export KUBECONFIG=${local.kubeconfig}
                     kubectl get kafkacluster,kafkatopic,kafkabroker
  produce            npx kafka-console-producer --topic my-topic --bootstrap-server ${bootstrap}
  consume            npx kafka-console-consumer --topic my-topic --from-beginning --bootstrap-server ${bootstrap}
  metrics            curl ${metrics}
                     curl ${local.operatorMetrics}

Ctrl-C stops everything; npm start finds it again, npm start -- --reset starts afresh.
`;
}

async function main(): Promise<void> {
  const values = readArguments();
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const brokers = whole('brokers', values.brokers, 1, 100);
  const port = whole('port', values.port, 1, 65535) as number;
  const apiPort = whole('api-port', values['api-port'], 0, 65535) as number;
  let manifests: KubeObject[];
  try {
    manifests = readManifests(values.manifests);
  } catch (cause) {
    if (cause instanceof BrokenManifest) fail(cause.message);
    throw cause;
  }
  const logger = createLogger({ level: values.verbose ? 'debug' : 'warn', format: 'text' });
  const startedMs = systemClock.monotonicMs();
  const local = new LocalCluster(
    { clock: systemClock, chance: systemChance, logger },
    {
      folder: values.data,
      manifests,
      brokers,
      bootstrapPort: port,
      apiPort,
      reset: values.reset,
      brokerLogFormat: 'text',
    },
  );
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    process.stdout.write('\nstopping …\n');
    await local[Symbol.asyncDispose]();
    process.exit(0);
  };
  process.on('SIGINT', () => {
    // A second Ctrl-C: somebody will not wait.
    if (stopping) process.exit(1);
    void stop();
  });
  // Who ends a whole group of processes is heard twice, here and through the one that started this.
  process.on('SIGTERM', () => void stop());
  try {
    process.stdout.write('starting …\n');
    await local.start();
    const clusters = await local.ready(120_000);
    const elapsedMs = systemClock.monotonicMs() - startedMs;
    const count = clusters.reduce((sum, { spec }) => sum + spec.replicas, 0);
    const running = await local.api.list(
      { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true },
      {},
    );
    const ip =
      (running.items[0] as { status?: { podIP?: string } } | undefined)?.status?.podIP ??
      '127.0.64.1';
    process.stdout.write(
      welcome(local, local.bootstrapServers, elapsedMs, count, `http://${ip}:9404/metrics`),
    );
  } catch (cause) {
    if (stopping) return;
    const { code, message } = cause as NodeJS.ErrnoException & { port?: number };
    await local[Symbol.asyncDispose]();
    if (code === 'EADDRINUSE')
      fail(
        `${message.replace(/^listen EADDRINUSE: /, '')}: stop what uses it, or choose another with --port and --api-port`,
      );
    fail(message);
  }
}

await main();
