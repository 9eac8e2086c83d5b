/** Chance as an argument: the only file that may ask the machine for randomness. */
import { randomBytes, randomUUID } from 'node:crypto';

export interface Chance {
  /** A number in [0, 1). */
  fraction(): number;
  /** RFC 9562 version 4. */
  uuid(): string;
  bytes(byteCount: number): Buffer;
}

export const systemChance: Chance = {
  fraction: () => Math.random(),
  uuid: () => randomUUID(),
  bytes: (byteCount) => randomBytes(byteCount),
};

/** A delay of `baseMs` give or take a fifth, so that many waiters do not knock together. */
export function jittered(chance: Chance, baseMs: number): number {
  return Math.round(baseMs * (0.8 + 0.4 * chance.fraction()));
}
