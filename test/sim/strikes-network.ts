/** What goes wrong between machines. */
import type { Strike } from './faults.ts';

const cut: Strike = ({ kind, later, node, note, random, world }) => {
  const other = random.pick(world.nodes);
  if (other === node) return;
  note(`to ${other.name}`);
  world.network.cut(node.name, other.name);
  if (kind === 'cut') world.network.cut(other.name, node.name);
  later(random.between(500, 12_000), () => world.network.heal());
};

const reset: Strike = ({ node, note, world }) => {
  note('loses its connections');
  world.network.reset(node.name);
};

const isolate: Strike = ({ later, node, note, process, random, world }) => {
  const ms = random.between(1000, 25_000);
  note(`for ${ms.toFixed(0)} ms`);
  for (const other of world.nodes) {
    if (other === node) continue;
    world.network.cut(node.name, other.name);
    world.network.cut(other.name, node.name);
  }
  world.kube.cut.add(process);
  later(ms, () => {
    world.network.heal();
    world.kube.heal(process);
  });
};

const slow: Strike = ({ later, note, random, world }) => {
  note('');
  world.network.slownessMs = random.between(5, 400);
  later(random.between(500, 8000), () => {
    world.network.slownessMs = 0;
  });
};

export const networkStrikes = { cut, cutOneWay: cut, reset, isolate, slow };
