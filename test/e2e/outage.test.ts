/** The Kubernetes API goes away for a while: producing and consuming go on, and nobody is fenced for it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import kafkajs, { type Kafka } from 'kafkajs';
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

test('with the API gone for longer than a session, nothing fails and nobody is fenced', async () => {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  const consumer = kafka.consumer({ groupId: 'outage', maxWaitTimeInMs: 100 });
  await producer.connect();
  await consumer.connect();
  await consumer.subscribe({ topic: 'my-topic', fromBeginning: true });
  let seen = 0;
  await consumer.run({
    eachMessage: async () => {
      seen++;
    },
  });
  await producer.send({ topic: 'my-topic', acks: -1, messages: [{ value: 'first' }] });
  await until('the group is stable', 20_000, () => seen === 1);
  const port = Number(new URL(cluster.local.apiUrl).port);
  await cluster.local.server[Symbol.asyncDispose]();
  let sent = 1;
  let longestMs = 0;
  // Longer than a session; TENURE_OUTAGE_SECONDS makes it as long as one likes.
  const end = performance.now() + Number(process.env.TENURE_OUTAGE_SECONDS ?? 14) * 1000;
  while (performance.now() < end) {
    const at = performance.now();
    await producer.send({ topic: 'my-topic', acks: -1, messages: [{ value: `v${sent}` }] });
    longestMs = Math.max(longestMs, performance.now() - at);
    sent++;
    await sleepMs(10);
  }
  await cluster.local.server.listen('127.0.0.1', port);
  await until('everything is consumed', 20_000, () => seen === sent);
  await sleepMs(4000);
  const logs = [0, 1, 2].map((id) => cluster.brokerLog(id)).join('\n');
  assert.doesNotMatch(logs, /broker fenced/);
  assert.ok(longestMs < 1000, `the longest request took ${Math.round(longestMs)} ms`);
  // Changes work again.
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: [{ topic: 'after', numPartitions: 1, replicationFactor: 3 }],
  });
  assert.ok((await admin.listTopics()).includes('after'));
  await admin.disconnect();
  await consumer.disconnect();
  await producer.disconnect();
});
