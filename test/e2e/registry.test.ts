/**
 * The way schema registries use Kafka: one compacted partition as a table, an idempotent writer, a
 * reader without a group, and a group of their own protocol type to agree on who writes.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import kafkajs, { type Kafka } from 'kafkajs';
import { AdminClient, parseBootstrap } from '../../client/admin.ts';
import { BrokerConnection } from '../../client/connection.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { sleepMs, startTestCluster, type TestCluster, until } from '../support/local.ts';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';

let cluster: TestCluster;
let kafka: Kafka;
before(async () => {
  cluster = await startTestCluster();
  kafka = new kafkajs.Kafka({
    brokers: [cluster.bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 50, retries: 20 },
  });
});
after(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

test('a compacted topic of one partition is a table that readers build from its beginning', async () => {
  const admin = kafka.admin();
  await admin.connect();
  const configEntries = [{ name: 'cleanup.policy', value: 'compact' }];
  await admin.createTopics({
    topics: [{ topic: '_schemas', numPartitions: 1, replicationFactor: 3, configEntries }],
  });
  const described = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: '_schemas' }],
  });
  const policy = described.resources[0]?.configEntries.find(
    (e) => e.configName === 'cleanup.policy',
  );
  assert.equal(policy?.configValue, 'compact');
  const writer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await writer.connect();
  const table = new Map<string, string>();
  for (let id = 1; id <= 40; id++) {
    const key = `{"subject":"s${id % 10}","version":${Math.ceil(id / 10)}}`;
    const value = id % 7 === 0 ? null : `{"id":${id}}`;
    await writer.send({ topic: '_schemas', acks: -1, messages: [{ key, value }] });
    if (value === null) table.delete(key);
    else table.set(key, value);
  }
  const [end] = await admin.fetchTopicOffsets('_schemas');
  const high = end?.high ?? '0';
  const seen = new Map<string, string>();
  let last = -1;
  const reader = kafka.consumer({ groupId: `reader-${process.pid}`, maxWaitTimeInMs: 50 });
  await reader.connect();
  await reader.subscribe({ topic: '_schemas', fromBeginning: true });
  await reader.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      last = Number(message.offset);
      if (message.value === null) seen.delete(String(message.key));
      else seen.set(String(message.key), String(message.value));
    },
  });
  await until('the reader is at the end', 20_000, () => last === Number(high) - 1);
  assert.deepEqual(seen, table);
  await Promise.all([reader.disconnect(), writer.disconnect(), admin.disconnect()]);
});

test('a group of type sr elects one leader, and another when that one leaves', async () => {
  using admin = new AdminClient(parseBootstrap(cluster.bootstrap));
  const coordinator = await admin.coordinator('schema-registry');
  const [host = '', port = ''] = coordinator.address.split(':');
  const connections = await Promise.all(
    [0, 1].map(() => BrokerConnection.open(host, Number(port))),
  );
  const join = async (
    i: number,
    memberId = '',
  ): Promise<{ memberId: string; leader: string; generation: number }> => {
    const answer = await (connections[i] as BrokerConnection).send(apis.JoinGroup, 5, {
      groupId: 'schema-registry',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId,
      protocolType: 'sr',
      protocols: [{ name: 'v0', metadata: Buffer.from(`{"host":"r${i}"}`) }],
    });
    if (answer.errorCode === 79 || answer.errorCode === 14) {
      await sleepMs(50);
      return join(i, answer.memberId);
    }
    assert.equal(answer.errorCode, 0);
    return { memberId: answer.memberId, leader: answer.leader, generation: answer.generationId };
  };
  const first = await join(0);
  // The second one makes the first one join again.
  const joining = join(1);
  await sleepMs(300);
  const [again, second] = await Promise.all([join(0, first.memberId), joining]);
  assert.equal(again.leader, second.leader);
  const leaderIs = again.leader === again.memberId ? 0 : 1;
  const [leader, other] = leaderIs === 0 ? [again, second] : [second, again];
  const left = await (connections[leaderIs] as BrokerConnection).send(apis.LeaveGroup, 2, {
    groupId: 'schema-registry',
    memberId: leader.memberId,
  });
  assert.equal(left.errorCode, 0);
  const alone = await join(1 - leaderIs, other.memberId);
  assert.equal(alone.leader, alone.memberId);
  for (const connection of connections) connection[Symbol.dispose]();
});
