/** A consumer of one partition that reads what is committed, over and over again. */
import { errorName } from '../../proto/kafka/errors.ts';
import {
  batch,
  batchesOf,
  CONTROL_BIT,
  recordsOf,
  TRANSACTIONAL_BIT,
} from '../../proto/kafka/record-batch.ts';
import { SimClient } from './client.ts';
import type { History } from './history.ts';
import type { World } from './world.ts';

export interface SeenRecord {
  readonly offset: number;
  readonly value: string;
}

export interface Poll {
  readonly records: readonly SeenRecord[];
  /** Where to go on. */
  readonly next: number;
  readonly lastStableOffset: number;
}

/** What fetches need of a client. */
export abstract class FetchingClient extends SimClient {
  protected readonly history: History;

  constructor(world: World, name: string, history: History) {
    super(world, name);
    this.history = history;
  }

  /** Null: not this time. What is read counts for the history. */
  async poll(partition: number, offset: number, maxWaitMs: number): Promise<Poll | null> {
    const host = await this.leaderOf(partition);
    if (host === null) return null;
    const { responses } = await this.ask(host, 'Fetch', 13, {
      maxWaitMs,
      minBytes: 1,
      maxBytes: 1 << 20,
      isolationLevel: 1,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        {
          topicId: this.topicId,
          partitions: [
            {
              partition,
              currentLeaderEpoch: -1,
              fetchOffset: offset,
              lastFetchedEpoch: -1,
              logStartOffset: -1,
              partitionMaxBytes: 1 << 20,
            },
          ],
        },
      ],
      forgottenTopicsData: [],
    });
    const of = responses[0]?.partitions[0];
    if (of === undefined) return null;
    if (of.errorCode !== 0) {
      if (errorName(of.errorCode) === 'OFFSET_OUT_OF_RANGE')
        this.history.anomaly(
          `${this.process.name} had read up to ${offset} of ${partition}, and now that is out of range`,
        );
      return null;
    }
    const bytes = (of.records as unknown as Buffer | null) ?? Buffer.alloc(0);
    const { next, records } = committedRecords(bytes, offset, of.abortedTransactions ?? []);
    this.history.polled(this.process.name, partition, { from: offset, next, records }, this.nowMs);
    return { records, next, lastStableOffset: of.lastStableOffset };
  }
}

/** Leaves out what belongs to transactions that were aborted, as every consumer does. */
function committedRecords(
  bytes: Buffer,
  offset: number,
  aborted: readonly { producerId: number; firstOffset: number }[],
): { records: SeenRecord[]; next: number } {
  const waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const active = new Set<number>();
  const records: SeenRecord[] = [];
  let next = offset;
  for (const { at } of batchesOf(bytes)) {
    const last = batch.lastOffset(bytes, at);
    next = Math.max(next, last + 1);
    while (waiting.length > 0 && (waiting[0]?.firstOffset ?? 0) <= last)
      active.add(waiting.shift()?.producerId ?? -1);
    const attributes = batch.attributes(bytes, at);
    const producerId = batch.producerId(bytes, at);
    if (attributes & CONTROL_BIT) {
      for (const { key } of recordsOf(bytes, at)) {
        const isAbort = (key as Buffer).readInt16BE(2) === 0;
        if (isAbort) active.delete(producerId);
      }
      continue;
    }
    if (attributes & TRANSACTIONAL_BIT && active.has(producerId)) continue;
    for (const record of recordsOf(bytes, at))
      if (record.offset >= offset)
        records.push({ offset: record.offset, value: String(record.value) });
  }
  return { records, next };
}

/** Reads one partition from the beginning, and goes on from where it is. */
export class SimReader extends FetchingClient {
  readonly partition: number;
  private offset = 0;

  constructor(world: World, name: string, partition: number, history: History) {
    super(world, name, history);
    this.partition = partition;
  }

  protected override async live(): Promise<void> {
    while (!this.isOver) {
      const found = await this.poll(this.partition, this.offset, 300).catch(() => null);
      if (found === null) {
        this.forget(this.partition);
        await this.pause(this.random.between(50, 200));
        continue;
      }
      this.offset = found.next;
      // Once in a while from the beginning: what was there must be there still.
      if (this.random.chance(0.02)) this.offset = 0;
      await this.pause(this.random.between(20, 120));
    }
  }

  /** Everything that is committed; null where that cannot be read. */
  async readAll(): Promise<SeenRecord[] | null> {
    const records: SeenRecord[] = [];
    const end = this.history.knownEnd(this.partition);
    let offset = 0;
    for (let tries = 0; tries < 200; tries++) {
      const found = await this.poll(this.partition, offset, 0).catch(() => null);
      if (found === null) {
        this.forget(this.partition);
        await this.pause(50);
        continue;
      }
      records.push(...found.records);
      offset = found.next;
      if (offset >= found.lastStableOffset && offset >= end) return records;
      // A new leader learns only by and by how far everything was committed.
      if (found.records.length === 0) await this.pause(50);
    }
    return records.length > 0 ? records : null;
  }
}
