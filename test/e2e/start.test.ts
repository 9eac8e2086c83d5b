/** `npm start` as a new user runs it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ROOT } from '../../stdx/root.ts';
import { freePort, until } from '../support/local.ts';
import { runTool } from '../support/programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'tenure-start-'));
const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
}

function start(args: readonly string[]): Running {
  const child = spawn('node', [join(ROOT, 'scripts/start.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  let text = '';
  child.stdout?.on('data', (part: Buffer) => {
    text += part;
  });
  child.stderr?.on('data', (part: Buffer) => {
    text += part;
  });
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      children.delete(child);
      resolve(code);
    });
  });
  return { child, output: () => text, ended };
}

test('it prints how to go on, stops cleanly, and starting again finds the same data', async () => {
  const port = String(await freePort());
  const args = [
    '--data',
    join(folder, 'a'),
    '--port',
    port,
    '--api-port',
    '0',
    '--brokers',
    '1',
    '--manifests',
    join(ROOT, 'examples/single'),
  ];
  const first = start(args);
  await until('Kafka is up', 60_000, () => first.output().includes('Kafka is up: 1 brokers'));
  for (const hint of [
    `localhost:${port}`,
    'KUBECONFIG=',
    'kafka-console-producer',
    'kafka-console-consumer',
    '/metrics',
  ])
    assert.ok(first.output().includes(hint), hint);
  const at = ['--bootstrap-server', `localhost:${port}`];
  assert.equal(
    (await runTool('kafka-console-producer', ['--topic', 'my-topic', ...at], { input: 'kept\n' }))
      .code,
    0,
  );
  const twice = start([
    ...args.slice(0, 2),
    '--port',
    String(await freePort()),
    '--api-port',
    '0',
    '--brokers',
    '1',
  ]);
  assert.equal(await twice.ended, 1);
  assert.match(twice.output(), /is in use by another process/);
  first.child.kill('SIGTERM');
  assert.equal(await first.ended, 0, first.output());
  const second = start(args);
  await until('Kafka is up again', 60_000, () => second.output().includes('Kafka is up'));
  const read = await runTool('kafka-console-consumer', [
    '--topic',
    'my-topic',
    '--from-beginning',
    '--max-messages',
    '1',
    ...at,
  ]);
  assert.equal(read.stdout, 'kept\n', read.stderr);
  second.child.kill('SIGTERM');
  await second.ended;
  const third = start([...args, '--reset']);
  await until('Kafka is up afresh', 60_000, () => third.output().includes('Kafka is up'));
  const empty = await runTool('kafka-console-consumer', [
    '--topic',
    'my-topic',
    '--from-beginning',
    '--timeout-ms',
    '1500',
    ...at,
  ]);
  assert.equal(empty.stdout, '');
  third.child.kill('SIGTERM');
  await third.ended;
});

test('what is wrong is one sentence, not a stack trace', async () => {
  const taken = net.createServer();
  await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
  const port = String((taken.address() as net.AddressInfo).port);
  const broken = join(folder, 'broken.yaml');
  writeFileSync(broken, 'apiVersion: v1\nkind: [');
  const nameless = join(folder, 'nameless.yaml');
  writeFileSync(nameless, 'apiVersion: kafka.tenure.dev/v1beta1\nkind: KafkaTopic\n');
  const invalid = join(folder, 'invalid.yaml');
  writeFileSync(
    invalid,
    'apiVersion: kafka.tenure.dev/v1beta1\nkind: KafkaCluster\nmetadata: { name: x }\nspec: { replicas: 0 }\n',
  );
  const cases: [string[], RegExp][] = [
    [['--api-port', port], new RegExp(`${port}.*choose another`)],
    [['--brokers', 'many'], /--brokers must be a whole number/],
    [['--brokers', '0'], /--brokers must be a whole number from 1/],
    [['--colour'], /Unknown option/],
    [['--manifests', broken], /is not YAML/],
    [['--manifests', nameless], /must have apiVersion, kind and metadata\.name/],
    [['--manifests', join(folder, 'nowhere.yaml')], /does not exist/],
    [['--manifests', invalid, '--api-port', '0'], /spec\.replicas/],
  ];
  for (const [args, sentence] of cases) {
    const run = start(['--data', join(folder, 'b'), ...args]);
    assert.equal(await run.ended, 1, run.output());
    const said = run.output().replace('starting …\n', '').trim();
    assert.match(said, sentence);
    assert.equal(said.split('\n').length, 1, said);
  }
  taken.close();
});
