/** Where the offsets of a group are moved to, as Kafka's flags say it. */
import type { AdminClient } from '../client/admin.ts';

export interface ResetFlags {
  readonly toEarliest?: boolean;
  readonly toLatest?: boolean;
  readonly toCurrent?: boolean;
  readonly toOffset?: number;
  readonly shiftBy?: number;
  readonly toDatetime?: string;
  readonly byDuration?: string;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}
const keyOf = ({ topic, partition }: TopicPartition) => `${topic}:${partition}`;

/** ISO 8601, the parts that have a fixed length: P1DT2H30M. @throws Error */
export function durationMs(text: string): number {
  const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(text);
  if (match === null || text === 'P' || text.endsWith('T'))
    throw new Error(`a duration must read like P1DT2H30M, not "${text}"`);
  const [, days = 0, hours = 0, minutes = 0, seconds = 0] = match.map(Number);
  return ((((days || 0) * 24 + (hours || 0)) * 60 + (minutes || 0)) * 60 + (seconds || 0)) * 1000;
}

/**
 * The offset that each partition is to have.
 * @throws Error where not exactly one flag says so
 */
export async function targetOffsets(
  admin: AdminClient,
  flags: ResetFlags,
  of: {
    readonly partitions: readonly TopicPartition[];
    readonly current: ReadonlyMap<string, number>;
    readonly nowMs: number;
  },
): Promise<Map<string, number>> {
  const names = [
    'toEarliest',
    'toLatest',
    'toCurrent',
    'toOffset',
    'shiftBy',
    'toDatetime',
    'byDuration',
  ] as const;
  const given = names.filter((name) => flags[name] !== undefined);
  const [flag] = given;
  if (given.length !== 1 || flag === undefined) {
    throw new Error(
      'exactly one of --to-earliest, --to-latest, --to-current, --to-offset, --shift-by, --to-datetime, --by-duration must be given',
    );
  }
  const { partitions, current } = of;
  const earliest = await admin.listOffsets(partitions, -2);
  const latest = await admin.listOffsets(partitions, -1);
  const within = (partition: TopicPartition, offset: number) =>
    Math.min(
      Math.max(offset, earliest.get(keyOf(partition)) ?? 0),
      latest.get(keyOf(partition)) ?? 0,
    );
  const each = (choose: (partition: TopicPartition) => number) =>
    new Map(
      partitions.map((partition) => [keyOf(partition), within(partition, choose(partition))]),
    );
  const now = (partition: TopicPartition) =>
    current.get(keyOf(partition)) ?? latest.get(keyOf(partition)) ?? 0;
  switch (flag) {
    case 'toEarliest':
      return earliest;
    case 'toLatest':
      return latest;
    case 'toCurrent':
      return each(now);
    case 'toOffset':
      return each(() => flags.toOffset ?? 0);
    case 'shiftBy':
      return each((partition) => now(partition) + (flags.shiftBy ?? 0));
    case 'toDatetime':
    case 'byDuration': {
      const at =
        flags.toDatetime === undefined
          ? of.nowMs - durationMs(flags.byDuration ?? '')
          : Date.parse(flags.toDatetime);
      if (Number.isNaN(at))
        throw new Error(`a time must read like 2026-01-31T12:00:00.000, not "${flags.toDatetime}"`);
      const found = await admin.listOffsets(partitions, at);
      // Nothing so young: the end.
      return each((partition) => {
        const offset = found.get(keyOf(partition)) ?? -1;
        return offset < 0 ? (latest.get(keyOf(partition)) ?? 0) : offset;
      });
    }
  }
}
