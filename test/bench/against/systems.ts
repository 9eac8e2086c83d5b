/** The two systems that are compared, each as real processes of this machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../../stdx/root.ts';
import { ApacheKafka } from '../../compare/apache-kafka.ts';
import { freePort, sleepMs, startTestCluster } from '../../support/local.ts';

export interface Measured extends AsyncDisposable {
  readonly bootstrap: string;
  /** Of the brokers, those that run. */
  pids(): number[];
}

export interface System extends Measured {
  /** Ends a broker and has it started again; resolves with when its new process began, in epoch ms. */
  restart(broker: number, signal: 'SIGTERM' | 'SIGKILL'): Promise<number>;
  /** Where the first broker serves clients. */
  address(): Promise<{ host: string; port: number }>;
  /** Ends a broker for good. */
  kill(broker: number): Promise<void>;
}

export interface Contender {
  readonly name: string;
  /** `begun` is called when the first process begins. */
  start(brokers: number, begun: (bootstrap: string) => void): Promise<System>;
}

const RESTART_MS_MAX = 60_000;

/** A server that acknowledges everything at once, with these topics. */
export async function startFloor(topics: Readonly<Record<string, number>>): Promise<Measured> {
  const port = await freePort();
  const script = join(ROOT, 'test/bench/against/floor.ts');
  const args = Object.entries(topics).map(([name, partitions]) => `${name}=${partitions}`);
  const child = spawn(process.execPath, [script, String(port), ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await once(child, 'spawn');
  return {
    bootstrap: `127.0.0.1:${port}`,
    pids: () => (child.pid === undefined || child.exitCode !== null ? [] : [child.pid]),
    async [Symbol.asyncDispose]() {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

export const tenure: Contender = {
  name: 'Tenure',
  async start(brokers, begun) {
    const folder = mkdtempSync(join(tmpdir(), 'bench-tenure-'));
    const bootstrapPort = await freePort();
    begun(`127.0.0.1:${bootstrapPort}`);
    const cluster = await startTestCluster({
      folder,
      brokers,
      bootstrapPort,
      manifests: 'test/bench/against/cluster.yaml',
    });
    const pidOf = (broker: number) => {
      try {
        return cluster.pid(broker);
      } catch {
        return null;
      }
    };
    return {
      bootstrap: cluster.bootstrap,
      pids: () =>
        Array.from({ length: brokers }, (_, id) => pidOf(id)).filter((pid) => pid !== null),
      async restart(broker, signal) {
        const before = cluster.pid(broker);
        process.kill(before, signal);
        const deadlineMs = Date.now() + RESTART_MS_MAX;
        while (Date.now() < deadlineMs) {
          const pid = pidOf(broker);
          if (pid !== null && pid !== before) return Date.now();
          await sleepMs(1);
        }
        throw new Error(`broker ${broker} was not started again within ${RESTART_MS_MAX} ms`);
      },
      address: async () => ({ host: await cluster.address(0), port: 9092 }),
      async kill(broker) {
        process.kill(cluster.pid(broker), 'SIGKILL');
      },
      async [Symbol.asyncDispose]() {
        await cluster[Symbol.asyncDispose]();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
};

/** Its default settings; only addresses, and replication of internal topics where there is one broker. */
export const apacheKafka: Contender = {
  name: 'Apache Kafka',
  async start(brokers, begun) {
    const kafka = await ApacheKafka.make(brokers);
    begun(kafka.bootstrap);
    for (const { id } of kafka.nodes) kafka.spawn(id);
    return {
      bootstrap: kafka.bootstrap,
      pids: () => kafka.pids(),
      async restart(id, signal) {
        await kafka.end(id, signal);
        const at = Date.now();
        kafka.spawn(id);
        return at;
      },
      address: async () => ({ host: '127.0.0.1', port: kafka.nodes[0]?.port ?? 0 }),
      kill: (id) => kafka.end(id, 'SIGKILL'),
      [Symbol.asyncDispose]: () => kafka[Symbol.asyncDispose](),
    };
  },
};
