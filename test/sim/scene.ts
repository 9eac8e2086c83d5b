/** What a seed makes a world of: how many brokers, which topics, and how they are kept. */
import { Random } from './random.ts';

/**
 * `plain`: everything stays. `compacted`: the newest of each key stays. `trimmed`: by size or time, and
 * by DeleteRecords at any offset. `passing`: deleted and made anew under the same name.
 */
export type TopicKind = 'plain' | 'compacted' | 'trimmed' | 'passing';

/**
 * What a seed may have besides the plain topic: a topic of another kind, producers with several batches
 * under way, an end in which every replica leads once, and one with an orderly stop of everybody; topics
 * of the brokers' own that are compacted all the time; brokers
 * that look for damage all the time, without which no bit flips; and whether what DeleteRecords answered is held against the end.
 */
export const features = [
  'compacted',
  'trimmed',
  'passing',
  'in-flight',
  'every-leader',
  'end-stop',
  'own-topics',
  'scrub',
  'lasting-deletions',
] as const;
export type Feature = (typeof features)[number];

export interface TopicShape {
  readonly name: string;
  readonly kind: TopicKind;
  readonly partitions: number;
  readonly config: Readonly<Record<string, string | number>>;
}

export interface Scene {
  readonly brokers: number;
  readonly topics: readonly TopicShape[];
  readonly config: Readonly<Record<string, string | number>>;
  /** How many batches each producer may have under way in a partition, by chance one of these. */
  readonly windows: readonly number[];
  /** Whether topics of the brokers' own have small segments, and are compacted. */
  readonly compactsOwn: boolean;
  /** Whether brokers look for damage all the time. */
  readonly scrubs: boolean;
  /** Whether what was deleted, as DeleteRecords answered, must be gone in the end. */
  readonly deletionsLast: boolean;
  /** Whether in the end every replica leads once, and is read. */
  readonly everyReplicaLeads: boolean;
  /** Whether in the end all brokers are stopped in good order, started, and read again. */
  readonly endsWithStop: boolean;
}

export const TOPIC = 't';
/** Younger records are kept, with room for clocks that run apart. */
export const RETENTION_MS = 6_000;
export const RETENTION_BYTES = 6_000;
const MIN_ISR = { 'min.insync.replicas': 2 };

export function sceneOf(seed: number, wanted: readonly Feature[] = features): Scene {
  const random = new Random(seed ^ 0x5ce7e);
  /** The same seed has the same of everything else, whatever is wanted. */
  const has = (feature: Feature, chance: number) =>
    random.chance(chance) && wanted.includes(feature);
  // With a broker more than replicas, partitions have somewhere to move to.
  const brokers = seed % 2 === 0 ? 4 : 3;
  const plain: TopicShape = {
    name: TOPIC,
    kind: 'plain',
    partitions: random.chance(0.5) ? 3 : 2,
    config: { ...MIN_ISR, 'internal.segment.bytes': 4096 },
  };
  const others = { compacted: compacted(), trimmed: trimmed(random), passing: passing() };
  const topics = [
    plain,
    ...(has('compacted', 0.4) ? [others.compacted] : []),
    ...(has('trimmed', 0.35) ? [others.trimmed] : []),
    ...(has('passing', 0.3) ? [others.passing] : []),
  ];
  const scrubs = has('scrub', 0.35);
  return {
    brokers,
    topics,
    scrubs,
    config: {
      ...(scrubs ? { 'log.scrub.interval.ms': 1_500 } : {}),
      ...MIN_ISR,
      'offsets.topic.num.partitions': 1,
      'transaction.state.log.num.partitions': 1,
      'log.cleaner.backoff.ms': 400,
      'log.cleaner.min.cleanable.ratio': '0.05',
      'log.retention.check.interval.ms': 500,
      'log.segment.delete.delay.ms': 300,
      'log.scrub.interval.ms': 3_000,
    },
    windows: has('in-flight', 0.8) ? [1, 5, 5] : [1],
    everyReplicaLeads: has('every-leader', 0.25),
    endsWithStop: has('end-stop', 0.25),
    compactsOwn: has('own-topics', 0.4),
    deletionsLast: has('lasting-deletions', 1),
  };
}

/** For tests that say themselves what happens: the plain topic, and nothing by chance. */
export function plainScene(
  of: Pick<Scene, 'brokers' | 'config'> & { readonly partitions: number },
): Scene {
  const { brokers, config, partitions } = of;
  const plain: TopicShape = {
    name: TOPIC,
    kind: 'plain',
    partitions,
    config: { 'min.insync.replicas': Math.min(brokers, 2), 'internal.segment.bytes': 4096 },
  };
  const calm = {
    windows: [1],
    everyReplicaLeads: false,
    endsWithStop: false,
    deletionsLast: true,
    scrubs: false,
    compactsOwn: false,
  };
  return { brokers, config, topics: [plain], ...calm };
}

const compacted = (): TopicShape => ({
  name: 'c',
  kind: 'compacted',
  partitions: 1,
  config: {
    ...MIN_ISR,
    'cleanup.policy': 'compact',
    'internal.segment.bytes': 1024,
    'min.cleanable.dirty.ratio': '0.01',
    // Who was away for longer could miss that something was deleted: no outage here is that long.
    'delete.retention.ms': 600_000,
  },
});

const trimmed = (random: Random): TopicShape => ({
  name: 'r',
  kind: 'trimmed',
  partitions: 1,
  config: {
    ...MIN_ISR,
    'internal.segment.bytes': 1024,
    ...random.pick<Record<string, number>>([
      { 'retention.bytes': RETENTION_BYTES },
      { 'retention.ms': RETENTION_MS },
      // DeleteRecords alone.
      { 'retention.ms': -1 },
    ]),
  },
});

const passing = (): TopicShape => ({
  name: 'd',
  kind: 'passing',
  partitions: 2,
  config: { ...MIN_ISR, 'internal.segment.bytes': 1024 },
});

/** Names a partition of one life of a topic: what was deleted and made anew is another one. */
export function placeOf({ kind, name }: TopicShape, topicId: string, partition: number): string {
  return kind === 'passing' ? `${name}-${partition}@${topicId}` : `${name}-${partition}`;
}
