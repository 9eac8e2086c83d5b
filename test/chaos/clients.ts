/** Real clients under faults: producers that write down every acknowledgement, a group that reads. */
import type { Consumer, Kafka, Producer } from 'kafkajs';
import { sleepMs, until } from '../support/wait.ts';
import { FinalView, placeText, type TopicHistory, View } from './history.ts';
import { ProducerLedger } from './ledger-core.ts';
import { pairOf } from './pairs.ts';

const PAUSE_MS = 4;
const RECONNECT_MS = 100;
const CRASH_RESTART_MS = 1_500;

/** An idempotent acks=all producer that sends one record after the other. */
export class ChaosProducer {
  private readonly kafka: Kafka;
  private readonly topic: string;
  private readonly partitions: number;
  private readonly id: number;
  private producer: Producer | null = null;
  private running: Promise<void> | null = null;
  private isOver = false;
  readonly acknowledged: ProducerLedger;
  /** Requests that the client gave up on: whether they were written nobody knows. */
  readonly unknown: string[] = [];
  /** What became of those, as the client said it. */
  readonly whys = new Set<string>();
  /** The longest wait for an acknowledgement since it was last asked. */
  private longestMs = 0;
  private waitingSinceMs = 0;

  constructor(kafka: Kafka, topic: string, partitions: number, id: number, history: TopicHistory) {
    this.acknowledged = new ProducerLedger(history);
    this.kafka = kafka;
    this.topic = topic;
    this.partitions = partitions;
    this.id = id;
  }

  async start(): Promise<void> {
    await this.connect();
    this.running = this.run();
  }

  private async connect(): Promise<void> {
    this.producer = this.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
    });
    await this.producer.connect();
  }

  /**
   * Until it is connected for certain: where only the request for a producer id failed, kafkajs would send
   * without one, and what it sends twice then no broker could tell from new records.
   */
  private async connectAnew(): Promise<void> {
    while (!this.isOver) {
      await this.producer?.disconnect().catch(() => {});
      const isConnected = await this.connect().then(
        () => true,
        () => false,
      );
      if (isConnected) return;
      await sleepMs(RECONNECT_MS);
    }
  }

  private async run(): Promise<void> {
    for (let i = 0; !this.isOver; i++) {
      const value = `${this.id}:${i}`;
      const partition = (i + this.id) % this.partitions;
      this.waitingSinceMs = performance.now();
      try {
        const [done] = (await this.producer?.send({
          topic: this.topic,
          acks: -1,
          timeout: 5000,
          messages: [{ value, partition }],
        })) ?? [undefined];
        const offset = Number(done?.baseOffset ?? -1);
        this.acknowledged.add(partition, offset, value);
      } catch (cause) {
        this.unknown.push(value);
        this.whys.add(`${value}: ${(cause as Error).message}`);
        // A producer that failed for good is replaced, as an application would.
        await this.connectAnew();
      }
      this.longestMs = Math.max(this.longestMs, performance.now() - this.waitingSinceMs);
      this.waitingSinceMs = 0;
      await sleepMs(PAUSE_MS);
    }
  }

  /** The longest wait since the last call, one that lasts still included. */
  takeLongestMs(): number {
    const lasting = this.waitingSinceMs === 0 ? 0 : performance.now() - this.waitingSinceMs;
    const longest = Math.max(this.longestMs, lasting);
    this.longestMs = 0;
    return longest;
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.running;
    await this.producer?.disconnect();
  }
}

/** A member of a group that notes what it is given, and where it is given something else than before. */
export class ChaosConsumer {
  readonly seen: View;
  readonly anomalies: string[] = [];
  private readonly consumer: Consumer;
  private readonly topic: string;
  private crashed = false;

  constructor(kafka: Kafka, topic: string, groupId: string, seen: View) {
    this.seen = seen;
    this.topic = topic;
    this.consumer = kafka.consumer({
      groupId,
      maxWaitTimeInMs: 100,
      sessionTimeout: 10_000,
      allowAutoTopicCreation: false,
    });
    this.consumer.on(this.consumer.events.CRASH, () => {
      this.crashed = true;
    });
  }

  async start(): Promise<void> {
    await this.consumer.connect();
    await this.consumer.subscribe({ topic: this.topic, fromBeginning: true });
    await this.consumer.run({
      eachMessage: async ({ message, partition }) => {
        this.note(partition, Number(message.offset), message.value?.toString() ?? '');
      },
    });
  }

  private note(partition: number, offset: number, text: string): void {
    const place = pairOf(partition, offset);
    const value = this.seen.history.values.pairOf(text);
    const before = this.seen.get(place);
    if (before === value) return;
    if (before !== undefined)
      this.anomalies.push(
        `inconsistent offset: ${placeText(place)} was ${this.seen.textAt(place)}, and is ${text}`,
      );
    this.seen.set(place, value);
  }

  /** What was read and is not there in the end. */
  judge(final: FinalView): string[] {
    const anomalies = [...this.anomalies];
    for (const place of this.seen.places)
      if (final.get(place) !== this.seen.get(place))
        anomalies.push(
          `unseen: somebody read ${this.seen.textAt(place)} at ${placeText(place)}, and now it is ${final.textAt(place) ?? 'gone'}`,
        );
    return anomalies;
  }

  async stop(): Promise<void> {
    await this.consumer.disconnect();
    if (!this.crashed) return;
    // After a crash kafkajs starts again by a timer that disconnecting does not stop.
    await sleepMs(CRASH_RESTART_MS);
    await this.consumer.disconnect();
  }
}

/** What is there in the end, and what was wrong while it was read. */
export interface Final {
  readonly view: FinalView;
  readonly anomalies: readonly string[];
}

/** Everything that is committed in the end, read by somebody who was not there before. */
export async function readAll(
  kafka: Kafka,
  topic: string,
  timeoutMs: number,
  history: TopicHistory,
): Promise<Final> {
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const view = new FinalView(history);
  const reader = new ChaosConsumer(kafka, topic, `judge-${process.hrtime.bigint()}`, view);
  await reader.start();
  const isAll = () =>
    ends.every(({ high, partition }) => view.highestOf(partition) >= Number(high) - 1);
  // As long as it gets on, however much there is.
  while (!isAll()) {
    const before = view.size;
    await until('more is read in the end', timeoutMs, () => view.size > before || isAll());
  }
  await reader.stop();
  return { view, anomalies: reader.anomalies };
}

/** Holds what they were told and saw against what is there in the end. */
export function judgeClients(
  { anomalies, view }: Final,
  producers: readonly ChaosProducer[],
  consumer: ChaosConsumer,
): string[] {
  return [
    ...anomalies,
    ...view.duplicates,
    ...producers.flatMap(({ acknowledged }) => acknowledged.judgeOrder(view)),
    ...consumer.judge(view),
  ];
}
