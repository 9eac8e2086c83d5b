/** A small simulated cluster for a test that says itself what happens, with a client that asks for it. */
import { type ErrorName, errorName } from '../../proto/kafka/errors.ts';
import { batch, batchesOf, buildBatch } from '../../proto/kafka/record-batch.ts';
import { SimClient } from './client.ts';
import { plainScene, TOPIC } from './scene.ts';
import { type SimNode, World } from './world.ts';

export class Stage implements Disposable {
  readonly world: World;
  readonly client: StageClient;

  private constructor(world: World) {
    this.world = world;
    this.client = new StageClient(world, 'stage');
  }

  /** With one partition that is led. */
  static async begin(
    brokers: number,
    config: Record<string, string | number> = {},
  ): Promise<Stage> {
    const world = new World({ seed: 1, scene: plainScene({ brokers, partitions: 1, config }) });
    for (const node of world.nodes) world.start(node);
    const stage = new Stage(world);
    await stage.until(
      () => stage.line?.leader != null && world.nodes.every((n) => world.isReady(n)),
    );
    await world.run(1000);
    return stage;
  }

  get line() {
    return this.world.lines().find(({ topic }) => topic === TOPIC);
  }
  get leader(): SimNode {
    return this.world.nodes[this.line?.leader?.id ?? -1] as SimNode;
  }

  async until(what: () => boolean): Promise<void> {
    for (let i = 0; i < 600; i++) {
      if (what()) return;
      await this.world.run(100);
    }
    throw new Error(`it did not come about:\n${this.world.log.slice(-60).join('\n')}`);
  }

  /** Drives the world until the client has its answer. */
  async answer<T>(asked: Promise<T>): Promise<T> {
    let done: { value: T } | { cause: unknown } | null = null;
    asked.then(
      (value) => (done = { value }),
      (cause) => (done = { cause }),
    );
    await this.until(() => done !== null);
    const settled = done as unknown as { value: T } | { cause: unknown };
    if ('cause' in settled) throw settled.cause;
    return settled.value;
  }

  [Symbol.dispose](): void {
    this.world[Symbol.dispose]();
  }
}

export interface Fetched {
  readonly error: ErrorName;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  /** Base and last offset of every batch. */
  readonly batches: readonly (readonly [number, number])[];
}

export class StageClient extends SimClient {
  /** To that broker, whoever leads; answered with the error. */
  async produce(node: SimNode, { records = 1, acks = -1 } = {}): Promise<ErrorName> {
    const values = Array.from({ length: records }, (_, i) => ({
      key: null,
      value: Buffer.from(`v${i}`),
    }));
    const bytes = buildBatch(values, { timestampMs: 1_800_000_000_000 });
    const { responses } = await this.ask(node.name, 'Produce', 9, {
      transactionalId: null,
      acks,
      timeoutMs: 5_000,
      topicData: [{ name: TOPIC, partitionData: [{ index: 0, records: bytes }] }],
    });
    return errorName(responses[0]?.partitionResponses[0]?.errorCode ?? -1);
  }

  /** As a consumer that sends no epoch. */
  async fetch(node: SimNode, offset: number, maxWaitMs = 0): Promise<Fetched> {
    const { responses } = await this.ask(node.name, 'Fetch', 11, {
      replicaId: -1,
      maxWaitMs,
      minBytes: 1,
      maxBytes: 1 << 20,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        {
          topic: TOPIC,
          partitions: [
            {
              partition: 0,
              currentLeaderEpoch: -1,
              fetchOffset: offset,
              logStartOffset: -1,
              partitionMaxBytes: 1 << 20,
            },
          ],
        },
      ],
      forgottenTopicsData: [],
      rackId: '',
    });
    const of = responses[0]?.partitions[0];
    if (of === undefined) throw new Error('no answer for the partition');
    const bytes = (of.records as unknown as Buffer | null) ?? Buffer.alloc(0);
    return {
      error: errorName(of.errorCode),
      highWatermark: of.highWatermark,
      logStartOffset: of.logStartOffset,
      batches: [...batchesOf(bytes)].map(({ at }) => [
        batch.baseOffset(bytes, at),
        batch.lastOffset(bytes, at),
      ]),
    };
  }

  async controllerId(): Promise<number> {
    const none = { topics: [], allowAutoTopicCreation: false };
    return (await this.ask(this.anyHost(), 'Metadata', 12, none)).controllerId;
  }

  async deleteRecords(node: SimNode, offset: number): Promise<ErrorName> {
    const { topics } = await this.ask(node.name, 'DeleteRecords', 2, {
      topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, offset }] }],
      timeoutMs: 5_000,
    });
    return errorName(topics[0]?.partitions[0]?.errorCode ?? -1);
  }

  async move(replicas: readonly number[]): Promise<ErrorName> {
    const { responses } = await this.ask(this.anyHost(), 'AlterPartitionReassignments', 1, {
      timeoutMs: 5_000,
      allowReplicationFactorChange: true,
      topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, replicas: [...replicas] }] }],
    });
    return errorName(responses[0]?.partitions[0]?.errorCode ?? -1);
  }
}
