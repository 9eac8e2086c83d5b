/** Clients of the simulated cluster, with our own codec: they write down everything they saw. */
import { Reader, Writer } from '../../proto/kafka/cursor.ts';
import { errorName } from '../../proto/kafka/errors.ts';
import { requestHeader } from '../../proto/kafka/messages/headers.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import {
  batch,
  batchesOf,
  buildBatch,
  CONTROL_BIT,
  recordsOf,
  TRANSACTIONAL_BIT,
} from '../../proto/kafka/record-batch.ts';
import { sleep } from '../../stdx/clock.ts';
import type { History } from './history.ts';
import type { Random } from './random.ts';
import { clockOf, Process } from './scheduler.ts';
import { KAFKA_PORT, TOPIC, type World } from './world.ts';

const TIMEOUT_MS = 8_000;
type Name = keyof typeof apis;

export class SimClient {
  protected readonly world: World;
  protected readonly random: Random;
  readonly process: Process;
  private readonly clock;
  private leaders = new Map<number, { host: string; epoch: number }>();
  protected topicId = '';
  private nextId = 1;
  isOver = false;

  constructor(world: World, name: string) {
    this.world = world;
    this.random = world.random.fork();
    this.process = new Process(name);
    this.clock = clockOf(world.scheduler, this.process, { rate: 1, skewMs: 0 });
  }

  protected get nowMs(): number {
    return this.world.scheduler.nowMs;
  }
  protected pause(ms: number): Promise<void> {
    return sleep(this.clock, ms);
  }

  async ask<N extends Name>(host: string, name: N, version: number, body: object) {
    const { key, request, response } = apis[name];
    const w = new Writer(256);
    const id = this.nextId++;
    requestHeader.write(w, request.isFlexible(version) ? 2 : 1, {
      requestApiKey: key,
      requestApiVersion: version,
      correlationId: id,
      clientId: this.process.name,
    });
    request.write(w, version, body as never);
    const address = `${host}:${KAFKA_PORT}`;
    const answer = await this.world.network.request(
      this.process,
      address,
      w.toBuffer(),
      TIMEOUT_MS,
    );
    const reader = new Reader(answer, 8);
    if (response.isFlexible(version) && key !== 18) reader.take(1);
    type Schema = (typeof apis)[N]['response'];
    return response.read(reader, version) as Schema extends { read(...args: never[]): infer T }
      ? T
      : never;
  }

  anyHost(): string {
    return this.random.pick(this.world.nodes).name;
  }

  /** Where the partition's leader is, as far as is known; asks again after `forget`. */
  protected async leaderOf(partition: number): Promise<string | null> {
    const known = this.leaders.get(partition);
    if (known !== undefined) return known.host;
    const { topics } = await this.ask(this.anyHost(), 'Metadata', 12, {
      topics: [{ name: TOPIC, topicId: undefined }],
      allowAutoTopicCreation: false,
    });
    for (const { partitions, topicId } of topics) {
      this.topicId = topicId;
      for (const { leaderEpoch, leaderId, partitionIndex } of partitions) {
        const node = this.world.nodes[leaderId];
        if (node !== undefined)
          this.leaders.set(partitionIndex, { host: node.name, epoch: leaderEpoch });
      }
    }
    return this.leaders.get(partition)?.host ?? null;
  }
  protected forget(partition: number): void {
    this.leaders.delete(partition);
  }

  /** Runs until it is told to end; what throws is a bug of the client. */
  start(): void {
    this.process.run(() => {
      this.live().catch((cause: unknown) => {
        if (this.process.alive)
          this.world.bugs.push(`${this.process.name}: ${(cause as Error).stack}`);
      });
    });
  }
  protected live(): Promise<void> {
    return Promise.resolve();
  }
}

/** An idempotent producer with acks=all: one batch at a time, again and again until it is answered. */
export class SimProducer extends SimClient {
  private readonly history: History;
  private producerId = -1;
  private epoch = 0;
  private readonly sequences = new Map<number, number>();
  private next = 0;

  constructor(world: World, name: string, history: History) {
    super(world, name);
    this.history = history;
  }

  private async begin(): Promise<void> {
    while (this.producerId < 0) {
      try {
        const { errorCode, producerEpoch, producerId } = await this.ask(
          this.anyHost(),
          'InitProducerId',
          4,
          {
            transactionalId: null,
            transactionTimeoutMs: 10_000,
            producerId: -1,
            producerEpoch: -1,
          },
        );
        if (errorCode === 0) {
          this.producerId = producerId;
          this.epoch = producerEpoch;
          this.sequences.clear();
          return;
        }
      } catch {
        // Another broker next time.
      }
      await this.pause(this.random.between(50, 300));
    }
  }

  protected override async live(): Promise<void> {
    await this.begin();
    while (!this.isOver) {
      await this.write(this.random.below(this.world.options.partitions));
      await this.pause(this.random.between(5, 60));
    }
  }

  private async write(partition: number): Promise<void> {
    const count = 1 + this.random.below(3);
    const values = Array.from({ length: count }, () => `${this.process.name}:${this.next++}`);
    const operation = this.history.begin(this.process.name, partition, values, this.nowMs);
    const baseSequence = this.sequences.get(partition) ?? 0;
    const bytes = buildBatch(
      values.map((value) => ({ key: null, value: Buffer.from(value) })),
      {
        timestampMs: 1_800_000_000_000 + Math.floor(this.nowMs),
        producerId: this.producerId,
        producerEpoch: this.epoch,
        baseSequence,
      },
    );
    for (;;) {
      const error = await this.send(partition, bytes, operation);
      if (error === 'NONE') {
        this.sequences.set(partition, baseSequence + count);
        return;
      }
      if (FINAL.has(error)) {
        // Nobody can say any more whether it was written: a new producer goes on.
        operation.outcome = operation.isDoubtful ? 'unknown' : 'failed';
        operation.error = error;
        this.producerId = -1;
        await this.begin();
        return;
      }
      operation.error = error;
      this.forget(partition);
      await this.pause(this.random.between(20, 150));
    }
  }

  private async send(
    partition: number,
    bytes: Buffer,
    operation: ReturnType<History['begin']>,
  ): Promise<string> {
    try {
      const host = await this.leaderOf(partition);
      if (host === null) return 'LEADER_NOT_AVAILABLE';
      operation.isDoubtful = true;
      const { responses } = await this.ask(host, 'Produce', 9, {
        transactionalId: null,
        acks: -1,
        timeoutMs: 5_000,
        topicData: [{ name: TOPIC, partitionData: [{ index: partition, records: bytes }] }],
      });
      const of = responses[0]?.partitionResponses[0];
      if (of === undefined) return 'UNKNOWN_SERVER_ERROR';
      if (of.errorCode === 0) this.history.acked(operation, of.baseOffset, this.nowMs);
      return errorName(of.errorCode);
    } catch {
      return 'NETWORK_EXCEPTION';
    }
  }
}

/** Errors after which the same batch is not sent again. */
const FINAL: ReadonlySet<string> = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'CORRUPT_MESSAGE',
  'INVALID_RECORD',
]);

export interface SeenRecord {
  readonly offset: number;
  readonly value: string;
}

/** Reads one partition from the beginning, over and over again from where it is. */
export class SimReader extends SimClient {
  private readonly history: History;
  private readonly partition: number;
  private offset = 0;

  constructor(world: World, name: string, partition: number, history: History) {
    super(world, name);
    this.partition = partition;
    this.history = history;
  }

  protected override async live(): Promise<void> {
    while (!this.isOver) {
      const found = await this.poll(this.offset, 300).catch(() => null);
      if (found === null) {
        this.forget(this.partition);
        await this.pause(this.random.between(50, 200));
        continue;
      }
      for (const record of found.records)
        this.history.seen(this.process.name, this.partition, record, this.nowMs);
      this.offset = found.next;
      // Once in a while from the beginning: what was there must be there still.
      if (this.random.chance(0.02)) this.offset = 0;
      await this.pause(this.random.between(1, 40));
    }
  }

  /** Null: not this time. */
  async poll(
    offset: number,
    maxWaitMs: number,
  ): Promise<{ records: SeenRecord[]; next: number; highWatermark: number } | null> {
    const host = await this.leaderOf(this.partition);
    if (host === null) return null;
    const { responses } = await this.ask(host, 'Fetch', 13, {
      maxWaitMs,
      minBytes: 1,
      maxBytes: 1 << 20,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        {
          topicId: this.topicId,
          partitions: [
            {
              partition: this.partition,
              currentLeaderEpoch: -1,
              fetchOffset: offset,
              lastFetchedEpoch: -1,
              logStartOffset: -1,
              partitionMaxBytes: 1 << 20,
            },
          ],
        },
      ],
      forgottenTopicsData: [],
    });
    const of = responses[0]?.partitions[0];
    if (of === undefined) return null;
    if (of.errorCode !== 0) {
      if (errorName(of.errorCode) === 'OFFSET_OUT_OF_RANGE')
        this.history.anomaly(
          `${this.process.name} had read up to ${offset} of ${this.partition}, and now that is out of range`,
        );
      return null;
    }
    const records: SeenRecord[] = [];
    let next = offset;
    const bytes = of.records as unknown as Buffer | null;
    for (const { at } of batchesOf(bytes ?? Buffer.alloc(0))) {
      next = Math.max(next, batch.lastOffset(bytes as Buffer, at) + 1);
      const kind = batch.attributes(bytes as Buffer, at) & (CONTROL_BIT | TRANSACTIONAL_BIT);
      if (kind !== 0) continue;
      for (const record of recordsOf(bytes as Buffer, at))
        if (record.offset >= offset)
          records.push({ offset: record.offset, value: String(record.value) });
    }
    return { records, next, highWatermark: of.highWatermark };
  }
}
