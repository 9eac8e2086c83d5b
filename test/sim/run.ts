/** One seed from beginning to end: a cluster, clients, faults, peace, and the verdict. */
import { SimRecreator, SimTrimmer } from './admin.ts';
import type { SimClient } from './client.ts';
import { defaultFeatures, defaultKinds } from './defaults.ts';
import type { FaultKind } from './fault-kinds.ts';
import { Faults } from './faults.ts';
import { Finale } from './finale.ts';
import { History } from './history.ts';
import { SimMember } from './member.ts';
import { SimProducer } from './producer.ts';
import { SimReader } from './reader.ts';
import { type Feature, sceneOf, type TopicShape } from './scene.ts';
import { SimTransactor } from './transactor.ts';
import { World } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  /** How long faults go on, in simulated time. */
  readonly minutes: number;
  readonly kinds?: readonly FaultKind[];
  readonly features?: readonly Feature[];
  /** Strikes to leave out, by number. */
  readonly skip?: ReadonlySet<number>;
}

export interface Verdict {
  readonly seed: number;
  readonly anomalies: readonly string[];
  readonly counts: History['counts'] & World['counts'];
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** The numbers of the strikes that did something. */
  readonly struck: readonly number[];
  readonly longestGapMs: number;
  readonly events: number;
  readonly simulatedMs: number;
  /** What the world wrote down, the last part of it. */
  readonly log: readonly string[];
}

const TRANSACTORS = 2;
const MEMBERS = 2;

export async function runSeed(options: RunOptions): Promise<Verdict> {
  const { features = defaultFeatures, kinds = defaultKinds, minutes, seed, skip } = options;
  const scene = sceneOf(seed, features);
  using world = new World({ seed, scene });
  const history = new History();
  world.onApiRestored = () => history.forgetPassing();
  for (const node of world.nodes) world.start(node);
  const lasting = scene.topics.filter(({ kind }) => kind !== 'passing');
  const wanted = lasting.reduce((sum, { partitions }) => sum + partitions, 0);
  for (let i = 0; i < 50 && world.lines().length < wanted; i++) await world.run(200);
  const clients = [
    ...scene.topics.flatMap((shape) => clientsOf(world, shape, history)),
    ...make(TRANSACTORS, (i) => new SimTransactor(world, `x${i}`, lasting, history)),
    ...make(MEMBERS, (i) => new SimMember(world, `m${i}`, history)),
  ];
  for (const client of clients) client.start();
  await world.run(700);
  const faults = new Faults(world, kinds, skip);
  faults.start();
  await world.run(minutes * 60_000);
  faults.end();
  world.note('PEACE');
  await new Finale(world, history, faults, clients).run();
  for (const bug of world.bugs.slice(0, 5)) history.anomaly(`bug: ${bug}`);
  return {
    seed,
    anomalies: history.anomalies,
    counts: { ...history.counts, ...world.counts },
    faults: faults.counts,
    struck: faults.struck,
    longestGapMs: history.longestGapMs,
    events: world.scheduler.events,
    simulatedMs: world.scheduler.nowMs,
    log: world.log,
  };
}

const make = <T>(count: number, one: (i: number) => T) =>
  Array.from({ length: count }, (_, i) => one(i));

function clientsOf(world: World, shape: TopicShape, history: History): SimClient[] {
  const { kind, name, partitions } = shape;
  const producers = make(
    kind === 'plain' ? 2 : 1,
    (i) => new SimProducer(world, `p${i}${name}`, shape, history),
  );
  const readers = make(
    partitions,
    (partition) =>
      new SimReader(world, `r${name}${partition}`, { shape, partition, committed: true }, history),
  );
  const all = new SimReader(world, `u${name}0`, { shape, partition: 0, committed: false }, history);
  const admins =
    kind === 'trimmed'
      ? [new SimTrimmer(world, 'trimmer', shape, history)]
      : kind === 'passing'
        ? [new SimRecreator(world, 'recreator', shape, history)]
        : [];
  return [...producers, ...readers, all, ...admins];
}
