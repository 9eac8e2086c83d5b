/** What goes wrong with processes, and what people do with them. */
import type { Blow, Strike } from './faults.ts';
import { SimMover } from './mover.ts';

const kill: Strike = ({ back, node, note, random, world }) => {
  const ms = random.between(200, 8000);
  note(`back in ${ms.toFixed(0)} ms`);
  world.kill(node);
  back(ms);
};

const roll: Strike = ({ faults, note }) => {
  if (faults.operator.isRolling) return;
  note('the whole cluster');
  faults.operator.roll();
};

const move: Strike = ({ faults, note, number, random, world }) => {
  note('');
  const mover = new SimMover(world, `mover${number}`, random);
  faults.movers.push(mover);
  mover.start();
};

/** Starts it again some time after it has stopped. */
function backOnceStopped({ back, faults, later, process, random }: Blow): void {
  const ms = random.between(500, 4000);
  const look = () => {
    if (faults.isOver) return;
    if (!process.alive) back(ms);
    else later(500, look);
  };
  later(500, look);
}

const stop: Strike = (blow) => {
  blow.note('');
  void blow.world.stop(blow.node);
  backOnceStopped(blow);
};

/** Everybody stops in good order, and comes back. */
const stopAll: Strike = (blow) => {
  const { note, world } = blow;
  note('and all others');
  for (const node of world.nodes) {
    const { process } = node;
    if (process?.alive !== true) continue;
    void world.stop(node);
    backOnceStopped({
      ...blow,
      node,
      process,
      back: (ms) =>
        blow.later(ms, () => {
          if (!blow.faults.isOver && node.process?.alive !== true) world.start(node);
        }),
    });
  }
};

const pause: Strike = ({ later, note, process, random, world }) => {
  if (process.isStopped) return;
  const ms = random.chance(0.5) ? random.between(200, 3000) : random.between(3000, 20_000);
  note(`for ${ms.toFixed(0)} ms`);
  process.stop();
  later(ms, () => {
    if (process.isStopped) process.resume(world.scheduler);
  });
};

/** It gets a processor now and then: everything happens, and late. */
const starve: Strike = ({ faults, later, note, process, random, world }) => {
  if (process.isStopped) return;
  const endMs = world.scheduler.nowMs + random.between(3000, 12_000);
  const gapMs = random.pick([30, 150, 700]);
  note(`for ${(endMs - world.scheduler.nowMs).toFixed(0)} ms, a turn every ${gapMs} ms`);
  const gaps = random.fork();
  process.stop();
  const turn = () => {
    if (!process.alive) return;
    if (faults.isOver || world.scheduler.nowMs > endMs) {
      if (process.isStopped) process.resume(world.scheduler);
      return;
    }
    process.turn(world.scheduler);
    later(gaps.between(gapMs / 3, gapMs * 2), turn);
  };
  later(gaps.between(gapMs / 3, gapMs * 2), turn);
};

/**
 * A process stands still, its successor is started on the same folder, where no lock of the kernel can
 * tell it so (another node, a volume of the network), and then the first one wakes.
 */
const twin: Strike = ({ faults, later, node, note, process, random, world }) => {
  if (process.isStopped || !faults.mayLose(node)) return;
  // Nobody is given up and replaced within a second.
  const startMs = random.between(1200, 3000);
  const wakeMs = startMs + random.between(100, 6000);
  note(`has a successor after ${startMs.toFixed(0)} ms, and wakes after ${wakeMs.toFixed(0)} ms`);
  process.stop();
  later(startMs, () => {
    if (process.isStopped && node.process === process) world.startTwin(node);
  });
  later(wakeMs, () => {
    if (process.isStopped) process.resume(world.scheduler);
  });
};

export const processStrikes = { kill, roll, move, stop, stopAll, pause, starve, twin };
