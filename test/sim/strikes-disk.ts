/** What goes wrong with disks. */
import type { Blow, Strike } from './faults.ts';
import type { Random } from './random.ts';
import { DATA_FOLDERS } from './world.ts';

const power: Strike = ({ back, faults, node, note, random, world }) => {
  if (!faults.mayLose(node)) return;
  const ms = random.between(1000, 10_000);
  note(`back in ${ms.toFixed(0)} ms`);
  world.losePower(node);
  back(ms);
};

const slowDisk: Strike = ({ later, node, note, random, world }) => {
  note('');
  const waits = random.fork();
  node.disk.stall = () => {
    const writer = node.process;
    if (writer === null || writer.isStopped || !waits.chance(0.2)) return;
    // Writes hold the whole process up; what should have happened meanwhile happens late.
    writer.stop();
    later(waits.between(1, 150), () => writer.resume(world.scheduler));
  };
  later(random.between(500, 8000), () => {
    node.disk.stall = null;
  });
};

/**
 * Writes succeed again; who has a failed log directory from before is started again by somebody. Who was
 * only full needs nobody for that.
 */
function repairLater({ back, faults, later, node, random, world }: Blow, afterMs: number): void {
  later(afterMs, () => {
    if (faults.isOver) return;
    const wasFull = node.disk.fails === 'ENOSPC';
    node.disk.heal();
    if (!world.needsRestart(node) || (wasFull && random.chance(0.6))) return;
    const ms = random.between(200, 2000);
    if (random.chance(0.5)) void world.stop(node).then(() => back(ms));
    else {
      world.kill(node);
      back(ms);
    }
  });
}

const disk: Strike = (blow) => {
  const { faults, node, note, random } = blow;
  const fault = random.pick(['ENOSPC', 'EIO', 'torn'] as const);
  // One volume, or what all of them depend on.
  const volume = random.pick([...DATA_FOLDERS, null]);
  // Whose logs cannot be read when it starts again counts as one that lost them.
  if (fault !== 'ENOSPC' && !faults.mayLose(node)) return;
  note(`${fault} ${volume ?? 'everywhere'}`);
  node.disk.fails = fault;
  if (volume !== null) node.disk.failsAt = (path) => path.startsWith(`${volume}/`);
  repairLater(blow, random.between(1000, 6000));
};

/** There is no room left in the midst of a compaction. */
const fullCompaction: Strike = (blow) => {
  const { node, note, random } = blow;
  note('ENOSPC');
  node.disk.fails = 'ENOSPC';
  node.disk.failsAt = (path) => path.endsWith('.cleaned') || path.endsWith('.swap');
  repairLater(blow, random.between(1000, 6000));
};

/** The volume is replaced by a copy of what it was a while ago. */
const restore: Strike = ({ back, faults, later, node, note, random, world }) => {
  const copy = node.disk.image(random.fork());
  const ms = random.between(300, 4000);
  later(ms, () => {
    const { process } = node;
    if (faults.isOver || process?.alive !== true || !faults.mayLose(node)) return;
    note(`is as it was ${ms.toFixed(0)} ms ago`);
    const replace = () => {
      process.kill();
      node.boot++;
      node.disk.replaceBy(copy);
      back(random.between(300, 3000));
    };
    if (random.chance(0.5)) replace();
    else void world.stop(node).then(replace);
  });
};

/** A log as often as anything else; of everything else, a file of one kind as likely as of any other. */
function someFile(paths: readonly string[], random: Random): string | null {
  const logs = paths.filter((path) => path.endsWith('.log'));
  if (logs.length > 0 && random.chance(0.5)) return random.pick(logs);
  const kindOf = (path: string) => path.slice(path.lastIndexOf('.'));
  const kinds = [...new Set(paths.map(kindOf))].sort();
  if (kinds.length === 0) return null;
  const kind = random.pick(kinds);
  return random.pick(paths.filter((path) => kindOf(path) === kind));
}

/** A bit flips in one of its files, whichever it is. */
const flip: Strike = ({ back, faults, node, note, random, world }) => {
  if (!world.scene.scrubs) return;
  const path = someFile(node.disk.paths, random);
  const bitCount = (node.disk.contentOf(path ?? '')?.length ?? 0) * 8;
  if (path === null || bitCount === 0 || !faults.mayDamage(node)) return;
  const bit = random.below(bitCount);
  note(`${path} bit ${bit}`);
  node.disk.flipBit(path, bit);
  // Now and then it is found by a start.
  if (!random.chance(0.4)) return;
  world.kill(node);
  back(random.between(200, 2000));
};

const INVENTORY = 'tenure-logs.json';

/** What an orderly stop noted is torn, or has a bit that is another one. */
const inventory: Strike = ({ back, faults, node, note, random, world }) => {
  if (!faults.mayDamage(node)) return;
  note('');
  void world.stop(node).then(() => {
    const path = node.disk.paths.find((one) => one.endsWith(`/${INVENTORY}`));
    const content = path === undefined ? null : node.disk.contentOf(path);
    if (path !== undefined && content !== null && content.length > 0) {
      if (random.chance(0.3)) node.disk.cut(path, random.below(content.length));
      else node.disk.flipBit(path, random.below(content.length * 8));
    }
    back(random.between(200, 2000));
  });
};

export const diskStrikes = { power, slowDisk, disk, fullCompaction, restore, flip, inventory };
