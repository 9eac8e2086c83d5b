/** What must hold of a log whose beginning was deleted: all that had to go is gone, and nothing else. */
import { batch, batchesOf } from '../../proto/kafka/record-batch.ts';
import type { History } from './history.ts';
import { leaderFiles } from './replicas.ts';
import { placeOf, RETENTION_BYTES, RETENTION_MS, type TopicShape } from './scene.ts';
import type { World } from './world.ts';

/** How far clocks of brokers are ahead of producers', and some. */
const SKEW_MS = 4_000;

export function judgeTrimmed(
  world: World,
  history: History,
  of: { shape: TopicShape; partition: number; start: number },
): void {
  const { partition, shape, start } = of;
  const place = history.of(placeOf(shape, '', partition));
  if (world.scene.deletionsLast && start < place.deletedTold)
    history.anomaly(
      `undeleted: ${place.name} begins at ${start}, and was to begin at ${place.deletedTold}`,
    );
  // What goes for its age or size, each replica lets go by itself.
  if (shape.config['retention.ms'] === -1 && start < place.startSeen)
    history.anomaly(
      `the log start goes back: ${place.name} began at ${place.startSeen}, and begins at ${start}`,
    );
  place.startSeen = Math.max(start, place.startSeen);
  if (start <= place.deletedAsked) return;
  const why = shape.config;
  const bytes = leaderFiles(world, shape.name, partition);
  if (bytes === null) return;
  let keptBytes = 0;
  for (const { at, end } of batchesOf(bytes))
    if (batch.lastOffset(bytes, at) >= start) keptBytes += end - at;
  if (why['retention.bytes'] === RETENTION_BYTES && keptBytes < RETENTION_BYTES - 1024)
    history.anomaly(`deleted too early: ${place.name} begins at ${start}, with ${keptBytes} bytes`);
  const youngest = place.operations.findLast(
    ({ baseOffset, outcome }) => outcome === 'acked' && baseOffset >= 0 && baseOffset < start,
  );
  const ageMs = world.scheduler.nowMs - (youngest?.beganMs ?? -Infinity);
  if (why['retention.ms'] === RETENTION_MS && ageMs < RETENTION_MS - SKEW_MS)
    history.anomaly(
      `deleted too early: ${youngest?.values.join()} of ${place.name} is ${ageMs} ms old`,
    );
  if (why['retention.ms'] === -1)
    history.anomaly(
      `deleted unasked: ${place.name} begins at ${start}, nobody asked for more than ${place.deletedAsked}`,
    );
}
