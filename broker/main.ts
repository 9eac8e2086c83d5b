/** The broker's process: makes the real ports, starts, and stops in good order on SIGTERM. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { KubeClient, podAccess } from '../kube/client.ts';
import { fatal, setFate } from '../stdx/bug.ts';
import { systemChance } from '../stdx/chance.ts';
import { systemClock } from '../stdx/clock.ts';
import { nodeDisk } from '../stdx/disk-node.ts';
import { createLogger } from '../stdx/logger.ts';
import { VERSION } from '../stdx/version.ts';
import { WorkerThreads } from '../stdx/worker-threads.ts';
import { Broker } from './broker.ts';
import { systemNetwork } from './network.ts';
import { type BrokerOptions, brokerOptions } from './options.ts';

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return ''; // Not Linux: every unclean stop counts as one that may have lost data.
  }
}

/** A broker that is not told how much memory it may have goes by the limit of its container, if it has one. */
function withMemory(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const limit = process.constrainedMemory();
  const isLimited = limit > 0 && limit < totalmem();
  return isLimited ? { TENURE_MEMORY_BYTES: String(limit), ...env } : env;
}

function readOptions(): BrokerOptions {
  try {
    return brokerOptions(withMemory(process.env));
  } catch (cause) {
    process.stderr.write(`broker: ${(cause as Error).message}\n`);
    process.exit(2);
  }
}

/** Batches that are unpacked at the same time: what each of them takes is memory. */
const RECORD_THREADS_MAX = 2;

/** Beside this file, as it is or as a bundle. */
function recordsProgram(): URL {
  const name = import.meta.url.endsWith('.cjs') ? './records-worker.cjs' : './records-worker.ts';
  return new URL(name, import.meta.url);
}

function peerTlsOf({
  peerTlsFolder: folder,
  peerTls: mode,
  namespace,
  cluster,
  id,
}: BrokerOptions) {
  return folder === null ? null : { folder, mode, namespace, cluster, id };
}

export async function main(): Promise<void> {
  // After a burst V8 would put what requests make among its old objects, where it keeps everything that they
  // refer to until the next full collection: collections took 2-8 ms instead of less than one.
  setFlagsFromString('--no-allocation-site-pretenuring');
  const options = readOptions();
  const logger = createLogger({
    level: options.logLevel,
    format: options.logFormat,
    fields: { component: `broker-${options.id}` },
  });
  const api = new KubeClient(podAccess(process.env, options.serviceAccountFolder));
  const onFatal = (why: string) => {
    logger.error('stopping at once', { why });
    process.exit(1);
  };
  const broker = new Broker(
    {
      clock: systemClock,
      chance: systemChance,
      disk: nodeDisk,
      logger,
      api,
      network: systemNetwork(peerTlsOf(options)),
      workers: new WorkerThreads({ program: recordsProgram(), countMax: RECORD_THREADS_MAX }),
      bootId: readBootId(),
      processId: process.pid,
      onFatal,
      version: VERSION,
      ownsProcess: true,
    },
    options,
  );
  const stop = (signal: string) => {
    logger.info('stopping', { signal });
    broker.stop().then(
      () => process.exit(0),
      (cause: unknown) => {
        logger.error('stopping failed', { cause });
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  setFate((doing, cause) => {
    logger.error('a bug ends this process', { doing, cause });
    process.exit(1);
  });
  process.on('unhandledRejection', (cause) => fatal('a promise that nobody awaited', cause));
  process.on('uncaughtException', (cause) => fatal('handling an event', cause));
  try {
    await broker.start();
  } catch (cause) {
    logger.error('the broker cannot start', { cause });
    process.exit(1);
  }
}

void main();
