/**
 * ListOffsets (2). v4 leader epochs; special timestamps: -1 latest, -2 earliest, -3 the record
 * with the largest timestamp (KIP-734), -4 earliest local (KIP-405; nothing is tiered here),
 * -5 latest tiered, -6 earliest pending upload: both none.
 */

import { MalformedMessage } from '../../proto/kafka/cursor.ts';
import { codeOf, type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import {
  listOffsetsRequest,
  listOffsetsResponse,
} from '../../proto/kafka/messages/02-list-offsets.ts';
import { batch, batchesOf, recordsOf } from '../../proto/kafka/record-batch.ts';
import { mapSomeAtOnce, Pace } from '../../stdx/loop-share.ts';
import type { Partition } from '../partition/partition.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';
import { namedOnce } from './repeats.ts';

interface Found {
  readonly timestamp: number;
  readonly offset: number;
  readonly leaderEpoch: number;
}
const NONE: Found = { timestamp: -1, offset: -1, leaderEpoch: -1 };
const READ_BYTES = 1024 * 1024;

/** The first record at or after the timestamp. */
export async function byTimestamp(
  partition: Partition,
  timestampMs: number,
  endOffset: number,
): Promise<Found> {
  const { log } = partition;
  const hint = partition.ask((of) => of.segmentForTimestamp(timestampMs));
  if (hint === null) return NONE;
  let offset = hint.readFrom;
  while (offset < endOffset) {
    const { buffers } = await partition.readCopy({
      offset,
      bytesMax: READ_BYTES,
      endOffset,
      atLeastOne: true,
    });
    if (buffers.length === 0) return NONE;
    for (const bytes of buffers) {
      for (const { at } of batchesOf(bytes)) {
        offset = batch.lastOffset(bytes, at) + 1;
        if (batch.maxTimestamp(bytes, at) < timestampMs) continue;
        return firstIn(bytes, at, timestampMs, log.startOffset);
      }
    }
  }
  return NONE;
}

/** Null where there is none, or where the records are not what their batch says of them. */
function firstRecord(bytes: Buffer, at: number, timestampMs: number, startOffset: number) {
  const lastOffset = batch.lastOffset(bytes, at);
  try {
    for (const { offset, timestampMs: timestamp } of recordsOf(bytes, at)) {
      if (offset > lastOffset) return null;
      if (timestamp >= timestampMs && offset >= startOffset) return { timestamp, offset };
    }
  } catch (cause) {
    if (!(cause instanceof MalformedMessage)) throw cause;
  }
  return null;
}

/** Inside a batch: to the record where it can be read, to the batch where it is compressed. */
function firstIn(bytes: Buffer, at: number, timestampMs: number, startOffset: number): Found {
  const leaderEpoch = batch.leaderEpoch(bytes, at);
  const attributes = batch.attributes(bytes, at);
  if ((attributes & 7) === 0 && (attributes & 8) === 0) {
    const found = firstRecord(bytes, at, timestampMs, startOffset);
    if (found !== null) return { ...found, leaderEpoch };
  }
  return {
    timestamp: batch.maxTimestamp(bytes, at),
    offset: Math.max(batch.baseOffset(bytes, at), startOffset),
    leaderEpoch,
  };
}

async function find(
  partition: Partition,
  timestamp: number,
  readCommitted: boolean,
): Promise<Found> {
  const { log } = partition;
  const visible = readCommitted ? partition.lastStableOffset : partition.highWatermark;
  const core = partition.leaderCore;
  const leaderEpoch = partition.leaderEpoch;
  switch (timestamp) {
    case -1: {
      // Until followers confirmed this epoch the high watermark may still lag behind what was committed.
      if (core !== null && core.highWatermark < core.epochStartOffset)
        throw new KafkaError('OFFSET_NOT_AVAILABLE');
      return { timestamp: -1, offset: visible, leaderEpoch };
    }
    case -2:
    case -4:
      return {
        timestamp: -1,
        offset: log.startOffset,
        leaderEpoch: log.epochs.epochAt(log.startOffset),
      };
    case -3: {
      const newest = log.maxTimestamp;
      if (newest === null) return NONE;
      const found = await byTimestamp(partition, newest.timestampMs, visible);
      return found;
    }
    case -5:
    case -6:
      return NONE;
    default:
      return byTimestamp(partition, timestamp, visible);
  }
}

/** Since which version a client may ask for a special timestamp. */
const SPECIAL_SINCE: ReadonlyMap<number, number> = new Map([
  [-3, 7],
  [-4, 8],
  [-5, 9],
  [-6, 11],
]);
/** So many partitions are looked into at once. */
const AT_ONCE = 16;

export function listOffsets(ports: Ports) {
  const look = async (
    topic: string,
    of: { partitionIndex: number; currentLeaderEpoch: number; timestamp: number },
    readCommitted: boolean,
    apiVersion: number,
  ) => {
    const { partitionIndex } = of;
    const failed = (error: ErrorName) => ({ partitionIndex, errorCode: codeOf(error), ...NONE });
    if (apiVersion < (SPECIAL_SINCE.get(of.timestamp) ?? 0)) return failed('UNSUPPORTED_VERSION');
    const known = ports.image.topic(topic);
    if (known === null || known.partitions[partitionIndex] === undefined)
      return failed('UNKNOWN_TOPIC_OR_PARTITION');
    const partition = ports.partition(known.id, partitionIndex);
    if (partition === null || !partition.isLeader) return failed('NOT_LEADER_OR_FOLLOWER');
    if (of.currentLeaderEpoch >= 0 && of.currentLeaderEpoch < partition.leaderEpoch)
      return failed('FENCED_LEADER_EPOCH');
    if (of.currentLeaderEpoch > partition.leaderEpoch) return failed('UNKNOWN_LEADER_EPOCH');
    try {
      return {
        partitionIndex,
        errorCode: 0,
        ...(await find(partition, of.timestamp, readCommitted)),
      };
    } catch (cause) {
      if (cause instanceof KafkaError) return failed(cause.error);
      throw cause;
    }
  };
  return api({
    key: 2,
    name: 'ListOffsets',
    request: listOffsetsRequest,
    response: listOffsetsResponse,
    async handle({ topics, isolationLevel }, { apiVersion, connection }) {
      const pace = new Pace(ports.turn.share, connection);
      const asked = topics.flatMap(({ name, partitions }) =>
        partitions.map((of) => ({ name, of })),
      );
      // A partition that is named twice is answered once, with an error.
      const answers = await mapSomeAtOnce(
        pace,
        await namedOnce(pace, asked, ({ name, of }) => `${name}:${of.partitionIndex}`),
        AT_ONCE,
        async ({ again, item: { name, of } }) => {
          const { partitionIndex } = of;
          const errorCode = codeOf('INVALID_REQUEST');
          if (again) return { name, answer: { partitionIndex, errorCode, ...NONE } };
          return { name, answer: await look(name, of, isolationLevel === 1, apiVersion) };
        },
      );
      const byTopic = Map.groupBy(answers, ({ name }) => name);
      return {
        topics: [...byTopic].map(([name, of]) => ({
          name,
          partitions: of.map(({ answer }) => answer),
        })),
      };
    },
    failed: ({ topics }, error) => ({
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          errorCode: codeOf(error),
        })),
      })),
    }),
  });
}
