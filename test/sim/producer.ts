/** An idempotent producer with acks=all: every batch again and again until it is answered. */
import type { History } from './history.ts';
import type { InFlight } from './in-flight.ts';
import type { TopicShape } from './scene.ts';
import type { World } from './world.ts';
import { GONE, WritingClient } from './writer.ts';

/** Errors after which the same batch is not sent again. */
const FINAL: ReadonlySet<string> = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'CORRUPT_MESSAGE',
  'INVALID_RECORD',
]);

export class SimProducer extends WritingClient {
  private readonly shape: TopicShape;
  protected override readonly transactionalId = null;
  protected override readonly attributes = 0;

  constructor(world: World, name: string, shape: TopicShape, history: History) {
    super(world, name, history);
    this.shape = shape;
  }

  protected override isFinal(error: string): boolean {
    return FINAL.has(error);
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
        if (errorCode === 0) return this.become(producerId, producerEpoch);
      } catch {
        // Another broker next time.
      }
      await this.pause(this.random.between(50, 300));
    }
  }

  protected override async live(): Promise<void> {
    await this.begin();
    while (!this.isOver) {
      await this.writeOne();
      await this.pause(this.random.between(20, 200));
    }
    for (const [place, flight] of this.flights) {
      await flight.until(() => flight.isEmpty);
      if (flight.failure !== null) await this.ended(place, flight);
    }
  }

  /** As many as fit, without a pause. */
  async fill(batches: number): Promise<void> {
    await this.begin();
    for (let i = 0; i < batches; i++) await this.writeOne();
    for (const flight of this.flights.values()) await flight.until(() => flight.isEmpty);
  }

  private async writeOne(): Promise<void> {
    const target = await this.target(this.shape);
    if (target === null) return this.pause(50);
    const flight = this.flightTo(target);
    // What was gone elsewhere is there still, as somebody says who has not heard of its end.
    if (flight.failure !== null) this.forget(target.shape.name, target.partition);
    const hasRoom = () => flight.hasRoomAt(target.host);
    await flight.until(() => hasRoom() || flight.isEmpty || this.isOver);
    if (hasRoom() && flight.failure === null) this.write(target, flight, null);
    for (const [place, failed] of this.flights)
      if (failed.failure !== null) await this.ended(place, failed);
  }

  /** Nobody can say any more whether it was written: a new producer goes on. */
  private async ended(place: string, flight: InFlight): Promise<void> {
    const why = flight.failure ?? '';
    this.giveUp(flight, why);
    if (why === GONE) return;
    if (!this.history.isVoid(place))
      this.history.anomaly(
        `producer ended: ${this.process.name} cannot go on in ${place} at ${(this.nowMs / 1000).toFixed(3)}: ${why}`,
      );
    for (const other of this.flights.values()) this.giveUp(other, why);
    this.producerId = -1;
    await this.begin();
  }
}
