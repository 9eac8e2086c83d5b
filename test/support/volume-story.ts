/** A producer and a reader whose clients live through what is done to a cluster, and what they can tell of it. */
import assert from 'node:assert/strict';
import kafkajs, { type Kafka, type Producer } from 'kafkajs';
import { until } from './wait.ts';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';

const PARTITIONS = 2;
let stories = 0;

export class VolumeStory implements AsyncDisposable {
  private readonly kafka: Kafka;
  private readonly producer: Producer;
  private isOver = false;
  private running: Promise<void> | null = null;
  private next = 0;
  private readonly id = stories++;
  /** Values whose writing was acknowledged, by topic. */
  readonly acknowledged = new Map<string, Set<string>>();

  constructor(bootstrap: string) {
    this.kafka = new kafkajs.Kafka({
      brokers: [bootstrap],
      logLevel: kafkajs.logLevel.NOTHING,
      connectionTimeout: 1000,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 1000 },
    });
    this.producer = this.kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  }

  async begin(): Promise<void> {
    await this.producer.connect();
  }

  async write(topic: string, count: number): Promise<void> {
    const values = Array.from({ length: count }, () => `v${this.id}-${this.next++}`);
    // One partition for each request: where a leader moves, kafkajs may leave out the rest of another.
    const partition = this.next % PARTITIONS;
    const messages = values.map((value) => ({ value, partition }));
    await this.producer.send({ topic, acks: -1, messages });
    const known = this.acknowledged.get(topic) ?? new Set<string>();
    this.acknowledged.set(topic, known);
    for (const value of values) known.add(value);
  }

  /** Writes on, whatever happens; the producer is never made anew. */
  keepWriting(topic: string): void {
    this.isOver = false;
    this.running = (async () => {
      while (!this.isOver) {
        await this.write(topic, 5);
        await new Promise((done) => setTimeout(done, 20));
      }
    })();
  }

  async stopWriting(): Promise<void> {
    this.isOver = true;
    await this.running;
    this.running = null;
  }

  createTopic(topic: string, config: Readonly<Record<string, string>> = {}): Promise<boolean> {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    return this.admin((admin) =>
      admin.createTopics({
        topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 3, configEntries }],
      }),
    );
  }

  async admin<T>(run: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
    const admin = this.kafka.admin();
    await admin.connect();
    try {
      return await run(admin);
    } finally {
      await admin.disconnect();
    }
  }

  /** Everything acknowledged is read, by a reader that begins now, and nothing is there twice. */
  async everythingIsThere(topic: string): Promise<void> {
    const wanted = this.acknowledged.get(topic) ?? new Set<string>();
    const seen = new Map<string, number>();
    const consumer = this.kafka.consumer({ groupId: `check-${this.next++}-${topic}` });
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message }) => {
          const value = String(message.value);
          seen.set(value, (seen.get(value) ?? 0) + 1);
        },
      });
      const missing = () => [...wanted].filter((value) => !seen.has(value));
      await until(`everything of ${topic} is read`, 40_000, () => missing().length === 0).catch(
        () =>
          assert.fail(
            `${missing().length} of ${wanted.size} acknowledged records are gone: ${missing().slice(0, 20)}`,
          ),
      );
      const twice = [...seen].filter(([, count]) => count > 1);
      assert.deepEqual(twice, []);
    } finally {
      await consumer.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopWriting();
    await this.producer.disconnect();
  }
}
