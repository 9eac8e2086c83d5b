/** Things go wrong at random, several at once, within what is promised. */
import { type FaultKind, faultKinds } from './fault-kinds.ts';
import type { SimMover } from './mover.ts';
import { SimOperator } from './operator.ts';
import { SimOwner } from './owner.ts';
import type { Random } from './random.ts';
import type { Process } from './scheduler.ts';
import { apiStrikes } from './strikes-api.ts';
import { diskStrikes } from './strikes-disk.ts';
import { networkStrikes } from './strikes-network.ts';
import { processStrikes } from './strikes-process.ts';
import type { SimNode, World } from './world.ts';

/** One strike: whom it meets, and what it may use. */
export interface Blow {
  readonly world: World;
  readonly faults: Faults;
  readonly kind: FaultKind;
  readonly number: number;
  readonly node: SimNode;
  readonly process: Process;
  readonly random: Random;
  /** It does something: it is counted, and stands in the log. */
  readonly note: (text: string) => void;
  readonly later: (ms: number, run: () => void) => void;
  /** Starts the broker again after a while, if it does not run. */
  readonly back: (ms: number) => void;
}
export type Strike = (blow: Blow) => void;

const strikes: Readonly<Record<FaultKind, Strike>> = {
  ...processStrikes,
  ...networkStrikes,
  ...apiStrikes,
  ...diskStrikes,
};

export class Faults {
  private readonly world: World;
  private readonly random: Random;
  readonly counts = new Map<FaultKind, number>(faultKinds.map((kind) => [kind, 0]));
  isOver = false;
  private readonly kinds: readonly FaultKind[];
  private readonly skip: ReadonlySet<number>;
  readonly operator: SimOperator;
  readonly owner: SimOwner;
  readonly movers: SimMover[] = [];
  /** Says when the node that lost something is back in every ISR: until then no other may. */
  private isBack: (() => boolean) | null = null;
  /** Whose files may be damaged, from then on until the end. */
  private damaged: SimNode | null = null;
  /** How many strikes there were, also those that were left out or found nothing to strike. */
  private strikeCount = 0;
  /** Which of them did something. */
  readonly struck: number[] = [];

  /** `skip`: strikes that are left out, by number; the others stay what they are. */
  constructor(world: World, kinds: readonly FaultKind[], skip: ReadonlySet<number> = new Set()) {
    this.world = world;
    this.random = world.random.fork();
    this.kinds = kinds;
    this.skip = skip;
    this.operator = new SimOperator(world);
    this.owner = new SimOwner(world);
  }

  start(): void {
    const next = () => {
      if (this.isOver) return;
      this.strike();
      this.later(this.random.between(100, 2000), next);
    };
    this.later(this.random.between(100, 1000), next);
  }

  private later(ms: number, run: () => void): void {
    this.world.scheduler.after(ms, null, run);
  }

  /** Whether somebody is still at something that he began before. */
  get isBusy(): boolean {
    return (
      this.operator.isRolling || this.owner.isBusy || this.movers.some(({ isDone }) => !isDone)
    );
  }

  /** Everything works again; nothing else is going to break. */
  end(): void {
    const { world } = this;
    this.isOver = true;
    world.isPeace = true;
    world.network.heal();
    world.kube.comeBack();
    world.kube.conflictChance = 0;
    world.kube.late.clear();
    for (const node of world.nodes) {
      node.disk.heal();
      for (const process of [node.process, ...node.twins]) {
        if (process === null) continue;
        world.kube.heal(process);
        if (process.isStopped) process.resume(world.scheduler);
      }
    }
    for (const node of world.nodes) {
      if (world.needsRestart(node)) world.kill(node);
      if (node.process?.alive !== true) world.start(node);
    }
  }

  private strike(): void {
    const { world } = this;
    const random = this.random.fork();
    const number = this.strikeCount++;
    if (this.skip.has(number)) return;
    const kind = random.pick(this.kinds);
    const node = random.pick(world.nodes);
    const { process } = node;
    if (process?.alive !== true) return;
    strikes[kind]({
      world,
      faults: this,
      kind,
      number,
      node,
      process,
      random,
      note: (text) => {
        this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
        this.struck.push(number);
        world.note(`FAULT #${number} ${kind} ${node.name} ${text}`);
      },
      later: (ms, run) => this.later(ms, run),
      back: (ms) =>
        this.later(ms, () => {
          if (!this.isOver && node.process?.alive !== true) world.start(node);
        }),
    });
  }

  /**
   * Two losses at once may lose data, and no promise is made against that: claims the next one for the
   * node, if the last one is made good.
   */
  mayLose(node: SimNode): boolean {
    const { world } = this;
    if (this.damaged !== null && this.damaged !== node) return false;
    if (this.isBack !== null && !this.isBack()) return false;
    const lines = world.lines();
    if (!world.scene.topics.some(({ name }) => lines.some(({ topic }) => topic === name)))
      return false;
    if (!lines.every(({ isr }) => isr.some(({ id }) => id !== node.id))) return false;
    const brokerEpoch = world.brokerEpochOf(node);
    this.isBack = () =>
      world
        .lines()
        .every(
          ({ isr, replicas }) =>
            !replicas.includes(node.id) ||
            isr.some(({ epoch, id }) => id === node.id && epoch > brokerEpoch),
        );
    return true;
  }

  /** Files of the node are damaged from now on, and nobody can say when that is made good. */
  mayDamage(node: SimNode): boolean {
    if (!this.mayLose(node)) return false;
    this.damaged = node;
    return true;
  }
}
