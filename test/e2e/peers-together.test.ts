/** Three brokers in one process, each with a certificate of its own: all that they say to each other is heard. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import kafkajs from 'kafkajs';
import { Broker } from '../../broker/broker.ts';
import { systemNetwork } from '../../broker/network.ts';
import {
  brokerUri,
  certificateFile,
  keyFile,
  type PeerTlsMode,
} from '../../kube/broker-identity.ts';
import { KubeClient } from '../../kube/client.ts';
import { makeAuthority, signServer } from '../../operator/cluster/authority.ts';
import { setFate } from '../../stdx/bug.ts';
import { systemChance } from '../../stdx/chance.ts';
import { systemClock } from '../../stdx/clock.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import type { Logger } from '../../stdx/logger.ts';
import { WorkerThreads } from '../../stdx/worker-threads.ts';
import { makeApi, TOKEN } from '../support/broker-rig.ts';
import { freePort, until } from '../support/local.ts';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const CLUSTER = { namespace: 'default', cluster: 'my-cluster' };
const HOST = '127.0.0.1';
const INTERNAL = Object.fromEntries(
  ['offsets.topic', 'transaction.state.log', 'share.coordinator.state.topic'].flatMap((name) => [
    [`${name}.num.partitions`, 3],
    [`${name}.replication.factor`, 3],
  ]),
);

async function certificates(folder: string): Promise<void> {
  const now = new Date().toISOString();
  const until = new Date(Date.now() + 3_600_000);
  const authority = await makeAuthority('brokers', now, until);
  writeFileSync(join(folder, 'ca.crt'), authority.certificate);
  for (const id of [0, 1, 2]) {
    const names = [brokerUri(CLUSTER, id)];
    const pair = await signServer(authority, { names, forClients: true, now, until });
    writeFileSync(join(folder, certificateFile(id)), pair.certificate);
    writeFileSync(join(folder, keyFile(id)), pair.key);
  }
}

/** What was said of peers that were refused, and of bugs, is in `faults`. */
async function start(folder: string, modeOf: (id: number) => PeerTlsMode, faults: string[]) {
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (message, fields) => {
      if (message === 'a peer was refused') faults.push(`${message} ${JSON.stringify(fields)}`);
    },
    error: (message, fields) =>
      void faults.push(`${message} ${String((fields?.cause as Error | undefined)?.stack)}`),
    child: () => logger,
  };
  const config = { ...INTERNAL, 'default.replication.factor': 3, 'min.insync.replicas': 3 };
  const { server, url } = await makeApi(config, logger, 3);
  const api = new KubeClient({ server: url, token: () => TOKEN });
  const program = new URL('../../broker/records-worker.ts', import.meta.url);
  const workers = new WorkerThreads({ program, countMax: 1 });
  const ports: number[] = [];
  const brokers: Broker[] = [];
  for (const id of [0, 1, 2]) {
    const mode = modeOf(id);
    const port = await freePort();
    ports.push(port);
    const broker = new Broker(
      {
        clock: systemClock,
        chance: systemChance,
        disk: memoryDisk(),
        logger,
        api,
        workers,
        network: systemNetwork({ ...CLUSTER, folder, id, mode }),
        bootId: 'together',
        processId: process.pid,
        onFatal: (why) => void faults.push(why),
        version: 'together',
        ownsProcess: false,
      },
      {
        ...CLUSTER,
        id,
        podName: `my-cluster-broker-${id}`,
        podUid: '',
        bindHost: HOST,
        advertisedHost: HOST,
        kafkaPort: port,
        listeners: [{ name: 'internal', port }],
        replicationPort: await freePort(),
        adminPort: 0,
        dataFolders: ['/data'],
        tlsFolder: '',
        peerTlsFolder: folder,
        peerTls: mode,
        rack: null,
        rackAnnotation: null,
        serviceAccountFolder: '',
        logLevel: 'info',
        logFormat: 'text',
        tailBytes: 8 * 1024 * 1024,
        memoryBytes: 512 * 1024 * 1024,
        openFilesMax: 256,
        shutdownTimeoutMs: 5_000,
      },
    );
    brokers.push(broker);
  }
  await Promise.all(brokers.map((broker) => broker.start()));
  return {
    bootstrap: ports.map((port) => `${HOST}:${port}`),
    async [Symbol.asyncDispose]() {
      for (const broker of brokers) await broker.stop();
      await workers.close();
      api[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const mixes: Readonly<Record<string, (id: number) => PeerTlsMode>> = {
  'all demand TLS': () => 'require',
  'some dial plainly still, and some with TLS': (id) => (id === 0 ? 'accept' : 'dial'),
  'some take plain connections still': (id) => (id === 0 ? 'dial' : 'require'),
};

for (const [name, modeOf] of Object.entries(mixes)) {
  test(`${name}: records and transactions reach every replica`, { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tenure-together-'));
    const faults: string[] = [];
    const fate = setFate((doing, cause) => void faults.push(`${doing}: ${String(cause)}`));
    try {
      await certificates(folder);
      await using cluster = await start(folder, modeOf, faults);
      const kafka = new kafkajs.Kafka({
        brokers: cluster.bootstrap,
        logLevel: kafkajs.logLevel.NOTHING,
        retry: { initialRetryTime: 50, retries: 30 },
      });
      const admin = kafka.admin();
      await admin.connect();
      await until('a topic can be made', 30_000, async () => {
        const topic = { topic: 't', numPartitions: 3, replicationFactor: 3 };
        return admin.createTopics({ topics: [topic] }).then(
          () => true,
          () => false,
        );
      });
      const producer = kafka.producer({
        transactionalId: 'together',
        idempotent: true,
        maxInFlightRequests: 1,
      });
      await producer.connect();
      for (const commits of [true, false, true]) {
        const transaction = await producer.transaction();
        const messages = [0, 1, 2].map((partition) => ({ partition, value: `${commits}` }));
        await transaction.send({ topic: 't', acks: -1, messages });
        await (commits ? transaction.commit() : transaction.abort());
      }
      // This client may send a record once more where a broker was not ready; none may be missing.
      const read = new Map<number, string[]>([0, 1, 2].map((partition) => [partition, []]));
      const consumer = kafka.consumer({ groupId: 'g', maxWaitTimeInMs: 100 });
      await consumer.connect();
      await consumer.subscribe({ topic: 't', fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ partition, message }) =>
          void read.get(partition)?.push(String(message.value)),
      });
      await until('all that was committed is read', 30_000, () =>
        [...read.values()].every((values) => values.length >= 2),
      );
      assert.ok([...read.values()].flat().every((value) => value === 'true'));
      await consumer.disconnect();
      await producer.disconnect();
      await admin.disconnect();
    } finally {
      fate[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    }
    assert.deepEqual(faults, []);
  });
}
