/** A transactional producer (KIP-890): several partitions at once, all of it or nothing. */
import { errorName } from '../../proto/kafka/errors.ts';
import { buildBatch, TRANSACTIONAL_BIT } from '../../proto/kafka/record-batch.ts';
import { SimClient } from './client.ts';
import type { History, Transaction } from './history.ts';
import { TOPIC, type World } from './world.ts';

/** Whoever gets one of these is no longer the producer that it was. */
const FENCED: ReadonlySet<string> = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_TXN_STATE',
  'INVALID_PRODUCER_ID_MAPPING',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'TRANSACTION_ABORTABLE',
]);
/** What both requests to the coordinator are answered with. */
interface Standing {
  readonly errorCode: number;
  readonly producerId: number;
  readonly producerEpoch: number;
}
const TRANSACTION_TIMEOUT_MS = 15_000;

export class SimTransactor extends SimClient {
  private readonly history: History;
  private readonly transactionalId: string;
  private producerId = -1;
  private epoch = -1;
  private readonly sequences = new Map<number, number>();
  private next = 0;

  constructor(world: World, name: string, history: History) {
    super(world, name);
    this.history = history;
    this.transactionalId = name;
  }

  protected override async live(): Promise<void> {
    await this.begin();
    while (!this.isOver) {
      await this.transact(this.history.beginTransaction(this.process.name));
      await this.pause(this.random.between(50, 300));
    }
  }

  /** Aborts whatever an earlier life left open. */
  private async begin(): Promise<void> {
    for (;;) {
      const answer = await this.atCoordinator('InitProducerId', 4, {
        transactionalId: this.transactionalId,
        transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
        producerId: -1,
        producerEpoch: -1,
      });
      if (answer !== null && answer.errorCode === 0) return this.become(answer);
      await this.pause(this.random.between(50, 300));
    }
  }

  private become({ producerEpoch, producerId }: Standing): void {
    this.producerId = producerId;
    this.epoch = producerEpoch;
    this.sequences.clear();
  }

  private async atCoordinator<N extends 'InitProducerId' | 'EndTxn'>(
    name: N,
    version: number,
    body: object,
  ): Promise<Standing | null> {
    try {
      const host = await this.coordinatorOf(1, this.transactionalId);
      if (host === null) return null;
      const answer = await this.ask(host, name, version, body);
      const { errorCode, producerEpoch, producerId } = answer as Standing;
      if (errorCode !== 0) this.forgetCoordinator();
      return { errorCode, producerEpoch, producerId };
    } catch {
      this.forgetCoordinator();
      return null;
    }
  }

  private async transact(transaction: Transaction): Promise<void> {
    const writes = 1 + this.random.below(4);
    for (let i = 0; i < writes; i++) {
      const partition = this.random.below(this.world.options.partitions);
      if (await this.write(transaction, partition)) continue;
      // What was written so far is aborted by whoever begins next.
      this.history.endTransaction(transaction, 'aborted', this.nowMs);
      return this.begin();
    }
    // An application that dies in the middle, and another one in its place.
    if (this.random.chance(0.05)) {
      this.history.endTransaction(transaction, 'aborted', this.nowMs);
      return this.begin();
    }
    await this.end(transaction, this.random.chance(0.75));
  }

  private async end(transaction: Transaction, committed: boolean): Promise<void> {
    let isDoubtful = false;
    for (;;) {
      const answer = await this.atCoordinator('EndTxn', 5, {
        transactionalId: this.transactionalId,
        producerId: this.producerId,
        producerEpoch: this.epoch,
        committed,
      });
      if (answer?.errorCode === 0) {
        this.history.endTransaction(transaction, committed ? 'committed' : 'aborted', this.nowMs);
        return this.become(answer);
      }
      if (answer !== null && FENCED.has(errorName(answer.errorCode))) {
        const outcome = committed && isDoubtful ? 'unknown' : 'aborted';
        this.history.endTransaction(transaction, outcome, this.nowMs);
        return this.begin();
      }
      isDoubtful = true;
      await this.pause(this.random.between(20, 150));
    }
  }

  /** False: this transaction cannot be committed any more. */
  private async write(transaction: Transaction, partition: number): Promise<boolean> {
    const count = 1 + this.random.below(3);
    const values = Array.from({ length: count }, () => `${this.process.name}:${this.next++}`);
    const operation = this.history.begin(
      this.process.name,
      partition,
      values,
      this.nowMs,
      transaction,
    );
    const baseSequence = this.sequences.get(partition) ?? 0;
    const records = buildBatch(
      values.map((value) => ({ key: null, value: Buffer.from(value) })),
      {
        timestampMs: 1_800_000_000_000 + Math.floor(this.nowMs),
        producerId: this.producerId,
        producerEpoch: this.epoch,
        baseSequence,
        attributes: TRANSACTIONAL_BIT,
      },
    );
    for (;;) {
      const error = await this.send(partition, records, (baseOffset) =>
        this.history.acked(operation, baseOffset, this.nowMs),
      );
      if (error === 'NONE') {
        this.sequences.set(partition, baseSequence + count);
        return true;
      }
      operation.error = error;
      if (FENCED.has(error)) {
        operation.outcome = 'unknown';
        return false;
      }
      this.forget(partition);
      await this.pause(this.random.between(20, 150));
    }
  }

  private async send(
    partition: number,
    records: Buffer,
    onAck: (baseOffset: number) => void,
  ): Promise<string> {
    try {
      const host = await this.leaderOf(partition);
      if (host === null) return 'LEADER_NOT_AVAILABLE';
      const { responses } = await this.ask(host, 'Produce', 12, {
        transactionalId: this.transactionalId,
        acks: -1,
        timeoutMs: 5_000,
        topicData: [{ name: TOPIC, partitionData: [{ index: partition, records }] }],
      });
      const of = responses[0]?.partitionResponses[0];
      if (of === undefined) return 'UNKNOWN_SERVER_ERROR';
      if (of.errorCode === 0) onAck(of.baseOffset);
      return errorName(of.errorCode);
    } catch {
      return 'NETWORK_EXCEPTION';
    }
  }
}
