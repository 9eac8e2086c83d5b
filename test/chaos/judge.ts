/** What clients were told and saw, held against what is there in the end. Pure. */
import type { Acknowledged, Seen } from './clients.ts';

export function judge(
  final: Seen,
  acknowledged: readonly Acknowledged[],
  seen: readonly Seen[],
): string[] {
  const anomalies: string[] = [];
  const at = new Map<string, string>();
  for (const [key, value] of final) {
    const twice = at.get(value);
    if (twice !== undefined) anomalies.push(`duplicate: ${value} is at ${twice} and at ${key}`);
    at.set(value, key);
  }
  const last = new Map<string, number>();
  for (const { offset, partition, producer, value } of acknowledged) {
    const where = at.get(value);
    if (where === undefined) {
      anomalies.push(`lost write: ${value} was acknowledged at ${partition}:${offset}`);
      continue;
    }
    const found = Number(where.split(':')[1]);
    // A repeat of what was written already is acknowledged without an offset by some clients.
    if (offset >= 0 && where !== `${partition}:${offset}`)
      anomalies.push(
        `moved: ${value} was acknowledged at ${partition}:${offset} and is at ${where}`,
      );
    const lane = `${producer}/${partition}`;
    if (found <= (last.get(lane) ?? -1))
      anomalies.push(`order: ${value} is before what its producer wrote earlier`);
    last.set(lane, found);
  }
  for (const one of seen)
    for (const [key, value] of one)
      if (final.get(key) !== value)
        anomalies.push(
          `unseen: somebody read ${value} at ${key}, and now it is ${final.get(key) ?? 'gone'}`,
        );
  return anomalies;
}
