/**
 * A producer and a consumer who mean well, as a process of their own: how long they waited since they were last asked.
 * `good-client.ts BOOTSTRAP TOPIC`; asked and answered by messages.
 */
import kafkajs from 'kafkajs';
import { sleepMs } from '../support/wait.ts';

/** What a good client went through. */
export interface Waited {
  /** The longest wait for an acknowledgement by all replicas. */
  readonly produceMs: number;
  /** The longest time from sending a record until it was read. */
  readonly readMs: number;
  readonly sent: number;
  readonly read: number;
  /** What its user would see. */
  readonly errors: readonly string[];
}

const PAUSE_MS = 5;
process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const [bootstrap, topic] = process.argv.slice(2) as [string, string];
const kafka = new kafkajs.Kafka({
  brokers: [bootstrap],
  logLevel: kafkajs.logLevel.NOTHING,
  retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 100 },
});
const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
const consumer = kafka.consumer({ groupId: 'good', maxWaitTimeInMs: 100 });
await Promise.all([producer.connect(), consumer.connect()]);
await consumer.subscribe({ topic, fromBeginning: false });

let produceMs = 0;
let readMs = 0;
let sent = 0;
let read = 0;
let errors: string[] = [];
/** Records that are not read yet, and when they were sent. */
const open = new Map<string, number>();
let sendingSinceMs = 0;

await consumer.run({
  eachMessage: async ({ message }) => {
    const value = message.value?.toString() ?? '';
    const sentMs = open.get(value);
    if (sentMs === undefined) return;
    open.delete(value);
    read++;
    readMs = Math.max(readMs, performance.now() - sentMs);
  },
});

process.on('disconnect', () => process.exit(0));
process.on('message', () => {
  const nowMs = performance.now();
  const since = (ms: number) => (ms === 0 ? 0 : nowMs - ms);
  const oldest = open.values().next().value ?? 0;
  const waited: Waited = {
    produceMs: Math.max(produceMs, since(sendingSinceMs)),
    readMs: Math.max(readMs, since(oldest)),
    sent,
    read,
    errors,
  };
  [produceMs, readMs, sent, read, errors] = [0, 0, 0, 0, []];
  process.send?.(waited);
});

for (let i = 0; ; i++) {
  const value = String(i);
  sendingSinceMs = performance.now();
  open.set(value, sendingSinceMs);
  try {
    await producer.send({
      topic,
      acks: -1,
      timeout: 5_000,
      messages: [{ value, partition: i % 3 }],
    });
    sent++;
  } catch (cause) {
    open.delete(value);
    errors.push((cause as Error).message);
  }
  produceMs = Math.max(produceMs, performance.now() - sendingSinceMs);
  sendingSinceMs = 0;
  await sleepMs(PAUSE_MS);
}
