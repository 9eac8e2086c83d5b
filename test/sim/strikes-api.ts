/** What goes wrong with the Kubernetes API. */
import type { Strike } from './faults.ts';

const apiCut: Strike = ({ later, note, process, random, world }) => {
  note('');
  world.kube.cut.add(process);
  later(random.between(500, 15_000), () => world.kube.heal(process));
};

const apiDown: Strike = ({ later, note, random, world }) => {
  if (world.kube.isDown) return;
  note('');
  world.kube.goDown();
  later(random.between(500, 20_000), () => world.kube.comeBack());
};

const watches: Strike = ({ note, process, world }) => {
  note('');
  world.kube.dropWatches(process);
};

/** It hears of everything, and seconds later than the others. */
const lateWatches: Strike = ({ later, note, process, random, world }) => {
  const ms = random.between(200, 5000);
  note(`by ${ms.toFixed(0)} ms`);
  world.kube.late.set(process, ms);
  later(random.between(1000, 10_000), () => world.kube.late.delete(process));
};

const conflicts: Strike = ({ later, note, random, world }) => {
  note('');
  world.kube.conflictChance = random.between(0.1, 0.7);
  later(random.between(500, 8000), () => {
    world.kube.conflictChance = 0;
  });
};

/** Its store is put back to what it was a while ago: what was written since is not known any more. */
const apiOlder: Strike = ({ faults, later, note, random, world }) => {
  const ms = random.between(300, 4000);
  const copy = world.kube.copy();
  later(ms, () => {
    if (faults.isOver) return;
    note(`is as it was ${ms.toFixed(0)} ms ago`);
    world.restoreApi(copy);
  });
};

/**
 * Everything that the store held is gone, under brokers that run, end or were stopped before; the manifests
 * are applied again, and the owner does as he is told.
 */
const apiLost: Strike = ({ faults, later, note, random, world }) => {
  if (faults.owner.isBusy || world.kube.isDown) return;
  const how = random.pick(['while they run', 'and they are killed', 'and they are stopped']);
  note(how);
  for (const node of world.nodes) {
    if (how.endsWith('killed')) world.kill(node);
    if (how.endsWith('stopped')) void world.stop(node);
  }
  later(how.endsWith('stopped') ? 3_000 : 0, () => {
    world.loseApi();
    world.note('ALL OBJECTS ARE GONE');
    later(random.between(0, 3_000), () => {
      world.makeObjects();
      world.note('MANIFESTS APPLIED');
      faults.owner.attend();
      for (const node of world.nodes)
        later(random.between(100, 3_000), () => {
          if (node.process?.alive !== true) world.start(node);
        });
    });
  });
};

export const apiStrikes = { apiCut, apiDown, watches, lateWatches, conflicts, apiOlder, apiLost };
