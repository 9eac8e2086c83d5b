/** One seed from beginning to end: a cluster, clients, faults, peace, and the verdict. */
import { SimProducer, SimReader } from './clients.ts';
import { type FaultKind, Faults, faultKinds } from './faults.ts';
import { History } from './history.ts';
import { TOPIC, World } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  /** How long faults go on, in simulated time. */
  readonly minutes: number;
  readonly kinds?: readonly FaultKind[];
}

export interface Verdict {
  readonly seed: number;
  readonly anomalies: readonly string[];
  readonly counts: History['counts'];
  readonly faults: ReadonlyMap<FaultKind, number>;
  readonly longestGapMs: number;
  readonly events: number;
  readonly simulatedMs: number;
  /** What the world wrote down, the last part of it. */
  readonly log: readonly string[];
}

const PARTITIONS = 3;
const PRODUCERS = 3;
const SETTLE_MS = 40_000;
const SETTLE_TRIES = 6;

export async function runSeed({ kinds = faultKinds, minutes, seed }: RunOptions): Promise<Verdict> {
  using world = new World({
    seed,
    brokers: 3,
    partitions: PARTITIONS,
    config: { 'offsets.topic.num.partitions': 1, 'transaction.state.log.num.partitions': 1 },
  });
  const history = new History();
  for (const node of world.nodes) world.start(node);
  await world.run(6_000);
  const producers = Array.from(
    { length: PRODUCERS },
    (_, i) => new SimProducer(world, `p${i}`, history),
  );
  const readers = Array.from(
    { length: PARTITIONS },
    (_, partition) => new SimReader(world, `r${partition}`, partition, history),
  );
  for (const client of [...producers, ...readers]) client.start();
  await world.run(2_000);
  const faults = new Faults(world, kinds);
  faults.start();
  await world.run(minutes * 60_000);
  faults.end();
  world.note('PEACE');
  await settle(world, history);
  for (const client of [...producers, ...readers]) client.isOver = true;
  // Whoever waits for an answer gets one.
  for (let i = 0; i < 12 && history.operations.some(({ outcome }) => outcome === 'open'); i++)
    await world.run(5_000);
  // Followers hear of the last high watermark as well.
  await world.run(3_000);
  for (const operation of history.operations)
    if (operation.outcome === 'open')
      history.anomaly(
        `stuck: ${operation.values.join()} in ${operation.partition} was never answered (${operation.error})`,
      );
  for (const [partition, reader] of readers.entries()) {
    const final = await readAll(world, reader);
    if (final === null)
      history.anomaly(`unreadable: partition ${partition} cannot be read in the end`);
    else history.judge(partition, final);
  }
  compareReplicas(world, history);
  for (const bug of world.bugs.slice(0, 5)) history.anomaly(`bug: ${bug}`);
  return {
    seed,
    anomalies: history.anomalies,
    counts: history.counts,
    faults: faults.counts,
    longestGapMs: history.longestGapMs,
    events: world.scheduler.events,
    simulatedMs: world.scheduler.nowMs,
    log: world.log,
  };
}

/** In the end every partition has a leader and every replica is in sync, however bad it was. */
async function settle(world: World, history: History): Promise<void> {
  for (let i = 0; i < SETTLE_TRIES; i++) {
    await world.run(SETTLE_MS / SETTLE_TRIES);
    const lines = world.lines().filter(({ topic }) => topic === TOPIC);
    const whole = lines.every(
      ({ isr, leader, replicas }) => leader !== null && isr.length === replicas.length,
    );
    if (whole && lines.length === PARTITIONS) return;
  }
  for (const { isr, leader, partition, replicas, topic } of world.lines())
    if (leader === null || isr.length < replicas.length)
      history.anomaly(
        `not healed: ${topic}-${partition} has leader ${leader?.id ?? 'none'} and ISR ${isr.map(({ id }) => id).join()}`,
      );
}

/** Drives the world until the reader has everything up to the high watermark. */
async function readAll(world: World, reader: SimReader) {
  const records: { offset: number; value: string }[] = [];
  let isDone = false;
  let failed = false;
  const read = async () => {
    let offset = 0;
    for (let tries = 0; tries < 200; tries++) {
      const found = await reader.poll(offset, 0).catch(() => null);
      if (found === null) continue;
      records.push(...found.records);
      offset = found.next;
      if (offset >= found.highWatermark) return;
    }
    failed = true;
  };
  void read().finally(() => {
    isDone = true;
  });
  for (let i = 0; i < 100 && !isDone; i++) await world.run(500);
  return isDone && !failed ? records : null;
}

/** After peace all replicas hold the same bytes. */
function compareReplicas(world: World, history: History): void {
  for (const { disk, name } of world.nodes)
    for (const [path, bytes] of [...disk.files].sort(([a], [b]) => (a < b ? -1 : 1)))
      if (path.startsWith(`/data/${TOPIC}-`)) world.note(`${name} has ${path} ${bytes.length}`);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const contents = world.nodes.map(({ disk }) =>
      Buffer.concat(
        [...disk.files]
          .filter(
            ([path]) => path.startsWith(`/data/${TOPIC}-${partition}/`) && path.endsWith('.log'),
          )
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([, bytes]) => bytes),
      ),
    );
    const [first] = contents;
    for (const [id, bytes] of contents.entries())
      if (first !== undefined && !bytes.equals(first))
        history.anomaly(
          `replicas differ: ${TOPIC}-${partition} on node0 (${first.length} bytes) and node${id} (${bytes.length})`,
        );
  }
}
