/** The two systems that are compared, each as real processes of this machine. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jars } from '../../compare/apache-kafka.ts';
import { freePort, sleepMs, startTestCluster } from '../../support/local.ts';

export interface System extends AsyncDisposable {
  readonly bootstrap: string;
  /** Of the brokers, those that run. */
  pids(): number[];
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

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

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
        for (;;) {
          const pid = pidOf(broker);
          if (pid !== null && pid !== before) return Date.now();
          await sleepMs(1);
        }
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

/** What Kafka's own start script sets. */
const JVM = [
  '-Xmx1G',
  '-Xms1G',
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
  '-Djava.awt.headless=true',
];

/** Its default settings; only addresses, and replication of internal topics where there is one broker. */
export const apacheKafka: Contender = {
  name: 'Apache Kafka',
  async start(brokers, begun) {
    const classPath = `${jars()}/*`;
    const folder = mkdtempSync(join(tmpdir(), 'bench-kafka-'));
    const nodes: { id: number; port: number; controllerPort: number }[] = [];
    for (let id = 0; id < brokers; id++)
      nodes.push({ id, port: await freePort(), controllerPort: await freePort() });
    const voters = nodes
      .map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`)
      .join(',');
    const clusterId = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64url');
    const internalReplicas = Math.min(brokers, 3);
    const fileOf = (id: number) => join(folder, `server-${id}.properties`);
    for (const { id, port, controllerPort } of nodes) {
      mkdirSync(join(folder, `data-${id}`));
      const lines = [
        'process.roles=broker,controller',
        `node.id=${id}`,
        `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
        `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
        `controller.quorum.voters=${voters}`,
        'controller.listener.names=CONTROLLER',
        `log.dirs=${join(folder, `data-${id}`)}`,
        `offsets.topic.replication.factor=${internalReplicas}`,
        `transaction.state.log.replication.factor=${internalReplicas}`,
        `transaction.state.log.min.isr=${Math.min(internalReplicas, 2)}`,
      ];
      writeFileSync(fileOf(id), `${lines.join('\n')}\n`);
      const format = ['-cp', classPath, 'kafka.tools.StorageTool', 'format'];
      const formatted = spawnSync('java', [...format, '-t', clusterId, '-c', fileOf(id)], {
        encoding: 'utf8',
      });
      if (formatted.status !== 0) throw new Error(`formatting failed: ${formatted.stderr}`);
    }
    const children = new Map<number, ChildProcess>();
    const spawnNode = (id: number) => {
      const log = openSync(join(folder, `log-${id}`), 'a');
      const args = [...JVM, '-cp', classPath, 'kafka.Kafka', fileOf(id)];
      children.set(id, spawn('java', args, { stdio: ['ignore', log, log] }));
    };
    const bootstrap = nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
    begun(bootstrap);
    for (const { id } of nodes) spawnNode(id);
    const end = async (id: number, signal: 'SIGTERM' | 'SIGKILL') => {
      const child = children.get(id);
      children.delete(id);
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((done) => child.once('exit', done));
      child.kill(signal);
      await ended;
    };
    return {
      bootstrap,
      pids: () => [...children.values()].map(({ pid }) => pid ?? -1).filter(isAlive),
      async restart(id, signal) {
        await end(id, signal);
        const at = Date.now();
        spawnNode(id);
        return at;
      },
      address: async () => ({ host: '127.0.0.1', port: nodes[0]?.port ?? 0 }),
      kill: (id) => end(id, 'SIGKILL'),
      async [Symbol.asyncDispose]() {
        for (const { id } of nodes) await end(id, 'SIGKILL');
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
};

/** User and system time of processes so far, their threads included. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / 100;
}

export function residentMiB(pids: readonly number[]): number {
  let kib = 0;
  for (const pid of pids)
    kib += Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return kib / 1024;
}
