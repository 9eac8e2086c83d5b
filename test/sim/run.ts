/** One seed from beginning to end: a cluster, clients, faults, peace, and the verdict. */
import { type FaultKind, Faults, faultKinds } from './faults.ts';
import { History } from './history.ts';
import { SimMember } from './member.ts';
import { SimProducer } from './producer.ts';
import { SimReader } from './reader.ts';
import { SimTransactor } from './transactor.ts';
import { TOPIC, World } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  /** How long faults go on, in simulated time. */
  readonly minutes: number;
  readonly kinds?: readonly FaultKind[];
  /** Strikes to leave out, by number. */
  readonly skip?: ReadonlySet<number>;
}

export interface Verdict {
  readonly seed: number;
  readonly anomalies: readonly string[];
  readonly counts: History['counts'];
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** The numbers of the strikes that did something. */
  readonly struck: readonly number[];
  readonly longestGapMs: number;
  readonly events: number;
  readonly simulatedMs: number;
  /** What the world wrote down, the last part of it. */
  readonly log: readonly string[];
}

const PARTITIONS = 3;
const PRODUCERS = 2;
const TRANSACTORS = 2;
const MEMBERS = 2;
const SETTLE_MS = 60_000;
const SETTLE_STEP_MS = 250;

export async function runSeed(options: RunOptions): Promise<Verdict> {
  const { kinds = faultKinds, minutes, seed, skip } = options;
  using world = new World({
    seed,
    // With a broker more than replicas, partitions have somewhere to move to.
    brokers: seed % 2 === 0 ? 4 : 3,
    partitions: PARTITIONS,
    config: {
      'min.insync.replicas': 2,
      'offsets.topic.num.partitions': 1,
      'transaction.state.log.num.partitions': 1,
    },
  });
  const history = new History();
  for (const node of world.nodes) world.start(node);
  for (let i = 0; i < 50 && world.lines().length < PARTITIONS; i++) await world.run(200);
  const make = <T>(count: number, one: (i: number) => T) =>
    Array.from({ length: count }, (_, i) => one(i));
  const writers = [
    ...make(PRODUCERS, (i) => new SimProducer(world, `p${i}`, history)),
    ...make(TRANSACTORS, (i) => new SimTransactor(world, `x${i}`, history)),
  ];
  const readers = make(PARTITIONS, (i) => new SimReader(world, `r${i}`, i, history));
  const members = make(MEMBERS, (i) => new SimMember(world, `m${i}`, history));
  const clients = [...writers, ...readers, ...members];
  for (const client of clients) client.start();
  await world.run(700);
  const faults = new Faults(world, kinds, skip);
  faults.start();
  await world.run(minutes * 60_000);
  faults.end();
  world.note('PEACE');
  await settle(world, history, faults);
  for (const client of clients) client.isOver = true;
  // Whoever waits for an answer gets one.
  for (let i = 0; i < 240 && history.hasOpen; i++) await world.run(250);
  // What was asked for just before peace may have begun only then.
  await settle(world, history, faults);
  // Followers hear of the last high watermark as well.
  await world.run(700);
  for (const operation of history.operations)
    if (operation.outcome === 'open')
      history.anomaly(
        `stuck: ${operation.values.join()} in ${operation.partition} was never answered (${operation.error})`,
      );
  for (const reader of readers) {
    const final = await untilDone(world, reader.readAll());
    if (final === null)
      history.anomaly(`unreadable: partition ${reader.partition} cannot be read in the end`);
    else history.judge(reader.partition, final);
  }
  history.judgeTransactions();
  const [member] = members;
  if (member !== undefined) await untilDone(world, member.checkCommits());
  compareReplicas(world, history);
  for (const bug of world.bugs.slice(0, 5)) history.anomaly(`bug: ${bug}`);
  return {
    seed,
    anomalies: history.anomalies,
    counts: history.counts,
    faults: faults.counts,
    struck: faults.struck,
    longestGapMs: history.longestGapMs,
    events: world.scheduler.events,
    simulatedMs: world.scheduler.nowMs,
    log: world.log,
  };
}

/** In the end every partition has a leader and every replica is in sync, however bad it was. */
async function settle(world: World, history: History, faults: Faults): Promise<void> {
  for (let waitedMs = 0; waitedMs < SETTLE_MS; waitedMs += SETTLE_STEP_MS) {
    await world.run(SETTLE_STEP_MS);
    const lines = world.lines().filter(({ topic }) => topic === TOPIC);
    const whole = lines.every(
      ({ adding, isr, leader, replicas }) =>
        leader !== null && isr.length === replicas.length && adding.length === 0,
    );
    if (whole && !faults.isBusy && lines.length === PARTITIONS) return;
  }
  for (const { isr, leader, partition, replicas, topic } of world.lines())
    if (leader === null || isr.length < replicas.length)
      history.anomaly(
        `not healed: ${topic}-${partition} has leader ${leader?.id ?? 'none'} and ISR ${isr.map(({ id }) => id).join()}`,
      );
}

/** Drives the world until that is known; null where it never is. */
async function untilDone<T>(world: World, result: Promise<T>): Promise<T | null> {
  let done: { value: T | null } | null = null;
  void result.then(
    (value) => (done = { value }),
    () => (done = { value: null }),
  );
  for (let i = 0; i < 250 && done === null; i++) await world.run(200);
  return (done as { value: T | null } | null)?.value ?? null;
}

/** After peace all replicas hold the same bytes. */
function compareReplicas(world: World, history: History): void {
  for (const { partition, replicas, topic } of world.lines()) {
    if (topic !== TOPIC) continue;
    const contents = replicas.map((id) =>
      Buffer.concat(
        [...(world.nodes[id]?.disk.files ?? [])]
          .filter(
            ([path]) => path.split('/').at(-2) === `${TOPIC}-${partition}` && path.endsWith('.log'),
          )
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([, bytes]) => bytes),
      ),
    );
    const [first] = contents;
    for (const [i, bytes] of contents.entries())
      if (first !== undefined && !bytes.equals(first))
        history.anomaly(
          `replicas differ: ${TOPIC}-${partition} on node${replicas[0]} (${first.length} bytes) and node${replicas[i]} (${bytes.length})`,
        );
  }
}
