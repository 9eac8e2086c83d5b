/** Replication and failover on one local cluster: real broker processes are stopped and killed. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import kafkajs, { type Admin, type Kafka } from 'kafkajs';
import { AdminClient, parseBootstrap } from '../../client/admin.ts';
import { startTestCluster, type TestCluster, until } from '../support/local.ts';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';

let cluster: TestCluster;
let kafka: Kafka;
let admin: Admin;

before(async () => {
  cluster = await startTestCluster();
  kafka = new kafkajs.Kafka({
    brokers: [cluster.bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 40 },
  });
  admin = kafka.admin();
  await admin.connect();
});
after(async () => {
  await admin?.disconnect();
  await cluster?.[Symbol.asyncDispose]();
});

/** Every record of a topic, as `partition:offset` → value. */
async function readTopic(topic: string, count: number): Promise<Map<string, string>> {
  const consumer = kafka.consumer({
    groupId: `read-${topic}-${process.hrtime.bigint()}`,
    maxWaitTimeInMs: 100,
  });
  const seen = new Map<string, string>();
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      seen.set(`${partition}:${message.offset}`, message.value?.toString() ?? '');
    },
  });
  await until(
    `${count} records of ${topic} are read (${seen.size})`,
    30_000,
    () => seen.size >= count,
  );
  await consumer.disconnect();
  return seen;
}

describe('5 · replication', () => {
  test('records are on every replica, and acks=all needs min.insync.replicas', async () => {
    await admin.createTopics({
      topics: [
        {
          topic: 'replicated',
          numPartitions: 1,
          replicationFactor: 3,
          configEntries: [{ name: 'min.insync.replicas', value: '3' }],
        },
      ],
    });
    const producer = kafka.producer({ retry: { retries: 0 } });
    await producer.connect();
    await producer.send({
      topic: 'replicated',
      acks: -1,
      messages: [{ value: 'a' }, { value: 'b' }],
    });
    const ends = async () =>
      Promise.all(
        [0, 1, 2].map(async (id) => {
          const text = await (
            await fetch(`http://${await cluster.address(id)}:9404/metrics`)
          ).text();
          return Number(
            /kafka_log_log_logendoffset\{topic="replicated",partition="0"\} (\d+)/.exec(
              text,
            )?.[1] ?? -1,
          );
        }),
      );
    assert.deepEqual(await ends(), [2, 2, 2]);
    const leader =
      (await admin.fetchTopicMetadata({ topics: ['replicated'] })).topics[0]?.partitions[0]
        ?.leader ?? 0;
    const follower = (leader + 1) % 3;
    process.kill(cluster.pid(follower), 'SIGSTOP');
    try {
      // Asked directly: the forwarder might pick the broker that is stopped.
      using direct = new AdminClient(parseBootstrap(`${await cluster.address(leader)}:9092`));
      const sending = producer
        .send({ topic: 'replicated', acks: -1, timeout: 1500, messages: [{ value: 'c' }] })
        .then(
          () => 'acknowledged',
          () => 'refused',
        );
      await new Promise((done) => setTimeout(done, 700));
      const [end] = [
        ...(await direct.listOffsets([{ topic: 'replicated', partition: 0 }], -1)).values(),
      ];
      assert.equal(end, 2, 'consumers do not see what is not on all in-sync replicas');
      assert.equal(await sending, 'refused');
    } finally {
      process.kill(cluster.pid(follower), 'SIGCONT');
    }
    await until('the follower catches up and the record is committed', 20_000, async () => {
      using direct = new AdminClient(parseBootstrap(cluster.bootstrap));
      return (
        [...(await direct.listOffsets([{ topic: 'replicated', partition: 0 }], -1)).values()][0] ===
        3
      );
    });
    await producer.disconnect();
  });
});

describe('6 · killed brokers', () => {
  /** Produces with acks=all while something happens; then every acknowledged record must be there, in order. */
  async function produceThrough(
    topic: string,
    disturb: () => Promise<void> | void,
    settleMs: number,
  ): Promise<{ acked: number; longestGapMs: number; failed: number }> {
    await admin.createTopics({
      topics: [
        {
          topic,
          numPartitions: 6,
          replicationFactor: 3,
          configEntries: [{ name: 'min.insync.replicas', value: '2' }],
        },
      ],
    });
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const acked: { value: string; partition: number; offset: number }[] = [];
    let stop = false;
    let failed = 0;
    let longestGapMs = 0;
    let last = performance.now();
    const sending = (async () => {
      for (let i = 0; !stop; i++) {
        const value = `v${i}`;
        try {
          const [done] = await producer.send({
            topic,
            acks: -1,
            messages: [{ value, partition: i % 6 }],
          });
          acked.push({ value, partition: i % 6, offset: Number(done?.baseOffset) });
        } catch {
          failed++;
        }
        longestGapMs = Math.max(longestGapMs, performance.now() - last);
        last = performance.now();
      }
    })();
    await new Promise((done) => setTimeout(done, 500));
    longestGapMs = 0;
    await disturb();
    await new Promise((done) => setTimeout(done, settleMs));
    stop = true;
    await sending;
    await producer.disconnect();
    const seen = await readTopic(topic, acked.length);
    const values = [...seen.values()];
    assert.equal(new Set(values).size, values.length, 'no record twice');
    const missingRecords = acked.filter(({ value }) => !values.includes(value));
    assert.deepEqual(missingRecords, [], 'every acknowledged record is there');
    for (const { value, partition, offset } of acked) {
      if (offset >= 0)
        assert.equal(
          seen.get(`${partition}:${offset}`),
          value,
          'a record lies where it was acknowledged',
        );
    }
    for (let p = 0; p < 6; p++) {
      const own = [...seen]
        .filter(([key]) => key.startsWith(`${p}:`))
        .sort((a, b) => Number(a[0].split(':')[1]) - Number(b[0].split(':')[1]));
      const numbers = own.map(([, value]) => Number(value.slice(1)));
      assert.deepEqual(
        numbers,
        [...numbers].sort((a, b) => a - b),
        `partition ${p} is in order`,
      );
    }
    return { acked: acked.length, longestGapMs: Math.round(longestGapMs), failed };
  }

  async function everybodyInSync(): Promise<void> {
    await until('all replicas are in sync again', 30_000, async () => {
      const { topics } = await admin.fetchTopicMetadata();
      return topics.every(({ partitions }) =>
        partitions.every(({ isr, replicas }) => isr.length === replicas.length),
      );
    });
  }

  test('kill -9 of a broker: leaders move within two seconds, nothing acknowledged is lost, it comes back in sync', async (t) => {
    const victim = ((await cluster.controllerId()) + 1) % 3;
    const before = cluster.pid(victim);
    const result = await produceThrough('killed', () => void process.kill(before, 'SIGKILL'), 4000);
    t.diagnostic(`kill -9: ${JSON.stringify(result)}`);
    assert.ok(result.longestGapMs < 2000, `the longest wait was ${result.longestGapMs} ms`);
    assert.notEqual(cluster.pid(victim), before);
    await everybodyInSync();
  });

  test('kill -9 of the controller: another one takes over, nothing acknowledged is lost', async (t) => {
    const victim = await cluster.controllerId();
    const result = await produceThrough(
      'killed-controller',
      () => void process.kill(cluster.pid(victim), 'SIGKILL'),
      5000,
    );
    t.diagnostic(`kill -9 of the controller: ${JSON.stringify(result)}`);
    assert.notEqual(await cluster.controllerId(), victim);
    assert.ok(result.longestGapMs < 5000, `the longest wait was ${result.longestGapMs} ms`);
    await everybodyInSync();
  });

  test('a broker that stands still is fenced after its session, shown as fenced, and comes back', async () => {
    const victim = ((await cluster.controllerId()) + 1) % 3;
    const pid = cluster.pid(victim);
    // Asked directly: a client with a connection to the stopped broker would wait for it.
    using healthy = new AdminClient(
      parseBootstrap(`${await cluster.address((victim + 1) % 3)}:9092`),
    );
    const ids = async () => (await healthy.cluster()).brokers.map(({ brokerId }) => brokerId);
    process.kill(pid, 'SIGSTOP');
    try {
      await until(
        'clients are no longer sent to it',
        20_000,
        async () => !(await ids()).includes(victim),
      );
      const [topic] = await healthy.topics(['my-topic']);
      for (const { leaderId } of topic?.partitions ?? [])
        assert.ok(leaderId >= 0 && leaderId !== victim);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await until('it is listed again', 20_000, async () => (await ids()).length === 3);
    await everybodyInSync();
  });

  test('SIGTERM hands leadership over first: no produce request fails', async (t) => {
    const victim = ((await cluster.controllerId()) + 1) % 3;
    const result = await produceThrough(
      'terminated',
      () => void process.kill(cluster.pid(victim), 'SIGTERM'),
      4000,
    );
    t.diagnostic(`SIGTERM: ${JSON.stringify(result)}`);
    assert.equal(result.failed, 0);
    // On a busy machine it may take longer until it is there again.
    await until('it is up again', 30_000, () =>
      /handed over[^]*logs opened [^]*broker is up/.test(cluster.brokerLog(victim)),
    );
    assert.match(cluster.brokerLog(victim), /handed over[^]*logs opened .*clean=true/);
    await everybodyInSync();
  });
});
