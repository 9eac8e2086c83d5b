/**
 * Maps, sets and lists of millions of pairs: a small number and one that counts up, as places (partition
 * and offset) and values (writer and number) are. Held in typed arrays, six bytes or one bit each. Pure.
 */

/** Two numbers in one. */
export type Pair = number;

const LOW_LIMIT = 2 ** 32;
const HIGH_LIMIT = 2 ** 16 - 1;
const MAP_CHUNK = 2 ** 12;
const SET_CHUNK = 2 ** 15;
const LIST_CHUNK_MIN = 2 ** 5;
const LIST_CHUNK_MAX = 2 ** 13;

const isBelow = (limit: number, number: number) =>
  Number.isInteger(number) && number >= 0 && number < limit;

/** Whether the two numbers can be held as one. */
export const arePair = (high: number, low: number): boolean =>
  isBelow(HIGH_LIMIT, high) && isBelow(LOW_LIMIT, low);

/** @throws RangeError where the numbers are no such pair */
export function pairOf(high: number, low: number): Pair {
  if (!arePair(high, low)) throw new RangeError(`${high}:${low} is beyond what can be held`);
  return high * LOW_LIMIT + low;
}

export const highOf = (pair: Pair): number => Math.floor(pair / LOW_LIMIT);
export const lowOf = (pair: Pair): number => pair >>> 0;

/** Room for pairs; the high half is one more than it is, so that zero is none. */
class Room {
  readonly high: Uint16Array;
  readonly low: Uint32Array;

  constructor(size: number) {
    this.high = new Uint16Array(size);
    this.low = new Uint32Array(size);
  }

  get(at: number): Pair | undefined {
    const high = this.high[at] as number;
    return high === 0 ? undefined : (high - 1) * LOW_LIMIT + (this.low[at] as number);
  }

  set(at: number, pair: Pair): void {
    this.high[at] = highOf(pair) + 1;
    this.low[at] = lowOf(pair);
  }
}

/** A pair for each pair. */
export class PairMap {
  private readonly rooms = new Map<number, Room>();

  get(key: Pair): Pair | undefined {
    return this.rooms.get(Math.floor(key / MAP_CHUNK))?.get(key % MAP_CHUNK);
  }

  set(key: Pair, value: Pair): void {
    const chunk = Math.floor(key / MAP_CHUNK);
    let room = this.rooms.get(chunk);
    if (room === undefined) {
      room = new Room(MAP_CHUNK);
      this.rooms.set(chunk, room);
    }
    room.set(key % MAP_CHUNK, value);
  }

  *keys(): Generator<Pair> {
    for (const [chunk, { high }] of this.rooms)
      for (let i = 0; i < MAP_CHUNK; i++) if (high[i] !== 0) yield chunk * MAP_CHUNK + i;
  }
}

/** A bit for each pair. */
export class PairSet {
  private readonly bits = new Map<number, Uint8Array>();
  size = 0;

  has(key: Pair): boolean {
    const of = this.bits.get(Math.floor(key / SET_CHUNK));
    const i = key % SET_CHUNK;
    return of !== undefined && ((of[i >> 3] as number) & (1 << (i & 7))) !== 0;
  }

  /** Whether it is new. */
  add(key: Pair): boolean {
    const chunk = Math.floor(key / SET_CHUNK);
    let of = this.bits.get(chunk);
    if (of === undefined) {
      of = new Uint8Array(SET_CHUNK / 8);
      this.bits.set(chunk, of);
    }
    const i = key % SET_CHUNK;
    const before = of[i >> 3] as number;
    const after = before | (1 << (i & 7));
    if (before === after) return false;
    of[i >> 3] = after;
    this.size++;
    return true;
  }

  /** How many lie between the two, neither of them counted. */
  countBetween(after: Pair, before: Pair): number {
    let count = 0;
    for (let key = after + 1; key < before; key++) {
      if (this.bits.has(Math.floor(key / SET_CHUNK))) count += this.has(key) ? 1 : 0;
      // On to the end of a chunk of which nothing is there.
      else key += SET_CHUNK - 1 - (key % SET_CHUNK);
    }
    return count;
  }

  *[Symbol.iterator](): Generator<Pair> {
    for (const [chunk, of] of this.bits)
      for (let i = 0; i < SET_CHUNK; i++)
        if (((of[i >> 3] as number) & (1 << (i & 7))) !== 0) yield chunk * SET_CHUNK + i;
  }
}

/** Pairs one after the other. */
export class PairList {
  private readonly rooms: Room[] = [];
  private free = 0;

  push(pair: Pair): void {
    let room = this.rooms.at(-1);
    if (room === undefined || this.free === 0) {
      this.free = Math.min(LIST_CHUNK_MIN << Math.min(this.rooms.length, 16), LIST_CHUNK_MAX);
      room = new Room(this.free);
      this.rooms.push(room);
    }
    room.set(room.high.length - this.free, pair);
    this.free--;
  }

  *[Symbol.iterator](): Generator<Pair> {
    for (const room of this.rooms)
      for (let i = 0; i < room.high.length; i++) {
        const pair = room.get(i);
        if (pair === undefined) return;
        yield pair;
      }
  }
}
