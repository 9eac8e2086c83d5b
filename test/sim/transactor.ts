/** A transactional producer (KIP-890): several partitions at once, all of it or nothing. */
import { errorName } from '../../proto/kafka/errors.ts';
import { TRANSACTIONAL_BIT } from '../../proto/kafka/record-batch.ts';
import type { History, Transaction } from './history.ts';
import type { InFlight } from './in-flight.ts';
import type { TopicShape } from './scene.ts';
import type { World } from './world.ts';
import { WritingClient } from './writer.ts';

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
/** No producer is to be told these while it does nothing wrong. */
const WRONG: ReadonlySet<string> = new Set(['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID']);
/** What both requests to the coordinator are answered with. */
interface Standing {
  readonly errorCode: number;
  readonly producerId: number;
  readonly producerEpoch: number;
}
const TRANSACTION_TIMEOUT_MS = 15_000;

export class SimTransactor extends WritingClient {
  protected override readonly transactionalId: string;
  protected override readonly attributes = TRANSACTIONAL_BIT;
  private readonly shapes: readonly TopicShape[];

  constructor(world: World, name: string, shapes: readonly TopicShape[], history: History) {
    super(world, name, history);
    this.transactionalId = name;
    this.shapes = shapes;
  }

  protected override isFinal(error: string): boolean {
    return FENCED.has(error);
  }

  protected override async live(): Promise<void> {
    await this.begin();
    while (!this.isOver) {
      await this.transact(this.history.beginTransaction(this.process.name));
      // Back to back: the last one may still be ending.
      if (this.random.chance(0.6)) await this.pause(this.random.between(50, 300));
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
      if (answer !== null && answer.errorCode === 0)
        return this.become(answer.producerId, answer.producerEpoch);
      await this.pause(this.random.between(50, 300));
    }
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
    const writes = 1 + this.random.below(6);
    const flights = new Set<InFlight>();
    for (let i = 0; i < writes; i++) {
      const target = await this.target(this.random.pick(this.shapes));
      if (target === null) {
        await this.pause(50);
        continue;
      }
      const flight = this.flightTo(target);
      flights.add(flight);
      await flight.until(() => flight.hasRoomAt(target.host) || flight.isEmpty);
      if (flight.failure !== null) break;
      this.write(target, flight, transaction);
      if (this.random.chance(0.3)) await this.pause(this.random.between(1, 40));
    }
    // An application that dies in the middle, and another one in its place.
    if (this.random.chance(0.05)) return this.abandon(transaction, [...flights]);
    for (const flight of flights) await flight.until(() => flight.isEmpty);
    if (flights.size === 0) return this.history.endTransaction(transaction, 'aborted', this.nowMs);
    const failed = [...flights].find(({ failure }) => failure !== null);
    if (failed === undefined) return this.end(transaction, this.random.chance(0.75));
    const why = failed.failure ?? '';
    if (WRONG.has(why))
      this.history.anomaly(
        `producer ended: ${this.process.name} cannot go on at ${(this.nowMs / 1000).toFixed(3)}: ${why} (${failed.left[0]?.values.join()} in ${failed.left[0]?.place})`,
      );
    // What was written so far is aborted by whoever begins next.
    return this.abandon(transaction, [...flights]);
  }

  private abandon(transaction: Transaction, flights: readonly InFlight[]): Promise<void> {
    for (const flight of flights) this.giveUp(flight, flight.failure ?? 'abandoned');
    this.history.endTransaction(transaction, 'aborted', this.nowMs);
    return this.begin();
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
        return this.become(answer.producerId, answer.producerEpoch);
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
}
