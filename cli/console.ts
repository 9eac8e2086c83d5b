/** Console producer and consumer; producing and consuming go through a well-kept client library. */
import { createInterface } from 'node:readline';
import { Consumer, type Message, Producer } from '@platformatic/kafka';

export interface ProduceOptions {
  readonly bootstrap: readonly string[];
  readonly topic: string;
  readonly acks: number;
  readonly compression: string;
  /** Separates key from value; null: lines are values. */
  readonly keySeparator: string | null;
}

const BATCH = 1000;
const COMMIT_MS = 500;

export async function produceLines(options: ProduceOptions): Promise<number> {
  const producer = new Producer({
    clientId: 'console-producer',
    bootstrapBrokers: [...options.bootstrap],
    autocreateTopics: true,
    retries: 10,
    retryDelay: 300,
  });
  const { topic, acks, compression } = options;
  let sent = 0;
  let pending: { topic: string; key?: Buffer; value: Buffer }[] = [];
  let sending: Promise<void> = Promise.resolve();
  const flush = () => {
    const messages = pending;
    if (messages.length === 0) return;
    pending = [];
    sending = sending.then(async () => {
      await producer.send({
        messages,
        acks,
        ...(compression === 'none' ? {} : { compression: compression as 'gzip' }),
      });
      sent += messages.length;
    });
  };
  const prompt = process.stdin.isTTY === true;
  if (prompt) process.stdout.write('>');
  for await (const line of createInterface({ input: process.stdin })) {
    const at = options.keySeparator === null ? -1 : line.indexOf(options.keySeparator);
    if (options.keySeparator !== null && at < 0)
      throw new Error(`a line must hold the key separator "${options.keySeparator}"`);
    const value = Buffer.from(
      at < 0 ? line : line.slice(at + (options.keySeparator as string).length),
    );
    pending.push(at < 0 ? { topic, value } : { topic, key: Buffer.from(line.slice(0, at)), value });
    if (prompt || pending.length >= BATCH) flush();
    if (prompt) {
      await sending;
      process.stdout.write('>');
    }
  }
  flush();
  await sending;
  await producer.close();
  return sent;
}

export interface ConsumeOptions {
  readonly bootstrap: readonly string[];
  readonly topic: string;
  readonly group: string | null;
  readonly fromBeginning: boolean;
  readonly messagesMax: number;
  readonly timeoutMs: number;
  readonly partition: number | null;
  readonly print: {
    readonly key: boolean;
    readonly value: boolean;
    readonly timestamp: boolean;
    readonly partition: boolean;
    readonly offset: boolean;
    readonly headers: boolean;
    readonly separator: string;
  };
}

type Received = Message<Buffer, Buffer, Buffer, Buffer>;

function lineOf(message: Received, { print }: ConsumeOptions): string {
  const text = (bytes: Buffer | null | undefined) =>
    bytes === null || bytes === undefined ? 'null' : bytes.toString('utf8');
  const headers = [...(message.headers ?? [])]
    .map(([name, value]) => `${text(name)}:${text(value)}`)
    .join(',');
  const parts = [
    ...(print.timestamp ? [`CreateTime:${message.timestamp}`] : []),
    ...(print.partition ? [`Partition:${message.partition}`] : []),
    ...(print.offset ? [`Offset:${message.offset}`] : []),
    ...(print.headers ? [headers === '' ? 'NO_HEADERS' : headers] : []),
    ...(print.key ? [text(message.key)] : []),
    ...(print.value ? [text(message.value)] : []),
  ];
  return parts.join(print.separator);
}

export async function consumeLines(options: ConsumeOptions): Promise<number> {
  const groupId =
    options.group ??
    `console-consumer-${Math.floor(performance.now() * 1000) % 100_000}-${process.pid}`;
  const consumer = new Consumer({
    clientId: 'console-consumer',
    groupId,
    bootstrapBrokers: [...options.bootstrap],
    retries: 20,
    retryDelay: 200,
  });
  const resumes = options.group !== null;
  const stream = await consumer.consume({
    topics: [options.topic],
    mode: resumes ? 'committed' : options.fromBeginning ? 'earliest' : 'latest',
    fallbackMode: options.fromBeginning ? 'earliest' : 'latest',
    autocommit: false,
    maxWaitTime: 500,
    sessionTimeout: 10_000,
    heartbeatInterval: 3_000,
  });
  // Committed a few times a second and at the end: what was printed is not printed again.
  const printed = new Map<number, { offset: bigint; leaderEpoch: number }>();
  const commit = async () => {
    const offsets = [...printed].map(([partition, of]) => ({
      topic: options.topic,
      partition,
      ...of,
    }));
    printed.clear();
    if (resumes && offsets.length > 0) await consumer.commit({ offsets });
  };
  const committing = setInterval(() => void commit().catch(() => {}), COMMIT_MS);
  let count = 0;
  let timer: NodeJS.Timeout | undefined;
  const stop = () => void stream.close().catch(() => {});
  const watch = () => {
    clearTimeout(timer);
    if (Number.isFinite(options.timeoutMs)) timer = setTimeout(stop, options.timeoutMs);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  watch();
  for await (const message of stream as AsyncIterable<Received>) {
    if (options.partition !== null && message.partition !== options.partition) continue;
    process.stdout.write(`${lineOf(message, options)}\n`);
    printed.set(message.partition, { offset: message.offset + 1n, leaderEpoch: -1 });
    watch();
    count++;
    if (count >= options.messagesMax) break;
  }
  clearTimeout(timer);
  clearInterval(committing);
  await commit();
  await consumer.close(true);
  return count;
}
