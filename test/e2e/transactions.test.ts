/** Transactions of clients with the older protocol (kafkajs), while brokers are killed under them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import kafkajs, { type Kafka } from 'kafkajs';
import { sleepMs, startTestCluster, type TestCluster, until } from '../support/local.ts';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';

const INPUTS = 400;

let cluster: TestCluster;
let kafka: Kafka;

before(async () => {
  cluster = await startTestCluster();
  kafka = new kafkajs.Kafka({
    brokers: [cluster.bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 40 },
  });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: ['inputs', 'outputs'].map((topic) => ({
      topic,
      numPartitions: 3,
      replicationFactor: 3,
      configEntries: [{ name: 'min.insync.replicas', value: '2' }],
    })),
  });
  await admin.disconnect();
});
after(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

/** Everything that a reader of committed records is given, by value. */
async function readCommitted(topic: string, enough: (seen: Map<string, number>) => boolean) {
  const consumer = kafka.consumer({ groupId: `check-${topic}`, maxWaitTimeInMs: 100 });
  const seen = new Map<string, number>();
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      const value = message.value?.toString() ?? '';
      seen.set(value, (seen.get(value) ?? 0) + 1);
    },
  });
  await until(`enough of ${topic} is read`, 60_000, () => enough(seen));
  await sleepMs(500);
  await consumer.disconnect();
  return seen;
}

test('consume, transform, produce: each input has one output though brokers are killed', {
  timeout: 240_000,
}, async (t) => {
  const source = kafka.producer();
  await source.connect();
  await source.send({
    topic: 'inputs',
    acks: -1,
    messages: Array.from({ length: INPUTS }, (_, i) => ({ key: `k${i}`, value: `v${i}` })),
  });
  await source.disconnect();

  let done = false;
  let transactions = 0;
  let aborted = 0;
  const work = async () => {
    const producer = kafka.producer({
      transactionalId: 'transformer',
      maxInFlightRequests: 1,
      idempotent: true,
      transactionTimeout: 30_000,
    });
    const consumer = kafka.consumer({
      groupId: 'transformer',
      readUncommitted: false,
      maxWaitTimeInMs: 50,
      sessionTimeout: 10_000,
    });
    await producer.connect();
    await consumer.connect();
    await consumer.subscribe({ topic: 'inputs', fromBeginning: true });
    const handled = new Set<string>();
    let broken = false;
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async (run) => {
        const { batch } = run;
        const goesOn = () => run.isRunning() && !run.isStale();
        for (let from = 0; from < batch.messages.length && goesOn(); from += 5) {
          const some = batch.messages.slice(from, from + 5);
          const transaction = await producer.transaction();
          try {
            await transaction.send({
              topic: 'outputs',
              acks: -1,
              messages: some.map(({ key, value }) => ({ key, value })),
            });
            // Long enough for the kills to come in between.
            await sleepMs(70);
            const last = some.at(-1) as (typeof some)[number];
            const partitions = [
              { partition: batch.partition, offset: String(Number(last.offset) + 1) },
            ];
            await transaction.sendOffsets({
              consumerGroupId: 'transformer',
              topics: [{ topic: 'inputs', partitions }],
            });
            await transaction.commit();
            transactions++;
            for (const { value } of some) handled.add(String(value));
            run.resolveOffset(last.offset);
          } catch (cause) {
            aborted++;
            broken = true;
            await transaction.abort().catch(() => undefined);
            throw cause;
          }
          await run.heartbeat();
        }
      },
    });
    await until('all inputs are handled or the work is broken', 30_000, () => {
      return handled.size >= INPUTS || broken;
    }).catch(() => undefined);
    await consumer.disconnect().catch(() => undefined);
    await producer.disconnect().catch(() => undefined);
  };
  const kills = (async () => {
    for (const id of [0, 1, 2]) {
      await sleepMs(700);
      process.kill(cluster.pid(id), 'SIGKILL');
      await cluster.local.ready(60_000);
      await sleepMs(800);
    }
  })();
  // A worker that was fenced or whose transaction broke is started again, as a supervisor would.
  const outputs = async () => {
    const admin = kafka.admin();
    await admin.connect();
    const [committed] = await admin.fetchOffsets({ groupId: 'transformer', topics: ['inputs'] });
    const ends = await admin.fetchTopicOffsets('inputs');
    await admin.disconnect();
    const at = new Map(committed?.partitions.map(({ partition, offset }) => [partition, offset]));
    return ends.every(({ partition, high }) => at.get(partition) === high);
  };
  for (let round = 0; round < 20 && !done; round++) {
    await work().catch(() => undefined);
    done = await outputs().catch(() => false);
  }
  await kills;
  assert.ok(done, 'all inputs are committed as read');
  const seen = await readCommitted('outputs', (values) => values.size >= INPUTS);
  assert.equal(seen.size, INPUTS);
  assert.deepEqual(
    [...seen].filter(([, count]) => count !== 1),
    [],
    'each output exactly once',
  );
  t.diagnostic(`${transactions} transactions committed, ${aborted} broken off`);
});
