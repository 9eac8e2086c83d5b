/**
 * A `LeaderMessage` of replication.proto as bytes, written by hand: records are copied once, from where
 * they lie in the log's memory to where gRPC sends them from. Everything else speaks through the loaded .proto files,
 * and a test reads these bytes with them.
 */
import { assert } from '../../stdx/assert.ts';
import type { Slab, TailMemory } from '../log/tail-memory.ts';
import type { Data } from './services.ts';

/** What a leader sends of one partition: as `Data`, its records still in pieces. */
export interface OutgoingData extends Omit<Data, 'records'> {
  readonly records: readonly Buffer[];
  readonly slabs: readonly Slab[];
}

/** What gRPC needs of the bytes of a message. A Buffer is one. */
export interface Frame {
  readonly byteLength: number;
  /** Writes all of it into `target` from `start` on. */
  copy(target: Buffer, start: number): number;
}

type RecordMemory = Pick<TailMemory, 'hold' | 'release'>;

/** Field numbers and wire types of `LeaderMessage` and `Data`. */
const DATA = (1 << 3) | 2;
const HANDLE = (1 << 3) | 0;
const LEADER_EPOCH = (2 << 3) | 0;
const HIGH_WATERMARK = (3 << 3) | 0;
const LOG_START_OFFSET = (4 << 3) | 0;
const RECORDS = (5 << 3) | 2;

/** Numbers here are never negative and below 2^53. */
function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) count++;
  return count;
}

function writeVarint(to: Buffer, at: number, value: number): number {
  let rest = value;
  let position = at;
  while (rest >= 0x80) {
    to[position++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  to[position++] = rest;
  return position;
}

function recordBytes({ records }: OutgoingData): number {
  let sum = 0;
  for (const part of records) sum += part.length;
  return sum;
}

function dataBytes(data: OutgoingData, recordsLength: number): number {
  const { handle, leaderEpoch, highWatermark, logStartOffset } = data;
  const numbers =
    varintBytes(handle) +
    varintBytes(leaderEpoch) +
    varintBytes(highWatermark) +
    varintBytes(logStartOffset);
  return 4 + numbers + 1 + varintBytes(recordsLength) + recordsLength;
}

function writeData(to: Buffer, start: number, data: OutgoingData, recordsLength: number): number {
  let at = start;
  to[at++] = HANDLE;
  at = writeVarint(to, at, data.handle);
  to[at++] = LEADER_EPOCH;
  at = writeVarint(to, at, data.leaderEpoch);
  to[at++] = HIGH_WATERMARK;
  at = writeVarint(to, at, data.highWatermark);
  to[at++] = LOG_START_OFFSET;
  at = writeVarint(to, at, data.logStartOffset);
  to[at++] = RECORDS;
  at = writeVarint(to, at, recordsLength);
  for (const part of data.records) {
    part.copy(to, at);
    at += part.length;
  }
  return at;
}

/**
 * A message that carries data and nothing else. It is no bytes yet: gRPC asks how long it is and then has
 * it copied behind its own prefix, which may be later where a stream is busy. Until then it holds the
 * memory that the records lie in.
 */
export class DataFrame implements Frame {
  readonly byteLength: number;
  private readonly list: readonly OutgoingData[];
  private readonly lengths: readonly { readonly records: number; readonly whole: number }[];
  private readonly memory: RecordMemory;
  private isHeld = true;

  constructor(list: readonly OutgoingData[], memory: RecordMemory) {
    this.list = list;
    this.memory = memory;
    let byteLength = 0;
    this.lengths = list.map((data) => {
      const records = recordBytes(data);
      const whole = dataBytes(data, records);
      byteLength += 1 + varintBytes(whole) + whole;
      memory.hold(data.slabs);
      return { records, whole };
    });
    this.byteLength = byteLength;
  }

  copy(target: Buffer, start: number): number {
    assert(this.isHeld, 'a frame is sent once');
    this.isHeld = false;
    let at = start;
    for (let i = 0; i < this.list.length; i++) {
      const data = this.list[i] as OutgoingData;
      const { records, whole } = this.lengths[i] as (typeof this.lengths)[number];
      target[at++] = DATA;
      at = writeVarint(target, at, whole);
      at = writeData(target, at, data, records);
      this.memory.release(data.slabs);
    }
    return at - start;
  }
}
