/** A real Apache Kafka broker on this machine, brought by Maven: one node, KRaft, default settings. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
export function jars(): string {
  const lib = join(FOLDER, 'target/lib');
  if (existsSync(lib)) return lib;
  const args = ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${lib}`];
  const { status, stdout } = spawnSync('mvn', args, { cwd: FOLDER, encoding: 'utf8' });
  if (status !== 0) throw new Error(`Maven could not bring Apache Kafka: ${stdout.slice(0, 500)}`);
  return lib;
}

export interface ApacheKafka extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** @param settings lines of server.properties beyond what a single node needs */
export async function startApacheKafka(settings: readonly string[]): Promise<ApacheKafka> {
  const lib = jars();
  const folder = mkdtempSync(join(tmpdir(), 'apache-kafka-'));
  const [port, controllerPort] = [await freePort(), await freePort()];
  const properties = join(folder, 'server.properties');
  mkdirSync(join(folder, 'data'));
  const lines = [
    'process.roles=broker,controller',
    'node.id=0',
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
    `controller.quorum.voters=0@127.0.0.1:${controllerPort}`,
    'controller.listener.names=CONTROLLER',
    `log.dirs=${join(folder, 'data')}`,
    'offsets.topic.replication.factor=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    ...settings,
  ];
  writeFileSync(properties, `${lines.join('\n')}\n`);
  const java = (main: string, args: string[]) => ['-Xmx512m', '-cp', `${lib}/*`, main, ...args];
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64url');
  const format = ['format', '-t', id, '-c', properties];
  const formatted = spawnSync('java', java('kafka.tools.StorageTool', format), {
    encoding: 'utf8',
  });
  if (formatted.status !== 0) throw new Error(`formatting failed: ${formatted.stderr}`);
  const child: ChildProcess = spawn('java', java('kafka.Kafka', [properties]), {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: Buffer[] = [];
  child.stdout?.on('data', (part: Buffer) => log.push(part));
  child.stderr?.on('data', (part: Buffer) => log.push(part));
  const isUp = () => {
    if (child.exitCode !== null) throw new Error(`Kafka ended: ${Buffer.concat(log)}`);
    return BrokerConnection.open('127.0.0.1', port, 500).then(
      (connection) => {
        connection[Symbol.dispose]();
        return true;
      },
      () => false,
    );
  };
  await until('Apache Kafka listens', 60_000, isUp);
  return {
    host: '127.0.0.1',
    port,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await new Promise((done) => child.once('exit', done));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
