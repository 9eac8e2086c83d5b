/** What producers of both kinds do: batches under way in every partition, and answers written down. */
import { errorName } from '../../proto/kafka/errors.ts';
import { SimClient } from './client.ts';
import type { History, Operation, Transaction } from './history.ts';
import { InFlight, type Sent } from './in-flight.ts';
import { someRecords } from './records.ts';
import { placeOf, type TopicShape } from './scene.ts';
import type { World } from './world.ts';

interface Target {
  readonly shape: TopicShape;
  readonly partition: number;
  readonly topicId: string;
  /** Who leads it. */
  readonly host: string;
}

export abstract class WritingClient extends SimClient {
  protected readonly history: History;
  protected producerId = -1;
  protected epoch = -1;
  /**
   * By place; one that ended stays. Brokers take a sequence that they saw for a batch that was sent again, so
   * that none is used twice, also where a broker that is behind tells of a topic that others have no more.
   */
  protected readonly flights = new Map<string, InFlight>();
  private readonly window: number;
  private next = 0;

  constructor(world: World, name: string, history: History) {
    super(world, name);
    this.history = history;
    this.window = this.random.pick(world.scene.windows);
  }

  protected abstract readonly transactionalId: string | null;
  protected abstract readonly attributes: number;
  protected abstract isFinal(error: string): boolean;

  /** With every new id or epoch, and only then, sequences begin anew. */
  protected become(producerId: number, epoch: number): void {
    this.history.producerBegan(this.process.name, producerId, epoch);
    this.producerId = producerId;
    this.epoch = epoch;
    for (const flight of this.flights.values()) flight.end('the epoch is over');
    this.flights.clear();
  }

  /** Where to write now; null: not known. */
  protected async target(shape: TopicShape): Promise<Target | null> {
    const partition = this.random.below(shape.partitions);
    const leader = await this.leaderOf(shape.name, partition).catch(() => null);
    return leader === null ? null : { shape, partition, ...leader };
  }

  protected flightTo(target: Target): InFlight {
    const place = placeOf(target.shape, target.topicId, target.partition);
    let flight = this.flights.get(place);
    if (flight !== undefined) return flight;
    flight = new InFlight({
      window: this.window,
      send: (bytes, host) => this.send(target, bytes, host),
      pause: () => this.pause(this.random.between(20, 150)),
      isFinal: (error) => error === GONE || this.isFinal(error),
      acked: (operation, offset) => this.history.acked(operation, offset, this.nowMs),
    });
    this.flights.set(place, flight);
    return flight;
  }

  /** There must be room. */
  protected write(target: Target, flight: InFlight, transaction: Transaction | null): Operation {
    const { name } = this.process;
    const { bytes, values } = someRecords(
      target.shape,
      this.random,
      {
        name,
        producerId: this.producerId,
        epoch: this.epoch,
        sequence: flight.nextSequence,
        attributes: this.attributes,
        nowMs: this.nowMs,
      },
      () => this.next++,
    );
    const place = placeOf(target.shape, target.topicId, target.partition);
    const operation = this.history.begin(name, place, values, this.nowMs, transaction);
    flight.add(bytes, operation, target.host);
    return operation;
  }

  /** What is left of it is not sent again: nobody can say whether it was written. */
  protected giveUp(flight: InFlight, why: string): void {
    flight.end(why);
    for (const operation of flight.left) {
      if (operation.outcome === 'open') operation.outcome = 'unknown';
      operation.error = why;
    }
  }

  private async send(
    { partition, shape, topicId }: Target,
    records: Buffer,
    host: string | null,
  ): Promise<Sent> {
    const failed = (error: string): Sent => ({ error, baseOffset: -1 });
    try {
      const leader = host === null ? await this.leaderOf(shape.name, partition) : { host, topicId };
      // A topic that passes may be gone for good.
      if (leader === null)
        return failed(this.isOver && shape.kind === 'passing' ? GONE : 'LEADER_NOT_AVAILABLE');
      // The topic of that name is another one by now.
      if (leader.topicId !== topicId) return failed(GONE);
      const { responses } = await this.ask(leader.host, 'Produce', 13, {
        transactionalId: this.transactionalId,
        acks: -1,
        timeoutMs: 5_000,
        topicData: [{ topicId, partitionData: [{ index: partition, records }] }],
      });
      const of = responses[0]?.partitionResponses[0];
      if (of === undefined) return failed('UNKNOWN_SERVER_ERROR');
      if (of.errorCode !== 0) {
        this.history.refusals++;
        this.forget(shape.name, partition);
      }
      return { error: errorName(of.errorCode), baseOffset: of.baseOffset };
    } catch {
      this.forget(shape.name, partition);
      return failed('NETWORK_EXCEPTION');
    }
  }
}

/** The topic was deleted, and made anew. */
export const GONE = 'UNKNOWN_TOPIC_ID';
