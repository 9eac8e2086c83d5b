/**
 * Programs that people run beside Kafka, from Apache Kafka's own jars: the command lines, Kafka
 * Streams with exactly-once, Connect's file connectors, and the reader of its log files.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildJava, javaArguments, missingJava } from '../support/java.ts';
import { sleepMs, startTestCluster, type TestCluster, until } from '../support/local.ts';
import { runProgram } from '../support/programs.ts';

const TOOLS = 'org.apache.kafka.tools';
/** The one command line that is not among the tools. */
const CONFIG_COMMAND = 'kafka.admin.ConfigCommand';
const skip = missingJava();

let cluster: TestCluster;
const scratch = mkdtempSync(join(tmpdir(), 'tenure-java-'));

before(async () => {
  if (skip) return;
  buildJava();
  cluster = await startTestCluster({ folder: join(scratch, 'cluster') });
});
after(async () => {
  await cluster?.[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true, force: true });
});

/** Runs a command line of Apache Kafka against the cluster; returns what it printed. */
async function tool(name: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(
    'java',
    javaArguments(name.startsWith('kafka.') ? name : `${TOOLS}.${name}`, [
      '--bootstrap-server',
      cluster.bootstrap,
      ...args,
    ]),
    { timeoutMs: 60_000 },
  );
  assert.equal(code, 0, `${name} ${args.join(' ')}\n${stdout}\n${stderr}`);
  return stdout;
}

function json(name: string, value: object): string {
  const path = join(scratch, name);
  writeFileSync(path, JSON.stringify(value));
  return path;
}

test('TopicCommand, VerifiableProducer, VerifiableConsumer, GetOffsetShell', { skip }, async () => {
  await tool(
    'TopicCommand',
    '--create',
    '--topic',
    'cli',
    '--partitions',
    '2',
    '--replication-factor',
    '2',
  );
  assert.match(
    await tool('TopicCommand', '--describe', '--topic', 'cli'),
    /PartitionCount: 2\s+ReplicationFactor: 2/,
  );
  assert.match(
    await tool('VerifiableProducer', '--topic', 'cli', '--max-messages', '500'),
    /"sent":500,"acked":500/,
  );
  assert.match(
    await tool(
      'VerifiableConsumer',
      '--topic',
      'cli',
      '--group-id',
      'verify',
      '--max-messages',
      '500',
    ),
    /"offsets_committed".*"success":true/,
  );
  const offsets = await tool('GetOffsetShell', '--topic', 'cli');
  const ends = [...offsets.matchAll(/^cli:\d:(\d+)$/gm)].map(([, end]) => Number(end));
  assert.equal(
    ends.reduce((a, b) => a + b, 0),
    500,
  );
});

test('ConfigCommand: topics, all brokers, groups, quotas of clients', { skip }, async () => {
  const config = (...args: string[]) => tool(CONFIG_COMMAND, ...args);
  // The broker that is asked may hear of it a moment after the one that changed it.
  const shows = (entity: readonly string[], text: string) =>
    until(`${text} is shown`, 30_000, async () =>
      (await config('--describe', ...entity)).includes(text),
    );
  const topic = ['--entity-type', 'topics', '--entity-name', 'cli'];
  const policies = 'retention.ms=7200000,cleanup.policy=[delete,compact]';
  await config('--alter', ...topic, '--add-config', policies);
  await shows(topic, 'retention.ms=7200000');
  await shows(topic, 'cleanup.policy=delete,compact');
  await config('--alter', ...topic, '--delete-config', 'retention.ms,cleanup.policy');
  const brokers = ['--entity-type', 'brokers', '--entity-default'];
  const two = 'log.cleaner.threads=1,fetch.max.bytes=1000000';
  await config('--alter', ...brokers, '--add-config', two);
  await shows(brokers, 'fetch.max.bytes=1000000');
  await config('--alter', ...brokers, '--delete-config', 'log.cleaner.threads,fetch.max.bytes');
  const group = ['--entity-type', 'groups', '--entity-name', 'cli-group'];
  await config('--alter', ...group, '--add-config', 'consumer.session.timeout.ms=50000');
  await shows(group, 'consumer.session.timeout.ms=50000');
  const clients = ['--entity-type', 'clients', '--entity-name', 'cli-client'];
  await config('--alter', ...clients, '--add-config', 'producer_byte_rate=1000000');
  await shows(clients, 'producer_byte_rate=1000000');
  await config('--alter', ...clients, '--delete-config', 'producer_byte_rate');
});

test('ConsumerGroupCommand: describe, reset, delete offsets, delete', { skip }, async () => {
  assert.match(
    await tool('consumer.group.ConsumerGroupCommand', '--describe', '--group', 'verify'),
    /verify\s+cli\s+\d/,
  );
  const reset = [
    '--group',
    'verify',
    '--reset-offsets',
    '--to-earliest',
    '--topic',
    'cli',
    '--execute',
  ];
  assert.match(await tool('consumer.group.ConsumerGroupCommand', ...reset), /cli\s+\d\s+0/);
  await tool(
    'consumer.group.ConsumerGroupCommand',
    '--delete-offsets',
    '--group',
    'verify',
    '--topic',
    'cli',
  );
  assert.match(
    await tool('consumer.group.ConsumerGroupCommand', '--delete', '--group', 'verify'),
    /successful/,
  );
});

test('DeleteRecordsCommand, LogDirsCommand, FeatureCommand, MetadataQuorumCommand', {
  skip,
}, async () => {
  const file = json('records.json', {
    version: 1,
    partitions: [0, 1].map((partition) => ({ topic: 'cli', partition, offset: -1 })),
  });
  assert.match(
    await tool('DeleteRecordsCommand', '--offset-json-file', file),
    /low_watermark: \d+/,
  );
  assert.match(
    await tool('LogDirsCommand', '--describe', '--topic-list', 'cli'),
    /"partition":"cli-0"/,
  );
  assert.match(
    await tool('FeatureCommand', 'describe'),
    /transaction.version.*FinalizedVersionLevel: 2/,
  );
  assert.match(await tool('MetadataQuorumCommand', 'describe', '--status'), /LeaderId:\s+\d/);
  assert.match(await tool('BrokerApiVersionsCommand'), /ConsumerGroupHeartbeat\(68\): 0 to 1/);
});

test('ReassignPartitionsCommand moves a partition, throttled, and takes the throttle off again', {
  skip,
}, async () => {
  const describe = () => tool('TopicCommand', '--describe', '--topic', 'cli');
  const before =
    /Partition: 0\s+Leader: \d\s+Replicas: (\S+)/
      .exec(await describe())?.[1]
      ?.split(',')
      .map(Number) ?? [];
  const other = [0, 1, 2].find((id) => !before.includes(id)) as number;
  const plan = {
    version: 1,
    partitions: [{ topic: 'cli', partition: 0, replicas: [other, before[0]] }],
  };
  const file = json('move.json', plan);
  await tool(
    'reassign.ReassignPartitionsCommand',
    '--reassignment-json-file',
    file,
    '--execute',
    '--throttle',
    '50000000',
  );
  await until('the partition is moved', 30_000, async () => {
    const verified = await tool(
      'reassign.ReassignPartitionsCommand',
      '--reassignment-json-file',
      file,
      '--verify',
    );
    return /is completed/.test(verified);
  });
  assert.match(
    await describe(),
    new RegExp(`Partition: 0\\s+Leader: \\d\\s+Replicas: ${other},${before[0]}`),
  );
  assert.doesNotMatch(await describe(), /throttled/);
});

test('TransactionsCommand finds nothing that hangs', { skip }, async () => {
  const found = await tool('TransactionsCommand', 'find-hanging', '--broker-id', '0');
  assert.doesNotMatch(found, /Failed/);
  assert.match(
    await tool('LeaderElectionCommand', '--election-type', 'preferred', '--all-topic-partitions'),
    /^/,
  );
});

for (const protocol of ['classic', 'streams']) {
  test(`Kafka Streams counts words exactly once, killed twice on the way (${protocol} group)`, {
    skip,
  }, async () => {
    if (protocol === 'streams') {
      const bounds =
        'group.streams.min.session.timeout.ms=6000,group.streams.min.heartbeat.interval.ms=500';
      const all = ['--alter', '--entity-type', 'brokers', '--entity-default'];
      await tool(CONFIG_COMMAND, ...all, '--add-config', bounds);
      await tool(
        CONFIG_COMMAND,
        ...['--alter', '--entity-type', 'groups', '--entity-name', 'streams-word-count'],
        ...['--add-config', 'streams.session.timeout.ms=6000,streams.heartbeat.interval.ms=500'],
      );
    }
    const states = join(scratch, `states-${protocol}`);
    const source = runProgram(
      'java',
      javaArguments('tenure.WordSource', [cluster.bootstrap, '3000', protocol]),
      { timeoutMs: 180_000 },
    );
    await until('the topics are there', 30_000, async () =>
      (await tool('TopicCommand', '--list')).includes(`${protocol}-words`),
    );
    let running: ChildProcess | null = null;
    const start = () => {
      const args = [cluster.bootstrap, states, protocol];
      running = spawn('java', javaArguments('tenure.WordCount', args), { stdio: 'ignore' });
    };
    start();
    for (let kill = 0; kill < 2; kill++) {
      await sleepMs(7000);
      (running as ChildProcess | null)?.kill('SIGKILL');
      start();
    }
    const { code, stdout } = await source;
    if (protocol === 'streams') {
      const group = ['--describe', '--group', 'streams-word-count', '--members', '--verbose'];
      assert.match(await tool('streams.StreamsGroupCommand', ...group), /ACTIVE: \d:\[/);
    }
    (running as ChildProcess | null)?.kill('SIGKILL');
    assert.equal(code, 0, stdout);
    assert.match(stdout, /exact: /);
  });
}

test('Connect carries a file through a topic into another file', { skip }, async () => {
  const [from, to] = [join(scratch, 'from.txt'), join(scratch, 'to.txt')];
  const lines = Array.from({ length: 200 }, (_, i) => `line ${i}`);
  writeFileSync(from, `${lines.join('\n')}\n`);
  const properties = (name: string, of: Record<string, string>) => {
    const path = join(scratch, name);
    writeFileSync(
      path,
      Object.entries(of)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
    return path;
  };
  const worker = properties('worker.properties', {
    'bootstrap.servers': cluster.bootstrap,
    'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
    'value.converter': 'org.apache.kafka.connect.storage.StringConverter',
    'offset.storage.file.filename': join(scratch, 'connect.offsets'),
    'offset.flush.interval.ms': '500',
    listeners: 'http://127.0.0.1:0',
  });
  const source = properties('source.properties', {
    name: 'file-source',
    'connector.class': 'org.apache.kafka.connect.file.FileStreamSourceConnector',
    file: from,
    topic: 'lines',
  });
  const sink = properties('sink.properties', {
    name: 'file-sink',
    'connector.class': 'org.apache.kafka.connect.file.FileStreamSinkConnector',
    file: to,
    topics: 'lines',
  });
  const connect = spawn(
    'java',
    javaArguments('org.apache.kafka.connect.cli.ConnectStandalone', [worker, source, sink]),
    { stdio: 'ignore' },
  );
  try {
    await until('every line arrives', 90_000, () => {
      return existsSync(to) && readFileSync(to, 'utf8').split('\n').length > lines.length;
    });
    assert.deepEqual(readFileSync(to, 'utf8').trim().split('\n'), lines);
  } finally {
    connect.kill('SIGKILL');
  }
});

test('DumpLogSegments reads every file of every broker without complaint', { skip }, async () => {
  await cluster[Symbol.asyncDispose]();
  const files = globSync(
    join(scratch, 'cluster/node/volumes/*/data/*/*.{log,index,timeindex,txnindex,snapshot}'),
  );
  assert.ok(files.length > 200, `${files.length} files`);
  let dumped = 0;
  for (let at = 0; at < files.length; at += 400) {
    const some = files.slice(at, at + 400).join(',');
    const args = javaArguments(`${TOOLS}.DumpLogSegments`, ['--deep-iteration', '--files', some]);
    const { code, stdout, stderr } = await runProgram('java', args, { timeoutMs: 120_000 });
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(
      `${stdout}${stderr}`,
      /mismatch|isvalid: false|Exception|Found timestamp|not.*valid/i,
    );
    dumped += stdout.split('\n').length;
  }
  assert.ok(dumped > 3000, `${dumped} lines`);
});
