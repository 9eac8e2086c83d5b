/**
 * End-of-transaction markers: written here for partitions that this broker leads, sent to other
 * brokers for theirs, again and again until every partition has its marker.
 */
import { codeOf, type ErrorName, errorName } from '../proto/kafka/errors.ts';
import { expectNoBug } from '../stdx/bug.ts';
import { type Clock, sleep } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';
import { OFFSETS_TOPIC } from './api/ports.ts';
import type { TransactionMarker } from './coordinator/txn-coordinator.ts';
import type { TopicPartition } from './coordinator/txn-records.ts';
import type { MetadataImage } from './metadata/image.ts';
import type { Partition } from './partition/partition.ts';
import type { MarkerMessage } from './replication/services.ts';

const RETRY_MS = 50;
const WRITE_TIMEOUT_MS = 8_000;
/** Markers that one call carries at most. */
const MARKERS_PER_CALL = 500;

export interface MarkersDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly selfId: number;
  readonly image: MetadataImage;
  readonly partition: (topic: string, partition: number) => Partition | null;
  readonly send: (id: number, markers: readonly MarkerMessage[]) => Promise<number[][]>;
  /** A marker is committed in a partition of __consumer_offsets. */
  readonly onOffsetsMarker: (partition: number, producerId: number, committed: boolean) => void;
}

interface Waiting {
  readonly marker: MarkerMessage;
  readonly done: (errors: readonly ErrorName[]) => void;
}

/** What goes to one broker: while a call is under way the next one fills up. */
interface Lane {
  waiting: Waiting[];
  busy: boolean;
}

export class Markers {
  private readonly deps: MarkersDeps;
  private readonly lanes = new Map<number, Lane>();

  constructor(deps: MarkersDeps) {
    this.deps = deps;
  }

  /** One error for each partition of each marker, once all of them are settled. */
  async writeHere(markers: readonly MarkerMessage[]): Promise<ErrorName[][]> {
    return Promise.all(
      markers.map((marker) =>
        Promise.all(marker.partitions.map((partition) => this.writeOne(marker, partition))),
      ),
    );
  }

  private writeOne(marker: MarkerMessage, of: TopicPartition): Promise<ErrorName> {
    const partition = this.deps.partition(of.topic, of.partition);
    if (partition === null) return Promise.resolve('NOT_LEADER_OR_FOLLOWER');
    return new Promise((resolve) => {
      partition.endTransaction(marker, WRITE_TIMEOUT_MS, ({ error }) => {
        if (error === 'NONE' && of.topic === OFFSETS_TOPIC)
          this.deps.onOffsetsMarker(of.partition, marker.producerId, marker.committed);
        resolve(error);
      });
    });
  }

  /** Resolves when all partitions have the marker; false where a newer coordinator was met. */
  async writeEverywhere(
    marker: TransactionMarker,
    partitions: readonly TopicPartition[],
    goOn: () => boolean,
  ): Promise<boolean> {
    let left = [...partitions];
    for (;;) {
      const byLeader = new Map<number, TopicPartition[]>();
      const leaderless: TopicPartition[] = [];
      for (const of of left) {
        const topic = this.deps.image.topic(of.topic);
        // A topic that was deleted meanwhile needs no marker.
        if (topic === null) continue;
        const id = topic.partitions[of.partition]?.leader?.id;
        if (id === undefined) leaderless.push(of);
        else byLeader.set(id, [...(byLeader.get(id) ?? []), of]);
      }
      const outcomes = await Promise.all(
        [...byLeader].map(async ([id, some]) => {
          const errors = await this.enqueue(id, { ...marker, partitions: some });
          return some.map((of, i) => ({ of, error: errors[i] ?? 'UNKNOWN_SERVER_ERROR' }));
        }),
      );
      left = leaderless;
      for (const { of, error } of outcomes.flat()) {
        if (error === 'NONE') continue;
        if (error === 'TRANSACTION_COORDINATOR_FENCED' || error === 'INVALID_PRODUCER_EPOCH') {
          this.deps.logger.warn('a transaction marker was refused for good', { ...of, error });
          return false;
        }
        left.push(of);
      }
      if (left.length === 0) return true;
      await sleep(this.deps.clock, RETRY_MS);
      if (!goOn()) return false;
    }
  }

  private enqueue(id: number, marker: MarkerMessage): Promise<readonly ErrorName[]> {
    let lane = this.lanes.get(id);
    if (lane === undefined) {
      lane = { waiting: [], busy: false };
      this.lanes.set(id, lane);
    }
    const mine = lane;
    return new Promise((done) => {
      mine.waiting.push({ marker, done });
      if (!mine.busy) void this.drain(id, mine);
    });
  }

  private async drain(id: number, lane: Lane): Promise<void> {
    lane.busy = true;
    // Everything of this turn goes out together.
    await Promise.resolve();
    while (lane.waiting.length > 0) {
      const some = lane.waiting.splice(0, MARKERS_PER_CALL);
      const markers = some.map(({ marker }) => marker);
      let results: ErrorName[][];
      try {
        results =
          id === this.deps.selfId
            ? await this.writeHere(markers)
            : (await this.deps.send(id, markers)).map((codes) => codes.map(errorName));
      } catch (cause) {
        expectNoBug('sending markers', cause);
        this.deps.logger.debug('markers could not be sent, trying again', { broker: id, cause });
        results = [];
      }
      for (const [i, { done }] of some.entries()) done(results[i] ?? []);
    }
    lane.busy = false;
  }
}

/** The answer of `writeHere` in wire form. */
export function errorCodes(results: readonly (readonly ErrorName[])[]): number[][] {
  return results.map((errors) => errors.map(codeOf));
}
