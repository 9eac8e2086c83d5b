/** Administrators: one deletes records at any offset, one deletes a topic and makes it anew. */
import { errorName } from '../../proto/kafka/errors.ts';
import { SimClient } from './client.ts';
import type { History } from './history.ts';
import { placeOf, type TopicShape } from './scene.ts';
import { REPLICAS, type World } from './world.ts';

const COMMITTED = -1;

/** Deletes records up to any offset, also into the middle of a batch (KIP-107). */
export class SimTrimmer extends SimClient {
  private readonly history: History;
  private readonly shape: TopicShape;

  constructor(world: World, name: string, shape: TopicShape, history: History) {
    super(world, name);
    this.shape = shape;
    this.history = history;
  }

  protected override async live(): Promise<void> {
    while (!this.isOver) {
      await this.pause(this.random.between(300, 2000));
      await this.trim(this.random.below(this.shape.partitions)).catch(() =>
        this.forget(this.shape.name, 0),
      );
    }
  }

  private async trim(partition: number): Promise<void> {
    const { name } = this.shape;
    const place = this.history.of(placeOf(this.shape, '', partition));
    const { deletedTold, knownEnd } = place;
    const leader = await this.leaderOf(name, partition);
    if (leader === null || knownEnd === 0) return;
    const offset = this.random.chance(0.1)
      ? COMMITTED
      : deletedTold + this.random.below(Math.max(knownEnd - deletedTold, 1));
    // Of what is asked for nobody knows whether it is done until it is answered.
    const asked = place.deletedAsked;
    place.deletedAsked = offset === COMMITTED ? Infinity : Math.max(asked, offset);
    const { topics } = await this.ask(leader.host, 'DeleteRecords', 2, {
      topics: [{ name, partitions: [{ partitionIndex: partition, offset }] }],
      timeoutMs: 5_000,
    });
    const of = topics[0]?.partitions[0];
    if (of?.errorCode !== 0) return this.forget(name, partition);
    this.history.deletions++;
    place.deletedAsked = Math.max(asked, of.lowWatermark);
    place.deletedTold = Math.max(place.deletedTold, of.lowWatermark);
    this.world.note(`TRIM ${place.name} to ${of.lowWatermark}`);
  }
}

/** Makes a topic, deletes it under its readers and writers, and makes another one of that name. */
export class SimRecreator extends SimClient {
  private readonly history: History;
  private readonly shape: TopicShape;

  constructor(world: World, name: string, shape: TopicShape, history: History) {
    super(world, name);
    this.shape = shape;
    this.history = history;
  }

  protected override async live(): Promise<void> {
    while (!this.isOver) {
      if (!(await this.create().catch(() => false))) {
        await this.pause(200);
        continue;
      }
      await this.pause(this.random.between(300, 3000));
      if (this.isOver) return;
      await this.delete().catch(() => undefined);
      await this.pause(this.random.between(0, 400));
    }
  }

  private async create(): Promise<boolean> {
    const { config, name, partitions } = this.shape;
    const configs = Object.entries(config).map(([key, value]) => ({
      name: key,
      value: String(value),
    }));
    const { topics } = await this.ask(this.anyHost(), 'CreateTopics', 7, {
      topics: [
        {
          name,
          numPartitions: partitions,
          replicationFactor: REPLICAS,
          assignments: [],
          configs,
        },
      ],
      timeoutMs: 5_000,
      validateOnly: false,
    });
    const error = errorName(topics[0]?.errorCode ?? -1);
    if (error === 'NONE') this.world.note(`CREATED ${name} ${topics[0]?.topicId}`);
    return error === 'NONE' || error === 'TOPIC_ALREADY_EXISTS';
  }

  private async delete(): Promise<void> {
    const { name } = this.shape;
    const { responses } = await this.ask(this.anyHost(), 'DeleteTopics', 6, {
      topics: [{ name, topicId: undefined }],
      timeoutMs: 5_000,
    });
    const error = errorName(responses[0]?.errorCode ?? -1);
    this.world.note(`DELETED ${name}: ${error}`);
    if (error === 'NONE') this.history.topicsDeleted++;
  }
}
