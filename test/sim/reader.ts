/** Consumers of one partition: what they read over and over again counts for the history. */
import { errorName } from '../../proto/kafka/errors.ts';
import {
  batch,
  batchesOf,
  batchFault,
  CONTROL_BIT,
  recordsOf,
  type StoredRecord,
  TRANSACTIONAL_BIT,
} from '../../proto/kafka/record-batch.ts';
import { SimClient } from './client.ts';
import type { History, SeenRecord } from './history.ts';
import { placeOf, type TopicShape } from './scene.ts';
import type { World } from './world.ts';

export interface Poll {
  readonly records: readonly SeenRecord[];
  /** Where to go on. */
  readonly next: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
}

const EARLIEST = -2;
/** How often a broker may say that an offset is out of range that is not: leaders change. */
const CONTRADICTIONS_MAX = 5;

/** What fetches need of a client. */
export abstract class FetchingClient extends SimClient {
  protected readonly history: History;
  private contradictions = 0;

  constructor(world: World, name: string, history: History) {
    super(world, name);
    this.history = history;
  }

  /** Null: not this time; a number: the log begins there by now. What is read counts for the history. */
  async poll(
    shape: TopicShape,
    partition: number,
    of: { offset: number; maxWaitMs: number; committed: boolean; topicId?: string },
  ): Promise<Poll | number | null> {
    const { committed, maxWaitMs, offset } = of;
    const leader = await this.leaderOf(shape.name, partition);
    if (leader === null) return null;
    const { host, topicId } = leader;
    // The topic of that name is another one by now: its offsets are others.
    if (of.topicId !== undefined && of.topicId !== topicId) return null;
    const { responses } = await this.ask(host, 'Fetch', 13, {
      maxWaitMs,
      minBytes: 1,
      maxBytes: 1 << 20,
      isolationLevel: committed ? 1 : 0,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        {
          topicId,
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
    const answer = responses[0]?.partitions[0];
    if (answer === undefined) return null;
    const place = placeOf(shape, topicId, partition);
    if (answer.errorCode !== 0) {
      if (errorName(answer.errorCode) !== 'OFFSET_OUT_OF_RANGE') return null;
      return this.history.isVoid(place) ? 0 : this.outOfRange(shape, partition, offset, host);
    }
    this.contradictions = 0;
    const bytes = (answer.records as unknown as Buffer | null) ?? Buffer.alloc(0);
    const aborted = committed ? (answer.abortedTransactions ?? []) : [];
    const found = visibleRecords(bytes, offset, aborted);
    if (found === null) {
      this.world.note(`${this.process.name} was given a damaged batch of ${place}/${offset}`);
      return null;
    }
    this.history.polled(
      this.process.name,
      place,
      { from: offset, committed, ...found },
      this.nowMs,
    );
    const { highWatermark, lastStableOffset } = answer;
    return { ...found, highWatermark, lastStableOffset };
  }

  /** An offset that was read up to is out of range only where records were deleted. */
  private async outOfRange(
    shape: TopicShape,
    partition: number,
    offset: number,
    host: string,
  ): Promise<number | null> {
    const start = shape.kind === 'trimmed' ? await this.startOf(shape, partition, host) : 0;
    if (start === null) return null;
    if (start > offset) return start;
    if (shape.kind !== 'trimmed' || ++this.contradictions > CONTRADICTIONS_MAX)
      this.history.anomaly(
        `${this.process.name} had read up to ${offset} of ${shape.name}-${partition}, and now that is out of range`,
      );
    return null;
  }

  /** Where the log begins; null: not this time. */
  async startOf(shape: TopicShape, partition: number, at?: string): Promise<number | null> {
    const host = at ?? (await this.leaderOf(shape.name, partition))?.host;
    if (host === undefined) return null;
    const { topics } = await this.ask(host, 'ListOffsets', 7, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [
        { name: shape.name, partitions: [{ partitionIndex: partition, timestamp: EARLIEST }] },
      ],
    });
    const answer = topics[0]?.partitions[0];
    return answer === undefined || answer.errorCode !== 0 ? null : answer.offset;
  }

  /** Everything from the beginning to the end; null where that cannot be read. */
  async readAll(
    shape: TopicShape,
    partition: number,
    committed: boolean,
  ): Promise<{ start: number; records: SeenRecord[] } | null> {
    const records: SeenRecord[] = [];
    let start: number | null = null;
    let offset = 0;
    for (let tries = 0; tries < 200; tries++) {
      start ??= await this.startOf(shape, partition).catch(() => null);
      offset = Math.max(offset, start ?? 0);
      const found =
        start === null
          ? null
          : await this.poll(shape, partition, { offset, maxWaitMs: 0, committed }).catch(
              () => null,
            );
      if (found === null || typeof found === 'number' || start === null) {
        // The log began to start later in between: what was read so far is not all of it any more.
        if (typeof found === 'number') {
          start = null;
          records.length = 0;
        }
        this.forget(shape.name, partition);
        await this.pause(50);
        continue;
      }
      records.push(...found.records);
      offset = found.next;
      const topicId = (await this.leaderOf(shape.name, partition))?.topicId ?? '';
      const end = this.history.of(placeOf(shape, topicId, partition)).knownEnd;
      // A new leader learns only by and by how far everything was committed.
      const known = committed ? found.lastStableOffset : found.highWatermark;
      if (offset >= known && offset >= end) return { start, records };
      if (found.records.length === 0) await this.pause(50);
    }
    return null;
  }
}

/** Null: a batch is damaged. Leaves out what was aborted, as every consumer does. */
function visibleRecords(
  bytes: Buffer,
  offset: number,
  aborted: readonly { producerId: number; firstOffset: number }[],
): { records: SeenRecord[]; next: number } | null {
  const waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const active = new Set<number>();
  const records: SeenRecord[] = [];
  let next = offset;
  for (const { at } of batchesOf(bytes)) {
    if (batchFault(bytes, at, bytes.length) !== null) return null;
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
        records.push({ offset: record.offset, value: nameOf(bytes, at, record) });
  }
  return { records, next };
}

/** A deletion is known by who wrote it and its sequence: it has no value that could say so. */
export const tombstone = (key: string, producerId: number, epoch: number, sequence: number) =>
  `${key}|†${producerId}/${epoch}/${sequence}`;

function nameOf(bytes: Buffer, at: number, { key, offset, value }: StoredRecord): string {
  if (key === null) return String(value);
  if (value !== null) return `${key}|${value}`;
  const sequence = batch.baseSequence(bytes, at) + offset - batch.baseOffset(bytes, at);
  const producerId = batch.producerId(bytes, at);
  return tombstone(String(key), producerId, batch.producerEpoch(bytes, at), sequence);
}

/** Reads one partition from the beginning, and goes on from where it is. */
export class SimReader extends FetchingClient {
  readonly shape: TopicShape;
  readonly partition: number;
  private readonly committed: boolean;
  private offset = 0;
  private topicId = '';

  constructor(
    world: World,
    name: string,
    of: { shape: TopicShape; partition: number; committed: boolean },
    history: History,
  ) {
    super(world, name, history);
    this.shape = of.shape;
    this.partition = of.partition;
    this.committed = of.committed;
  }

  protected override async live(): Promise<void> {
    const { committed, partition, shape } = this;
    while (!this.isOver) {
      await this.notice();
      const { offset, topicId } = this;
      const of = { offset, maxWaitMs: 300, committed, topicId };
      const found = await this.poll(shape, partition, of).catch(() => null);
      if (typeof found === 'number') {
        this.offset = found;
        continue;
      }
      if (found === null) {
        this.forget(shape.name, partition);
        await this.pause(this.random.between(50, 200));
        continue;
      }
      this.offset = found.next;
      // Once in a while from the beginning: what was there must be there still.
      if (this.random.chance(0.02)) this.offset = 0;
      await this.pause(this.random.between(20, 120));
    }
  }

  /** A topic that was made anew begins anew. */
  private async notice(): Promise<void> {
    const leader = await this.leaderOf(this.shape.name, this.partition).catch(() => null);
    if (leader === null || leader.topicId === this.topicId) return;
    this.topicId = leader.topicId;
    this.offset = 0;
  }
}
