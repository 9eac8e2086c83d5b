/** Every partition as it is in the end, read by a client and looked up in the files, and judged. */
import type { History, SeenRecord } from './history.ts';
import { Judge } from './judge.ts';
import { FetchingClient } from './reader.ts';
import { offsetsOnDisk } from './replicas.ts';
import { placeOf, type TopicShape } from './scene.ts';
import { judgeTrimmed } from './trimmed.ts';
import type { World } from './world.ts';

class FinalReader extends FetchingClient {}

export class FinalLogs {
  private readonly world: World;
  private readonly history: History;
  private readonly reader: FinalReader;
  /** Every value that a reader of committed records found. */
  readonly present = new Set<string>();

  constructor(world: World, history: History) {
    this.world = world;
    this.history = history;
    this.reader = new FinalReader(world, 'final', history);
  }

  async judgeAll(): Promise<void> {
    for (const shape of this.world.scene.topics)
      for (let partition = 0; partition < shape.partitions; partition++) {
        const topicId = this.world.topicIdOf(shape.name, partition);
        if (topicId !== null) await this.judge(shape, topicId, partition);
      }
  }

  private async judge(shape: TopicShape, topicId: string, partition: number): Promise<void> {
    const { history, world } = this;
    const place = placeOf(shape, topicId, partition);
    if (history.isVoid(place)) return;
    for (let tries = 0; tries < 5; tries++) {
      const before = offsetsOnDisk(world, shape.name, partition);
      const all = await this.read(shape, partition, false);
      const committed = await this.read(shape, partition, true);
      const after = await this.read(shape, partition, false);
      if (all === null || committed === null || after === null)
        return history.anomaly(`unreadable: ${place} cannot be read in the end`);
      // Something is being removed just now.
      if (after.records.length !== all.records.length || after.start !== all.start) continue;
      for (const { value } of committed.records) this.present.add(value);
      const { start } = after;
      const log = { kind: shape.kind, start, committed: committed.records, all: all.records };
      new Judge(history, place, log).run();
      const files = offsetsOnDisk(world, shape.name, partition);
      this.judgeDisk(place, after, { before, after: files });
      if (shape.kind === 'trimmed') judgeTrimmed(world, history, { shape, partition, start });
      return;
    }
    history.anomaly(`restless: ${place} never stays as it is`);
  }

  private async read(shape: TopicShape, partition: number, committed: boolean) {
    const what = `reading ${shape.name}-${partition}`;
    return this.world.done(this.reader.readAll(shape, partition, committed), what);
  }

  /** What a leader serves is what lies in its files, no more and no less. */
  private judgeDisk(
    place: string,
    { records, start }: { records: readonly SeenRecord[]; start: number },
    { after, before }: Record<'before' | 'after', ReadonlySet<number> | null>,
  ): void {
    if (before === null || after === null) return;
    const served = new Set(records.map(({ offset }) => offset));
    for (const offset of served)
      if (!before.has(offset))
        this.history.anomaly(`ghost: ${place}/${offset} is served and in no file of the leader`);
    for (const offset of after)
      if (offset >= start && !served.has(offset))
        this.history.anomaly(`unserved: ${place}/${offset} is in the files of the leader`);
  }
}
