/** Reading from the replica in the consumer's own rack (KIP-392), and what tools say of a cluster. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import kafkajs, { type Kafka } from 'kafkajs';
import { AdminClient, parseBootstrap } from '../../client/admin.ts';
import { errorName } from '../../proto/kafka/errors.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { startTestCluster, type TestCluster, until } from '../support/local.ts';
import { runTool } from '../support/programs.ts';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const RACKS = ['a', 'b', 'c'];

let cluster: TestCluster;
let kafka: Kafka;
before(async () => {
  cluster = await startTestCluster({ manifests: 'test/e2e/manifests/racks.yaml' });
  kafka = new kafkajs.Kafka({
    brokers: [cluster.bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 50, retries: 20 },
  });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'near', numPartitions: 1, replicationFactor: 3 }] });
  await admin.disconnect();
  const producer = kafka.producer();
  await producer.connect();
  const messages = Array.from({ length: 100 }, (_, i) => ({ value: `v${i}` }));
  await producer.send({ topic: 'near', acks: -1, messages });
  await producer.disconnect();
});
after(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

test('the leader names the replica in the rack, and that one serves what is committed', async () => {
  using admin = new AdminClient(parseBootstrap(cluster.bootstrap));
  const [topic] = await admin.topics(['near']);
  const leader = topic?.partitions[0]?.leaderId ?? -1;
  const follower = [0, 1, 2].find((id) => id !== leader) as number;
  const fetch = async (broker: number, rackId: string, fetchOffset = 0) => {
    const answer = await admin.broker(broker, apis.Fetch, 12, {
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: 1_000_000,
      rackId,
      topics: [
        {
          topic: 'near',
          partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000_000 }],
        },
      ],
    } as never);
    const partition = answer.responses[0]?.partitions[0];
    const bytes = partition?.records as unknown as Buffer | undefined;
    return { ...partition, byteCount: bytes?.length ?? 0 };
  };
  await until('the follower has everything committed', 10_000, async () => {
    return (await fetch(follower, RACKS[follower] as string)).highWatermark === 100;
  });
  const sent = await fetch(leader, RACKS[follower] as string);
  assert.equal(sent.preferredReadReplica, follower);
  assert.equal(sent.byteCount, 0);
  const served = await fetch(follower, RACKS[follower] as string);
  assert.equal(served.errorCode, 0);
  assert.ok(served.byteCount > 0);
  const own = await fetch(leader, RACKS[leader] as string);
  assert.equal(own.preferredReadReplica, -1, 'the leader serves its own rack');
  const beyond = await fetch(follower, RACKS[follower] as string, 1000);
  assert.equal(
    beyond.errorCode,
    78,
    'OFFSET_NOT_AVAILABLE: a follower cannot know, the leader does',
  );
  const decided = await fetch(leader, RACKS[leader] as string, 1000);
  assert.equal(decided.errorCode, 1, 'OFFSET_OUT_OF_RANGE');
});

test('kafkajs reads everything through a rack of its own', async () => {
  const consumer = kafka.consumer({ groupId: 'near', rackId: 'c', maxWaitTimeInMs: 100 });
  const seen = new Set<string>();
  await consumer.connect();
  await consumer.subscribe({ topic: 'near', fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => void seen.add(String(message.value)),
  });
  await until('100 values', 20_000, () => seen.size === 100);
  await consumer.disconnect();
});

test('a log directory is named for a replica: its own, another one, one that is not', async () => {
  using admin = new AdminClient(parseBootstrap(cluster.bootstrap));
  const { results } = await admin.broker(0, apis.DescribeLogDirs, 4, { topics: null });
  const own = results.find(({ topics }) => topics.some(({ name }) => name === 'near'))?.logDir;
  const other = results.find(({ logDir }) => logDir !== own)?.logDir;
  const ask = async (path: string, partition: number) => {
    const topics = [{ name: 'near', partitions: [partition] }];
    const answer = await admin.broker(0, apis.AlterReplicaLogDirs, 2, { dirs: [{ path, topics }] });
    return errorName(answer.results[0]?.partitions[0]?.errorCode ?? -1);
  };
  assert.equal(await ask(own ?? '', 0), 'NONE');
  assert.equal(await ask(other ?? '', 0), 'UNSUPPORTED_VERSION');
  assert.equal(await ask('/nowhere', 0), 'LOG_DIR_NOT_FOUND');
  assert.equal(await ask(own ?? '', 9), 'REPLICA_NOT_AVAILABLE');
});

test('tools: offsets, resets, records, log directories, moves, elections, transactions', async () => {
  const tool = async (name: string, ...args: string[]) => {
    const { code, stdout, stderr } = await runTool(name, args);
    assert.equal(code, 0, `${name} ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const server = ['--bootstrap-server', cluster.bootstrap];
  assert.equal(await tool('kafka-get-offsets', ...server, '--topic', 'near'), 'near:0:100\n');
  const groups = (...args: string[]) =>
    tool('kafka-consumer-groups', ...server, '--group', 'near', ...args);
  const reset = ['--reset-offsets', '--all-topics', '--execute'];
  assert.match(await groups(...reset, '--shift-by', '-10'), /near\s+near\s+0\s+90/);
  assert.match(await groups('--describe'), /near\s+near\s+0\s+90\s+100\s+10/);
  assert.match(await groups(...reset, '--to-offset', '1000'), /near\s+near\s+0\s+100/);
  assert.match(await groups(...reset, '--by-duration', 'PT1H'), /near\s+near\s+0\s+0/);
  assert.match(await groups('--delete-offsets', '--topic', 'near'), /near\s+0\s+Successful/);
  const file = (name: string, partitions: object[]) => {
    const path = join(cluster.folder, name);
    writeFileSync(path, JSON.stringify({ version: 1, partitions }));
    return path;
  };
  const records = file('records.json', [{ topic: 'near', partition: 0, offset: 40 }]);
  const deleted = await tool('kafka-delete-records', ...server, '--offset-json-file', records);
  assert.match(deleted, /near-0\s+low_watermark: 40/);
  const earliest = ['--topic', 'near', '--time', 'earliest'];
  assert.equal(await tool('kafka-get-offsets', ...server, ...earliest), 'near:0:40\n');
  const disks = await tool('kafka-log-dirs', ...server, '--describe');
  assert.match(disks, /"partition":"near-0"/);
  assert.equal(disks.match(/"logDir":/g)?.length, 6, 'three brokers, two log directories each');
  const move = file('move.json', [{ topic: 'near', partition: 0, replicas: [2, 0] }]);
  const moving = ['--reassignment-json-file', move];
  await tool('kafka-reassign-partitions', ...server, ...moving, '--execute');
  await until('it is moved', 20_000, async () => {
    const told = await tool('kafka-reassign-partitions', ...server, ...moving, '--verify');
    return /is completed/.test(told);
  });
  await tool(
    'kafka-leader-election',
    ...server,
    '--election-type',
    'preferred',
    '--all-topic-partitions',
  );
  assert.match(await tool('kafka-topics', ...server, '--describe', '--topic', 'near'), /Leader: 2/);
  assert.match(await tool('kafka-transactions', 'list', ...server), /TransactionalId/);
  const wrong = await runTool('kafka-consumer-groups', [
    ...server,
    '--group',
    'near',
    '--reset-offsets',
    '--topic',
    'near',
  ]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /exactly one of --to-earliest/);
});
