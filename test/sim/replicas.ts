/** What lies in the files of replicas, looked at without asking a broker. */
import {
  batch,
  batchesOf,
  batchFault,
  CONTROL_BIT,
  recordsOf,
} from '../../proto/kafka/record-batch.ts';
import type { History } from './history.ts';
import { placeOf } from './scene.ts';
import type { SimNode, World } from './world.ts';

function logFiles({ disk }: SimNode, topic: string, partition: number): Buffer {
  const folder = `${topic}-${partition}`;
  const paths = disk.paths.filter(
    (path) => path.split('/').at(-2) === folder && path.endsWith('.log'),
  );
  // A broker has two directories: by the name of the file, which is its first offset.
  const name = (path: string) => path.slice(path.lastIndexOf('/'));
  paths.sort((a, b) => (name(a) < name(b) ? -1 : 1));
  return Buffer.concat(paths.map((path) => disk.contentOf(path) ?? Buffer.alloc(0)));
}

/** Everything in the files of the leader; null where nobody leads. */
export function leaderFiles(world: World, topic: string, partition: number): Buffer | null {
  const line = world.lines().find((one) => one.topic === topic && one.partition === partition);
  const node = world.nodes[line?.leader?.id ?? -1];
  return node === undefined ? null : logFiles(node, topic, partition);
}

/** Offsets of records in the leader's files; null where nobody leads. */
export function offsetsOnDisk(world: World, topic: string, partition: number): Set<number> | null {
  const bytes = leaderFiles(world, topic, partition);
  if (bytes === null) return null;
  const offsets = new Set<number>();
  for (const { at } of batchesOf(bytes)) {
    if (batch.attributes(bytes, at) & CONTROL_BIT) continue;
    for (const { offset } of recordsOf(bytes, at)) offsets.add(offset);
  }
  return offsets;
}

/** After peace all replicas hold the same bytes, from where all of them begin: what is not so. */
export function differences(world: World, history: History): string[] {
  const found: string[] = [];
  for (const { partition, replicas, topic } of world.lines()) {
    const shape = world.scene.topics.find(({ name }) => name === topic);
    // Each replica is compacted by itself; brokers' own topics are as well.
    if (shape === undefined || shape.kind === 'compacted') continue;
    const contents = replicas
      .map((id) => logFiles(world.nodes[id] as SimNode, topic, partition))
      // Clocks run apart: what one replica had to delete for its age, another one may have still.
      .filter((bytes) => shape.kind !== 'trimmed' || bytes.length > 0);
    const { startSeen } = history.of(placeOf(shape, '', partition));
    const begins = contents.map((bytes) => (bytes.length > 0 ? batch.baseOffset(bytes) : 0));
    const from = shape.kind === 'trimmed' ? Math.max(startSeen, ...begins) : 0;
    const [first, ...others] = contents.map((bytes) => tailFrom(bytes, from));
    for (const [i, bytes] of others.entries())
      if (first !== undefined && !bytes.equals(first))
        found.push(
          `replicas differ: ${topic}-${partition} in replicas ${replicas.join()}: one has ${first.length} bytes from ${from} on, the ${i + 2}th ${bytes.length}`,
        );
  }
  return found;
}

/** Batches in the logs of replicas that are not what was written. */
export function damages(world: World): string[] {
  const found: string[] = [];
  for (const { partition, replicas, topic } of world.lines())
    for (const id of replicas) {
      const bytes = logFiles(world.nodes[id] as SimNode, topic, partition);
      let at = 0;
      while (at < bytes.length && batchFault(bytes, at, bytes.length) === null)
        at += batch.byteCount(bytes, at);
      if (at < bytes.length)
        found.push(`damaged: ${topic}-${partition} on node${id} at ${at} of ${bytes.length} bytes`);
    }
  return found;
}

function tailFrom(bytes: Buffer, offset: number): Buffer {
  for (const { at } of batchesOf(bytes))
    if (batch.baseOffset(bytes, at) >= offset) return bytes.subarray(at);
  return Buffer.alloc(0);
}
