/**
 * Calm compaction: when everybody has everything, what is deleted need not be remembered any longer, and
 * the logs are compacted several times over. Nothing that readers would find may change by it.
 */
import { sleep } from '../../stdx/clock.ts';
import type { History } from './history.ts';
import { SimProducer } from './producer.ts';
import type { TopicShape } from './scene.ts';
import { clockOf, Process } from './scheduler.ts';
import type { World } from './world.ts';

const ROUNDS = 4;
const BATCHES = 12;
const ROUND_MS = 1_300;

export class Compaction {
  private readonly world: World;
  private readonly filler: SimProducer;
  private readonly shape: TopicShape;

  constructor(world: World, history: History, shape: TopicShape) {
    this.world = world;
    this.shape = shape;
    this.filler = new SimProducer(world, `filler-${shape.name}`, shape, history);
  }

  async run(): Promise<void> {
    const { scheduler } = this.world;
    const clock = clockOf(scheduler, new Process('compaction'), { rate: 1, skewMs: 0 });
    this.world.configure(this.shape.name, { 'delete.retention.ms': 0 });
    for (let i = 0; i < ROUNDS; i++) {
      await this.filler.fill(BATCHES);
      await sleep(clock, ROUND_MS);
    }
  }
}
