/** How many connections single addresses may have. Pure. */

import { plainAddress } from '../../stdx/addresses.ts';

/** `10.0.0.1:5,10.0.0.2:7`; null where it is not such a list. */
export function parseOverrides(text: string): ReadonlyMap<string, number> | null {
  const overrides = new Map<string, number>();
  for (const item of text.split(',')) {
    if (item.trim() === '') continue;
    const found = /^\s*([0-9a-fA-F.:]+):(\d{1,10})\s*$/.exec(item);
    if (found === null) return null;
    overrides.set(plainAddress(found[1]), Number(found[2]));
  }
  return overrides;
}
