/** An administrator who moves a partition to other brokers, or calls a move off (KIP-455). */
import { SimClient } from './client.ts';
import type { Random } from './random.ts';
import type { TopicShape } from './scene.ts';
import type { World } from './world.ts';

const TRIES = 20;

export class SimMover extends SimClient {
  private readonly shape: TopicShape;
  private readonly partition: number;
  private readonly replicas: readonly number[] | null;

  constructor(world: World, name: string, random: Random) {
    super(world, name, random);
    this.shape = random.pick(world.scene.topics.filter(({ kind }) => kind !== 'passing'));
    this.partition = random.below(this.shape.partitions);
    const ids = world.nodes.map(({ id }) => id);
    const shuffled = ids.sort(() => random.fraction() - 0.5).slice(0, 3);
    this.replicas = random.chance(0.2) ? null : shuffled;
    world.note(
      `MOVE ${this.shape.name}-${this.partition} to ${this.replicas?.join() ?? 'where it was'}`,
    );
  }

  /** Whether nothing comes of it any more. */
  isDone = false;

  protected override async live(): Promise<void> {
    await this.request();
    this.isDone = true;
  }

  private async request(): Promise<void> {
    for (let i = 0; i < TRIES && !this.world.isPeace; i++) {
      const answer = await this.ask(this.anyHost(), 'AlterPartitionReassignments', 1, {
        timeoutMs: 5_000,
        topics: [
          {
            name: this.shape.name,
            partitions: [{ partitionIndex: this.partition, replicas: this.replicas }],
          },
        ],
      }).catch(() => null);
      const error = answer?.responses[0]?.partitions[0]?.errorCode;
      const NO_REASSIGNMENT_IN_PROGRESS = 85;
      if (error === 0 || error === NO_REASSIGNMENT_IN_PROGRESS) return;
      await this.pause(300);
    }
  }
}
