/** What goes wrong in the simulated world, at random, several things at once. */
import { SimMover } from './mover.ts';
import { SimOperator } from './operator.ts';
import type { Random } from './random.ts';
import { type SimNode, TOPIC, type World } from './world.ts';

export const faultKinds = [
  'kill',
  'roll',
  'move',
  'power',
  'stop',
  'pause',
  'cut',
  'cutOneWay',
  'reset',
  'isolate',
  'apiCut',
  'apiDown',
  'watches',
  'conflicts',
  'slow',
  'disk',
  'slowDisk',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export class Faults {
  private readonly world: World;
  private readonly random: Random;
  readonly counts = new Map<FaultKind, number>();
  /** The node whose page cache was lost and that is not back in every ISR: no other may lose its own. */
  private recovering: { node: SimNode; brokerEpoch: number } | null = null;
  private isOver = false;
  private readonly kinds: readonly FaultKind[];
  private readonly skip: ReadonlySet<number>;
  private readonly operator: SimOperator;
  /** How many strikes there were, also those that were left out or found nothing to strike. */
  strikes = 0;
  /** Which of them did something. */
  readonly struck: number[] = [];

  /** `skip`: strikes that are left out, by number; the others stay what they are. */
  constructor(world: World, kinds: readonly FaultKind[], skip: ReadonlySet<number> = new Set()) {
    this.world = world;
    this.random = world.random.fork();
    this.kinds = kinds;
    this.skip = skip;
    this.operator = new SimOperator(world);
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
    return this.operator.isRolling || this.movers.some(({ isDone }) => !isDone);
  }
  private readonly movers: SimMover[] = [];

  /** Everything works again; nothing else is going to break. */
  end(): void {
    const { world } = this;
    this.isOver = true;
    world.isPeace = true;
    world.network.heal();
    world.kube.comeBack();
    world.kube.conflictChance = 0;
    for (const node of world.nodes) {
      const { process } = node;
      node.disk.fails = null;
      node.disk.stall = null;
      if (process !== null) {
        world.kube.heal(process);
        if (process.isStopped) process.resume(world.scheduler);
      }
    }
    for (const node of world.nodes) if (node.process?.alive !== true) world.start(node);
  }

  private strike(): void {
    const { world } = this;
    const random = this.random.fork();
    const number = this.strikes++;
    if (this.skip.has(number)) return;
    const kind = random.pick(this.kinds);
    const node = random.pick(world.nodes);
    const process = node.process;
    if (process?.alive !== true) return;
    const note = (text: string) => {
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
      this.struck.push(number);
      world.note(`FAULT #${number} ${kind} ${node.name} ${text}`);
    };
    const back = (ms: number) =>
      this.later(ms, () => {
        if (!this.isOver && node.process?.alive !== true) world.start(node);
      });
    switch (kind) {
      case 'kill': {
        const ms = random.between(200, 8000);
        note(`back in ${ms.toFixed(0)} ms`);
        world.kill(node);
        return back(ms);
      }
      case 'roll':
        if (this.operator.isRolling) return;
        note('the whole cluster');
        return this.operator.roll();
      case 'move':
        note('');
        this.movers.push(new SimMover(world, `mover${number}`, random));
        return this.movers.at(-1)?.start();
      case 'power': {
        if (!this.mayLosePower(node)) return;
        const ms = random.between(1000, 10_000);
        note(`back in ${ms.toFixed(0)} ms`);
        this.recovering = { node, brokerEpoch: world.brokerEpochOf(node) };
        world.losePower(node);
        return back(ms);
      }
      case 'stop': {
        note('');
        const { broker } = node;
        process.run(() => {
          void broker?.stop().then(() => {
            process.kill();
          });
        });
        const ms = random.between(500, 4000);
        const look = () => {
          if (this.isOver) return;
          if (!process.alive) back(ms);
          else this.later(500, look);
        };
        return this.later(500, look);
      }
      case 'pause': {
        if (process.isStopped) return;
        const ms = random.chance(0.5) ? random.between(200, 3000) : random.between(3000, 20_000);
        note(`for ${ms.toFixed(0)} ms`);
        process.stop();
        return this.later(ms, () => {
          if (process.isStopped) process.resume(world.scheduler);
        });
      }
      case 'cut':
      case 'cutOneWay': {
        const other = random.pick(world.nodes);
        if (other === node) return;
        note(`to ${other.name}`);
        world.network.cut(node.name, other.name);
        if (kind === 'cut') world.network.cut(other.name, node.name);
        return this.later(random.between(500, 12_000), () => world.network.heal());
      }
      case 'reset':
        note('loses its connections');
        return world.network.reset(node.name);
      case 'conflicts':
        note('');
        world.kube.conflictChance = random.between(0.1, 0.7);
        return this.later(random.between(500, 8000), () => {
          world.kube.conflictChance = 0;
        });
      case 'isolate': {
        const ms = random.between(1000, 25_000);
        note(`for ${ms.toFixed(0)} ms`);
        for (const other of world.nodes) {
          if (other === node) continue;
          world.network.cut(node.name, other.name);
          world.network.cut(other.name, node.name);
        }
        world.kube.cut.add(process);
        return this.later(ms, () => {
          world.network.heal();
          world.kube.heal(process);
        });
      }
      case 'apiCut':
        note('');
        world.kube.cut.add(process);
        return this.later(random.between(500, 15_000), () => world.kube.heal(process));
      case 'apiDown':
        if (world.kube.isDown) return;
        note('');
        world.kube.goDown();
        return this.later(random.between(500, 20_000), () => world.kube.comeBack());
      case 'watches':
        note('');
        return world.kube.dropWatches(process);
      case 'slow':
        note('');
        world.network.slownessMs = random.between(5, 400);
        return this.later(random.between(500, 8000), () => {
          world.network.slownessMs = 0;
        });
      case 'slowDisk': {
        note('');
        const waits = random.fork();
        node.disk.stall = () => {
          const writer = node.process;
          if (writer === null || writer.isStopped || !waits.chance(0.2)) return;
          // Writes hold the whole process up; what should have happened meanwhile happens late.
          writer.stop();
          this.later(waits.between(1, 150), () => writer.resume(world.scheduler));
        };
        return this.later(random.between(500, 8000), () => {
          node.disk.stall = null;
        });
      }
      case 'disk': {
        const fault = random.pick(['ENOSPC', 'EIO', 'torn'] as const);
        // Whose logs cannot be read when it starts again counts as one that lost them.
        if (fault !== 'ENOSPC') {
          if (!this.mayLosePower(node)) return;
          this.recovering = { node, brokerEpoch: world.brokerEpochOf(node) };
        }
        note(fault);
        node.disk.fails = fault;
        // The kubelet restarts a broker whose disk failed.
        return this.later(random.between(1000, 6000), () => {
          node.disk.fails = null;
        });
      }
    }
  }

  /** Two losses at once may lose data, and no promise is made against that. */
  private mayLosePower(node: SimNode): boolean {
    const lines = this.world.lines();
    if (this.recovering !== null) {
      const { brokerEpoch, node: lost } = this.recovering;
      const isBack = lines.every(
        ({ isr, replicas }) =>
          !replicas.includes(lost.id) ||
          isr.some(({ epoch, id }) => id === lost.id && epoch > brokerEpoch),
      );
      if (!isBack) return false;
    }
    if (!lines.some(({ topic }) => topic === TOPIC)) return false;
    return lines.every(({ isr }) => isr.some(({ id }) => id !== node.id));
  }
}
