/** A topic that is written to, read, and deleted while all of that is on its way to the disk; again and again. */
import type { Admin, Kafka } from 'kafkajs';
import { sleepMs, until } from '../support/wait.ts';

const TOPIC = 'doomed';
const ROUNDS = 3;
const PARTITIONS = 3;
const BATCHES = 24;
const RECORDS = 8;
const VALUE = Buffer.alloc(100_000, 'x');
const KNOWN_TIMEOUT_MS = 20_000;

/** @throws Error where the topic cannot be made anew under its old name */
export async function doomTopics(kafka: Kafka, admin: Admin): Promise<void> {
  const producer = kafka.producer({ retry: { retries: 0 }, allowAutoTopicCreation: false });
  const consumer = kafka.consumer({
    groupId: 'doomed',
    retry: { retries: 3 },
    allowAutoTopicCreation: false,
  });
  await Promise.all([producer.connect(), consumer.connect()]);
  let isReading = false;
  for (let round = 0; round < ROUNDS; round++) {
    let why: unknown = 'it is still there';
    await until('the doomed topic is made', KNOWN_TIMEOUT_MS, async () => {
      const topics = [{ topic: TOPIC, numPartitions: PARTITIONS, replicationFactor: 3 }];
      const isMade = await admin.createTopics({ topics }).catch((cause: unknown) => {
        why = cause;
        return false;
      });
      // Under another fault the last deletion may not have been heard.
      if (!isMade) await admin.deleteTopics({ topics: [TOPIC] }).catch(() => {});
      return isMade;
    }).catch((cause: unknown) => {
      throw new Error(`${(cause as Error).message}: ${why}`);
    });
    if (!isReading) {
      isReading = true;
      await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
      await consumer.run({ eachBatch: async () => {} }).catch(() => {});
    }
    const messages = Array.from({ length: RECORDS }, () => ({ value: VALUE }));
    const sent = Array.from({ length: BATCHES }, (_, i) =>
      producer
        .send({
          topic: TOPIC,
          acks: 1,
          messages: messages.map((of) => ({ ...of, partition: i % PARTITIONS })),
        })
        .catch(() => []),
    );
    // Some of it is written, some is not.
    await Promise.all(sent.slice(0, BATCHES / 2));
    await admin.deleteTopics({ topics: [TOPIC] }).catch(() => {});
    await Promise.all(sent);
    await sleepMs(300);
  }
  await producer.disconnect();
  await consumer.disconnect().catch(() => {});
}
