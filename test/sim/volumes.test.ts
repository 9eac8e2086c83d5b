/** Volumes that are older than their broker's last life, and two processes on one volume. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FinalLogs } from './final-logs.ts';
import { History } from './history.ts';
import { SimProducer } from './producer.ts';
import { Random } from './random.ts';
import { plainScene, TOPIC } from './scene.ts';
import { type SimNode, World } from './world.ts';

const PARTITIONS = 3;

class Stage implements Disposable {
  readonly world: World;
  readonly history = new History();
  private clients: SimProducer[] = [];

  constructor(seed: number) {
    const config = { 'min.insync.replicas': 2 };
    this.world = new World({
      seed,
      scene: plainScene({ brokers: 3, partitions: PARTITIONS, config }),
    });
  }

  node(id: number): SimNode {
    return this.world.nodes[id] as SimNode;
  }

  async begin(): Promise<void> {
    for (const node of this.world.nodes) this.world.start(node);
    for (let i = 0; i < 50 && this.world.lines().length < PARTITIONS; i++)
      await this.world.run(200);
    await this.allInSync();
  }

  async allInSync(): Promise<void> {
    const isWhole = () => {
      const lines = this.world.lines();
      return (
        lines.length > 0 && lines.every(({ isr, leader }) => leader !== null && isr.length === 3)
      );
    };
    for (let i = 0; i < 400 && !isWhole(); i++) await this.world.run(250);
    assert.ok(isWhole(), 'every replica is in sync');
  }

  private writers = 0;
  async writeFor(ms: number, during: () => void = () => {}): Promise<void> {
    const producer = new SimProducer(
      this.world,
      `p${this.writers++}`,
      this.world.shapeOf(TOPIC),
      this.history,
    );
    producer.start();
    await this.world.run(ms / 2);
    during();
    await this.world.run(ms / 2);
    producer.isOver = true;
    for (let i = 0; i < 240 && this.history.hasOpen; i++) await this.world.run(250);
  }

  async stop(...nodes: SimNode[]): Promise<void> {
    for (const { broker, process } of nodes)
      process?.run(() => void broker?.stop().then(() => process.kill()));
    for (let i = 0; i < 200 && nodes.some(({ process }) => process?.alive === true); i++)
      await this.world.run(250);
    for (const { process } of nodes) assert.equal(process?.alive, false, 'stopped in good order');
  }

  /** Everything that was acknowledged is there, once, and readable. */
  async judge(): Promise<void> {
    await this.world.run(1000);
    await new FinalLogs(this.world, this.history).judgeAll();
    assert.deepEqual(this.history.anomalies, []);
    assert.deepEqual(this.world.bugs, []);
    assert.ok(this.history.counts.acked > 20);
  }

  [Symbol.dispose](): void {
    this.world[Symbol.dispose]();
  }
}

const copyOf = ({ disk }: SimNode) => disk.image(new Random(1));

for (const [what, only] of [
  ['all volumes of a broker', ''],
  ['one of two volumes of a broker', '/data-1/'],
] as const)
  test(`${what} are put back to an earlier orderly stop, and it is the first one up: nothing is lost`, async () => {
    using stage = new Stage(11);
    await stage.begin();
    await stage.writeFor(6000);
    const node = stage.node(1);
    await stage.stop(node);
    const copy = copyOf(node);
    stage.world.start(node);
    await stage.allInSync();
    await stage.writeFor(6000);
    await stage.stop(...stage.world.nodes);
    node.disk.replaceBy(copy, only);
    stage.world.start(node);
    await stage.world.run(20_000);
    for (const other of stage.world.nodes) if (other !== node) stage.world.start(other);
    await stage.allInSync();
    await stage.judge();
    assert.ok(stage.world.log.some((line) => line.includes('begins as a new replica')));
  });

test('a broker whose Lease was deleted keeps its standing by what else is known', async () => {
  using stage = new Stage(12);
  await stage.begin();
  await stage.writeFor(4000);
  await stage.stop(...stage.world.nodes);
  stage.world.deleteBrokerLease(1);
  for (const node of stage.world.nodes) stage.world.start(node);
  await stage.allInSync();
  await stage.judge();
  assert.ok(!stage.world.log.some((line) => line.includes('begins as a new replica')));
});

test('a second process on the folder of one that stands still is refused, and told who has it', async () => {
  using stage = new Stage(13);
  await stage.begin();
  const node = stage.node(1);
  const first = node.process;
  first?.stop();
  stage.world.start(node);
  await stage.world.run(15_000);
  const said = stage.world.log.filter((line) => line.includes('is in use by process'));
  assert.ok(said.length > 0);
  assert.match(
    said[0] ?? '',
    /\/data is in use by process \d+ of pod sim-broker-1 at node1, since /,
  );
  assert.equal(first?.alive, true);
});

test('a process that wakes up on a folder that was taken over elsewhere ends without writing', async () => {
  using stage = new Stage(14);
  await stage.begin();
  const node = stage.node(1);
  const first = node.process;
  await stage.writeFor(12_000, () => {
    first?.stop();
    // Another machine: its kernel knows nothing of these locks.
    node.disk.locks.clear();
    stage.world.start(node);
  });
  await stage.allInSync();
  const logs = () => [...copyOf(node).files].filter(([path]) => path.endsWith('.log'));
  const before = logs();
  first?.resume(stage.world.scheduler);
  await stage.world.run(1);
  assert.equal(first?.alive, false, 'it ended at once');
  assert.deepEqual(logs(), before);
  await stage.allInSync();
  await stage.judge();
  assert.ok(stage.world.log.some((line) => line.includes('was taken over by process')));
});

test('an orderly stop is on stable storage when it is called clean: a loss of power takes nothing then', async () => {
  using stage = new Stage(15);
  await stage.begin();
  await stage.writeFor(4000);
  await stage.stop(...stage.world.nodes);
  for (const node of stage.world.nodes) stage.world.losePower(node);
  for (const node of stage.world.nodes) stage.world.start(node);
  await stage.allInSync();
  await stage.judge();
  assert.ok(!stage.world.log.some((line) => line.includes('begins as a new replica')));
});
