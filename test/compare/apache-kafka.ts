/** A real Apache Kafka on this machine, brought by Maven: KRaft, default settings. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BrokerConnection } from '../../client/connection.ts';
import { ROOT } from '../../stdx/root.ts';
import { freePort, until } from '../support/local.ts';

const FOLDER = join(ROOT, 'test/compare');

/** Why there can be none here, or null. */
export function missingForKafka(): string | null {
  for (const program of ['java', 'mvn']) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0)
      return `${program} is not installed on this machine`;
  }
  return null;
}

/** The folder with Kafka's jars. @throws Error where Maven cannot bring them. */
function jars(): string {
  const lib = join(FOLDER, 'target/lib');
  if (existsSync(lib)) return lib;
  const args = ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${lib}`];
  const { status, stdout } = spawnSync('mvn', args, { cwd: FOLDER, encoding: 'utf8' });
  if (status !== 0) throw new Error(`Maven could not bring Apache Kafka: ${stdout.slice(0, 500)}`);
  return lib;
}

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

interface KafkaNode {
  readonly id: number;
  readonly port: number;
  readonly controllerPort: number;
}

/** Kafka in KRaft mode, each node a broker and a controller, on ports of their own. */
export class ApacheKafka implements AsyncDisposable {
  private readonly folder = mkdtempSync(join(tmpdir(), 'apache-kafka-'));
  private readonly classPath = `${jars()}/*`;
  private readonly children = new Map<number, ChildProcess>();
  readonly nodes: readonly KafkaNode[];

  private constructor(nodes: readonly KafkaNode[]) {
    this.nodes = nodes;
  }

  /**
   * Makes nodes, which do not run yet.
   * @param settings lines of server.properties beyond what so many nodes need
   */
  static async make(count: number, settings: readonly string[] = []): Promise<ApacheKafka> {
    const nodes: KafkaNode[] = [];
    for (let id = 0; id < count; id++)
      nodes.push({ id, port: await freePort(), controllerPort: await freePort() });
    const kafka = new ApacheKafka(nodes);
    const clusterId = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64url');
    for (const node of nodes) kafka.format(node, clusterId, settings);
    return kafka;
  }

  private properties(id: number): string {
    return join(this.folder, `server-${id}.properties`);
  }

  private format(
    { id, port, controllerPort }: KafkaNode,
    clusterId: string,
    settings: readonly string[],
  ) {
    const voters = this.nodes.map((node) => `${node.id}@127.0.0.1:${node.controllerPort}`);
    const internalReplicas = Math.min(this.nodes.length, 3);
    const data = join(this.folder, `data-${id}`);
    mkdirSync(data);
    const lines = [
      'process.roles=broker,controller',
      `node.id=${id}`,
      `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
      `controller.quorum.voters=${voters.join(',')}`,
      'controller.listener.names=CONTROLLER',
      `log.dirs=${data}`,
      `offsets.topic.replication.factor=${internalReplicas}`,
      `transaction.state.log.replication.factor=${internalReplicas}`,
      `transaction.state.log.min.isr=${Math.min(internalReplicas, 2)}`,
      `share.coordinator.state.topic.replication.factor=${internalReplicas}`,
      `share.coordinator.state.topic.min.isr=${Math.min(internalReplicas, 2)}`,
      ...settings,
    ];
    writeFileSync(this.properties(id), `${lines.join('\n')}\n`);
    const tool = ['-cp', this.classPath, 'kafka.tools.StorageTool', 'format'];
    const args = [...tool, '-t', clusterId, '-c', this.properties(id)];
    const { status, stderr } = spawnSync('java', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`formatting failed: ${stderr}`);
  }

  get bootstrap(): string {
    return this.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
  }

  /** Begins a node; it serves a while later. */
  spawn(id: number): void {
    const log = openSync(join(this.folder, `log-${id}`), 'a');
    const args = [...JVM, '-cp', this.classPath, 'kafka.Kafka', this.properties(id)];
    this.children.set(id, spawn('java', args, { stdio: ['ignore', log, log] }));
    closeSync(log);
  }

  async end(id: number, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.children.get(id);
    this.children.delete(id);
    if (child === undefined || hasEnded(child)) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await ended;
  }

  /** Of the nodes that run. */
  pids(): number[] {
    return [...this.children.values()].flatMap((child) =>
      child.pid === undefined || hasEnded(child) ? [] : [child.pid],
    );
  }

  /** @throws Error with what the node printed, where it ended */
  async listens(id: number): Promise<void> {
    await until('Apache Kafka listens', 60_000, () => {
      const child = this.children.get(id);
      if (child === undefined || hasEnded(child))
        throw new Error(`Kafka ended: ${readFileSync(join(this.folder, `log-${id}`), 'utf8')}`);
      return BrokerConnection.open('127.0.0.1', this.nodes[id]?.port ?? 0, 500).then(
        (connection) => {
          connection[Symbol.dispose]();
          return true;
        },
        () => false,
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { id } of this.nodes) await this.end(id, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;
