/**
 * A whole broker in the process of a test: real time, real sockets, an embedded API server, and files in
 * memory. What it logs as an error and what it takes for a bug is kept to be looked at.
 */

import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { parse } from 'yaml';
import { Broker } from '../../broker/broker.ts';
import { type BrokerNetwork, systemNetwork } from '../../broker/network.ts';
import { Listener } from '../../broker/server/listener.ts';
import { BrokerConnection } from '../../client/connection.ts';
import { KubeClient } from '../../kube/client.ts';
import { EmbeddedApi } from '../../kube/embedded/api.ts';
import type { Kind } from '../../kube/embedded/kinds.ts';
import { EmbeddedServer } from '../../kube/embedded/server.ts';
import { Store } from '../../kube/embedded/store.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { setFate } from '../../stdx/bug.ts';
import { systemChance } from '../../stdx/chance.ts';
import { systemClock } from '../../stdx/clock.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import type { Logger } from '../../stdx/logger.ts';
import { ROOT } from '../../stdx/root.ts';
import { WorkerThreads } from '../../stdx/worker-threads.ts';
import { freePort } from './local.ts';
import { until } from './wait.ts';

const GROUP = 'kafka.tenure.dev';
const VERSION = 'v1beta1';
const CLUSTER = 'my-cluster';
const NAMESPACE = 'default';
export const TOKEN = systemChance.bytes(32).toString('base64url');
const CRDS = [
  'kafkabrokers',
  'kafkaclusters',
  'kafkaclusterstates',
  'kafkapartitionmaps',
  'kafkatopics',
];

export interface BrokerRig extends AsyncDisposable {
  readonly port: number;
  /** Where its peers would come in. */
  readonly replicationPort: number;
  /** Lines of errors, and of bugs that would have ended the process. */
  readonly errors: string[];
  readonly bugs: string[];
  readonly connections: ReadonlySet<unknown>;
}

/** An API of its own with one cluster in it; clients show `TOKEN`. */
export async function makeApi(
  config: Readonly<Record<string, string | number>>,
  logger: Logger,
  replicas = 1,
) {
  const api = new EmbeddedApi({
    store: new Store(':memory:'),
    clock: systemClock,
    chance: systemChance,
  });
  const put = (group: string, version: string, plural: string, namespace: string, of: object) =>
    api.create(api.kind(group, version, plural) as Kind, namespace, of as KubeObject, {});
  for (const name of CRDS) {
    const crd = parse(readFileSync(join(ROOT, `crds/${name}.${GROUP}.yaml`), 'utf8')) as object;
    put('apiextensions.k8s.io', 'v1', 'customresourcedefinitions', '', crd);
  }
  put(GROUP, VERSION, 'kafkaclusters', NAMESPACE, {
    apiVersion: `${GROUP}/${VERSION}`,
    kind: 'KafkaCluster',
    metadata: { name: CLUSTER },
    spec: { replicas, config, storage: { type: 'ephemeral' } },
  });
  const server = new EmbeddedServer({ api, clock: systemClock, logger, token: TOKEN });
  return { server, url: `http://127.0.0.1:${await server.listen('127.0.0.1', 0)}` };
}

export async function startBrokerRig(
  config: Readonly<Record<string, string | number>> = {},
): Promise<BrokerRig> {
  const errors: string[] = [];
  const bugs: string[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn() {},
    error: (message, fields = {}) =>
      void errors.push(`${message} ${fields.api ?? ''}: ${(fields.cause as Error)?.stack ?? ''}`),
    child: () => logger,
  };
  const fate = setFate((doing, cause) => void bugs.push(`${doing}: ${(cause as Error).stack}`));
  const onRejection = (cause: unknown) =>
    void bugs.push(`a promise that nobody awaited: ${(cause as Error).stack}`);
  process.on('unhandledRejection', onRejection);
  const single = Object.fromEntries(
    ['offsets.topic', 'transaction.state.log', 'share.coordinator.state.topic'].flatMap((name) => [
      [`${name}.num.partitions`, 1],
      [`${name}.replication.factor`, 1],
    ]),
  );
  const { server, url } = await makeApi({ ...single, ...config }, logger);
  const api = new KubeClient({ server: url, token: () => TOKEN });
  const system = systemNetwork(null);
  let listener: Listener | null = null;
  const network: BrokerNetwork = {
    ...system,
    async listen(deps, options) {
      listener = new Listener(deps, options);
      await listener.listen();
      return listener;
    },
  };
  const port = await freePort();
  const program = new URL('../../broker/records-worker.ts', import.meta.url);
  const workers = new WorkerThreads({ program, countMax: 2 });
  const replicationPort = await freePort();
  const broker = new Broker(
    {
      clock: systemClock,
      chance: systemChance,
      disk: memoryDisk(),
      logger,
      api,
      network,
      bootId: 'rig',
      processId: process.pid,
      onFatal: (why) => void bugs.push(why),
      version: 'rig',
      workers,
      ownsProcess: false,
    },
    {
      namespace: NAMESPACE,
      cluster: CLUSTER,
      id: 0,
      podName: `${CLUSTER}-broker-0`,
      podUid: '',
      bindHost: '127.0.0.1',
      advertisedHost: '127.0.0.1',
      kafkaPort: port,
      listeners: [{ name: 'internal', port }],
      replicationPort,
      adminPort: 0,
      dataFolders: ['/data'],
      tlsFolder: '',
      peerTlsFolder: null,
      peerTls: 'require',
      rack: null,
      rackAnnotation: null,
      serviceAccountFolder: '',
      logLevel: 'info',
      logFormat: 'text',
      tailBytes: 8 * 1024 * 1024,
      memoryBytes: 512 * 1024 * 1024,
      openFilesMax: 256,
      shutdownTimeoutMs: 1_000,
    },
  );
  await broker.start();
  await until('the broker serves', 20_000, () => serves(port));
  return {
    port,
    replicationPort,
    errors,
    bugs,
    get connections() {
      return (listener as Listener | null)?.connections ?? new Set();
    },
    async [Symbol.asyncDispose]() {
      await broker.stop();
      await workers.close();
      api[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
      process.off('unhandledRejection', onRejection);
      fate[Symbol.dispose]();
    },
  };
}

/** Whether topics can be made there: it is the controller. */
async function serves(port: number): Promise<boolean> {
  try {
    using connection = await BrokerConnection.open('127.0.0.1', port);
    const topic = { name: 'ready', numPartitions: 1, replicationFactor: 1 };
    const made = await connection.send(apis.CreateTopics, 5, {
      topics: [topic],
      timeoutMs: 5_000,
      validateOnly: false,
    });
    const errorCode = made.topics[0]?.errorCode;
    return errorCode === 0 || errorCode === 36;
  } catch {
    return false;
  }
}

/** Sends frames on a connection of their own; resolves when all were answered or the broker hung up. */
export function exchange(
  port: number,
  frames: readonly Buffer[],
  patienceMs: number,
): Promise<{ answered: number; closed: boolean }> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    let answered = 0;
    let rest = Buffer.alloc(0);
    const over = (closed: boolean) => {
      socket.destroy();
      resolve({ answered, closed });
    };
    socket.on('error', () => over(true));
    socket.on('close', () => over(true));
    socket.setTimeout(patienceMs, () => over(false));
    socket.on('data', (bytes) => {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      while (rest.length >= 4 && rest.length - 4 >= rest.readInt32BE(0)) {
        rest = rest.subarray(4 + rest.readInt32BE(0));
        answered++;
      }
      if (answered >= frames.length) over(false);
    });
    socket.on('connect', () => {
      for (const one of frames) {
        const size = Buffer.alloc(4);
        size.writeInt32BE(one.length);
        socket.write(Buffer.concat([size, one]));
      }
    });
  });
}
