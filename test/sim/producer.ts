/** An idempotent producer of the simulated cluster: it writes down what it was told. */
import { errorName } from '../../proto/kafka/errors.ts';
import { buildBatch } from '../../proto/kafka/record-batch.ts';
import { SimClient } from './client.ts';
import type { History } from './history.ts';
import { TOPIC, type World } from './world.ts';

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
      await this.pause(this.random.between(20, 200));
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
