/** Bits that flip in the files of running brokers, under clients: found, healed, and never read. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import kafkajs from 'kafkajs';
import { sleepMs, startTestCluster, until } from '../support/local.ts';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';

const TOPIC = 'stored';
const VALUE_BYTES = 20_000;
const RECORDS = 600;

const valueOf = (i: number) => Buffer.alloc(VALUE_BYTES, `${i} `);

function flip(path: string, at: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte.writeUInt8(byte.readUInt8(0) ^ 0x10);
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}

test('bits flip under a running cluster: every one is found and healed, and no reader sees one', async () => {
  await using cluster = await startTestCluster({ manifests: 'test/e2e/manifests/scrub.yaml' });
  const folderOf = (id: number) => {
    const volume = join(cluster.folder, `node/volumes/default_data-my-cluster-broker-${id}`);
    const found = readdirSync(volume, { recursive: true, encoding: 'utf8' });
    return join(volume, found.find((name) => name.endsWith(`${TOPIC}-0`)) ?? '');
  };
  const segmentsOf = (id: number) =>
    readdirSync(folderOf(id))
      .filter((name) => /^\d{20}\.log$/.test(name))
      .sort();
  const contentOf = (id: number) =>
    Buffer.concat(segmentsOf(id).map((name) => readFileSync(join(folderOf(id), name))));
  const figure = async (id: number, name: string) => {
    const answer = await fetch(`http://${await cluster.address(id)}:9404/metrics`);
    return Number(new RegExp(`^${name} (.+)$`, 'm').exec(await answer.text())?.[1] ?? -1);
  };
  const total = async (name: string) =>
    (await Promise.all([0, 1, 2].map((id) => figure(id, name)))).reduce((sum, n) => sum + n, 0);

  const kafka = new kafkajs.Kafka({
    brokers: [cluster.bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 50, retries: 40, maxRetryTime: 500 },
  });
  const admin = kafka.admin();
  await admin.connect();
  const configEntries = [{ name: 'segment.bytes', value: '1048576' }];
  await admin.createTopics({
    topics: [{ topic: TOPIC, numPartitions: 1, replicationFactor: 3, configEntries }],
  });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  for (let i = 0; i < RECORDS; i++)
    await producer.send({ topic: TOPIC, acks: -1, messages: [{ value: valueOf(i) }] });
  await until('all have the same', 20_000, () =>
    [1, 2].every((id) => contentOf(id).equals(contentOf(0))),
  );
  const before = contentOf(0);
  const pids = [0, 1, 2].map(cluster.pid);

  // A reader that goes over everything again and again, and a writer, all the while.
  let isOver = false;
  let rounds = 0;
  const read = async () => {
    while (!isOver) {
      const consumer = kafka.consumer({ groupId: `readers-${rounds}` });
      await consumer.connect();
      await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
      let next = 0;
      await consumer.run({
        eachMessage: async ({ message }) => {
          const offset = Number(message.offset);
          assert.ok(offset <= next, 'no record is passed over');
          next = Math.max(next, offset + 1);
          if (offset < RECORDS) assert.ok(valueOf(offset).equals(message.value as Buffer));
        },
      });
      await until('a reader has read everything', 60_000, () => next >= RECORDS || isOver);
      await consumer.disconnect();
      rounds++;
    }
  };
  const reading = read();
  let flips = 0;
  for (let round = 0; round < 4; round++) {
    for (const id of [0, 1, 2]) {
      const names = segmentsOf(id);
      const name = names[(round * 3 + id * 2) % (names.length - 1)] as string;
      flip(join(folderOf(id), name), [8, 100, 400_000, 3][round] as number);
      flips++;
      await until(`flip ${flips} is found`, 60_000, async () => {
        return (await total('tenure_log_damage_found_total')) === flips;
      });
      await until(`flip ${flips} is healed`, 60_000, async () => {
        return (await total('tenure_log_damage_healed_total')) === flips;
      });
      for (const other of [0, 1, 2])
        assert.ok(contentOf(other).subarray(0, before.length).equals(before), `broker ${other}`);
    }
    await producer.send({ topic: TOPIC, acks: -1, messages: [{ value: valueOf(RECORDS) }] });
  }
  isOver = true;
  await reading;
  assert.ok(rounds > 0, 'somebody read everything meanwhile');
  assert.deepEqual([0, 1, 2].map(cluster.pid), pids, 'nobody was restarted');
  const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] });
  assert.equal(topics[0]?.partitions[0]?.isr.length, 3);
  await sleepMs(100);
  await producer.disconnect();
  await admin.disconnect();
});
