/** Producers and a group that run while something is done to a cluster, and a verdict at the end. */
import assert from 'node:assert/strict';
import kafkajs, { type Kafka } from 'kafkajs';
import { ChaosConsumer, ChaosProducer, judgeClients, readAll } from '../chaos/clients.ts';
import { TopicHistory, View } from '../chaos/history.ts';
import { until } from './wait.ts';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';

export function kafkaAt(brokers: readonly string[]): Kafka {
  return new kafkajs.Kafka({
    brokers: [...brokers],
    logLevel: kafkajs.logLevel.NOTHING,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 30, maxRetryTime: 500, retries: 60 },
  });
}

export interface Verdict {
  readonly acknowledged: number;
  readonly longestMs: number;
}

export class Load {
  private readonly kafka: Kafka;
  private readonly topic: string;
  private readonly producers: ChaosProducer[] = [];
  private readonly consumer: ChaosConsumer;
  private readonly history = new TopicHistory();

  private constructor(kafka: Kafka, topic: string, partitions: number) {
    this.kafka = kafka;
    this.topic = topic;
    for (let id = 0; id < 2; id++)
      this.producers.push(new ChaosProducer(kafka, topic, partitions, id, this.history));
    this.consumer = new ChaosConsumer(
      kafka,
      topic,
      `load-${topic}-${process.hrtime.bigint()}`,
      new View(this.history),
    );
  }

  /** Begins on a topic of its own with three replicas. */
  static async start(kafka: Kafka): Promise<Load> {
    const topic = `load-${process.hrtime.bigint()}`;
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 3, replicationFactor: 3 }] });
    await admin.disconnect();
    return Load.on(kafka, topic, 3);
  }

  /** Begins on a topic that exists and is empty; resolves once records flow. */
  static async on(kafka: Kafka, topic: string, partitions: number): Promise<Load> {
    const load = new Load(kafka, topic, partitions);
    await load.consumer.start();
    for (const producer of load.producers) await producer.start();
    await until('records flow', 20_000, () =>
      load.producers.every(({ acknowledged }) => acknowledged.count > 5),
    );
    for (const producer of load.producers) producer.takeLongestMs();
    return load;
  }

  /** Ends it. @throws AssertionError where a request failed, or a record is lost, doubled or changed. */
  async end(): Promise<Verdict> {
    for (const producer of this.producers) await producer.stop();
    await this.consumer.stop();
    const acknowledged = this.producers.reduce((sum, one) => sum + one.acknowledged.count, 0);
    const given = this.producers.flatMap(({ unknown }) => unknown);
    assert.deepEqual(given, [], 'no produce request failed for its client');
    const final = await readAll(this.kafka, this.topic, 30_000, this.history);
    const anomalies = judgeClients(final, this.producers, this.consumer);
    assert.deepEqual(anomalies.slice(0, 10), []);
    return {
      acknowledged,
      longestMs: Math.round(Math.max(...this.producers.map((one) => one.takeLongestMs()))),
    };
  }
}
