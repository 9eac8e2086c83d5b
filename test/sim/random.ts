/** Chance that a seed decides: the same seed, the same world. */
import type { Chance } from '../../stdx/chance.ts';

export class Random implements Chance {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** Mulberry32: small, fast, and good enough to shuffle faults. */
  fraction(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** In [min, max). */
  between(min: number, max: number): number {
    return min + this.fraction() * (max - min);
  }
  /** A whole number in [0, count). */
  below(count: number): number {
    return Math.floor(this.fraction() * count);
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  bytes(byteCount: number): Buffer {
    return Buffer.from(Array.from({ length: byteCount }, () => this.below(256)));
  }
  uuid(): string {
    const bytes = this.bytes(16);
    bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
    bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
    const hex = bytes.toString('hex');
    return [
      [0, 8],
      [8, 12],
      [12, 16],
      [16, 20],
      [20, 32],
    ]
      .map(([from, to]) => hex.slice(from, to))
      .join('-');
  }

  /** Chance of its own that goes on independently of this one. */
  fork(): Random {
    return new Random(Math.floor(this.fraction() * 4294967296));
  }
}
