/** Effective configuration: what a topic says, else what the cluster says, else Kafka's default. */
import type { ConfigMapOf } from '../../kube/kafka-objects.ts';
import { type Codec, codecs } from '../../proto/kafka/compression.ts';
import { type Setting, settingFault } from '../../stdx/settings.ts';
import type { LogConfig } from '../log/log-config.ts';
import type { LineRules } from '../metadata/election-core.ts';
import type { PartitionRules } from '../partition/partition.ts';
import { brokerSettingsByName } from './broker-settings.ts';
import { type TopicSetting, topicSettingsByName } from './topic-settings.ts';

export type ConfigOrigin = 'topic' | 'cluster' | 'default';

export interface EffectiveValue {
  readonly value: string;
  readonly origin: ConfigOrigin;
  /** The name under which the value was given. */
  readonly name: string;
}

/** Kafka's name for segments below the limit that users have; only tests want them. */
export const INTERNAL_SEGMENT_BYTES = 'internal.segment.bytes';

const MS_PER: Readonly<Record<string, number>> = { minutes: 60_000, hours: 3_600_000 };

const usableValues = new WeakMap<ConfigMapOf, ConfigMapOf>();

/** What can be acted on: a value that is wrong shows in a condition and counts as not given. */
function usable(config: ConfigMapOf, settings: ReadonlyMap<string, Setting>): ConfigMapOf {
  let kept = usableValues.get(config);
  if (kept === undefined) {
    const entries = Object.entries(config);
    const good = entries.filter(([name, value]) => {
      const setting = settings.get(name);
      return setting === undefined || settingFault(setting, String(value)) === null;
    });
    kept = good.length === entries.length ? config : Object.fromEntries(good);
    usableValues.set(config, kept);
  }
  return kept;
}

/** The cluster's value for a topic setting; older names in minutes and hours are turned into ms. */
function clusterValue(
  setting: TopicSetting,
  cluster: ConfigMapOf,
): { value: string; name: string } | null {
  for (const name of setting.synonyms) {
    const value = usable(cluster, brokerSettingsByName)[name];
    if (value === undefined) continue;
    const unit = MS_PER[name.slice(name.lastIndexOf('.') + 1)];
    return { value: String(unit === undefined ? value : Number(value) * unit), name };
  }
  return null;
}

export function topicValue(name: string, topic: ConfigMapOf, cluster: ConfigMapOf): EffectiveValue {
  const setting = topicSettingsByName.get(name);
  const own = usable(topic, topicSettingsByName)[name];
  if (own !== undefined) return { value: String(own), origin: 'topic', name };
  const inherited = setting === undefined ? null : clusterValue(setting, cluster);
  if (inherited !== null) return { ...inherited, origin: 'cluster' };
  return { value: setting?.default ?? '', origin: 'default', name };
}

export function listOf(text: string): string[] {
  return text.split(',').flatMap((part) => part.trim() || []);
}

/** A broker setting as a number, boolean or text. */
export class BrokerConfig {
  private readonly cluster: () => ConfigMapOf;

  constructor(cluster: () => ConfigMapOf) {
    this.cluster = cluster;
  }

  text(name: string): string {
    const given = usable(this.cluster(), brokerSettingsByName);
    return String(given[name] ?? brokerSettingsByName.get(name)?.default ?? '');
  }
  number(name: string): number {
    return Number(this.text(name));
  }
  /** The parts of a list, without blanks. */
  list(name: string): string[] {
    return listOf(this.text(name));
  }
  flag(name: string): boolean {
    return this.text(name).toLowerCase() === 'true';
  }
}

export interface TopicRules {
  readonly log: LogConfig;
  readonly partition: PartitionRules;
  readonly line: LineRules;
  readonly fileDeleteDelayMs: number;
}

/** The codec of a topic's batches; null: whatever the producer chose. */
function codecFor(compressionType: string): Codec | null {
  if (compressionType === 'uncompressed') return 'none';
  return codecs.find((codec) => codec === compressionType) ?? null;
}

function throttledReplicas(list: string): 'all' | ReadonlySet<string> | null {
  if (list === '') return null;
  return list === '*' ? 'all' : new Set(list.split(',').map((one) => one.trim()));
}

/** The largest batch of a topic may always be packed so well: text that repeats itself comes to 50. */
const UNPACKED_RATIO_MIN = 64;

/** Everything that a topic's settings mean for its partitions. */
export function topicRules(topic: ConfigMapOf, cluster: ConfigMapOf): TopicRules {
  const text = (name: string) => topicValue(name, topic, cluster).value;
  const number = (name: string) => Number(text(name));
  const broker = new BrokerConfig(() => cluster);
  const segmentBytes = Number(topic[INTERNAL_SEGMENT_BYTES] ?? number('segment.bytes'));
  const minInsyncReplicas = number('min.insync.replicas');
  const maxMessageBytes = number('max.message.bytes');
  const policy = text('cleanup.policy');
  const codec = codecFor(text('compression.type'));
  return {
    log: {
      segmentBytes,
      segmentMs: number('segment.ms'),
      indexIntervalBytes: number('index.interval.bytes'),
      retentionMs: number('retention.ms'),
      retentionBytes: number('retention.bytes'),
      deletes: policy.includes('delete'),
      compacts: policy.includes('compact'),
      minCleanableRatio: number('min.cleanable.dirty.ratio'),
      minCompactionLagMs: number('min.compaction.lag.ms'),
      maxCompactionLagMs: number('max.compaction.lag.ms'),
      deleteRetentionMs: number('delete.retention.ms'),
    },
    partition: {
      minInsyncReplicas,
      replicaLagTimeMaxMs: broker.number('replica.lag.time.max.ms'),
      maxMessageBytes,
      unpackedBytesMax: Math.max(
        broker.number('socket.request.max.bytes'),
        UNPACKED_RATIO_MIN * maxMessageBytes,
      ),
      segmentBytes,
      logAppendTime: text('message.timestamp.type') === 'LogAppendTime',
      timestampBeforeMaxMs: number('message.timestamp.before.max.ms'),
      timestampAfterMaxMs: number('message.timestamp.after.max.ms'),
      isCompacted: policy.includes('compact'),
      codec,
      compressionLevel:
        codec === 'gzip' || codec === 'zstd' ? number(`compression.${codec}.level`) : 0,
      throttledReplicas: throttledReplicas(text('leader.replication.throttled.replicas')),
      producerExpirationMs: broker.number('producer.id.expiration.ms'),
    },
    line: {
      minInsyncReplicas,
      uncleanLeaderElection: text('unclean.leader.election.enable') === 'true',
    },
    fileDeleteDelayMs: number('file.delete.delay.ms'),
  };
}
