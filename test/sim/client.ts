/** What every client of the simulated cluster does: it asks brokers, and finds leaders and coordinators. */
import { Reader, Writer } from '../../proto/kafka/cursor.ts';
import { requestHeader } from '../../proto/kafka/messages/headers.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { sleep } from '../../stdx/clock.ts';
import type { Random } from './random.ts';
import { clockOf, Process } from './scheduler.ts';
import { KAFKA_PORT, type World } from './world.ts';

const TIMEOUT_MS = 8_000;
type Name = keyof typeof apis;

export interface Leader {
  readonly host: string;
  readonly topicId: string;
}

export class SimClient {
  protected readonly world: World;
  protected readonly random: Random;
  readonly process: Process;
  private readonly clock;
  /** By topic and partition. */
  private readonly leaders = new Map<string, Leader>();
  private nextId = 1;
  isOver = false;
  /** Nothing that it asked for is still to come. */
  hasEnded = false;

  constructor(world: World, name: string, random = world.random.fork()) {
    this.world = world;
    this.random = random;
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

  /** Who leads the partition, as far as is known; asks again after `forget`. */
  protected async leaderOf(topic: string, partition: number): Promise<Leader | null> {
    const known = this.leaders.get(`${topic}-${partition}`);
    if (known !== undefined) return known;
    const { topics } = await this.ask(this.anyHost(), 'Metadata', 12, {
      topics: [{ name: topic, topicId: undefined }],
      allowAutoTopicCreation: false,
    });
    for (const { errorCode, partitions, topicId } of topics) {
      if (errorCode !== 0) continue;
      for (const { leaderId, partitionIndex } of partitions) {
        const node = this.world.nodes[leaderId];
        if (node !== undefined)
          this.leaders.set(`${topic}-${partitionIndex}`, { host: node.name, topicId });
      }
    }
    return this.leaders.get(`${topic}-${partition}`) ?? null;
  }
  protected forget(topic: string, partition: number): void {
    this.leaders.delete(`${topic}-${partition}`);
  }

  /** Which broker coordinates the group (0) or the transactional id (1); null: not known now. */
  protected async coordinatorOf(keyType: 0 | 1, key: string): Promise<string | null> {
    this.coordinator ??= await this.ask(this.anyHost(), 'FindCoordinator', 4, {
      keyType,
      coordinatorKeys: [key],
    }).then(({ coordinators }) => {
      const [of] = coordinators;
      return of?.errorCode === 0 ? (this.world.nodes[of.nodeId]?.name ?? null) : null;
    });
    return this.coordinator;
  }
  protected forgetCoordinator(): void {
    this.coordinator = null;
  }
  private coordinator: string | null = null;

  /** Runs until it is told to end; what throws is a bug of the client. */
  start(): void {
    this.process.run(() => {
      this.live()
        .catch((cause: unknown) => {
          if (this.process.alive)
            this.world.bugs.push(`${this.process.name}: ${(cause as Error).stack}`);
        })
        .finally(() => {
          this.hasEnded = true;
        });
    });
  }
  protected live(): Promise<void> {
    return Promise.resolve();
  }
}
